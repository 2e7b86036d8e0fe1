package portal

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
)

func (h *Handler) reviewRoutes() {
	h.staff("GET /review", hub.ActReviewQueue, h.reviewQueue)
	h.staff("GET /review/all", hub.ActReviewQueue, h.reviewAll)
	h.staff("GET /review/{id}", hub.ActReviewQueue, h.reviewPage)
	h.staffForm("POST /review/{id}/decide", hub.ActReviewQueue, h.reviewDecide)
	h.staffForm("POST /review/{id}/comment", hub.ActReviewQueue, h.reviewComment)
	h.staffForm("POST /review/{id}/retry", hub.ActReviewQueue, h.reviewRetry)
	h.staffForm("POST /review/{id}/take", hub.ActReviewQueue, h.reviewTake)
}

// reviewRows is how many submissions stand on a page of the queue.
const reviewRows = 20

// riskMark is a risk in a word and a colour.
type riskMark struct {
	Score             int
	Level, Name, Icon string
}

func riskOf(score int) riskMark {
	switch {
	case score >= 50:
		return riskMark{score, "high", "High risk", "shield-alert"}
	case score >= 25:
		return riskMark{score, "medium", "Medium risk", "shield"}
	}
	return riskMark{score, "low", "Low risk", "shield-check"}
}

// reviewRow is a submission in a list.
type reviewRow struct {
	publishing.Detail
	Link      string
	Publisher hub.Publisher
	By        string
	RiskMark  riskMark
	Reasons   []publishing.Reason
	Scanned   []reviewScan
	Own       bool // of a publisher that who looks belongs to
	ByMe      bool // who looks approved it already
	Needs     int
}

// reviewQueuePage is the review queue.
type reviewQueuePage struct {
	Rows           []reviewRow
	Chips, Sorts   []staffFilter
	Waiting, Shown int // all that wait; those that were looked through
	Found          int // of them, those that meet the filter
	Filtered       bool
	Next           string
}

// Partial says that more wait than the page looked through.
func (p reviewQueuePage) Partial() bool { return p.Waiting > p.Shown }

// queueFilters are the choices above the queue.
func queueFilters(a hub.Actor) []struct {
	key, name string
	is        func(hub.Submission) bool
} {
	return []struct {
		key, name string
		is        func(hub.Submission) bool
	}{
		{"", "All that wait", func(hub.Submission) bool { return true }},
		{"grew", "Risk grew", func(s hub.Submission) bool { return s.Grew }},
		{"scan", "Scan went wrong", func(s hub.Submission) bool { return s.State == hub.StateScanError }},
		{"mine", "I can decide", func(s hub.Submission) bool {
			o := hub.Object{Publisher: s.Publisher, Plugin: s.Plugin}
			return s.State == hub.StateInReview && s.By != a.Account && a.May(hub.ActReviewDecide, o) == nil
		}},
	}
}

func (h *Handler) reviewQueue(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	all, waiting, err := h.o.Publishing.Queue(r.Context(), a, hub.MaxPage)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	show, sort := q.Get("show"), q.Get("sort")
	p := reviewQueuePage{Waiting: waiting, Shown: len(all), Filtered: show != ""}
	found := all
	for _, f := range queueFilters(a) {
		var of []hub.Submission
		for _, s := range all {
			if f.is(s) {
				of = append(of, s)
			}
		}
		p.Chips = append(p.Chips, staffFilter{f.name, withQuery("/review", "show", f.key, "sort", sort), strconv.Itoa(len(of)), show == f.key})
		if f.key == show {
			found = of
		}
	}
	p.Chips = append(p.Chips, staffFilter{Name: "Everything, decided ones too", URL: "/review/all"})
	p.Sorts = []staffFilter{
		{Name: "Highest risk first", URL: withQuery("/review", "show", show), Current: sort != "age"},
		{Name: "Longest wait first", URL: withQuery("/review", "show", show, "sort", "age"), Current: sort == "age"},
	}
	if sort == "age" {
		slices.SortStableFunc(found, func(x, y hub.Submission) int { return x.Submitted.Compare(y.Submitted) })
	}
	p.Found = len(found)
	from, err := strconv.Atoi(cmp.Or(q.Get("from"), "0"))
	if err != nil || from < 0 || from > len(found) {
		from = 0
	}
	to := min(from+reviewRows, len(found))
	if to < len(found) {
		p.Next = withQuery("/review", "show", show, "sort", sort, "from", strconv.Itoa(to))
	}
	if p.Rows, err = h.reviewRowsOf(r.Context(), a, found[from:to]); err != nil {
		return err
	}
	return h.show(w, r, a, http.StatusOK, "review", "Review", "review-queue", p)
}

