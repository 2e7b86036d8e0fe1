package link

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/client"
	"github.com/souk-dev/souk/marketplace/store"
)

// Link begins to link the panel. It is no error when that is under way or done already.
func (l *Link) Link(ctx context.Context) (store.Account, error) {
	ctx, cancel := context.WithTimeout(ctx, WriteWait)
	defer cancel()
	release, err := l.take(ctx)
	if err != nil {
		return l.Account(), err
	}
	defer release()
	if a := l.Account(); a.State == store.LinkLinked || a.State == store.LinkWaiting && l.o.Now().Before(a.Until) {
		return a, nil
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return l.Account(), err
	}
	got, err := l.hub.StartLink(ctx, l.o.Name, public)
	if err != nil {
		return l.Account(), l.explain(ctx, err, "")
	}
	w := waiting{
		DeviceCode: got.DeviceCode, UserCode: got.UserCode, URI: got.URI, Interval: max(got.Interval, 1),
		Until: l.o.Now().Add(time.Duration(got.ExpiresIn) * time.Second).UTC().Truncate(time.Second),
	}
	if w.DeviceCode == "" || catalog.CheckText(w.UserCode, 40) != nil || !l.ours(w.URI) {
		return l.Account(), fmt.Errorf("%s began a link that cannot be right: %w", l.hub.Address(), catalog.ErrUnavailable)
	}
	err = l.update(func(s *state) bool {
		*s = s.forget("")
		s.Key, s.Waiting = private.Seed(), &w
		return true
	})
	if err != nil {
		return l.Account(), err
	}
	l.mu.Lock()
	l.next = l.o.Now().Add(time.Duration(w.Interval) * time.Second)
	l.mu.Unlock()
	l.cache.clear()
	l.wake()
	return l.Account(), nil
}

// ours reports whether an address that a person is sent to is a page of the hub.
func (l *Link) ours(uri string) bool {
	base := l.hub.Address()
	return len(uri) <= catalog.MaxURL && len(uri) > len(base) && uri[:len(base)+1] == base+"/" && catalog.CheckText(uri, catalog.MaxURL) == nil
}

// Unlink ends the link, also one that is under way. It ends here in any case; a hub that
// cannot be told is noted in [store.Account.Problem].
func (l *Link) Unlink(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, WriteWait)
	defer cancel()
	release, err := l.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	s := l.snapshot()
	why := store.LinkProblem("")
	if s.Token != "" {
		if err := l.end(ctx, s); err != nil {
			l.o.Log.Warn("the hub could not be told that the link has ended", "hub", l.hub.Address(), "error", err)
			why = store.LinkUntold
		}
	}
	l.cache.clear()
	return l.update(func(s *state) bool {
		*s = s.forget(why)
		return true
	})
}

// end tells the hub that the link is over.
func (l *Link) end(ctx context.Context, s state) error {
	c := l.hub.WithToken(s.Token)
	if s.Panel == "" {
		p, err := c.Panel(ctx)
		if err != nil {
			return ignoreEnded(err)
		}
		s.Panel = p.ID
	}
	return ignoreEnded(c.Unlink(ctx, s.Panel))
}

// ignoreEnded makes nothing of the error that the link has ended before.
func ignoreEnded(err error) error {
	if errors.Is(err, hub.ErrUnauthenticated) || errors.Is(err, hub.ErrNotFound) {
		return nil
	}
	return err
}

// poll asks once whether the person has typed the code, when that is due, and returns
// when to look again.
func (l *Link) poll(ctx context.Context, w waiting) time.Duration {
	now := l.o.Now()
	every := time.Duration(w.Interval) * time.Second
	l.mu.Lock()
	due := l.next
	l.mu.Unlock()
	if now.Before(due) && due.Sub(now) <= every { // a clock that was set back does not stop it
		return due.Sub(now)
	}
	l.mu.Lock()
	l.next = now.Add(every)
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, pollWait)
	defer cancel()
	release, err := l.take(ctx)
	if err != nil {
		return every
	}
	defer release()
	same := func(s *state) bool { return s.Waiting != nil && s.Waiting.DeviceCode == w.DeviceCode }
	s := l.snapshot()
	if !same(&s) {
		return 0 // somebody was faster: look again
	}
	token, err := l.hub.PollLink(ctx, client.Link{DeviceCode: w.DeviceCode})
	var said *client.LinkError
	var problem store.LinkProblem
	switch {
	case err == nil:
		err = l.update(func(s *state) bool { // before anything else: the hub gives it out once
			s.Token, s.Waiting, s.Problem, s.Counted = token, nil, "", now.UTC()
			return true
		})
		if err != nil {
			l.o.Log.Error("the panel was linked, but that cannot be kept", "error", err)
			problem = store.LinkFailed
			break
		}
		l.cache.clear()
		l.o.Log.Info("the panel was linked", "hub", l.hub.Address())
		return 0
	case errors.As(err, &said):
		switch said.Code {
		case "authorization_pending":
			return every
		case "slow_down":
			err = l.update(func(s *state) bool {
				slower := *s.Waiting
				slower.Interval = min(slower.Interval+5, 60)
				s.Waiting = &slower
				return true
			})
			if err != nil {
				l.o.Log.Error("link", "error", err)
			}
			return every + 5*time.Second
		case "access_denied":
			problem = store.LinkDenied
		case "expired_token":
			problem = store.LinkExpired
		default:
			problem = store.LinkFailed
		}
	case !now.Before(w.Until): // it ended while the hub was away
		problem = store.LinkExpired
	default:
		l.o.Log.Debug("poll", "hub", l.hub.Address(), "error", err)
		return every
	}
	err = l.update(func(s *state) bool {
		*s = s.forget(problem)
		return true
	})
	if err != nil {
		l.o.Log.Error("link", "error", err)
	}
	return idle
}

// check learns whose panel this is, and looks now and then whether it still is. It
// reports whether the link is known to stand.
func (l *Link) check(ctx context.Context, s state) bool {
	l.mu.Lock()
	recent := l.o.Now().Sub(l.checked)
	l.mu.Unlock()
	if s.Account != "" && recent >= 0 && recent < checkEvery {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, 2*WriteWait)
	defer cancel()
	c := l.hub.WithToken(s.Token)
	p, err := c.Panel(ctx)
	var a client.Account
	if err == nil {
		a, err = c.Account(ctx)
	}
	if err != nil {
		l.o.Log.Debug("the link could not be checked", "hub", l.hub.Address(), "error", l.explain(ctx, err, s.Token))
		return false
	}
	err = l.update(func(now *state) bool {
		changed := now.Panel != p.ID || now.Account != a.ID || now.Name != a.Name
		now.Panel, now.Account, now.Name = p.ID, a.ID, a.Name
		return changed && now.Token == s.Token
	})
	if err != nil {
		l.o.Log.Error("link", "error", err)
		return false
	}
	l.mu.Lock()
	l.checked = l.o.Now()
	l.mu.Unlock()
	return true
}

// lose notes that the hub does not accept a token any more.
func (l *Link) lose(token string) {
	err := l.update(func(s *state) bool {
		if s.Token != token {
			return false // it was linked anew meanwhile
		}
		*s = s.forget(store.LinkRefused)
		s.Lost = true
		return true
	})
	if err != nil {
		l.o.Log.Error("link", "error", err)
	}
	l.cache.clear()
	l.o.Log.Warn("the hub does not accept this panel any more", "hub", l.hub.Address())
}
