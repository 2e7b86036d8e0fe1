package portal

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/scan"
)

func (h *Handler) submissionRoutes() {
	h.own("GET /submissions/new", h.submissionNew)
	h.own("POST /submissions", h.submissionCreate)
	h.own("GET /submissions/{id}", h.submission)
	h.own("POST /submissions/{id}/submit", h.submissionSubmit)
	h.own("POST /submissions/{id}/notes", h.submissionRevise)
	h.own("POST /submissions/{id}/comment", h.submissionComment)
	h.own("POST /submissions/{id}/withdraw", h.submissionWithdraw)
}

// noteField is a kind of release note, as a form has it: a line each.
type noteField struct {
	Field, Name, Hint string
	Lines             string
}

func noteFields(n publish.Notes) []noteField {
	join := func(list []string) string { return strings.Join(list, "\n") }
	return []noteField{
		{"added", "Added", "What people can do now that they could not before", join(n.Added)},
		{"changed", "Changed", "What works differently", join(n.Changed)},
		{"fixed", "Fixed", "What was broken", join(n.Fixed)},
		{"removed", "Removed", "What is gone", join(n.Removed)},
		{"security", "Security", "What was dangerous and is not any more", join(n.Security)},
		{"breaking", "Breaking", "What people have to change when they update; needs a new first number of the version", join(n.Breaking)},
	}
}

// formNotes reads typed release notes: one a line.
func formNotes(r *http.Request) publish.Notes {
	lines := func(field string) []string {
		var out []string
		for line := range strings.Lines(formText(r, field)) {
			if line = strings.TrimSpace(line); line != "" {
				out = append(out, line)
			}
		}
		return out
	}
	return publish.Notes{
		Summary: formText(r, "summary"), Added: lines("added"), Changed: lines("changed"), Fixed: lines("fixed"),
		Removed: lines("removed"), Security: lines("security"), Breaking: lines("breaking"),
	}
}

type newSubmissionPage struct {
	Publishers []staffOption
	Name       string
	Plugins    []string // that exist already
	Notes      []noteField
}

func (h *Handler) submissionNew(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	q := r.URL.Query()
	p := newSubmissionPage{Name: q.Get("name"), Notes: noteFields(publish.Notes{})}
	mine, err := h.o.Publishing.Mine(r.Context(), a)
	if err != nil {
		return err
	}
	for _, m := range mine {
		p.Publishers = append(p.Publishers, staffOption{m.Namespace, m.Name + " (" + m.Namespace + ")", m.Namespace == q.Get("publisher")})
		in, err := h.o.Publishing.Inside(r.Context(), a, m.Namespace)
		if err != nil {
			return err
		}
		for _, one := range in.Plugins {
			_, name, _ := strings.Cut(one.ID, "/")
			p.Plugins = append(p.Plugins, name)
		}
	}
	slices.Sort(p.Plugins)
	p.Plugins = slices.Compact(p.Plugins)
	return h.show(w, r, a, http.StatusOK, "publish", "New submission", "submission-new", p)
}

func (h *Handler) submissionCreate(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	percent, err := formInt(r, "percent")
	if err != nil {
		return err
	}
	s, err := h.o.Publishing.CreateSubmission(r.Context(), a, publishing.NewSubmission{
		Plugin: formText(r, "publisher") + "/" + formText(r, "name"), Version: formText(r, "version"), Notes: formNotes(r), Percent: percent,
	})
	if err != nil {
		return err
	}
	return done(w, r, submissionLink(s.ID), "added")
}

func submissionLink(id string) string { return "/submissions/" + url.PathEscape(id) }

// scanRow is what one scanner said.
type scanRow struct {
	hub.Scan
	Findings []scan.Finding
	Dropped  int
	Idle     bool   // it had nothing to look at, as opposed to not being there
	About    string // of the scanner: version and database
}

func scanRows(list []hub.Scan) ([]scanRow, error) {
	var out []scanRow
	for _, s := range list {
		row := scanRow{Scan: s}
		if len(s.Report) > 0 {
			var r scan.Report
			if err := json.Unmarshal(s.Report, &r); err != nil {
				return nil, fmt.Errorf("kept report of %s: %w", s.Scanner, err)
			}
			row.Findings, row.Dropped = r.Findings, r.Dropped
			row.Idle = s.State == hub.ScanUnavailable && r.Verdict == verify.VerdictNotConfigured && !r.Unavailable
			if r.Version != "" {
				row.About = "version " + r.Version
			}
		}
		out = append(out, row)
	}
	return out, nil
}

