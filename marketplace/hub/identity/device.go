package identity

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
)

// How a panel is linked (RFC 8628).
const (
	// PollInterval is how long a panel waits between two polls, at first.
	PollInterval = 5 * time.Second
	// pollStep is what one that asks too early has to wait longer (section 3.5), up to
	// maxPoll; from there on it is told so without a write.
	pollStep = 5 * time.Second
	maxPoll  = time.Minute

	// userCodeAlphabet has no vowels, so that no word comes out, and nothing that looks
	// like another character (section 6.1). Eight of 20 are 34 bits.
	userCodeAlphabet = "BCDFGHJKLMNPQRSTVWXZ"
	userCodeLen      = 8

	// MaxGuesses is how many codes that do not exist an account may try in a window. With
	// a thousand panels that wait, an account meets one of them once in 2.5 million windows.
	MaxGuesses  = 10
	guessWindow = 15 * time.Minute

	// MaxDevices is how many panels can wait at a time, and MaxDevicesAddress how many of
	// one address. Anybody can begin.
	MaxDevices        = 10_000
	MaxDevicesAddress = 10
)

const onceGuess = "guess"

// DeviceError is an answer to a poll that is not a token, by its name in RFC 8628,
// section 3.5, and RFC 6749, section 5.2.
type DeviceError struct{ Code string }

func (e *DeviceError) Error() string { return e.Code }

// The answers to a poll. They are compared with errors.Is.
var (
	ErrAuthorizationPending = &DeviceError{"authorization_pending"} // nobody has approved it yet
	ErrSlowDown             = &DeviceError{"slow_down"}             // wait 5 s longer between polls from now on
	ErrAccessDenied         = &DeviceError{"access_denied"}         // the person said no
	ErrExpiredToken         = &DeviceError{"expired_token"}         // too late: begin again
	ErrInvalidGrant         = &DeviceError{"invalid_grant"}         // unknown, or its token was given out
)

// DeviceRequest is a panel that wants to be linked.
type DeviceRequest struct {
	Name string // of the panel, for the person to recognise it
	// PublicKey is the panel's Ed25519 key, 32 bytes in base64. It signs receipts of
	// what is installed there.
	PublicKey string
	// Address is the IP address it asks from, shown to the person.
	Address string
}

// DeviceStart is what a panel is told. UserCode is for a person to type, DeviceCode is a
// secret of the panel's.
type DeviceStart struct {
	DeviceCode string
	UserCode   string // "BCDF-GHJK"
	Expires    time.Time
	Interval   time.Duration // between two polls
}

// StartDevice begins to link a panel, for Policy.DeviceLife.
func (s *Service) StartDevice(ctx context.Context, r DeviceRequest) (DeviceStart, error) {
	if err := checkLabel("name", r.Name); err != nil {
		return DeviceStart{}, err
	}
	key, err := base64.StdEncoding.Strict().DecodeString(r.PublicKey)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return DeviceStart{}, hub.Invalid("publicKey", "is not an Ed25519 key of %d bytes in base64", ed25519.PublicKeySize)
	}
	if _, err := netip.ParseAddr(r.Address); err != nil {
		return DeviceStart{}, hub.Invalid("address", "is no IP address")
	}
	now := s.now()
	out := DeviceStart{DeviceCode: newSecret(), Interval: PollInterval, Expires: now.Add(s.env.Policy().DeviceLife)}
	err = s.env.Store.Update(ctx, func(tx hub.Tx) error {
		waits := []hub.Cond{hub.Gt("expires", now), hub.Eq("state", hub.DevicePending)}
		all, err := tx.Devices().Count(ctx, waits...)
		if err != nil {
			return err
		}
		here, err := tx.Devices().Count(ctx, append(waits, hub.Eq("address", r.Address))...)
		if err != nil {
			return err
		}
		if all >= MaxDevices || here >= MaxDevicesAddress {
			return &hub.LimitError{What: "panels that wait to be linked", After: time.Minute}
		}
		for range 5 { // one is taken by chance once in millions
			out.UserCode = newUserCode()
			grant := hub.DeviceGrant{Hash: hashOf(out.DeviceCode), UserCode: out.UserCode, Name: r.Name, Key: r.PublicKey, Address: r.Address,
				State: hub.DevicePending, Interval: int(PollInterval / time.Second), Created: now, Expires: out.Expires}
			if err = tx.Devices().Insert(ctx, &grant); !errors.Is(err, hub.ErrExists) {
				break
			}
		}
		return err
	})
	if err != nil {
		return DeviceStart{}, fmt.Errorf("link a panel: %w", err)
	}
	return out, nil
}

