package community

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

// MaxDigests is how many releases an advisory names by their digest here; a catalog
// could carry more.
const MaxDigests = 200

// IssueAdvisory has the catalog say something about releases, a plugin, a publisher or a
// signer, which must exist here. ID and the times are filled in; the rest is held to
// [catalog.Advisory.Check].
func (s *Service) IssueAdvisory(ctx context.Context, a hub.Actor, body catalog.Advisory) (hub.Advisory, error) {
	var out hub.Advisory
	if err := a.May(hub.ActAdvisoryIssue, hub.Object{}); err != nil {
		return out, err // before anything tells what is there
	}
	err := s.env.Store.Update(ctx, func(tx hub.Tx) (err error) {
		out, err = s.issue(ctx, tx, a, body, s.now())
		return err
	})
	return out, err
}

func (s *Service) issue(ctx context.Context, tx hub.Tx, a hub.Actor, body catalog.Advisory, now time.Time) (hub.Advisory, error) {
	var none hub.Advisory
	body.ID, body.Issued, body.Rescinded = hub.NewID("adv", now), now.Truncate(time.Second), time.Time{}
	var err error
	if body.Detail, err = prose("detail", body.Detail, catalog.MaxText/4, false); err != nil { // characters of up to four bytes
		return none, err
	}
	if err := body.Check(); err != nil {
		return none, hub.Invalid("advisory", "%s", err)
	}
	if len(body.Digests) > MaxDigests {
		return none, hub.Invalid("digests", "are more than %d", MaxDigests)
	}
	publisher, err := scope(ctx, tx, body)
	if err != nil {
		return none, err
	}
	adv := hub.Advisory{ID: body.ID, Publisher: publisher, Plugin: string(body.Plugin), Body: body, By: a.Account, Created: now}
	if err := a.May(hub.ActAdvisoryIssue, hub.Object{Publisher: publisher, Plugin: adv.Plugin}); err != nil {
		return none, err
	}
	if err := tx.Advisories().Insert(ctx, &adv); err != nil {
		return none, err
	}
	return adv, advised(ctx, tx, a, adv, hub.EventAdvisoryIssued, body.Title, now)
}

// scope finds what an advisory is about, and the publisher concerned.
func scope(ctx context.Context, tx hub.Tx, b catalog.Advisory) (publisher string, err error) {
	missing := func(field, format string, args ...any) error {
		if err != nil && !errors.Is(err, hub.ErrNotFound) {
			return err
		}
		return hub.Invalid(field, format, args...)
	}
	switch {
	case b.Plugin != "":
		if _, err = tx.Plugins().Get(ctx, string(b.Plugin)); err != nil {
			return "", missing("plugin", "%s is not one of this hub", b.Plugin)
		}
		publisher = b.Plugin.Publisher()
	case b.Publisher != "":
		if _, err = tx.Publishers().Get(ctx, b.Publisher); err != nil {
			return "", missing("publisher", "%s is not one of this hub", b.Publisher)
		}
		publisher = b.Publisher
	case b.Signer != "":
		var signers []hub.Signer
		if signers, err = tx.Signers().List(ctx, hub.Query{Where: []hub.Cond{hub.Has("id", b.Signer)}}); err != nil {
			return "", err
		}
		for _, one := range signers {
			if one.Catalog().ID() == b.Signer {
				publisher = one.Publisher
			}
		}
		if publisher == "" {
			return "", missing("signer", "%.100q is nobody's here", b.Signer)
		}
	}
	for _, d := range b.Digests {
		var list []hub.Release
		if list, err = tx.Releases().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("digest", string(d))}, Limit: 1}); err != nil {
			return "", err
		}
		if len(list) == 0 || b.Plugin != "" && list[0].Plugin != string(b.Plugin) {
			return "", missing("digests", "has %s, which is no release here, or of another plugin", d)
		}
		publisher = list[0].Publisher
	}
	return publisher, nil
}

