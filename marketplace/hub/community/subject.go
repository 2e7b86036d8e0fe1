package community

import (
	"context"
	"fmt"
	"strings"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

// subject is what a report or decision is about, as the store has it.
type subject struct {
	kind      hub.SubjectKind
	about     string
	publisher string // that it belongs to
	plugin    string
	version   string
	account   string // whose it is
	title     string // for people
	visible   bool   // everybody can see it
}

// subjectOf reads a subject. What is not there, or has no such form, is ErrNotFound.
func subjectOf(ctx context.Context, tx hub.Tx, kind hub.SubjectKind, about string) (subject, error) {
	s := subject{kind: kind, about: about, title: about}
	err := s.read(ctx, tx)
	return s, err
}

func (s *subject) read(ctx context.Context, tx hub.Tx) error {
	kind, about := s.kind, s.about
	if about == "" || len(about) > 200 {
		return fmt.Errorf("%s: %w", kind, hub.ErrNotFound)
	}
	switch kind {
	case hub.SubjectPlugin:
		return s.ofPlugin(ctx, tx, about)
	case hub.SubjectRelease:
		ref, err := catalog.ParseRef(about)
		if err != nil {
			return fmt.Errorf("release %.80q: %w", about, hub.ErrNotFound)
		}
		if _, err := tx.Releases().Get(ctx, string(ref.Plugin), ref.Version); err != nil {
			return err
		}
		s.version = ref.Version
		return s.ofPlugin(ctx, tx, string(ref.Plugin))
	case hub.SubjectRating:
		plugin, author, _ := strings.Cut(about, "#")
		r, err := tx.Ratings().Get(ctx, plugin, author)
		if err != nil {
			return err
		}
		err = s.ofPlugin(ctx, tx, plugin)
		s.account, s.visible, s.title = author, s.visible && r.State == hub.Shown, "a rating of "+plugin
		return err
	case hub.SubjectPublisher:
		_, err := tx.Publishers().Get(ctx, about)
		s.publisher, s.visible = about, true
		return err
	case hub.SubjectSubmission:
		sub, err := tx.Submissions().Get(ctx, about)
		s.publisher, s.plugin, s.version, s.title = sub.Publisher, sub.Plugin, sub.Version, sub.Ref()
		return err
	case hub.SubjectAccount:
		acc, err := tx.Accounts().Get(ctx, about)
		s.account, s.visible, s.title = about, acc.State == hub.AccountActive, "the account "+acc.Name
		return err
	}
	return hub.Invalid("kind", "%.40q is not a kind of subject", kind)
}

func (s *subject) ofPlugin(ctx context.Context, tx hub.Tx, id string) error {
	p, err := tx.Plugins().Get(ctx, id)
	s.publisher, s.plugin, s.visible = p.Publisher, id, p.State == hub.PluginListed
	return err
}

// object is the subject as the rules of moderation see it.
func (s *subject) object() hub.Object {
	return hub.Object{Publisher: s.publisher, Plugin: s.plugin, Account: s.account}
}

// concerns is the object of those whom a decision about it concerns: a rating and an
// account are a person's, whatever publisher stands beside them.
func (s *subject) concerns() hub.Object {
	if s.account != "" {
		return hub.Object{Account: s.account}
	}
	return hub.Object{Publisher: s.publisher, Plugin: s.plugin}
}

// people returns the accounts whom a decision about it concerns.
func (s *subject) people(ctx context.Context, tx hub.Tx) ([]string, error) {
	if s.account != "" {
		return []string{s.account}, nil
	}
	return members(ctx, tx, s.publisher)
}

// members returns the accounts of a publisher's members.
func members(ctx context.Context, tx hub.Tx, publisher string) ([]string, error) {
	if publisher == "" {
		return nil, nil
	}
	list, err := tx.Members().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("publisher", publisher)}})
	var out []string
	for _, m := range list {
		out = append(out, m.Account)
	}
	return out, err
}

// inQueue reports whether the actor may see the queue of reports.
func inQueue(a hub.Actor) bool { return a.May(hub.ActReportQueue, hub.Object{}) == nil }

// listed returns a plugin that everybody sees, or ErrNotFound.
func listed(ctx context.Context, tx hub.Tx, id string) (hub.Plugin, error) {
	p, err := tx.Plugins().Get(ctx, id)
	if err == nil && p.State != hub.PluginListed {
		err = fmt.Errorf("plugin %s: %w", id, hub.ErrNotFound)
	}
	return p, err
}

// readable is listed, and for the publisher's members and reviewers any plugin.
func readable(ctx context.Context, tx hub.Tx, a hub.Actor, id string) (hub.Plugin, error) {
	p, err := tx.Plugins().Get(ctx, id)
	if err == nil && p.State != hub.PluginListed && a.May(hub.ActSubmissionRead, hub.Object{Publisher: p.Publisher, Plugin: id}) != nil {
		err = fmt.Errorf("plugin %s: %w", id, hub.ErrNotFound)
	}
	return p, err
}