// reviewRowsOf adds to submissions what a list shows beside them.
func (h *Handler) reviewRowsOf(ctx context.Context, a hub.Actor, list []hub.Submission) ([]reviewRow, error) {
	publishers := map[string]hub.Publisher{}
	var by []string
	for _, s := range list {
		by = append(by, s.By)
	}
	who, err := h.peopleOf(ctx, by...)
	if err != nil {
		return nil, err
	}
	var out []reviewRow
	for _, s := range list {
		pub, known := publishers[s.Publisher]
		if !known {
			if pub, err = h.o.Publishing.Publisher(ctx, s.Publisher); err != nil {
				return nil, err
			}
			publishers[s.Publisher] = pub
		}
		d, err := h.o.Publishing.Submission(ctx, a, s.ID)
		if err != nil {
			return nil, err
		}
		row := reviewRow{
			Detail: d, Link: "/review/" + url.PathEscape(s.ID), Publisher: pub, By: who.Name(s.By), RiskMark: riskOf(s.Risk),
			Own: a.Memberships[s.Publisher] != "", ByMe: approvedBy(d, a.Account), Needs: max(1, d.Needs), Scanned: reviewScans(d.Scans),
		}
		if d.Diff != nil {
			row.Reasons = worstFirst(d.Diff.Risk)
		}
		out = append(out, row)
	}
	return out, nil
}

// worstFirst orders reasons by what they weigh.
func worstFirst(in []publishing.Reason) []publishing.Reason {
	out := slices.Clone(in)
	slices.SortStableFunc(out, func(x, y publishing.Reason) int { return cmp.Compare(y.Points, x.Points) })
	return out
}

// approvedBy reports whether the last word of an account on what lies before it was yes.
func approvedBy(d publishing.Detail, account string) bool {
	var last hub.Review
	for _, v := range d.Reviews {
		if v.Reviewer == account && v.Digest == d.Digest && !v.Created.Before(last.Created) {
			last = v
		}
	}
	return last.Verdict == hub.VerdictApprove
}

// reviewAllPage lists submissions in any state.
type reviewAllPage struct {
	Rows      []hub.Submission
	Find      string
	Publisher string
	States    []staffOption
	Filtered  bool
	Who       staffNames
	Next      string
}

func (h *Handler) reviewAll(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	q := r.URL.Query()
	state, find := hub.State(q.Get("state")), strings.ToLower(strings.TrimSpace(q.Get("find")))
	f := publishing.SubmissionFilter{Cursor: q.Get("after")}
	if _, known := hub.Transitions()[state]; state != "" && !known {
		return hub.Invalid("state", "%.40q is not one of a submission", string(state))
	} else if known {
		f.States = []hub.State{state}
	}
	if strings.Contains(find, "/") {
		f.Plugin = find
	} else {
		f.Publisher = find
	}
	page, err := h.o.Publishing.Submissions(r.Context(), a, f)
	if err != nil {
		return err
	}
	p := reviewAllPage{Rows: page.Items, Find: find, Filtered: find != "" || state != "", States: optionsOf("any state", string(state), submissionStates())}
	var by []string
	for _, s := range page.Items {
		by = append(by, s.By)
	}
	if p.Who, err = h.peopleOf(r.Context(), by...); err != nil {
		return err
	}
	if page.Next != "" {
		p.Next = withQuery("/review/all", "state", string(state), "find", find, "after", page.Next)
	}
	return h.show(w, r, a, http.StatusOK, "review", "All submissions", "review-all", p)
}

// submissionStates are those of a submission in the order of its life.
func submissionStates() []hub.State {
	return []hub.State{
		hub.StateDraft, hub.StateSubmitted, hub.StateValidating, hub.StateScanning, hub.StateScanError, hub.StateNeedsChanges,
		hub.StateInReview, hub.StateApproved, hub.StatePublished, hub.StateYanked, hub.StateRejected, hub.StateWithdrawn,
	}
}

func reviewLink(r *http.Request) string { return "/review/" + url.PathEscape(r.PathValue("id")) }

func (h *Handler) reviewDecide(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	round, err := formInt(r, "round")
	if err != nil {
		return err
	}
	_, err = h.o.Publishing.Decide(r.Context(), a, r.PathValue("id"), publishing.Decision{
		Round: round, Digest: r.PostFormValue("digest"), Verdict: hub.Verdict(r.PostFormValue("verdict")), Text: formText(r, "text"),
	})
	if err != nil {
		return err
	}
	return done(w, r, reviewLink(r), "decided")
}

func (h *Handler) reviewComment(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	line, err := formInt(r, "line")
	if err != nil {
		return err
	}
	_, err = h.o.Publishing.Comment(r.Context(), a, r.PathValue("id"), publishing.NewComment{
		Text: formText(r, "text"), File: strings.TrimSpace(r.PostFormValue("file")), Line: line, Internal: r.PostFormValue("internal") == "1",
	})
	if err != nil {
		return err
	}
	return done(w, r, reviewLink(r), "added")
}

func (h *Handler) reviewRetry(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	if _, err := h.o.Publishing.RetryScans(r.Context(), a, r.PathValue("id")); err != nil {
		return err
	}
	return done(w, r, reviewLink(r), "retried")
}

func (h *Handler) reviewTake(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	// Bound to what was looked at: another round is another submission.
	d, err := h.o.Publishing.Submission(r.Context(), a, r.PathValue("id"))
	if err != nil {
		return err
	}
	if round, err := formInt(r, "round"); err != nil || round != d.Round {
		return cmp.Or(err, fmt.Errorf("%s: %w", d.Ref(), hub.ErrMoved))
	}
	if _, err := h.o.Publishing.TakeToReview(r.Context(), a, d.ID, formText(r, "reason")); err != nil {
		return err
	}
	return done(w, r, reviewLink(r), "saved")
}