// advised has the catalog written, and tells of an advisory.
func advised(ctx context.Context, tx hub.Tx, a hub.Actor, adv hub.Advisory, kind hub.EventKind, title string, now time.Time) error {
	if err := hub.MarkChanged(ctx, tx, ""); err != nil {
		return err
	}
	if err := hub.Record(ctx, tx, a, now, hub.ActAdvisoryIssue, "advisory "+adv.ID, map[string]any{"event": kind, "title": title}); err != nil {
		return err
	}
	people, err := members(ctx, tx, adv.Publisher)
	if err != nil {
		return err
	}
	if err := hub.Notify(ctx, tx, now, people, hub.Notice{Title: title, Text: adv.Body.Detail, Kind: "advisory", Subject: adv.ID}); err != nil {
		return err
	}
	return hub.Emit(ctx, tx, now, hub.Event{Kind: kind, Publisher: adv.Publisher, Plugin: adv.Plugin, Subject: adv.ID, Title: title})
}

// RescindAdvisory takes an advisory back. It stays in the catalog as rescinded. One that
// is rescinded already is [hub.ErrState], and one about a publisher that the actor is a
// member of [hub.ErrForbidden].
func (s *Service) RescindAdvisory(ctx context.Context, a hub.Actor, id, why string) (hub.Advisory, error) {
	var out hub.Advisory
	if err := a.May(hub.ActAdvisoryIssue, hub.Object{}); err != nil {
		return out, err
	}
	why, err := prose("text", why, MaxReason, true)
	if err != nil {
		return out, err
	}
	err = s.env.Store.Update(ctx, func(tx hub.Tx) error {
		adv, err := tx.Advisories().Get(ctx, id)
		if err != nil {
			return err
		}
		o := hub.Object{Publisher: adv.Publisher, Plugin: adv.Plugin}
		if err := a.May(hub.ActAdvisoryIssue, o); err != nil {
			return err
		}
		if err := a.May(hub.ActReportDecide, o); err != nil {
			return err // warning of one's own plugin is right, ending the warning is for others
		}
		out, err = s.rescind(ctx, tx, a, adv, why, s.now())
		return err
	})
	return out, err
}

func (s *Service) rescind(ctx context.Context, tx hub.Tx, a hub.Actor, adv hub.Advisory, why string, now time.Time) (hub.Advisory, error) {
	if !adv.Rescinded.IsZero() {
		return adv, fmt.Errorf("advisory %s is rescinded already: %w", adv.ID, hub.ErrState)
	}
	adv.Rescinded = now
	adv.Body.Rescinded = now.Truncate(time.Second)
	if err := tx.Advisories().Update(ctx, &adv); err != nil {
		return adv, err
	}
	if err := hub.Record(ctx, tx, a, now, hub.ActAdvisoryIssue, "advisory "+adv.ID, map[string]any{"rescinded": why}); err != nil {
		return adv, err
	}
	return adv, advised(ctx, tx, a, adv, hub.EventAdvisoryRescinded, "Rescinded: "+adv.Body.Title, now)
}

// AdvisoryQuery asks for advisories. The zero value: all of them.
type AdvisoryQuery struct {
	Plugin    string // empty: any
	Publisher string // concerned; empty: any
	Active    bool   // without rescinded ones
	Cursor    string
	Limit     int // 0: [hub.DefaultPage]; at most [hub.MaxPage]
}

// Advisories returns advisories, newest first. They are public; who issued them is not.
func (s *Service) Advisories(ctx context.Context, q AdvisoryQuery) (hub.Page[hub.Advisory], error) {
	var out hub.Page[hub.Advisory]
	where := given("plugin", q.Plugin, "publisher", q.Publisher)
	if q.Active {
		where = append(where, hub.Unset("rescinded"))
	}
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		list := hub.Query{Where: where, Order: "created", Desc: true}
		out, err = hub.ListPage(ctx, tx.Advisories(), list, q.Cursor, q.Limit, func(v hub.Advisory) []any { return []any{v.Created, v.ID} })
		return err
	})
	for i := range out.Items {
		out.Items[i].By = ""
	}
	return out, err
}

// Advisory returns one advisory. They are public; who issued them is not.
func (s *Service) Advisory(ctx context.Context, id string) (hub.Advisory, error) {
	var out hub.Advisory
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		out, err = tx.Advisories().Get(ctx, id)
		return err
	})
	out.By = ""
	return out, err
}
