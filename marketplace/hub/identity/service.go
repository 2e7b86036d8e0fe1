package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

// Bounds of what one account can have. Somebody who reaches one has a program that
// runs wild.
const (
	MaxSessions   = 50  // the oldest ends when one more begins
	MaxIdentities = 10  //
	MaxPasskeys   = 20  //
	MaxTokens     = 100 // that are neither expired nor revoked
	MaxPanels     = 100 // linked
	MaxTrusted    = 100 // rules of a publisher
	MaxName       = 60  // characters of a person's name
	MaxLabel      = 100 // characters of the name of a passkey, token or panel
	MaxReason     = 500 // characters of why an account is suspended
)

// Actions that stand in the audit log only: nobody asks whether they may.
const (
	ActSignUp      hub.Action = "account.sign_up"
	ActSignIn      hub.Action = "account.sign_in"
	ActSignOut     hub.Action = "account.sign_out"
	ActClaimAdmin  hub.Action = "account.claim_admin"
	ActSuspectKey  hub.Action = "account.suspect_passkey"
	ActExchangeCI  hub.Action = "token.exchange"
	ActPanelLinked hub.Action = "panel.linked"
)

// DeletedName is what an account is called when its person has deleted it.
const DeletedName = "deleted user"

// seenEvery is how often it is written down that a session or token was used: reading
// pages must not make the database write.
const seenEvery = time.Minute

// touchWait is how long a request waits for that at most. It is lost then, not the request.
const touchWait = 500 * time.Millisecond

// Options are the choices of [New]. The zero value lets nobody sign up, once the hub
// has an administrator.
type Options struct {
	// AllowSignUp makes an account for whoever signs in for the first time. Without it
	// only those in Administrators get one, and anybody as long as the hub has no
	// administrator: the operator has to come in, and shows the setup code then.
	AllowSignUp bool
	// Administrators are identities whose accounts get the role each time they sign in.
	Administrators []IdentityRef
}

// IdentityRef names an OpenID Connect identity.
type IdentityRef struct{ Issuer, Subject string }

// Service keeps accounts and everything that proves to be one. It is safe for
// concurrent use, and by several processes on one [hub.Store].
type Service struct {
	env hub.Env
	o   Options
}

// New returns the service. env.Store is required.
func New(env hub.Env, o Options) (*Service, error) {
	if env.Store == nil {
		return nil, errors.New("identity: no store")
	}
	for i, a := range o.Administrators {
		if a.Issuer == "" || a.Subject == "" {
			return nil, fmt.Errorf("identity: administrator %d lacks issuer or subject", i)
		}
	}
	o.Administrators = slices.Clone(o.Administrators)
	return &Service{env: env.WithDefaults(), o: o}, nil
}

// now is the time as the store keeps it.
func (s *Service) now() time.Time { return s.env.Now().UTC().Truncate(time.Microsecond) }

// touch writes that something was used. What it writes is of so little weight that a
// request does not fail for it.
func (s *Service) touch(ctx context.Context, f func(hub.Tx) error) {
	ctx, cancel := context.WithTimeout(ctx, touchWait)
	defer cancel()
	if err := s.env.Store.Update(ctx, f); err != nil && ctx.Err() == nil {
		s.env.Log.WarnContext(ctx, "not written when it was last used", "error", err)
	}
}

// newSecret returns 256 random bits, base64url.
func newSecret() string {
	var b [32]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // crypto/rand never fails since Go 1.24
	}
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// secretLen is how long what newSecret returns is.
const secretLen = 43

// hashOf is how a secret is kept. Secrets are random and long, so that nothing slower is
// needed, and looking up a hash tells nothing about how much of a guess was right.
func hashOf(secret string) string {
	h := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(h[:])
}

// checkLabel checks a name that somebody gave to something of theirs.
func checkLabel(field, s string) error {
	if err := catalog.CheckText(s, MaxLabel); err != nil {
		return hub.Invalid(field, "%s", err)
	}
	return nil
}

// needFresh asks for a person who has just proved themselves, where the table does not:
// what adds or removes a way into an account.
func needFresh(a hub.Actor, act hub.Action) error {
	switch {
	case a.Token != nil:
		return fmt.Errorf("%s: %w: needs a person who is signed in, not a token", act, hub.ErrForbidden)
	case !a.Fresh && !a.System:
		return fmt.Errorf("%s: %w", act, hub.ErrNotFresh)
	}
	return nil
}

// missing says that there is none of a kind with the id, or none that is the actor's.
func missing(kind, id string) error {
	return fmt.Errorf("%s %.80q: %w", kind, id, hub.ErrNotFound)
}

// theirs turns what is not the actor's into what is not there.
func theirs(a hub.Actor, owner, kind, id string, err error) error {
	switch {
	case errors.Is(err, hub.ErrNotFound), err == nil && (owner == "" || owner != a.Account):
		return missing(kind, id)
	}
	return err
}

// self is the object that an actor is to themselves.
func self(a hub.Actor) hub.Object { return hub.Object{Account: a.Account} }

// tell leaves a notice about a change of an account's ways in.
func tell(ctx context.Context, tx hub.Tx, now time.Time, account, title string) error {
	return hub.Notify(ctx, tx, now, []string{account}, hub.Notice{Title: title, Kind: "account", Subject: account,
		Text: "If this was not you, end all sessions and remove it."})
}

// actorOf returns the actor that an account is now, with its memberships.
func actorOf(ctx context.Context, tx hub.Tx, account, via string) (hub.Actor, hub.Account, error) {
	acc, err := tx.Accounts().Get(ctx, account)
	if errors.Is(err, hub.ErrNotFound) || err == nil && acc.State == hub.AccountDeleted {
		return hub.Actor{}, hub.Account{}, fmt.Errorf("%w: the account is gone", hub.ErrUnauthenticated)
	}
	if err != nil {
		return hub.Actor{}, hub.Account{}, err
	}
	members, err := tx.Members().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("account", account)}})
	if err != nil {
		return hub.Actor{}, hub.Account{}, err
	}
	a := hub.Actor{Account: acc.ID, Name: acc.Name, Roles: acc.Roles, Via: via,
		Suspended:   acc.State != hub.AccountActive, // also a state that this version does not know
		Memberships: make(map[string]hub.MemberRole, len(members))}
	for _, m := range members {
		a.Memberships[m.Publisher] = m.Role
	}
	return a, acc, nil
}

// cleanName returns a name to begin with, from what a provider or a person says.
func cleanName(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > MaxName {
		s = strings.TrimSpace(string(r[:MaxName]))
	}
	if checkName(s) != nil {
		return "new user"
	}
	return s
}

func checkName(s string) error {
	if err := catalog.CheckText(s, MaxName); err != nil {
		return hub.Invalid("name", "%s", err)
	}
	if strings.EqualFold(s, DeletedName) {
		return hub.Invalid("name", "is what deleted accounts are called")
	}
	return nil
}
