package publishing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/tuf"
)

// stuckAfter is how long a submission may stay where a job should carry it on, before
// the job is asked for again: it may have been given up while a registry was away.
const stuckAfter = 30 * time.Minute

// renewJob keeps the catalog fresh and visible. It renews the timestamp when a quarter
// of its life is over, and reads the catalog back as a panel does: when a process died
// just before it made visible what it had signed, that is made good here.
func (s *Service) renewJob(ctx context.Context, _ hub.Job) error {
	if err := s.resume(ctx); err != nil {
		return err
	}
	return s.noted(ctx, s.writing(ctx, func(l *lease) error { return s.renew(ctx, l) }))
}

// resume asks again for the jobs of submissions that stand still, and for numbers.
func (s *Service) resume(ctx context.Context) error {
	jobs := map[hub.State]string{
		hub.StateSubmitted: hub.JobValidate, hub.StateValidating: hub.JobValidate,
		hub.StateScanning: hub.JobScan, hub.StateApproved: hub.JobPublish,
	}
	now := s.now()
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		for state, kind := range jobs {
			all, err := tx.Submissions().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("state", state), hub.Lt("updated", now.Add(-stuckAfter))}})
			if err != nil {
				return err
			}
			for _, sub := range all {
				if err := tx.Enqueue(ctx, hub.Job{Kind: kind, Subject: sub.ID}); err != nil {
					return err
				}
			}
		}
		n, err := tx.Changes().Count(ctx)
		if err != nil {
			return err
		}
		if n > 0 {
			return tx.Enqueue(ctx, hub.Job{Kind: hub.JobCatalog})
		}
		st, _, err := readSigned(ctx, tx)
		if err == nil && s.o.Stats != nil && now.Sub(st.Stats) >= statsEvery {
			return hub.MarkChanged(ctx, tx, "")
		}
		return err
	})
}

