package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
)

const (
	// MaxCeremony is the longest that a person may be given at the authenticator.
	MaxCeremony = 15 * time.Minute
	// MaxPasskeys is how many passkeys of one account [Passkeys.BeginRegistration] takes.
	MaxPasskeys = 50
	// MaxResponse is how many bytes an authenticator's answer may have: attestations
	// have 1 to 10 kB.
	MaxResponse = 64 << 10

	defaultCeremony = 5 * time.Minute
	minHandle       = 16 // bytes: nobody guesses or enumerates it
	maxHandle       = 64 // bytes, Web Authentication section 4
)

// PasskeyOptions are the choices of [NewPasskeys]. RPID, RPName and Origins have no
// default.
type PasskeyOptions struct {
	// RPID is the domain that passkeys are bound to: "example.org". They are of no use
	// at another one, so it cannot be changed later.
	RPID string
	// RPName is what people see in the browser's dialog: "Souk hub".
	RPName string
	// Origins are where the pages are served from: "https://hub.example.org". Each is
	// https (http for localhost only) on RPID or a subdomain of it.
	Origins []string
	// Timeout is how long a ceremony may take; 0 means 5 minutes, the most is
	// [MaxCeremony].
	Timeout time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Passkeys registers passkeys and signs people in with them (Web Authentication Level 3).
// It keeps nothing and is safe for concurrent use. Passkeys are discoverable, so that
// nobody types a name, and the authenticator has verified its user (PIN, finger, face)
// each time. Attestation, the make of an authenticator, is not asked for.
type Passkeys struct {
	w       *webauthn.WebAuthn
	timeout time.Duration
	now     func() time.Time
}

// NewPasskeys checks the options.
func NewPasskeys(o PasskeyOptions) (*Passkeys, error) {
	if o.RPID == "" || o.RPName == "" || len(o.Origins) == 0 {
		return nil, errors.New("passkeys: the domain (RPID), its name (RPName) and the origins of its pages are needed")
	}
	for _, origin := range o.Origins {
		u, err := url.Parse(origin)
		switch {
		case err != nil || u.Scheme+"://"+u.Host != origin:
			return nil, fmt.Errorf("passkeys: origin %q is not of the form https://host", origin)
		case u.Hostname() != o.RPID && !strings.HasSuffix(u.Hostname(), "."+o.RPID):
			return nil, fmt.Errorf("passkeys: origin %q is not on the domain %q", origin, o.RPID)
		case u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())):
			return nil, fmt.Errorf("passkeys: origin %q is not https", origin)
		}
	}
	if o.Timeout == 0 {
		o.Timeout = defaultCeremony
	}
	if o.Timeout < 0 || o.Timeout > MaxCeremony {
		return nil, fmt.Errorf("passkeys: timeout %s is not between 0 and %s", o.Timeout, MaxCeremony)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	patience := webauthn.TimeoutConfig{Timeout: o.Timeout, TimeoutUVD: o.Timeout} // enforced here, by our clock
	w, err := webauthn.New(&webauthn.Config{
		RPID: o.RPID, RPDisplayName: o.RPName, RPOrigins: slices.Clone(o.Origins),
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey:        protocol.ResidentKeyRequirementRequired,
			RequireResidentKey: protocol.ResidentKeyRequired(),
			UserVerification:   protocol.VerificationRequired,
		},
		Timeouts: webauthn.TimeoutsConfig{Login: patience, Registration: patience},
		// No extension is asked for and no output of one is read, and some password
		// managers send one unasked.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil, fmt.Errorf("passkeys: %w", err)
	}
	// New takes any RPID that it is not asked to use; this asks.
	if err := protocol.ValidateRPID(o.RPID); err != nil {
		return nil, fmt.Errorf("passkeys: domain %q: %w", o.RPID, err)
	}
	return &Passkeys{w, o.Timeout, o.Now}, nil
}