func newUserCode() string {
	out := make([]byte, 0, userCodeLen+1)
	var b [32]byte
	for len(out) < userCodeLen {
		if _, err := rand.Read(b[:]); err != nil {
			panic(err) // crypto/rand never fails since Go 1.24
		}
		for _, c := range b {
			if c < 240 && len(out) < userCodeLen { // 12 times 20
				out = append(out, userCodeAlphabet[c%20])
			}
		}
	}
	return string(out[:4]) + "-" + string(out[4:])
}

// cleanUserCode reads what a person typed: in any case, with any separators.
func cleanUserCode(s string) (string, bool) {
	var out []byte
	for _, c := range []byte(strings.ToUpper(s)) {
		switch {
		case strings.IndexByte(userCodeAlphabet, c) >= 0:
			out = append(out, c)
		case c != '-' && c != ' ':
			return "", false
		}
		if len(out) > userCodeLen {
			return "", false
		}
	}
	if len(out) != userCodeLen {
		return "", false
	}
	return string(out[:4]) + "-" + string(out[4:]), true
}

// DeviceByUserCode returns the panel that waits with a code, so that its person sees name
// and address before they approve. [hub.ErrNotFound] for a code that no panel waits with;
// after [MaxGuesses] of those the account gets a [*hub.LimitError].
func (s *Service) DeviceByUserCode(ctx context.Context, actor hub.Actor, userCode string) (hub.DeviceGrant, error) {
	return s.withDevice(ctx, actor, userCode, func(hub.Tx, *hub.DeviceGrant, time.Time) error { return nil })
}

// ApproveDevice links the panel that waits with a code to the actor's account. A person
// does it: no token makes another one, which would live on when it is revoked.
func (s *Service) ApproveDevice(ctx context.Context, actor hub.Actor, userCode string) error {
	if actor.Token != nil {
		return fmt.Errorf("link a panel: %w: needs a person who is signed in, not a token", hub.ErrForbidden)
	}
	_, err := s.withDevice(ctx, actor, userCode, func(tx hub.Tx, g *hub.DeviceGrant, now time.Time) error {
		switch n, err := tx.Panels().Count(ctx, hub.Eq("account", actor.Account), hub.Unset("revoked")); {
		case err != nil:
			return err
		case n >= MaxPanels:
			return &hub.LimitError{What: fmt.Sprintf("%d linked panels of an account", MaxPanels)}
		}
		g.State, g.Account = hub.DeviceApproved, actor.Account
		if err := tx.Devices().Put(ctx, g); err != nil {
			return err
		}
		if err := tell(ctx, tx, now, actor.Account, "The panel "+g.Name+" was linked to your account"); err != nil {
			return err
		}
		return hub.Record(ctx, tx, actor, now, hub.ActPanelManage, "account "+actor.Account, map[string]any{"approved": g.Created})
	})
	return err
}

// DenyDevice refuses the panel that waits with a code.
func (s *Service) DenyDevice(ctx context.Context, actor hub.Actor, userCode string) error {
	_, err := s.withDevice(ctx, actor, userCode, func(tx hub.Tx, g *hub.DeviceGrant, now time.Time) error {
		g.State, g.Account = hub.DeviceDenied, actor.Account
		if err := tx.Devices().Put(ctx, g); err != nil {
			return err
		}
		return hub.Record(ctx, tx, actor, now, hub.ActPanelManage, "account "+actor.Account, map[string]any{"denied": g.Created})
	})
	return err
}

