package publishing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/tuf"
)

const (
	mainCatalog = "main" // the one [hub.CatalogState]
	statusKey   = "catalog.status"
	// statsEvery is how often every plugin's numbers go into the catalog.
	statsEvery = 24 * time.Hour
	// maxChanges is how many changes one publish takes; the rest is in the next.
	maxChanges = 10_000
)

// signed is what is kept about the catalog beside its state, for [Service.Status].
type signedState struct {
	Signed    time.Time `json:"signed,omitzero"`    // the timestamp
	Published time.Time `json:"published,omitzero"` // the last serial
	Stats     time.Time `json:"stats,omitzero"`     // numbers
	Checked   time.Time `json:"checked,omitzero"`   // read back
	Error     string    `json:"error,omitempty"`
	Failed    time.Time `json:"failed,omitzero"`
}

func readSigned(ctx context.Context, tx hub.Tx) (st signedState, rev int64, err error) {
	set, err := tx.Settings().Get(ctx, statusKey)
	if errors.Is(err, hub.ErrNotFound) {
		return st, 0, nil
	}
	if err != nil {
		return st, 0, err
	}
	return st, set.Rev, json.Unmarshal([]byte(set.Value), &st)
}

func changeSigned(ctx context.Context, tx hub.Tx, f func(*signedState)) error {
	st, rev, err := readSigned(ctx, tx)
	if err != nil {
		return err
	}
	f(&st)
	b, err := json.Marshal(st)
	if err != nil {
		return err
	}
	set := hub.Setting{Key: statusKey, Rev: rev, Value: string(b)}
	if rev == 0 {
		return tx.Settings().Insert(ctx, &set)
	}
	return tx.Settings().Update(ctx, &set)
}

