package portal

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
)

// What people do on a plugin's pages: rate, vote, answer, report.

func (h *Handler) rate(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	stars, err := formInt(r, "stars")
	if err != nil {
		return err
	}
	id := pluginOf(r)
	if _, err := h.o.Community.Rate(r.Context(), a, community.NewRating{
		Plugin: id, Stars: stars, Text: formText(r, "text"), Version: formText(r, "version"),
	}); err != nil {
		return err
	}
	return done(w, r, pluginLink(id)+"/ratings", "rated")
}

func (h *Handler) unrate(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	id := pluginOf(r)
	if err := h.o.Community.DeleteRating(r.Context(), a, id); err != nil {
		return err
	}
	return done(w, r, pluginLink(id)+"/ratings", "removed")
}

func (h *Handler) vote(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	id := pluginOf(r)
	if _, err := h.o.Community.Vote(r.Context(), a, id, r.PostFormValue("author"), r.PostFormValue("helpful") == "1"); err != nil {
		return err
	}
	return done(w, r, pluginLink(id)+"/ratings", "saved")
}

func (h *Handler) ratingAnswer(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	id := pluginOf(r)
	if _, err := h.o.Community.Answer(r.Context(), a, id, r.PostFormValue("author"), formText(r, "text")); err != nil {
		return err
	}
	return done(w, r, pluginLink(id)+"/ratings", "saved")
}

type reportPage struct {
	Kind, Subject string
	About         string // for people
	Back          string
	Reasons       []staffOption
	MaxText       int
}

// reportable names the kinds of subject that people report from pages.
func reportable(kind hub.SubjectKind) (string, bool) {
	name, ok := map[hub.SubjectKind]string{
		hub.SubjectPlugin: "the plugin", hub.SubjectRelease: "the release", hub.SubjectRating: "a rating of", hub.SubjectPublisher: "the publisher",
	}[kind]
	return name, ok
}

// reportBack is where somebody came from who reports.
func reportBack(kind hub.SubjectKind, subject string) string {
	plugin, _, _ := strings.Cut(subject, "@")
	plugin, _, rating := strings.Cut(plugin, "#")
	switch {
	case kind == hub.SubjectPublisher:
		return publisherLink(subject)
	case rating:
		return pluginLink(plugin) + "/ratings"
	}
	return pluginLink(plugin)
}

func (h *Handler) reportPage(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	q := r.URL.Query()
	kind, subject := hub.SubjectKind(q.Get("kind")), q.Get("subject")
	what, ok := reportable(kind)
	if !ok || subject == "" || len(subject) > 300 {
		return hub.ErrNotFound
	}
	name, _, _ := strings.Cut(subject, "#")
	p := reportPage{
		Kind: string(kind), Subject: subject, About: what + " " + name, Back: reportBack(kind, subject),
		Reasons: optionsOf("", "", hub.Reasons()), MaxText: community.MaxReason,
	}
	return h.show(w, r, a, http.StatusOK, "plugins", "Report "+p.About, "report", p)
}

func (h *Handler) report(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	n := community.NewReport{
		Kind: hub.SubjectKind(r.PostFormValue("kind")), Subject: r.PostFormValue("subject"), Reason: r.PostFormValue("reason"), Text: formText(r, "text"),
	}
	if _, ok := reportable(n.Kind); !ok {
		return fmt.Errorf("report: %w", hub.ErrNotFound)
	}
	n.Evidence = slices.DeleteFunc(strings.Fields(formText(r, "evidence")), func(s string) bool { return s == "" })
	if _, err := h.o.Community.CreateReport(r.Context(), a, n); err != nil {
		return err
	}
	return done(w, r, "/account/reports", "reported")
}
