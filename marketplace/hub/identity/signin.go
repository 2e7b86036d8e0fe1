package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
)

// ExternalIdentity is who an identity provider says somebody is, after package signin
// has verified it. Issuer and Subject are the person; the rest is for people.
type ExternalIdentity struct {
	Issuer        string
	Subject       string
	Name          string // may be empty
	Email         string // may be empty; forgotten unless verified
	EmailVerified bool
}

// maxSubject is what OpenID Connect Core 1.0, section 2 allows; issuers are URLs.
const maxSubject, maxIssuer = 255, 500

func (e ExternalIdentity) check() error {
	if e.Issuer == "" || len(e.Issuer) > maxIssuer || e.Subject == "" || len(e.Subject) > maxSubject {
		return hub.Invalid("identity", "lacks issuer or subject, or they are too long")
	}
	return nil
}

// email is an address that the provider vouches for, or none.
func (e ExternalIdentity) email() string {
	if !e.EmailVerified || len(e.Email) > 254 {
		return ""
	}
	return e.Email
}

// Browser is who signs in, besides the person.
type Browser struct {
	// UserAgent is the header as it came; kept as "Firefox on Linux".
	UserAgent string
	// Session is the value of the session cookie that the browser sent, if any. That
	// session ends: nobody stays in one that somebody else may have planted.
	Session string
}

// SignIn signs somebody in whom an identity provider has identified, and makes their
// account the first time. It returns the value for the session cookie, which is kept
// nowhere, and the session. A mail address never finds an account: only issuer and
// subject do. A suspended account may sign in, to read and appeal.
//
// Errors: [hub.ErrForbidden] when the identity is new and nobody may sign up.
func (s *Service) SignIn(ctx context.Context, who ExternalIdentity, from Browser) (cookie string, session hub.Session, err error) {
	if err := who.check(); err != nil {
		return "", hub.Session{}, err
	}
	cookie = newSecret()
	now := s.now()
	err = s.env.Store.Update(ctx, func(tx hub.Tx) error {
		ident, err := tx.Identities().Get(ctx, who.Issuer, who.Subject)
		var acc hub.Account
		switch {
		case err == nil:
			if acc, err = tx.Accounts().Get(ctx, ident.Account); err != nil {
				return err
			}
			ident.Used = now
			if who.email() != "" {
				ident.Email = who.email()
			}
			if err := tx.Identities().Put(ctx, &ident); err != nil {
				return err
			}
		case errors.Is(err, hub.ErrNotFound):
			if acc, err = s.signUp(ctx, tx, who.Name, who.email(), now, s.listed(who)); err != nil {
				return err
			}
			ident = hub.Identity{Issuer: who.Issuer, Subject: who.Subject, Account: acc.ID, Email: who.email(), Added: now, Used: now}
			if err := tx.Identities().Insert(ctx, &ident); err != nil {
				return err
			}
		default:
			return err
		}
		if s.listed(who) && acc.State == hub.AccountActive && !slices.Contains(acc.Roles, hub.RoleAdmin) {
			acc.Roles = append(acc.Roles, hub.RoleAdmin)
			if err := tx.Accounts().Update(ctx, &acc); err != nil {
				return err
			}
			a := hub.Actor{Via: "configuration"}
			if err := hub.Record(ctx, tx, a, now, hub.ActAccountRoles, "account "+acc.ID, map[string]any{"roles": acc.Roles}); err != nil {
				return err
			}
		}
		session, err = s.begin(ctx, tx, acc, cookie, from, now, map[string]any{"issuer": who.Issuer})
		return err
	})
	if err != nil {
		return "", hub.Session{}, fmt.Errorf("sign in: %w", err)
	}
	return cookie, session, nil
}

// listed reports whether the configuration makes the identity an administrator.
func (s *Service) listed(who ExternalIdentity) bool {
	return slices.Contains(s.o.Administrators, IdentityRef{who.Issuer, who.Subject})
}

// signUp makes an account, if that is allowed.
func (s *Service) signUp(ctx context.Context, tx hub.Tx, name, email string, now time.Time, listed bool) (hub.Account, error) {
	if !s.o.AllowSignUp && !listed {
		switch admins, err := hub.Administrators(ctx, tx, 1); {
		case err != nil:
			return hub.Account{}, err
		case len(admins) > 0:
			return hub.Account{}, fmt.Errorf("%w: there is no account for this identity, and this hub opens none", hub.ErrForbidden)
		}
	}
	acc := hub.Account{ID: hub.NewID("acc", now), Name: cleanName(name), Email: email, State: hub.AccountActive, Created: now, Seen: now.Truncate(time.Hour)}
	if err := tx.Accounts().Insert(ctx, &acc); err != nil {
		return hub.Account{}, err
	}
	return acc, hub.Record(ctx, tx, hub.Actor{Account: acc.ID, Via: "session"}, now, ActSignUp, "account "+acc.ID, nil)
}

