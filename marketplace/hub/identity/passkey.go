package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
)

// Bounds of a passkey and of a ceremony.
const (
	maxPasskeyID   = 1364     // base64url of the 1,023 bytes that WebAuthn allows
	maxPasskeyData = 16 << 10 // bytes; package signin writes about one KiB
	maxCeremony    = 4 << 10  // bytes of what is kept between begin and finish
	// MaxCeremonies is how many can be under way. Anybody can begin one.
	MaxCeremonies = 20_000
	// CeremonyLife is how long a person may take with their authenticator.
	CeremonyLife = 10 * time.Minute
)

const onceCeremony = "ceremony"

// StartCeremony keeps data between the beginning and the end of something, for
// [CeremonyLife], and returns the random id under which [Service.TakeCeremony] gives it
// out once. Purpose, such as "passkey.login", has to be the same at both.
func (s *Service) StartCeremony(ctx context.Context, purpose, data string) (id string, err error) {
	if purpose == "" || len(data) > maxCeremony {
		return "", hub.Invalid("ceremony", "has no purpose or more than %d bytes", maxCeremony)
	}
	id = newSecret()
	now := s.now()
	return id, s.env.Store.Update(ctx, func(tx hub.Tx) error {
		switch n, err := tx.Onces().Count(ctx, hub.Eq("kind", onceCeremony), hub.Gt("expires", now)); {
		case err != nil:
			return err
		case n >= MaxCeremonies:
			return &hub.LimitError{What: "people who sign in at this moment", After: time.Minute}
		}
		return tx.Onces().Insert(ctx, &hub.Once{Kind: onceCeremony, Key: ceremonyKey(purpose, id), Data: data, Created: now, Expires: now.Add(CeremonyLife)})
	})
}

// TakeCeremony returns the data of a ceremony and forgets it. [hub.ErrNotFound] when it
// was taken, has expired, or had another purpose.
func (s *Service) TakeCeremony(ctx context.Context, purpose, id string) (data string, err error) {
	now, key := s.now(), ceremonyKey(purpose, id)
	live := false
	err = s.env.Store.Update(ctx, func(tx hub.Tx) error {
		live, data = false, ""
		o, err := tx.Onces().Get(ctx, onceCeremony, key)
		if errors.Is(err, hub.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if now.Before(o.Expires) {
			live, data = true, o.Data
		}
		return tx.Onces().Delete(ctx, onceCeremony, key)
	})
	if err == nil && !live {
		err = fmt.Errorf("begin again: this took too long or was used already: %w", hub.ErrNotFound)
	}
	return data, err
}

func ceremonyKey(purpose, id string) string { return hashOf(purpose + "\x00" + id) }

// SignUpPasskey makes an account for somebody new who has made a passkey (ID, Name and
// Data), and signs them in, as [Service.SignIn] does. Name is what to call them.
// [hub.ErrExists] when anybody has the passkey.
func (s *Service) SignUpPasskey(ctx context.Context, name string, key hub.Passkey, from Browser) (cookie string, session hub.Session, err error) {
	if err := checkName(name); err != nil {
		return "", hub.Session{}, err
	}
	if err := checkPasskey(key); err != nil {
		return "", hub.Session{}, err
	}
	cookie = newSecret()
	now := s.now()
	err = s.env.Store.Update(ctx, func(tx hub.Tx) error {
		acc, err := s.signUp(ctx, tx, name, "", now, false)
		if err != nil {
			return err
		}
		key := key
		key.Account, key.Added, key.Used = acc.ID, now, now
		if err := tx.Passkeys().Insert(ctx, &key); err != nil {
			return err
		}
		session, err = s.begin(ctx, tx, acc, cookie, from, now, map[string]any{"passkey": true})
		return err
	})
	if err != nil {
		return "", hub.Session{}, fmt.Errorf("sign up: %w", err)
	}
	return cookie, session, nil
}

// PasskeyUse is a passkey that has signed a challenge, after package signin verified it.
type PasskeyUse struct {
	ID   string // [hub.Passkey.ID]
	Was  string // its Data as the verification read it
	Data string // its Data now: the counter grew
}

// SignInPasskey signs the passkey's owner in, as [Service.SignIn] does. [hub.ErrMoved]
// when the passkey was used meanwhile: two answers of one authenticator never both count.
func (s *Service) SignInPasskey(ctx context.Context, use PasskeyUse, from Browser) (cookie string, session hub.Session, err error) {
	cookie = newSecret()
	now := s.now()
	err = s.env.Store.Update(ctx, func(tx hub.Tx) error {
		key, err := usePasskey(ctx, tx, use, now)
		if err != nil {
			return err
		}
		acc, err := tx.Accounts().Get(ctx, key.Account)
		if err != nil {
			return err
		}
		session, err = s.begin(ctx, tx, acc, cookie, from, now, map[string]any{"passkey": true})
		return err
	})
	if err != nil {
		return "", hub.Session{}, fmt.Errorf("sign in: %w", err)
	}
	return cookie, session, nil
}

// UsePasskey keeps what a passkey's use has changed, without signing anybody in.
func (s *Service) UsePasskey(ctx context.Context, use PasskeyUse) error {
	now := s.now()
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		_, err := usePasskey(ctx, tx, use, now)
		return err
	})
}

