package identity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
)

// sessionIDLen is how much of a session's hash names it to its person: enough to tell 50
// apart, and nothing that signs in.
const sessionIDLen = 16

// SessionInfo is a session as its person sees it.
type SessionInfo struct {
	ID string `json:"id"` // for EndSession
	hub.Session
	Current bool `json:"current"` // the one that asks
}

// Authenticate returns who a session cookie belongs to, as of now: roles, memberships
// and suspension are read anew each time, so that taking one away works at once. The
// error is [hub.ErrUnauthenticated] for a cookie that is not, or no longer, valid. It
// writes at most once a minute and session.
func (s *Service) Authenticate(ctx context.Context, sessionCookie string) (hub.Actor, error) {
	if len(sessionCookie) != secretLen {
		return hub.Actor{}, fmt.Errorf("session: %w", hub.ErrUnauthenticated)
	}
	hash, now, policy := hashOf(sessionCookie), s.now(), s.env.Policy()
	var a hub.Actor
	var stale bool
	err := s.env.Store.View(ctx, func(tx hub.Tx) error {
		session, err := alive(ctx, tx, hash, now, policy)
		if err != nil {
			return err
		}
		stale = now.Sub(session.Seen) >= seenEvery
		a, _, err = actorOf(ctx, tx, session.Account, "session")
		age := now.Sub(session.Fresh)
		a.Fresh = age >= 0 && age < policy.FreshFor
		return err
	})
	if err != nil {
		return hub.Actor{}, fmt.Errorf("session: %w", err)
	}
	if stale {
		s.touch(ctx, func(tx hub.Tx) error { return seeSession(ctx, tx, hash, now) })
	}
	return a, nil
}

// alive returns the session if it has not expired.
func alive(ctx context.Context, tx hub.Tx, hash string, now time.Time, p hub.Policy) (hub.Session, error) {
	session, err := tx.Sessions().Get(ctx, hash)
	switch {
	case errors.Is(err, hub.ErrNotFound):
		return hub.Session{}, hub.ErrUnauthenticated
	case err != nil:
		return hub.Session{}, err
	case !now.Before(session.Expires), now.Sub(session.Created) >= p.SessionLife, now.Sub(session.Seen) >= p.SessionIdle:
		return hub.Session{}, fmt.Errorf("%w: it has expired", hub.ErrUnauthenticated)
	}
	return session, nil
}

// seeSession writes that a session was used. It does not bring one back that has ended.
func seeSession(ctx context.Context, tx hub.Tx, hash string, now time.Time) error {
	session, err := tx.Sessions().Get(ctx, hash)
	if errors.Is(err, hub.ErrNotFound) {
		return nil
	}
	if err != nil || now.Sub(session.Seen) < seenEvery {
		return err
	}
	session.Seen = now
	return tx.Sessions().Put(ctx, &session)
}

// Proof is how a person has proved themselves again: one of the two.
type Proof struct {
	Identity ExternalIdentity
	Passkey  PasskeyUse
}

// Refresh makes a session fresh whose person has proved themselves again, under a new id:
// the value for the cookie is another, the old one is void. When the session expires does
// not change. A proof of somebody else is [hub.ErrForbidden], and changes nothing.
func (s *Service) Refresh(ctx context.Context, sessionCookie string, p Proof) (cookie string, session hub.Session, err error) {
	if (p.Identity.Subject == "") == (p.Passkey.ID == "") {
		return "", hub.Session{}, hub.Invalid("proof", "is either an identity or a passkey")
	}
	cookie = newSecret()
	now, policy := s.now(), s.env.Policy()
	err = s.env.Store.Update(ctx, func(tx hub.Tx) error {
		var err error
		if session, err = alive(ctx, tx, hashOf(sessionCookie), now, policy); err != nil {
			return err
		}
		var owner string
		if p.Passkey.ID != "" {
			key, err := usePasskey(ctx, tx, p.Passkey, now)
			if err != nil {
				return err
			}
			owner = key.Account
		} else {
			ident, err := tx.Identities().Get(ctx, p.Identity.Issuer, p.Identity.Subject)
			if err != nil && !errors.Is(err, hub.ErrNotFound) {
				return err
			}
			owner = ident.Account
		}
		if owner != session.Account {
			return fmt.Errorf("%w: that is another account than the one signed in", hub.ErrForbidden)
		}
		if err := tx.Sessions().Delete(ctx, session.Hash); err != nil {
			return err
		}
		session.Hash, session.Seen, session.Fresh = hashOf(cookie), now, now
		if err := tx.Sessions().Insert(ctx, &session); err != nil {
			return err
		}
		return hub.Record(ctx, tx, hub.Actor{Account: owner, Via: "session"}, now, ActSignIn, "account "+owner, map[string]any{"again": true})
	})
	if err != nil {
		return "", hub.Session{}, fmt.Errorf("sign in again: %w", err)
	}
	return cookie, session, nil
}

