package portal

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
)

// subjectView is what a report or a decision is about, for a moderator.
type subjectView struct {
	Kind  hub.SubjectKind
	About string
	Title string // for people
	Link  string // where people see it; empty: nowhere
	Gone  bool   // it is not there any more
	State string // "hidden", "suspended"; empty: as usual
	Why   string // why it is in that state

	Plugin    *hub.Plugin
	Release   *hub.Release
	Rating    *hub.Rating
	Publisher *hub.Publisher
	Members   []hub.Member
	Account   *hub.Account // without its mail address
	Sub       *hub.Submission
	Who       staffNames

	object hub.Object
}

// subjectAccount is the account that a subject is about, empty when it is about none.
func subjectAccount(kind hub.SubjectKind, about string) string {
	switch kind {
	case hub.SubjectAccount:
		return about
	case hub.SubjectRating:
		_, author, _ := strings.Cut(about, "#")
		return author
	}
	return ""
}

// subjectWords names a subject without reading it.
func subjectWords(kind hub.SubjectKind, about string, who staffNames) string {
	switch kind {
	case hub.SubjectRating:
		plugin, author, _ := strings.Cut(about, "#")
		return "rating of " + plugin + " by " + who.Name(author)
	case hub.SubjectAccount:
		return "the account of " + who.Name(about)
	case hub.SubjectSubmission:
		return "a submission"
	}
	return word(kind) + " " + about
}

// readSubject reads a subject for somebody who may see the queue of reports. One that is
// gone is said to be so: the report about it is still to be answered.
func (h *Handler) readSubject(ctx context.Context, a hub.Actor, kind hub.SubjectKind, about string) (subjectView, error) {
	s := subjectView{Kind: kind, About: about}
	if err := a.May(hub.ActReportQueue, hub.Object{}); err != nil {
		return s, err
	}
	if !slices.Contains(subjectKinds(), kind) {
		return s, hub.Invalid("kind", "%.40q is not a kind of subject", string(kind))
	}
	err := h.o.Env.Store.View(ctx, func(tx hub.Tx) error {
		s = subjectView{Kind: kind, About: about}
		return s.read(ctx, tx)
	})
	if errors.Is(err, hub.ErrNotFound) {
		s.Gone, err = true, nil
	}
	if err != nil {
		return s, err
	}
	ids := []string{subjectAccount(kind, about)}
	for _, m := range s.Members {
		ids = append(ids, m.Account)
	}
	if s.Sub != nil {
		ids = append(ids, s.Sub.By)
	}
	if s.Who, err = h.peopleOf(ctx, ids...); err != nil {
		return s, err
	}
	s.Title = subjectWords(kind, about, s.Who)
	if s.Sub != nil {
		s.Title = "submission " + s.Sub.Ref()
	}
	return s, nil
}

func (s *subjectView) read(ctx context.Context, tx hub.Tx) error {
	switch s.Kind {
	case hub.SubjectPlugin:
		return s.readPlugin(ctx, tx, s.About)
	case hub.SubjectRelease:
		ref, err := catalog.ParseRef(s.About)
		if err != nil {
			return hub.ErrNotFound
		}
		rel, err := tx.Releases().Get(ctx, string(ref.Plugin), ref.Version)
		if err != nil {
			return err
		}
		s.Release = &rel
		err = s.readPlugin(ctx, tx, rel.Plugin)
		s.State, s.Why = string(rel.State), rel.Reason
		return err
	case hub.SubjectRating:
		plugin, author, _ := strings.Cut(s.About, "#")
		rat, err := tx.Ratings().Get(ctx, plugin, author)
		if err != nil {
			return err
		}
		s.Rating = &rat
		err = s.readPlugin(ctx, tx, plugin)
		s.object.Account, s.State, s.Why = author, "", rat.Reason
		if rat.State != hub.Shown {
			s.State = string(rat.State)
		}
		return err
	case hub.SubjectPublisher:
		return s.readPublisher(ctx, tx, s.About)
	case hub.SubjectSubmission:
		sub, err := tx.Submissions().Get(ctx, s.About)
		if err != nil {
			return err
		}
		s.Sub, s.Link, s.State, s.Why = &sub, "/review/"+url.PathEscape(sub.ID), string(sub.State), sub.Reason
		s.object = hub.Object{Publisher: sub.Publisher, Plugin: sub.Plugin}
		return nil
	}
	acc, err := tx.Accounts().Get(ctx, s.About)
	if err != nil {
		return err
	}
	acc.Email = "" // moderators do not see it
	s.Account, s.object.Account = &acc, acc.ID
	if acc.State != hub.AccountActive {
		s.State, s.Why = string(acc.State), acc.Reason
	}
	return nil
}