// PasskeyUser is whom a passkey is made for.
type PasskeyUser struct {
	// Handle is 16 to 64 random bytes that are the account's for ever, and nothing
	// else's: authenticators store it and hand it to whoever unlocks them, so it is
	// neither the account's id nor made from it.
	Handle []byte
	// Name tells accounts apart in the browser's list: "mira" or an address.
	Name string
	// DisplayName is what the person is called; empty means Name.
	DisplayName string
}

// Ceremony is what has to be kept between a Begin and its Finish: at the server, as
// JSON of less than 500 bytes, found again by a cookie or an id that only this browser
// has. It is good once: who calls Finish has deleted it first, in one step with reading
// it, so that two answers to one challenge cannot both be taken. This package cannot see
// to that. It expires by itself, and can be thrown away after that.
type Ceremony struct {
	Kind      string    `json:"kind"` // "register" or "login"
	Challenge string    `json:"challenge"`
	Handle    []byte    `json:"handle,omitempty"` // whom a registration is for
	Expires   time.Time `json:"expires"`
}

const (
	kindRegister = "register"
	kindLogin    = "login"
)

// BeginRegistration returns the options for navigator.credentials.create (the value of
// its "publicKey", as JSON) and what to keep. Have are the passkeys of the account so
// far, which the authenticator then does not make again.
func (p *Passkeys) BeginRegistration(u PasskeyUser, have []Credential) (json.RawMessage, Ceremony, error) {
	fail := func(err error) (json.RawMessage, Ceremony, error) {
		return nil, Ceremony{}, fmt.Errorf("register a passkey: %w", err)
	}
	if len(u.Handle) < minHandle || len(u.Handle) > maxHandle {
		return fail(fmt.Errorf("the user handle has %d bytes, not %d to %d", len(u.Handle), minHandle, maxHandle))
	}
	if u.Name = oneLine(u.Name); u.Name == "" {
		return fail(errors.New("the account has no name to show"))
	}
	if u.DisplayName = oneLine(u.DisplayName); u.DisplayName == "" {
		u.DisplayName = u.Name
	}
	if len(have) > MaxPasskeys {
		return fail(fmt.Errorf("the account has more than %d passkeys", MaxPasskeys))
	}
	own := owner{user: u}
	for _, c := range have {
		own.credentials = append(own.credentials, c.library())
	}
	creation, session, err := p.w.BeginRegistration(own,
		webauthn.WithExclusions(webauthn.Credentials(own.credentials).CredentialDescriptors()),
		webauthn.WithCredentialParameters(webauthn.CredentialParametersRecommendedL3()))
	if err != nil {
		return fail(err)
	}
	options, err := json.Marshal(creation.Response)
	if err != nil {
		return fail(err)
	}
	return options, Ceremony{kindRegister, session.Challenge, u.Handle, p.now().Add(p.timeout)}, nil
}

