package publishing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/verify"
)

// leaseTime is for how long one process alone may write the catalog's repository before
// it has to say that it still lives; when it died, the others wait for so long.
//
// The lease is there because a registry has no conditional write: two processes that
// sign version 8 at once would write the same tags. That the state in the store is
// compared and swapped alone would come too late.
const leaseTime = time.Minute

const (
	leaseKind = "lease"
	leaseKey  = "catalog"
)

// errLost means that another process holds the lease now.
var errLost = fmt.Errorf("another process writes the catalog: %w", hub.ErrMoved)

// lease is the right to write the catalog.
type lease struct {
	s     *Service
	until time.Time
}

// lease takes the right to write the catalog; nil when another process has it.
func (s *Service) lease(ctx context.Context) (*lease, error) {
	return inUpdate(ctx, s, func(tx hub.Tx) (*lease, error) {
		now := s.now()
		held, err := tx.Onces().Get(ctx, leaseKind, leaseKey)
		switch {
		case errors.Is(err, hub.ErrNotFound):
		case err != nil:
			return nil, err
		case held.Data != s.id && now.Before(held.Expires) && !s.o.Alone:
			return nil, nil
		}
		l := &lease{s, now.Add(leaseTime)}
		return l, tx.Onces().Put(ctx, &hub.Once{Kind: leaseKind, Key: leaseKey, Data: s.id, Created: now, Expires: l.until})
	})
}

// held is an error unless the lease is still this process's.
func (l *lease) held(ctx context.Context, tx hub.Tx) error {
	held, err := tx.Onces().Get(ctx, leaseKind, leaseKey)
	if err != nil && !errors.Is(err, hub.ErrNotFound) {
		return err
	}
	if err != nil || held.Data != l.s.id || !l.s.now().Before(held.Expires) {
		return errLost
	}
	return nil
}

// live makes sure that there is time left for another write, and takes more of it.
func (l *lease) live(ctx context.Context) error {
	if l.s.now().Add(leaseTime / 2).Before(l.until) {
		return nil
	}
	until, err := inUpdate(ctx, l.s, func(tx hub.Tx) (time.Time, error) {
		if err := l.held(ctx, tx); err != nil {
			return time.Time{}, err
		}
		now := l.s.now()
		until := now.Add(leaseTime)
		return until, tx.Onces().Put(ctx, &hub.Once{Kind: leaseKind, Key: leaseKey, Data: l.s.id, Created: now, Expires: until})
	})
	if err == nil {
		l.until = until
	}
	return err
}

// drop gives the lease back. That it could not be is no harm: it ends by itself.
func (l *lease) drop(ctx context.Context) {
	err := l.s.env.Store.Update(context.WithoutCancel(ctx), func(tx hub.Tx) error {
		if err := l.held(ctx, tx); err != nil {
			return err
		}
		return tx.Onces().Delete(ctx, leaseKind, leaseKey)
	})
	if err != nil && !errors.Is(err, errLost) {
		l.s.env.Log.WarnContext(ctx, "the lease of the catalog was not given back, others wait for its end", "error", err)
	}
}

// leased writes to the registry only while the lease is held.
type leased struct {
	publish.Pusher
	l *lease
}

func (p leased) PushBlob(ctx context.Context, repo string, d catalog.Descriptor, open func() (io.ReadCloser, error)) error {
	if err := p.l.live(ctx); err != nil {
		return err
	}
	return p.Pusher.PushBlob(ctx, repo, d, open)
}

func (p leased) PushManifest(ctx context.Context, repo, tag, mediaType string, raw []byte) (verify.Digest, error) {
	if err := p.l.live(ctx); err != nil {
		return "", err
	}
	return p.Pusher.PushManifest(ctx, repo, tag, mediaType, raw)
}