func (s *Service) renew(ctx context.Context, l *lease) error {
	var st signedState
	kept, err := inView(ctx, s, func(tx hub.Tx) (hub.CatalogState, error) {
		var err error
		if st, _, err = readSigned(ctx, tx); err != nil {
			return hub.CatalogState{}, err
		}
		return tx.Catalog().Get(ctx, mainCatalog)
	})
	if errors.Is(err, hub.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	c, err := s.open(ctx, kept)
	if err != nil {
		return err
	}
	now, is := s.now(), c.TUF().Status()
	life := func(r tuf.RoleStatus, since time.Time) time.Duration { return r.Expires.Sub(since) }
	switch {
	case 2*now.Sub(st.Published) >= life(is.Targets, st.Published):
		_, err = s.publishChanges(ctx, l, true) // the only thing that signs targets anew
	case 4*now.Sub(st.Signed) >= life(is.Timestamp, st.Signed):
		err = s.renewTimestamp(ctx, l, kept, c)
	}
	if err != nil {
		return err
	}
	return s.mend(ctx, l)
}

func (s *Service) renewTimestamp(ctx context.Context, l *lease, kept hub.CatalogState, c *publish.Catalog) error {
	return c.Renew(ctx, s.target(ctx, l, kept.Rev, s.o.Keys, func() int64 { return kept.Serial }, func(*signedState) {}))
}

// mend reads the catalog back and makes good what is not as it should be: what is
// visible but not trusted is published anew, what is trusted but old is signed anew.
func (s *Service) mend(ctx context.Context, l *lease) error {
	for try := 0; ; try++ {
		kept, err := inView(ctx, s, func(tx hub.Tx) (hub.CatalogState, error) { return tx.Catalog().Get(ctx, mainCatalog) })
		if err != nil {
			return err
		}
		c, err := s.open(ctx, kept)
		if err != nil {
			return err
		}
		current, err := s.visible(ctx, c)
		switch {
		case err == nil && current:
			return s.env.Store.Update(ctx, func(tx hub.Tx) error {
				return changeSigned(ctx, tx, func(st *signedState) { st.Checked = s.now() })
			})
		case err != nil && passing(ctx, err):
			return fmt.Errorf("read the catalog back: %w", err)
		case try == 1:
			return errors.Join(err, fmt.Errorf("the registry does not serve the catalog as it was written to it: %w", catalog.ErrUnavailable))
		}
		s.env.Log.WarnContext(ctx, "the catalog in the registry is not the one that was kept, it is written again", "error", err)
		if err != nil {
			_, err = s.publishChanges(ctx, l, true)
		} else {
			err = s.renewTimestamp(ctx, l, kept, c)
		}
		if err != nil {
			return err
		}
	}
}

// visible reports whether the registry serves the catalog that is kept, to a panel
// that knows nothing but the root. An error says why a panel would not trust it.
func (s *Service) visible(ctx context.Context, c *publish.Catalog) (bool, error) {
	root, err := c.TUF().Root()
	if err != nil {
		return false, err
	}
	trust, err := tuf.New(root, tuf.Options{Name: s.o.Catalog})
	if err != nil {
		return false, err
	}
	env, err := s.o.Source.Snapshot(ctx, 0)
	if err != nil {
		return false, err
	}
	seen, err := trust.Update(ctx, nil, env.Metadata, s.now())
	if err != nil {
		return false, err
	}
	index, err := catalog.ParseIndex(seen.Files[catalog.TargetIndex])
	if err != nil {
		return false, err
	}
	var stamp struct {
		Signed struct {
			Version int64 `json:"version"`
		} `json:"signed"`
	}
	if err := json.Unmarshal(seen.Timestamp, &stamp); err != nil {
		return false, err
	}
	return index.Serial == c.Serial() && stamp.Signed.Version == c.TUF().Status().Timestamp.Version, nil
}

// InitCatalog makes the catalog, once: its root of trust, and a first publish of what
// the store has. It returns the root that panels pin, of an existing catalog too. Two
// processes that do it at once make one catalog.
func (s *Service) InitCatalog(ctx context.Context, o InitOptions) (root []byte, err error) {
	for {
		err = s.noted(ctx, s.writing(ctx, func(l *lease) (err error) {
			root, err = s.initCatalog(ctx, l, o)
			return err
		}))
		wait := (*hub.Snooze)(nil)
		if !errors.As(err, &wait) {
			return root, err
		}
		select {
		case <-time.After(wait.After):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (s *Service) initCatalog(ctx context.Context, l *lease, o InitOptions) ([]byte, error) {
	var b *build
	kept, err := inView(ctx, s, func(tx hub.Tx) (hub.CatalogState, error) {
		kept, err := tx.Catalog().Get(ctx, mainCatalog)
		if err == nil || !errors.Is(err, hub.ErrNotFound) {
			return kept, err
		}
		b, err = s.collectAll(ctx, tx)
		return kept, err
	})
	if err != nil {
		return nil, err
	}
	if b == nil {
		c, err := s.open(ctx, kept)
		if err != nil {
			return nil, err
		}
		return c.TUF().Root()
	}
	keys := s.o.Keys
	keys.Root = o.Root
	repository, _, err := tuf.Init(keys, s.now(), o.Config)
	if err != nil {
		return nil, err
	}
	c := publish.New(repository)
	faults := errors.Join(b.apply(c), s.addStats(ctx, c, b))
	serial, err := c.Publish(ctx, s.target(ctx, l, 0, s.o.Keys, func() int64 { return 1 }, b.signed(s.now())))
	if err != nil {
		return nil, err
	}
	s.catalog = c
	if err := errors.Join(s.published(ctx, b, int64(serial)), faults); err != nil {
		return nil, err
	}
	return c.TUF().Root()
}

// Root returns the newest root of the catalog, which panels pin; [hub.ErrNotFound]
// before [Service.InitCatalog].
func (s *Service) Root(ctx context.Context) ([]byte, error) {
	r, err := s.repository(ctx)
	if err != nil {
		return nil, err
	}
	return r.Root()
}

// repository returns the catalog's signing state, without its contents.
func (s *Service) repository(ctx context.Context) (*tuf.Repository, error) {
	kept, err := inView(ctx, s, func(tx hub.Tx) (hub.CatalogState, error) { return tx.Catalog().Get(ctx, mainCatalog) })
	if err != nil {
		return nil, err
	}
	var state struct {
		TUF json.RawMessage `json:"tuf"`
	}
	if err := json.Unmarshal([]byte(kept.State), &state); err != nil {
		return nil, err
	}
	return tuf.Open(state.TUF)
}

// Rotate replaces the keys of the catalog by next, in a new root that is signed by root
// keys so far. With the same keys it gives the root another year. Every process of the
// hub has to be started with the new keys afterwards.
func (s *Service) Rotate(ctx context.Context, a hub.Actor, root []tuf.Key, next tuf.Keys) ([]byte, error) {
	if err := a.May(hub.ActPolicyEdit, hub.Object{}); err != nil {
		return nil, err
	}
	var out []byte
	err := s.noted(ctx, s.writing(ctx, func(l *lease) error {
		kept, err := inView(ctx, s, func(tx hub.Tx) (hub.CatalogState, error) { return tx.Catalog().Get(ctx, mainCatalog) })
		if err != nil {
			return err
		}
		c, err := s.open(ctx, kept)
		if err != nil {
			return err
		}
		if err := c.Rotate(ctx, s.target(ctx, l, kept.Rev, next, func() int64 { return kept.Serial }, func(*signedState) {}), root); err != nil {
			return err
		}
		if out, err = c.TUF().Root(); err != nil {
			return err
		}
		return s.env.Store.Update(ctx, func(tx hub.Tx) error {
			return hub.Record(ctx, tx, a, s.now(), hub.ActPolicyEdit, "catalog", map[string]any{"rotated": verify.DigestOf(out)})
		})
	}))
	return out, err
}
