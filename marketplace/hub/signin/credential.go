package signin

import (
	"embed"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
)

// Credential is a passkey as it is stored, for example as this JSON (200 to 1,000
// bytes). It holds a public key and no secret. ID is unique over all accounts.
//
// After each sign-in SignCount, BackedUp, CloneSuspected and LastUsed are written back;
// of two at the same time the higher SignCount has to win.
type Credential struct {
	ID             []byte    `json:"id"`        // 1 to 1023 bytes, chosen by the authenticator
	Handle         []byte    `json:"handle"`    // of the account, see PasskeyUser
	PublicKey      []byte    `json:"publicKey"` // COSE_Key, RFC 9052
	SignCount      uint32    `json:"signCount"` // 0 where the authenticator does not count
	Model          []byte    `json:"model"`     // AAGUID, 16 bytes; unproved, for an icon or a name
	Transports     []string  `json:"transports,omitempty"`
	BackupEligible bool      `json:"backupEligible"` // a synchronised passkey; never changes
	BackedUp       bool      `json:"backedUp"`
	CloneSuspected bool      `json:"cloneSuspected,omitempty"` // see Passkeys.FinishLogin
	Name           string    `json:"name"`                     // its owner's, at most 100 characters
	Created        time.Time `json:"created"`
	LastUsed       time.Time `json:"lastUsed,omitzero"` // zero: never
}

func newCredential(c *webauthn.Credential, handle []byte, name string, now time.Time) Credential {
	out := Credential{
		ID: c.ID, Handle: handle, PublicKey: c.PublicKey,
		SignCount: c.Authenticator.SignCount, Model: c.Authenticator.AAGUID,
		BackupEligible: c.Flags.BackupEligible, BackedUp: c.Flags.BackupState,
		Name: name, Created: now.UTC(),
	}
	for _, t := range c.Transport {
		if known(t) {
			out.Transports = append(out.Transports, string(t))
		}
	}
	return out
}

// known says whether t is a transport of the specification; a browser may send any text.
func known(t protocol.AuthenticatorTransport) bool {
	switch t {
	case protocol.USB, protocol.NFC, protocol.BLE, protocol.SmartCard, protocol.Hybrid, protocol.Internal:
		return true
	}
	return false
}

func (c Credential) library() webauthn.Credential {
	flags := protocol.FlagUserPresent | protocol.FlagUserVerified
	if c.BackupEligible {
		flags |= protocol.FlagBackupEligible
	}
	if c.BackedUp {
		flags |= protocol.FlagBackupState
	}
	out := webauthn.Credential{
		ID: c.ID, PublicKey: c.PublicKey, Flags: webauthn.NewCredentialFlags(flags),
		Authenticator: webauthn.Authenticator{AAGUID: c.Model, SignCount: c.SignCount},
	}
	for _, t := range c.Transports {
		out.Transport = append(out.Transport, protocol.AuthenticatorTransport(t))
	}
	return out
}

//go:embed passkey.js
var script embed.FS

// Script returns passkey.js, an ES module without imports that runs passkey ceremonies
// on forms. It holds to the strictest content security policy: nothing inline, no string
// becomes markup or code. A page has
//
//	<form data-souk-passkey="login" data-begin="/passkey/begin" data-finish="/passkey/finish"
//	  data-cancelled="Nothing was chosen." data-taken="It is registered already." data-failed="That did not work." hidden>
//	  <button>Sign in with a passkey</button> <p role="alert"></p>
//	</form>
//
// or data-souk-passkey="register", perhaps with an input for the passkey's name. Forms
// stay hidden where there are no passkeys. On submit the fields are posted to data-begin
// as a form, which answers a [Question]; an [Answer] is posted to data-finish as JSON,
// which answers a [Done]. Any other status than 2xx shows the "detail" of a problem
// document (RFC 9457), or the words above.
func Script() []byte {
	b, err := script.ReadFile("passkey.js")
	if err != nil {
		panic(err) // it is compiled in
	}
	return b
}

// Question is what data-begin answers to passkey.js.
type Question struct {
	// Ceremony comes back in the Answer: the id that the Ceremony is kept under, if a
	// cookie does not say it.
	Ceremony  string          `json:"ceremony,omitempty"`
	PublicKey json.RawMessage `json:"publicKey"` // the options of a Begin
}

// Answer is what passkey.js posts to data-finish.
type Answer struct {
	Ceremony   string            `json:"ceremony"`   // of the Question
	Credential json.RawMessage   `json:"credential"` // for a Finish
	Fields     map[string]string `json:"fields"`     // of the form, by name
}

// Done is what data-finish answers: the path to go to, of this site.
type Done struct {
	Location string `json:"location"`
}

// ParseAnswer reads the body that passkey.js posts, of at most [MaxResponse] bytes. The
// error is [ErrRefused].
func ParseAnswer(body []byte) (Answer, error) {
	if len(body) > MaxResponse {
		return Answer{}, fmt.Errorf("%w: the answer is longer than %d bytes", ErrRefused, MaxResponse)
	}
	var a Answer
	if err := json.Unmarshal(body, &a); err != nil {
		return Answer{}, fmt.Errorf("%w: the answer is not what passkey.js sends: %w", ErrRefused, err)
	}
	if len(a.Credential) == 0 {
		return Answer{}, fmt.Errorf("%w: the answer has no credential", ErrRefused)
	}
	return a, nil
}