// withDevice finds a panel that waits by its code and does something with it, and counts
// codes that do not exist, in one transaction.
func (s *Service) withDevice(ctx context.Context, actor hub.Actor, userCode string, do func(hub.Tx, *hub.DeviceGrant, time.Time) error) (hub.DeviceGrant, error) {
	if err := actor.May(hub.ActPanelManage, self(actor)); err != nil {
		return hub.DeviceGrant{}, err
	}
	now := s.now()
	code, ok := cleanUserCode(userCode)
	var grant hub.DeviceGrant
	found := false
	err := s.env.Store.Update(ctx, func(tx hub.Tx) error {
		found = false
		guesses, err := tx.Onces().Get(ctx, onceGuess, actor.Account)
		if err != nil && !errors.Is(err, hub.ErrNotFound) {
			return err
		}
		if errors.Is(err, hub.ErrNotFound) || !now.Before(guesses.Expires) {
			guesses = hub.Once{Kind: onceGuess, Key: actor.Account, Data: "0", Created: now, Expires: now.Add(guessWindow)}
		}
		n, err := strconv.Atoi(guesses.Data)
		if err != nil || n >= MaxGuesses {
			return &hub.LimitError{What: "codes that do not exist", After: guesses.Expires.Sub(now)}
		}
		if ok {
			list, err := tx.Devices().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("user_code", code), hub.Eq("state", hub.DevicePending), hub.Gt("expires", now)}, Limit: 1})
			if err != nil {
				return err
			}
			if len(list) == 1 {
				found, grant = true, list[0]
				return do(tx, &grant, now)
			}
		}
		guesses.Data = strconv.Itoa(n + 1)
		return tx.Onces().Put(ctx, &guesses)
	})
	switch {
	case err != nil:
		return hub.DeviceGrant{}, fmt.Errorf("link a panel: %w", err)
	case !found:
		return hub.DeviceGrant{}, fmt.Errorf("no panel waits with this code, or it took too long: %w", hub.ErrNotFound)
	}
	return grant, nil
}

// PollDevice answers a panel that waits: with its token, once, when a person has
// approved, and with a [*DeviceError] otherwise.
func (s *Service) PollDevice(ctx context.Context, deviceCode string) (token string, err error) {
	if len(deviceCode) != secretLen {
		return "", ErrInvalidGrant
	}
	now, hash := s.now(), hashOf(deviceCode)
	raw := newTokenText(hub.TokenPanel)
	var answer error
	err = s.env.Store.Update(ctx, func(tx hub.Tx) error {
		answer = nil
		g, err := tx.Devices().Get(ctx, hash)
		switch {
		case errors.Is(err, hub.ErrNotFound), err == nil && g.State == hub.DeviceUsed:
			answer = ErrInvalidGrant
			return nil
		case err != nil:
			return err
		case !now.Before(g.Expires):
			answer = ErrExpiredToken
			return nil
		}
		wait := time.Duration(g.Interval) * time.Second
		if !g.Polled.IsZero() && now.Sub(g.Polled) < wait-time.Second { // a second for the network
			if answer = ErrSlowDown; wait >= maxPoll {
				return nil
			}
			g.Interval += int(pollStep / time.Second)
		} else {
			switch g.State {
			case hub.DeviceDenied:
				answer = ErrAccessDenied
				return nil
			case hub.DeviceApproved:
				if err := s.linkPanel(ctx, tx, g, raw, now); errors.Is(err, hub.ErrUnauthenticated) {
					answer = ErrAccessDenied // the account was suspended or deleted meanwhile
					return nil
				} else if err != nil {
					return err
				}
				g.State = hub.DeviceUsed
			default:
				answer = ErrAuthorizationPending
			}
		}
		g.Polled = now
		return tx.Devices().Put(ctx, &g)
	})
	if err == nil {
		err = answer
	}
	if err != nil {
		return "", err
	}
	return raw, nil
}

// linkPanel makes the panel and its token.
func (s *Service) linkPanel(ctx context.Context, tx hub.Tx, g hub.DeviceGrant, raw string, now time.Time) error {
	a, _, err := actorOf(ctx, tx, g.Account, "device")
	if err != nil {
		return err
	}
	if a.Suspended {
		return fmt.Errorf("%w: the account is suspended", hub.ErrUnauthenticated)
	}
	t := hub.Token{ID: hub.NewID("tok", now), Hash: hashOf(raw), Kind: hub.TokenPanel, Account: g.Account, Name: g.Name, Hint: raw[:tokenHint],
		Verbs: []hub.Verb{hub.VerbRead, hub.VerbRate, hub.VerbPanel}, Created: now, Expires: now.Add(s.env.Policy().TokenLife)}
	if err := tx.Tokens().Insert(ctx, &t); err != nil {
		return err
	}
	p := hub.Panel{ID: hub.NewID("pan", now), Account: g.Account, Token: t.ID, Name: g.Name, Key: g.Key, Linked: now, Seen: now}
	if err := tx.Panels().Insert(ctx, &p); err != nil {
		return err
	}
	return hub.Record(ctx, tx, a, now, ActPanelLinked, "panel "+p.ID, map[string]any{"token": t.ID})
}