// SuspectPasskey keeps what a use has changed that looks as if the key were copied
// (signin.ErrCloneSuspected), and tells its owner. Nobody is signed in.
func (s *Service) SuspectPasskey(ctx context.Context, use PasskeyUse) error {
	now := s.now()
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		key, err := usePasskey(ctx, tx, use, now)
		if err != nil {
			return err
		}
		if err := hub.Notify(ctx, tx, now, []string{key.Account}, hub.Notice{Kind: "account", Subject: key.Account,
			Title: "Your passkey " + key.Name + " may have been copied",
			Text:  "It answered with a counter that went back, and nobody was signed in. Remove it and make a new one."}); err != nil {
			return err
		}
		return hub.Record(ctx, tx, hub.Actor{Via: "passkey"}, now, ActSuspectKey, "account "+key.Account, nil)
	})
}

func usePasskey(ctx context.Context, tx hub.Tx, use PasskeyUse, now time.Time) (hub.Passkey, error) {
	if len(use.Data) > maxPasskeyData {
		return hub.Passkey{}, hub.Invalid("passkey", "has more than %d bytes", maxPasskeyData)
	}
	key, err := tx.Passkeys().Get(ctx, use.ID)
	switch {
	case errors.Is(err, hub.ErrNotFound):
		return key, fmt.Errorf("%w: unknown passkey", hub.ErrUnauthenticated)
	case err != nil:
		return key, err
	case key.Data != use.Was:
		return key, fmt.Errorf("passkey: %w", hub.ErrMoved)
	}
	key.Data, key.Used = use.Data, now
	return key, tx.Passkeys().Put(ctx, &key)
}

// PasskeyByID returns a passkey, for its signature to be verified; [hub.ErrNotFound]. It
// asks for no right: who signs in is nobody yet.
func (s *Service) PasskeyByID(ctx context.Context, id string) (hub.Passkey, error) {
	var key hub.Passkey
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		key, err = tx.Passkeys().Get(ctx, id)
		return err
	})
	if err != nil {
		return hub.Passkey{}, fmt.Errorf("passkey: %w", err)
	}
	return key, nil
}

// PasskeysOf returns the passkeys of the actor's own account.
func (s *Service) PasskeysOf(ctx context.Context, actor hub.Actor) ([]hub.Passkey, error) {
	if err := actor.May(hub.ActAccountRead, self(actor)); err != nil {
		return nil, err
	}
	var list []hub.Passkey
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		list, err = tx.Passkeys().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("account", actor.Account)}, Order: "added"})
		return err
	})
	return list, err
}

// AddPasskey gives the actor's account a further passkey: ID, Name and Data. It wants a
// fresh session: [hub.ErrNotFresh]. [hub.ErrExists] when anybody has it.
func (s *Service) AddPasskey(ctx context.Context, actor hub.Actor, key hub.Passkey) (hub.Passkey, error) {
	if err := actor.May(hub.ActAccountEdit, self(actor)); err != nil {
		return hub.Passkey{}, err
	}
	if err := needFresh(actor, hub.ActAccountEdit); err != nil {
		return hub.Passkey{}, err
	}
	if err := checkPasskey(key); err != nil {
		return hub.Passkey{}, err
	}
	now := s.now()
	key.Account, key.Added, key.Used = actor.Account, now, time.Time{}
	err := s.env.Store.Update(ctx, func(tx hub.Tx) error {
		switch n, err := tx.Passkeys().Count(ctx, hub.Eq("account", actor.Account)); {
		case err != nil:
			return err
		case n >= MaxPasskeys:
			return &hub.LimitError{What: fmt.Sprintf("%d passkeys of an account", MaxPasskeys)}
		}
		if err := tx.Passkeys().Insert(ctx, &key); err != nil {
			if errors.Is(err, hub.ErrExists) {
				return fmt.Errorf("this passkey is registered: %w", err)
			}
			return err
		}
		if err := tell(ctx, tx, now, actor.Account, "The passkey "+key.Name+" can now sign in to your account"); err != nil {
			return err
		}
		return hub.Record(ctx, tx, actor, now, hub.ActAccountEdit, "account "+actor.Account, map[string]any{"passkey": "added"})
	})
	return key, err
}

// RemovePasskey takes a passkey off the actor's account. It wants a fresh session. The
// last way in stays: [hub.ErrState].
func (s *Service) RemovePasskey(ctx context.Context, actor hub.Actor, id string) error {
	if err := actor.May(hub.ActAccountEdit, self(actor)); err != nil {
		return err
	}
	if err := needFresh(actor, hub.ActAccountEdit); err != nil {
		return err
	}
	now := s.now()
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		key, err := tx.Passkeys().Get(ctx, id)
		if err := theirs(actor, key.Account, "passkey", id, err); err != nil {
			return err
		}
		if err := notTheLast(ctx, tx, actor.Account); err != nil {
			return err
		}
		if err := tx.Passkeys().Delete(ctx, id); err != nil {
			return err
		}
		return hub.Record(ctx, tx, actor, now, hub.ActAccountEdit, "account "+actor.Account, map[string]any{"passkey": "removed"})
	})
}

func checkPasskey(key hub.Passkey) error {
	if key.ID == "" || len(key.ID) > maxPasskeyID {
		return hub.Invalid("passkey", "has no id, or one of more than %d characters", maxPasskeyID)
	}
	for _, c := range []byte(key.ID) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return hub.Invalid("passkey", "has an id that is not base64url")
		}
	}
	if key.Data == "" || len(key.Data) > maxPasskeyData {
		return hub.Invalid("passkey", "has no data, or more than %d bytes", maxPasskeyData)
	}
	return checkLabel("passkey name", key.Name)
}