func (s *subjectView) readPlugin(ctx context.Context, tx hub.Tx, id string) error {
	p, err := tx.Plugins().Get(ctx, id)
	if err != nil {
		return err
	}
	s.Plugin, s.Link = &p, pluginLink(id)
	s.object = hub.Object{Publisher: p.Publisher, Plugin: id}
	if p.State != hub.PluginListed {
		s.State, s.Why = string(p.State), p.Reason
	}
	pub, err := tx.Publishers().Get(ctx, p.Publisher)
	s.Publisher = &pub
	return err
}

func (s *subjectView) readPublisher(ctx context.Context, tx hub.Tx, namespace string) error {
	p, err := tx.Publishers().Get(ctx, namespace)
	if err != nil {
		return err
	}
	s.Publisher, s.object = &p, hub.Object{Publisher: namespace}
	s.Link = publisherLink(namespace)
	if p.State != hub.PublisherActive {
		s.State, s.Why = string(p.State), p.Reason
	}
	s.Members, err = tx.Members().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("publisher", namespace)}})
	return err
}

// caseChoice is a decision that can be made about a subject as it is now.
type caseChoice struct {
	Kind        hub.DecisionKind
	Name, Means string
}

// choicesFor are the decisions that fit a subject. report says that one is answered.
func (s subjectView) choicesFor(report bool) []caseChoice {
	var out []caseChoice
	for _, kind := range community.Decidable()[s.Kind] {
		switch {
		case kind == hub.DecisionDismiss && !report, s.Gone && kind != hub.DecisionDismiss:
			continue
		case kind == hub.DecisionHide && s.State == "hidden", kind == hub.DecisionHide && s.State == "new",
			kind == hub.DecisionShow && s.State == "", kind == hub.DecisionShow && s.State == "new",
			kind == hub.DecisionSuspend && s.State != "", kind == hub.DecisionRestore && s.State != "suspended",
			kind == hub.DecisionWithdraw && s.State == string(catalog.Withdrawn):
			continue
		}
		c := caseChoice{Kind: kind}
		switch kind {
		case hub.DecisionDismiss:
			c.Name, c.Means = "Dismiss", "Nothing is wrong. Who reported it is told."
		case hub.DecisionWarn:
			c.Name, c.Means = "Warn", "They are told what is wrong, and nothing else changes."
		case hub.DecisionHide:
			c.Name, c.Means = "Hide", "Nobody but its author sees it any more."
			if s.Kind == hub.SubjectPlugin {
				c.Means = "It leaves the catalog. Who has it installed keeps it."
			}
		case hub.DecisionShow:
			c.Name, c.Means = "Show", "Everybody sees it again."
		case hub.DecisionSuspend:
			c.Name, c.Means = "Suspend", "They can read and appeal, and do nothing else."
			if s.Kind == hub.SubjectPublisher {
				c.Means = "It cannot publish. What is published stays."
			}
		case hub.DecisionRestore:
			c.Name, c.Means = "Restore", "The suspension ends."
		case hub.DecisionWithdraw:
			c.Name, c.Means = "Withdraw the release", "It leaves the catalog for good, with an advisory that every panel reads."
		}
		out = append(out, c)
	}
	return out
}

// cannotModerate says why the actor cannot decide about a subject; empty when they can.
func cannotModerate(a hub.Actor, s subjectView) string {
	switch {
	case !slices.Contains(a.Roles, hub.RoleModerator):
		return "Only moderators decide. Your role lets you look at everything."
	case s.object.Account != "" && s.object.Account == a.Account:
		return "It is yours. Somebody else has to decide."
	case s.object.Publisher != "" && a.Memberships[s.object.Publisher] != "":
		return "You belong to the publisher " + s.object.Publisher + ". Somebody else has to decide."
	case a.May(hub.ActReportDecide, s.object) != nil:
		return "Your account cannot decide about this."
	}
	return ""
}