// begin starts a session and ends the one that the browser had.
func (s *Service) begin(ctx context.Context, tx hub.Tx, acc hub.Account, cookie string, from Browser, now time.Time, how map[string]any) (hub.Session, error) {
	if acc.State == hub.AccountDeleted {
		return hub.Session{}, fmt.Errorf("%w: the account is gone", hub.ErrUnauthenticated)
	}
	if hour := now.Truncate(time.Hour); acc.Seen.Before(hour) {
		// Here and not at each use: it counts up the revision that people edit by.
		acc.Seen = hour
		if err := tx.Accounts().Update(ctx, &acc); err != nil {
			return hub.Session{}, err
		}
	}
	if len(from.Session) == secretLen {
		if err := tx.Sessions().Delete(ctx, hashOf(from.Session)); err != nil {
			return hub.Session{}, err
		}
	}
	have, err := tx.Sessions().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("account", acc.ID)}, Order: "created"})
	if err != nil {
		return hub.Session{}, err
	}
	for i := 0; i <= len(have)-MaxSessions; i++ {
		if err := tx.Sessions().Delete(ctx, have[i].Hash); err != nil {
			return hub.Session{}, err
		}
	}
	session := hub.Session{Hash: hashOf(cookie), Account: acc.ID, Created: now, Seen: now, Fresh: now,
		Expires: now.Add(s.env.Policy().SessionLife), Agent: agentName(from.UserAgent)}
	if err := tx.Sessions().Insert(ctx, &session); err != nil {
		return hub.Session{}, err
	}
	return session, hub.Record(ctx, tx, hub.Actor{Account: acc.ID, Via: "session"}, now, ActSignIn, "account "+acc.ID, how)
}

// Identities returns the identities of the actor's own account.
func (s *Service) Identities(ctx context.Context, actor hub.Actor) ([]hub.Identity, error) {
	if err := actor.May(hub.ActAccountRead, self(actor)); err != nil {
		return nil, err
	}
	var list []hub.Identity
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		list, err = tx.Identities().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("account", actor.Account)}})
		return err
	})
	return list, err
}

// LinkIdentity gives the actor's account a further identity to sign in with. It wants a
// fresh session: [hub.ErrNotFresh]. One that another account has is [hub.ErrExists].
func (s *Service) LinkIdentity(ctx context.Context, actor hub.Actor, who ExternalIdentity) error {
	if err := actor.May(hub.ActAccountEdit, self(actor)); err != nil {
		return err
	}
	if err := needFresh(actor, hub.ActAccountEdit); err != nil {
		return err
	}
	if err := who.check(); err != nil {
		return err
	}
	now := s.now()
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		switch n, err := tx.Identities().Count(ctx, hub.Eq("account", actor.Account)); {
		case err != nil:
			return err
		case n >= MaxIdentities:
			return &hub.LimitError{What: fmt.Sprintf("%d identities of an account", MaxIdentities)}
		}
		ident := hub.Identity{Issuer: who.Issuer, Subject: who.Subject, Account: actor.Account, Email: who.email(), Added: now, Used: now}
		if err := tx.Identities().Insert(ctx, &ident); err != nil {
			if errors.Is(err, hub.ErrExists) {
				return fmt.Errorf("this identity is linked to an account: %w", err)
			}
			return err
		}
		if err := tell(ctx, tx, now, actor.Account, "An identity of "+who.Issuer+" can now sign in to your account"); err != nil {
			return err
		}
		return hub.Record(ctx, tx, actor, now, hub.ActAccountEdit, "account "+actor.Account, map[string]any{"linked": who.Issuer})
	})
}

// UnlinkIdentity takes an identity off the actor's account. It wants a fresh session.
// The last way in stays: [hub.ErrState].
func (s *Service) UnlinkIdentity(ctx context.Context, actor hub.Actor, issuer, subject string) error {
	if err := actor.May(hub.ActAccountEdit, self(actor)); err != nil {
		return err
	}
	if err := needFresh(actor, hub.ActAccountEdit); err != nil {
		return err
	}
	now := s.now()
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		ident, err := tx.Identities().Get(ctx, issuer, subject)
		if err := theirs(actor, ident.Account, "identity of", issuer, err); err != nil {
			return err
		}
		if err := notTheLast(ctx, tx, actor.Account); err != nil {
			return err
		}
		if err := tx.Identities().Delete(ctx, issuer, subject); err != nil {
			return err
		}
		return hub.Record(ctx, tx, actor, now, hub.ActAccountEdit, "account "+actor.Account, map[string]any{"unlinked": issuer})
	})
}

// notTheLast refuses to take an account's only way in away.
func notTheLast(ctx context.Context, tx hub.Tx, account string) error {
	ids, err := tx.Identities().Count(ctx, hub.Eq("account", account))
	if err != nil {
		return err
	}
	keys, err := tx.Passkeys().Count(ctx, hub.Eq("account", account))
	if err != nil {
		return err
	}
	if ids+keys <= 1 {
		return fmt.Errorf("%w: nothing would be left to sign in with", hub.ErrState)
	}
	return nil
}