// FinishRegistration takes what the authenticator answered (the PublicKeyCredential as
// JSON) and returns the passkey to store, under the name that its owner gave it. The
// caller refuses one whose ID is already stored, whoever has it. Errors: [ErrExpired],
// [ErrRefused].
func (p *Passkeys) FinishRegistration(c Ceremony, response []byte, name string) (Credential, error) {
	fail := func(err error) (Credential, error) {
		return Credential{}, fmt.Errorf("register a passkey: %w", err)
	}
	if err := p.check(c, kindRegister, response); err != nil {
		return fail(err)
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err != nil {
		return fail(fmt.Errorf("%w: %w", ErrRefused, err))
	}
	session := p.session(c)
	session.CredParams = webauthn.CredentialParametersRecommendedL3()
	made, err := p.w.CreateCredential(owner{user: PasskeyUser{Handle: c.Handle}}, session, parsed)
	if err != nil {
		return fail(fmt.Errorf("%w: %w", ErrRefused, err))
	}
	if name = oneLine(name); name == "" {
		name = "Passkey"
	}
	return newCredential(made, c.Handle, name, p.now()), nil
}

// BeginLogin returns the options for navigator.credentials.get (the value of its
// "publicKey", as JSON) and what to keep. It is for anybody: nobody is named yet.
func (p *Passkeys) BeginLogin() (json.RawMessage, Ceremony, error) {
	assertion, session, err := p.w.BeginDiscoverableLogin()
	if err != nil {
		return nil, Ceremony{}, fmt.Errorf("sign in with a passkey: %w", err)
	}
	options, err := json.Marshal(assertion.Response)
	if err != nil {
		return nil, Ceremony{}, fmt.Errorf("sign in with a passkey: %w", err)
	}
	return options, Ceremony{kindLogin, session.Challenge, nil, p.now().Add(p.timeout)}, nil
}

// Lookup finds a stored passkey by its id, [ErrUnknownPasskey] if there is none. Another
// error (the database is away) comes out of [Passkeys.FinishLogin] as it is.
type Lookup func(ctx context.Context, id []byte) (Credential, error)

// FinishLogin takes what the authenticator answered (the PublicKeyCredential as JSON) and
// returns the passkey that signed, with the counter and times to store; its Handle says
// whose it is. Errors: [ErrExpired], [ErrRefused], [ErrUnknownPasskey] and those of find.
//
// [ErrCloneSuspected] comes together with the passkey: the signature was good, but the
// authenticator's counter did not grow, so a copy of the key may be in use. Nobody is
// signed in; store the passkey, which has CloneSuspected set, and tell its owner.
// Authenticators that synchronise keys do not count, and are not suspected.
func (p *Passkeys) FinishLogin(ctx context.Context, c Ceremony, response []byte, find Lookup) (Credential, error) {
	fail := func(err error) (Credential, error) {
		return Credential{}, fmt.Errorf("sign in with a passkey: %w", err)
	}
	if err := p.check(c, kindLogin, response); err != nil {
		return fail(err)
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return fail(fmt.Errorf("%w: %w", ErrRefused, err))
	}
	stored, err := find(ctx, parsed.RawID)
	if err != nil {
		return fail(err)
	}
	own := owner{PasskeyUser{Handle: stored.Handle}, []webauthn.Credential{stored.library()}}
	_, used, err := p.w.ValidatePasskeyLogin(func(_, _ []byte) (webauthn.User, error) { return own, nil }, p.session(c), parsed)
	if err != nil {
		return fail(fmt.Errorf("%w: %w", ErrRefused, err))
	}
	stored.SignCount, stored.BackedUp = used.Authenticator.SignCount, used.Flags.BackupState
	if used.Authenticator.CloneWarning {
		stored.CloneSuspected = true
		return stored, fmt.Errorf("sign in with a passkey: %w", ErrCloneSuspected)
	}
	stored.LastUsed = p.now().UTC()
	return stored, nil
}

// check refuses what does not belong to the ceremony, before anything is parsed.
func (p *Passkeys) check(c Ceremony, kind string, response []byte) error {
	switch {
	case c.Kind != kind || c.Challenge == "":
		return fmt.Errorf("%w: this answers another ceremony", ErrRefused)
	case !p.now().Before(c.Expires):
		return fmt.Errorf("%w: the ceremony took longer than %s", ErrExpired, p.timeout)
	case c.Expires.Sub(p.now()) > MaxCeremony:
		return fmt.Errorf("%w: the ceremony has no end", ErrRefused)
	case len(response) > MaxResponse:
		return fmt.Errorf("%w: the answer is longer than %d bytes", ErrRefused, MaxResponse)
	}
	return nil
}

// session is what go-webauthn wants to know. It is made anew, not stored: its own form
// changes from release to release.
func (p *Passkeys) session(c Ceremony) webauthn.SessionData {
	return webauthn.SessionData{
		Challenge: c.Challenge, UserID: c.Handle, RelyingPartyID: p.w.Config.RPID,
		UserVerification: protocol.VerificationRequired,
	}
}

// owner is the webauthn.User of one ceremony.
type owner struct {
	user        PasskeyUser
	credentials []webauthn.Credential
}

func (o owner) WebAuthnID() []byte                         { return o.user.Handle }
func (o owner) WebAuthnName() string                       { return o.user.Name }
func (o owner) WebAuthnDisplayName() string                { return o.user.DisplayName }
func (o owner) WebAuthnCredentials() []webauthn.Credential { return o.credentials }
