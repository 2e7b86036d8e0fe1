package portal

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/scan"
)

// reviewView is all that a reviewer needs of a submission.
type reviewView struct {
	publishing.Detail
	Who       staffNames
	Publisher hub.Publisher
	Proofs    []hub.Proof
	Signer    reviewSigner
	Manifest  *catalog.Manifest // nil until it was read
	RiskMark  riskMark
	Reasons   []publishing.Reason
	Changes   *reviewDiff // nil until it was compared
	Scanned   []reviewScan
	Threads   []reviewThread
	Steps     []reviewStep
	Approvals []hub.Review
	Package   string // where it lies, for who wants to look with other tools
	Cannot    string // why who looks cannot decide; empty: they can
	Second    string // why more than one person has to approve; empty: one is enough
	ByMe      bool
	File      string // that a remark was begun about
}

// reviewScan is what one scanner said.
type reviewScan struct {
	hub.Scan
	Report scan.Report
	Broken bool // the kept report cannot be read
	Idle   bool // it had nothing to look at, as opposed to not being there
}

func reviewScans(list []hub.Scan) []reviewScan {
	var out []reviewScan
	for _, c := range list {
		v := reviewScan{Scan: c}
		v.Broken = len(c.Report) > 0 && json.Unmarshal(c.Report, &v.Report) != nil
		v.Idle = c.State == hub.ScanUnavailable && len(c.Report) > 0 && !v.Broken && v.Report.Verdict == verify.VerdictNotConfigured && !v.Report.Unavailable
		out = append(out, v)
	}
	return out
}

// reviewThread is what was said about one file, or about the whole.
type reviewThread struct {
	File     string
	Comments []hub.Comment
}

// reviewStep is a line of the history in words.
type reviewStep struct {
	At        time.Time
	Who, What string
	Text      string
	Icon      string
	Internal  bool
	Round     int
}

// reviewSigner is who signed, as far as the publisher's list knows them.
type reviewSigner struct {
	ID    string
	Known *hub.Signer // nil: not on the publisher's list any more
	Words string
}

func (h *Handler) reviewPage(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	ctx := r.Context()
	d, err := h.o.Publishing.Submission(ctx, a, r.PathValue("id"))
	if err != nil {
		return err
	}
	steps, err := h.o.Publishing.Timeline(ctx, a, d.ID)
	if err != nil {
		return err
	}
	in, err := h.o.Publishing.Inside(ctx, a, d.Submission.Publisher)
	if err != nil {
		return err
	}
	p := reviewView{
		Detail: d, Publisher: in.Publisher, Proofs: in.Proofs, RiskMark: riskOf(d.Risk), Threads: reviewThreads(d.Comments),
		Package: h.o.Registry + "/" + h.o.Publishing.StagingRepo(d.Plugin) + "@" + d.Digest,
		ByMe:    approvedBy(d, a.Account), File: r.URL.Query().Get("file"), Signer: reviewSignerOf(d.Signer, in.Signers), Scanned: reviewScans(d.Scans),
	}
	if p.Who, err = h.peopleOf(ctx, peopleIn(d, steps)...); err != nil {
		return err
	}
	if len(d.Manifest) > 0 {
		m, err := catalog.ParseManifest(d.Manifest)
		if err != nil {
			return fmt.Errorf("kept manifest of %s: %w", d.Ref(), err)
		}
		p.Manifest = &m
	}
	if d.Diff != nil {
		p.Reasons = worstFirst(d.Diff.Risk)
		p.Changes = reviewDiffOf(*d.Diff, p.Manifest)
	}
	for _, v := range d.Reviews {
		if v.Digest == d.Digest {
			p.Approvals = append(p.Approvals, v)
		}
	}
	for _, s := range steps {
		p.Steps = append(p.Steps, reviewStepOf(s, p.Who))
	}
	p.Cannot, p.Second = cannotDecide(a, d, in.Publisher), whySecond(d)
	return h.show(w, r, a, http.StatusOK, "review", d.Ref(), "review-page", p)
}

func peopleIn(d publishing.Detail, steps []publishing.Step) []string {
	ids := []string{d.By}
	for _, c := range d.Comments {
		ids = append(ids, c.Author)
	}
	for _, v := range d.Reviews {
		ids = append(ids, v.Reviewer)
	}
	for _, s := range steps {
		ids = append(ids, s.Actor)
	}
	return ids
}