// writing runs f as the one that writes the catalog, with its state. Another process
// that is at it makes this one wait and come back.
func (s *Service) writing(ctx context.Context, f func(l *lease) error) error {
	select {
	case s.writer <- struct{}{}:
		defer func() { <-s.writer }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	l, err := s.lease(ctx)
	if err != nil {
		return err
	}
	if l == nil {
		return &hub.Snooze{After: 2 * time.Second}
	}
	defer l.drop(ctx)
	err = f(l)
	if err != nil {
		s.catalog = nil // it may be ahead of what is kept
	}
	if errors.Is(err, hub.ErrMoved) {
		s.env.Log.InfoContext(ctx, "another process wrote the catalog, it is read again", "error", err)
		return &hub.Snooze{After: time.Second}
	}
	return err
}

// open returns the catalog as the store has it. The writer holds it.
func (s *Service) open(ctx context.Context, kept hub.CatalogState) (*publish.Catalog, error) {
	if s.catalog != nil && s.catalogAt == kept.Rev {
		return s.catalog, nil
	}
	c, err := publish.Open(ctx, []byte(kept.State), func(ctx context.Context, d verify.Digest, size int64) (io.ReadCloser, error) {
		return s.o.Reader.Blob(ctx, s.o.Catalog, catalog.Descriptor{Digest: d, Size: size})
	})
	if err != nil {
		return nil, err
	}
	s.catalog, s.catalogAt = c, kept.Rev
	return c, nil
}

// target is where the catalog goes. rev is the revision of the state it was made from;
// 0 for the first. kept is called in the transaction that keeps the new one.
func (s *Service) target(ctx context.Context, l *lease, rev int64, keys tuf.Keys, serial func() int64, change func(*signedState)) publish.Target {
	now := s.now()
	return publish.Target{
		Registry: leased{s.o.Registry, l}, Repo: s.o.Catalog, Keys: keys, Now: now,
		Keep: func(state []byte) error {
			next, err := inUpdate(ctx, s, func(tx hub.Tx) (int64, error) {
				if err := l.held(ctx, tx); err != nil {
					return 0, err
				}
				row := hub.CatalogState{ID: mainCatalog, Rev: rev, State: string(state), Serial: serial()}
				var err error
				if rev == 0 {
					err = tx.Catalog().Insert(ctx, &row)
				} else {
					err = tx.Catalog().Update(ctx, &row)
				}
				if err != nil {
					return 0, err
				}
				return row.Rev, changeSigned(ctx, tx, func(st *signedState) {
					st.Signed = now
					change(st)
				})
			})
			if err == nil {
				s.catalogAt = next
			}
			return err
		},
	}
}

// noted keeps what went wrong where an administrator sees it, or that it went well.
func (s *Service) noted(ctx context.Context, err error) error {
	if snooze := (*hub.Snooze)(nil); errors.As(err, &snooze) || ctx.Err() != nil {
		return err
	}
	kept := s.env.Store.Update(context.WithoutCancel(ctx), func(tx hub.Tx) error {
		st, _, rerr := readSigned(ctx, tx)
		if rerr != nil || err == nil && st.Error == "" {
			return rerr
		}
		return changeSigned(ctx, tx, func(st *signedState) {
			st.Error, st.Failed = "", time.Time{}
			if err != nil {
				st.Error, st.Failed = err.Error(), s.now()
			}
		})
	})
	if kept != nil {
		s.env.Log.ErrorContext(ctx, "the state of the catalog could not be noted", "error", kept)
	}
	return err
}

// catalogJob writes into the catalog what changed.
func (s *Service) catalogJob(ctx context.Context, _ hub.Job) error {
	return s.noted(ctx, s.writing(ctx, func(l *lease) error {
		for {
			more, err := s.publishChanges(ctx, l, false)
			if err != nil || !more {
				return err
			}
		}
	}))
}

// publishChanges publishes the changes that wait. Of none nothing is made, unless
// force. more says that others wait.
func (s *Service) publishChanges(ctx context.Context, l *lease, force bool) (more bool, err error) {
	var b *build
	kept, err := inView(ctx, s, func(tx hub.Tx) (hub.CatalogState, error) {
		kept, err := tx.Catalog().Get(ctx, mainCatalog)
		if err != nil {
			return kept, err
		}
		b, err = s.collect(ctx, tx)
		return kept, err
	})
	if errors.Is(err, hub.ErrNotFound) {
		return false, nil // there is no catalog yet: InitCatalog takes everything
	}
	if err != nil || b.empty() && !force {
		return false, err
	}
	c, err := s.open(ctx, kept)
	if err != nil {
		return false, err
	}
	faults := errors.Join(b.apply(c), s.addStats(ctx, c, b))
	if len(b.taken) == 0 && !force {
		return false, faults
	}
	serial, err := c.Publish(ctx, s.target(ctx, l, kept.Rev, s.o.Keys, func() int64 { return kept.Serial + 1 }, b.signed(s.now())))
	if err != nil {
		return false, err
	}
	return b.more, errors.Join(s.published(ctx, b, int64(serial)), faults)
}

// published takes note of what is visible now.
func (s *Service) published(ctx context.Context, b *build, serial int64) error {
	system := hub.SystemActor(hub.JobCatalog)
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		for seqs := range slices.Chunk(b.taken, 500) {
			if _, err := tx.Changes().DeleteWhere(ctx, hub.In("seq", seqs)); err != nil {
				return err
			}
		}
		for _, ref := range b.fresh {
			r, err := tx.Releases().Get(ctx, ref.plugin, ref.version)
			if errors.Is(err, hub.ErrNotFound) || err == nil && r.Serial != 0 {
				continue
			}
			if err != nil {
				return err
			}
			r.Serial = serial
			if err := tx.Releases().Update(ctx, &r); err != nil {
				return err
			}
			if err := s.releasePublished(ctx, tx, system, r, serial); err != nil {
				return err
			}
		}
		return nil
	})
}

// releasePublished tells that a release is visible.
func (s *Service) releasePublished(ctx context.Context, tx hub.Tx, a hub.Actor, r hub.Release, serial int64) error {
	sub, err := tx.Submissions().Get(ctx, r.Submission)
	switch {
	case errors.Is(err, hub.ErrNotFound): // imported
	case err != nil:
		return err
	case sub.State == hub.StateApproved:
		sub.Serial = serial
		if err := s.move(ctx, tx, a, &sub, hub.StatePublished, fmt.Sprintf("is in the catalog since serial %d", serial)); err != nil {
			return err
		}
	}
	return hub.Emit(ctx, tx, s.now(), hub.Event{
		Kind: hub.EventReleasePublished, Publisher: r.Publisher, Plugin: r.Plugin, Version: r.Version, Subject: r.Submission,
		Title: r.Ref() + " was published",
	})
}