// SignOut ends the session of a cookie. One that is gone is no error.
func (s *Service) SignOut(ctx context.Context, sessionCookie string) error {
	if len(sessionCookie) != secretLen {
		return nil
	}
	hash, now := hashOf(sessionCookie), s.now()
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		session, err := tx.Sessions().Get(ctx, hash)
		if errors.Is(err, hub.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := tx.Sessions().Delete(ctx, hash); err != nil {
			return err
		}
		return hub.Record(ctx, tx, hub.Actor{Account: session.Account, Via: "session"}, now, ActSignOut, "account "+session.Account, nil)
	})
}

// Sessions returns the actor's live sessions, the last used first. SessionCookie, which
// may be empty, says which of them is the current one.
func (s *Service) Sessions(ctx context.Context, actor hub.Actor, sessionCookie string) ([]SessionInfo, error) {
	if err := actor.May(hub.ActAccountRead, self(actor)); err != nil {
		return nil, err
	}
	now, policy, current := s.now(), s.env.Policy(), hashOf(sessionCookie)
	var out []SessionInfo
	err := s.env.Store.View(ctx, func(tx hub.Tx) error {
		list, err := tx.Sessions().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("account", actor.Account),
			hub.Gt("expires", now), hub.Gt("seen", now.Add(-policy.SessionIdle))}, Order: "seen", Desc: true})
		out = make([]SessionInfo, 0, len(list))
		for _, one := range list {
			out = append(out, SessionInfo{ID: one.Hash[:sessionIDLen], Session: one, Current: one.Hash == current})
		}
		return err
	})
	return out, err
}

// EndSession ends one of the actor's sessions; id is [SessionInfo.ID].
func (s *Service) EndSession(ctx context.Context, actor hub.Actor, id string) error {
	n, err := s.endSessions(ctx, actor, func(one hub.Session) bool { return len(id) == sessionIDLen && one.Hash[:sessionIDLen] == id })
	if err == nil && n == 0 {
		err = missing("session", id)
	}
	return err
}

// EndSessions ends all sessions of the actor except the one of the cookie, which may be
// empty. It returns how many there were.
func (s *Service) EndSessions(ctx context.Context, actor hub.Actor, except string) (int, error) {
	keep := hashOf(except)
	return s.endSessions(ctx, actor, func(one hub.Session) bool { return one.Hash != keep })
}

func (s *Service) endSessions(ctx context.Context, actor hub.Actor, which func(hub.Session) bool) (int, error) {
	if err := actor.May(hub.ActAccountEdit, self(actor)); err != nil {
		return 0, err
	}
	now, n := s.now(), 0
	err := s.env.Store.Update(ctx, func(tx hub.Tx) error {
		n = 0
		list, err := tx.Sessions().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("account", actor.Account)}})
		if err != nil {
			return err
		}
		for _, one := range list {
			if which(one) {
				if err := tx.Sessions().Delete(ctx, one.Hash); err != nil {
					return err
				}
				n++
			}
		}
		if n == 0 {
			return nil
		}
		return hub.Record(ctx, tx, actor, now, hub.ActAccountEdit, "account "+actor.Account, map[string]any{"sessionsEnded": n})
	})
	return n, err
}

// CookieName is what the session cookie is called: with the prefix that binds it to the
// host and to https, and without where there is no https (a loopback address).
func CookieName(secure bool) string {
	if secure {
		return "__Host-souk_session"
	}
	return "souk_session"
}

// Cookie returns the cookie for a session: not for scripts, not for requests that other
// sites make except to follow a link here, for this host alone.
func Cookie(value string, session hub.Session, secure bool) *http.Cookie {
	return &http.Cookie{Name: CookieName(secure), Value: value, Path: "/", Expires: session.Expires.UTC(),
		HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode}
}

// ClearCookie returns the cookie that makes a browser forget its session.
func ClearCookie(secure bool) *http.Cookie {
	return &http.Cookie{Name: CookieName(secure), Path: "/", MaxAge: -1, HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode}
}