// threadsOf orders remarks by the file they are about, those about the whole first.
func reviewThreads(all []hub.Comment) []reviewThread {
	byFile := map[string]*reviewThread{}
	for _, c := range all {
		if byFile[c.File] == nil {
			byFile[c.File] = &reviewThread{File: c.File}
		}
		byFile[c.File].Comments = append(byFile[c.File].Comments, c)
	}
	var out []reviewThread
	for _, t := range byFile {
		slices.SortStableFunc(t.Comments, func(x, y hub.Comment) int { return cmp.Or(x.Created.Compare(y.Created), cmp.Compare(x.ID, y.ID)) })
		out = append(out, *t)
	}
	slices.SortFunc(out, func(x, y reviewThread) int { return cmp.Compare(x.File, y.File) })
	return out
}

// reviewSignerOf says who signed in words.
func reviewSignerOf(id string, list []hub.Signer) reviewSigner {
	v := reviewSigner{ID: id, Words: "Nobody yet: the signature is checked when it is validated."}
	if id == "" {
		return v
	}
	for i, s := range list {
		if s.Catalog().ID() == id {
			v.Known = &list[i]
		}
	}
	if who, ok := strings.CutPrefix(id, "keyless:"); ok {
		issuer, subject, _ := strings.Cut(who, "#")
		v.Words = subject + ", as " + issuer + " vouches"
	} else {
		_, hash, _ := strings.Cut(id, ":")
		v.Words = "the key " + hash[:min(16, len(hash))] + "…"
	}
	return v
}

// reviewStepOf says in words what happened.
func reviewStepOf(s publishing.Step, who staffNames) reviewStep {
	v := reviewStep{At: s.At, Who: who.Name(s.Actor), Text: s.Text, Internal: s.Internal, Round: s.Round, Icon: "circle-help"}
	switch s.Kind {
	case "state":
		v.Icon, v.What = "arrow-right", map[hub.State]string{
			hub.StateDraft: "named the version", hub.StateSubmitted: "submitted it", hub.StateValidating: "began to validate it",
			hub.StateScanning: "began to scan it", hub.StateScanError: "could not finish the scans", hub.StateNeedsChanges: "asked for changes",
			hub.StateRejected: "rejected it", hub.StateInReview: "put it before reviewers", hub.StateApproved: "approved it",
			hub.StatePublished: "published it", hub.StateYanked: "took it back from new installs", hub.StateWithdrawn: "withdrew it",
		}[s.State]
		if s.State == hub.StateInReview && s.Actor != "" {
			v.What = "left it with the reviewers"
		}
	case "scan":
		v.Icon, v.Who, v.What = "shield", "Scanner "+s.Scanner, "said: "+word(s.Scan)
	case "review":
		v.Icon, v.What = "check", map[hub.Verdict]string{hub.VerdictApprove: "approved", hub.VerdictChanges: "asked for changes", hub.VerdictReject: "rejected"}[s.Verdict]
	case "comment":
		v.Icon, v.What = "pen-line", "remarked"
		if s.File != "" {
			v.What += " on " + place(s.File, s.Line)
		}
	}
	if s.State == hub.StateDraft {
		v.Text = "" // the words say it
	}
	if v.What == "" {
		v.What = word(s.Kind) + " " + word(s.State)
	}
	return v
}

// place writes a line of a file: "src/main.go:12".
func place(file string, line int) string {
	if line > 0 {
		return fmt.Sprintf("%s:%d", file, line)
	}
	return file
}

// cannotDecide says why the actor cannot decide about a submission; empty when they can.
func cannotDecide(a hub.Actor, d publishing.Detail, p hub.Publisher) string {
	switch {
	case d.May.Decide:
		return ""
	case d.State == hub.StateScanError:
		return "Its scans did not come to an end. Have them tried again, or take it to review without them."
	case d.State != hub.StateInReview:
		return "There is nothing to decide: it is " + word(d.State) + "."
	case d.By == a.Account:
		return "You submitted it yourself. Somebody else has to decide."
	case a.Memberships[d.Submission.Publisher] != "":
		return "You belong to " + p.Name + ", which publishes it. Somebody else has to decide."
	case !slices.Contains(a.Roles, hub.RoleReviewer):
		return "Only reviewers decide. Your role lets you look at everything."
	}
	return "Your account cannot decide about this one."
}

// whySecond says why one approval is not enough.
func whySecond(d publishing.Detail) string {
	if d.Needs < 2 {
		return ""
	}
	var because []string
	if d.Diff != nil {
		for _, r := range d.Diff.Risk {
			if r.Grew {
				because = append(because, r.Text)
			}
		}
	}
	if len(because) == 0 {
		return "This hub's policy wants that many for every release."
	}
	return strings.Join(because, " ")
}