type stepRow struct {
	publishing.Step
	Who string
}

type ownSubmission struct {
	publishing.Detail
	Next       string // who has to do what
	Running    bool   // the hub works on it: look again in a moment
	Steps      []stepRow
	Names      staffNames
	Errors     int // among the problems
	ScanRows   []scanRow
	NoteFields []noteField
	Summary    string
	Staging    string // where a package is pushed to
	Reviewer   bool   // who asks reviews: the reviewer's page is another
	Yours      bool   // who asks belongs to the publisher
	Manage     string
}

func (h *Handler) submission(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	ctx, id := r.Context(), r.PathValue("id")
	d, err := h.o.Publishing.Submission(ctx, a, id)
	if err != nil {
		return err
	}
	steps, err := h.o.Publishing.Timeline(ctx, a, id)
	if err != nil {
		return err
	}
	p := ownSubmission{
		Detail: d, Next: nextStep(d.State), Staging: h.o.Registry + "/" + h.o.Publishing.StagingRepo(d.Plugin), Manage: manageLink(d.Plugin),
		Running:  slices.Contains([]hub.State{hub.StateSubmitted, hub.StateValidating, hub.StateScanning, hub.StateApproved}, d.State),
		Reviewer: d.May.Internal,
	}
	_, p.Yours = a.Memberships[d.Publisher]
	ids := []string{d.By}
	for _, s := range steps {
		ids = append(ids, s.Actor)
	}
	for _, c := range d.Comments {
		ids = append(ids, c.Author)
	}
	if p.Names, err = h.peopleOf(ctx, ids...); err != nil {
		return err
	}
	for _, s := range steps {
		p.Steps = append(p.Steps, stepRow{s, p.Names.Name(s.Actor)})
	}
	for _, one := range d.Problems {
		if one.Severity == publish.SeverityError {
			p.Errors++
		}
	}
	slices.SortStableFunc(p.Problems, func(x, y publish.Problem) int { return cmp.Compare(x.Severity, y.Severity) }) // "error" before "warning"
	if p.ScanRows, err = scanRows(d.Scans); err != nil {
		return err
	}
	var notes publish.Notes
	if len(d.Notes) > 0 {
		if err := json.Unmarshal(d.Notes, &notes); err != nil {
			return fmt.Errorf("kept release notes: %w", err)
		}
	}
	p.NoteFields, p.Summary = noteFields(notes), notes.Summary
	return h.show(w, r, a, http.StatusOK, "publish", d.Ref(), "submission", &p)
}

// submissionRev refuses a form about a submission that was changed since.
func (h *Handler) submissionRev(r *http.Request, a hub.Actor) error {
	d, err := h.o.Publishing.Submission(r.Context(), a, r.PathValue("id"))
	if err != nil {
		return err
	}
	return formRev(r, d.Rev)
}

func (h *Handler) submissionSubmit(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	if err := h.submissionRev(r, a); err != nil {
		return err
	}
	id := r.PathValue("id")
	if _, err := h.o.Publishing.Submit(r.Context(), a, id, formText(r, "digest")); err != nil {
		return err
	}
	return done(w, r, submissionLink(id), "submitted")
}

func (h *Handler) submissionRevise(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	rev, err := formInt(r, "rev")
	if err != nil {
		return err
	}
	percent, err := formInt(r, "percent")
	if err != nil {
		return err
	}
	notes, id := formNotes(r), r.PathValue("id")
	if _, err := h.o.Publishing.Revise(r.Context(), a, id, int64(rev), publishing.Revision{Notes: &notes, Percent: &percent}); err != nil {
		return err
	}
	return done(w, r, submissionLink(id), "saved")
}

func (h *Handler) submissionComment(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	line, err := formInt(r, "line")
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if _, err := h.o.Publishing.Comment(r.Context(), a, id, publishing.NewComment{Text: formText(r, "text"), File: formText(r, "file"), Line: line}); err != nil {
		return err
	}
	return done(w, r, submissionLink(id), "sent")
}

func (h *Handler) submissionWithdraw(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	if err := h.submissionRev(r, a); err != nil {
		return err
	}
	id := r.PathValue("id")
	if _, err := h.o.Publishing.Withdraw(r.Context(), a, id, formText(r, "reason")); err != nil {
		return err
	}
	return done(w, r, submissionLink(id), "withdrawn")
}
