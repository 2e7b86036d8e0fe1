package verify

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Sentinels of this package. Security errors are never retried and never turned
// into warnings.
var (
	// ErrUntrusted means that a proof is missing, broken, or by somebody who has no say.
	ErrUntrusted = errors.New("not trusted")
	// ErrDigest means that bytes are not the bytes that were promised.
	ErrDigest = errors.New("digest mismatch")
	// ErrExpired means that signed metadata is past its time: it may be an old copy.
	ErrExpired = errors.New("expired")
	// ErrRollback means that signed metadata is older than what was seen before.
	ErrRollback = errors.New("older than what was seen before")
)

// Error says which check of which subject went wrong. It wraps the cause.
type Error struct {
	Subject string // what was checked, for people: "acme/backup@1.4.2"
	Check   string // which check: "signature", "digest", "timestamp"
	Err     error
}

func (e *Error) Error() string { return fmt.Sprintf("verify %s: %s: %v", e.Subject, e.Check, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Subject is what a proof must be about, and who may have given it. It comes from
// a verified catalog, never from the artifact itself.
type Subject struct {
	Name    string     `json:"name"`    // for people: "acme/backup@1.4.2"
	Digest  Digest     `json:"digest"`  // of the OCI manifest
	Signers []Identity `json:"signers"` // who may sign; empty means nobody may
}

// Identity is somebody who can sign: either a public key, or a keyless identity
// (an OpenID Connect issuer and a subject). Exactly one of the two is set. It is
// comparable.
type Identity struct {
	Key     string `json:"key,omitempty"`     // PEM of a PKIX public key, ECDSA P-256 or Ed25519
	Issuer  string `json:"issuer,omitempty"`  // https://token.actions.githubusercontent.com
	Subject string `json:"subject,omitempty"` // exact subject alternative name of the certificate
}

// ID names the identity in one line: "key:" and the SHA-256 of the key in hex, or
// "keyless:" with issuer and subject. It is what is locked at first install.
func (i Identity) ID() string {
	if i.Key != "" {
		return "key:" + DigestOf([]byte(i.Key)).Hex()
	}
	return "keyless:" + i.Issuer + "#" + i.Subject
}

// Evidence is what a source offers as proof for one release. All of it is unverified.
type Evidence struct {
	Manifest []byte   `json:"manifest"` // the OCI manifest as the registry served it
	Bundles  [][]byte `json:"bundles"`  // sigstore bundles, JSON, in any order; some may be bad or about something else
}

// Bounds of evidence; what is over is an error, not truncated.
const (
	MaxManifest = 4 << 20 // bytes; what registries accept at least
	MaxBundle   = 1 << 20 // bytes; a keyless bundle with provenance has some 20 kB
	MaxBundles  = 100     // per subject
	MaxVerified = 16      // bundles whose signature is computed, so that junk costs no time
)

// Verdict is the result of one check. The zero value is Error: what nobody
// decided did not pass.
type Verdict uint8

// The verdicts. Only Pass is a pass.
const (
	VerdictError Verdict = iota // the check could not be made
	VerdictPass
	VerdictFail
	VerdictNotConfigured // nobody asked for this check
)

func (v Verdict) String() string {
	switch v {
	case VerdictPass:
		return "pass"
	case VerdictFail:
		return "fail"
	case VerdictNotConfigured:
		return "not configured"
	}
	return "error"
}

// MarshalText writes the verdict as its word.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads what MarshalText writes. A word that is none of the verdicts
// is an error.
func (v *Verdict) UnmarshalText(b []byte) error {
	for _, known := range []Verdict{VerdictError, VerdictPass, VerdictFail, VerdictNotConfigured} {
		if string(b) == known.String() {
			*v = known
			return nil
		}
	}
	return fmt.Errorf("verdict %.40q is not error, pass, fail or not configured", b)
}

// Check is one line of a Report.
type Check struct {
	Name    string   `json:"name"` // "signature"
	Verdict Verdict  `json:"verdict"`
	Detail  string   `json:"detail"`           // a sentence for people
	Signer  Identity `json:"signer,omitzero"`  // who gave the proof, when it passed
	Time    Time     `json:"time,omitzero"`    // trusted time of the signature, when there is one
	Bundle  Digest   `json:"bundle,omitempty"` // the bundle that convinced
}

// Time is a time that the proof itself vouches for.
type Time = time.Time

// Report is what was checked, and with what result.
type Report struct {
	Subject Subject `json:"subject"`
	Checks  []Check `json:"checks"`
	// Considered lists each piece of evidence looked at, and why it did or did not
	// convince: one bad bundle does not spoil a good one. It is for people to read,
	// and Err does not look at it.
	Considered []Check `json:"considered,omitempty"`
}

// Err is nil when there is at least one check, none failed or had an error, and
// at least one passed. Otherwise it is an [*Error] wrapping [ErrUntrusted].
func (r *Report) Err() error {
	if r == nil || len(r.Checks) == 0 {
		return &Error{Check: "report", Err: fmt.Errorf("%w: nothing was checked", ErrUntrusted)}
	}
	passed := false
	for _, c := range r.Checks {
		switch c.Verdict {
		case VerdictPass:
			passed = true
		case VerdictNotConfigured:
		default:
			return &Error{Subject: r.Subject.Name, Check: c.Name, Err: fmt.Errorf("%w: %s", ErrUntrusted, c.Detail)}
		}
	}
	if !passed {
		return &Error{Subject: r.Subject.Name, Check: "report", Err: fmt.Errorf("%w: no check passed", ErrUntrusted)}
	}
	return nil
}

// Signer returns who signed, from the first signature check that passed; the zero
// Identity when none did.
func (r *Report) Signer() Identity {
	if r == nil {
		return Identity{}
	}
	for _, c := range r.Checks {
		if c.Verdict == VerdictPass && c.Signer != (Identity{}) {
			return c.Signer
		}
	}
	return Identity{}
}

// Verifier decides whether the evidence proves that one of s.Signers made the
// manifest with s.Digest.
//
// A Verifier returns a nil error only with a Report whose Err is nil. It checks
// that e.Manifest hashes to s.Digest. One bad bundle does not spoil a good one;
// none good is refused. It does no network I/O, and is safe for concurrent use.
type Verifier interface {
	Verify(ctx context.Context, s Subject, e Evidence) (*Report, error)
}

// Signer makes a proof that a Verifier accepts.
type Signer interface {
	// Sign returns a sigstore bundle (v0.3, JSON) over the digest.
	Sign(ctx context.Context, d Digest) ([]byte, error)
	// Identity is what a Subject's Signers must hold for the bundle to be accepted.
	Identity() Identity
}
