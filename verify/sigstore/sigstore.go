package sigstore

import (
	"context"
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	sigverify "github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/souk-dev/souk/verify"
)

var _ verify.Verifier = (*Verifier)(nil)

// MaxTrustedRoot bounds Options.TrustedRoot, in bytes. That of the public good
// instance has 7 kB.
const MaxTrustedRoot = 1 << 20

// Options configures a Verifier. The zero value verifies signatures by keys, and
// refuses keyless ones.
type Options struct {
	// TrustedRoot is the sigstore trusted root (trusted_root.json) of the instance
	// whose certificates, transparency log and timestamps are believed. Empty means
	// that keyless identities are not configured: a release that only they may sign
	// is refused.
	TrustedRoot []byte
	// NoCertificateLog accepts certificates that are in no certificate transparency
	// log, as private sigstore instances without such a log issue them. The zero
	// value demands one signed certificate timestamp.
	NoCertificateLog bool
}

// Verifier verifies sigstore bundles. It is immutable, does no I/O, and is safe
// for concurrent use.
type Verifier struct {
	keyless *sigverify.Verifier // nil when keyless identities are not configured
}

// New returns a Verifier, or an error that says what the trusted root lacks.
func New(o Options) (*Verifier, error) {
	if len(o.TrustedRoot) == 0 {
		return &Verifier{}, nil
	}
	if len(o.TrustedRoot) > MaxTrustedRoot {
		return nil, fmt.Errorf("sigstore trusted root has %d bytes; at most %d are read", len(o.TrustedRoot), MaxTrustedRoot)
	}
	material, err := root.NewTrustedRootFromJSON(o.TrustedRoot)
	if err != nil {
		return nil, fmt.Errorf("sigstore trusted root: %w", err)
	}
	options := []sigverify.VerifierOption{
		sigverify.WithTransparencyLog(1),
		sigverify.WithObserverTimestamps(1),
		sigverify.WithoutStatementPredicate(),
	}
	switch {
	case len(material.FulcioCertificateAuthorities()) == 0:
		return nil, errors.New("sigstore trusted root: it names no certificate authority")
	case len(material.RekorLogs()) == 0:
		return nil, errors.New("sigstore trusted root: it names no transparency log")
	case o.NoCertificateLog:
	case len(material.CTLogs()) == 0:
		return nil, errors.New("sigstore trusted root: it names no certificate log; a private instance that has none needs Options.NoCertificateLog")
	default:
		options = append(options, sigverify.WithSignedCertificateTimestamps(1))
	}
	keyless, err := sigverify.NewVerifier(material, options...)
	if err != nil {
		return nil, fmt.Errorf("sigstore trusted root: %w", err)
	}
	return &Verifier{keyless: keyless}, nil
}

// Verify reports whether one of s.Signers signed the manifest with s.Digest. See
// [verify.Verifier] for the contract. The Report has one check, "signature", and
// in Considered a line for each bundle looked at, in order, ending with the first
// that convinced. It is returned with a refusal too, and is nil only when ctx ended.
func (v *Verifier) Verify(ctx context.Context, s verify.Subject, e verify.Evidence) (*verify.Report, error) {
	report, _, err := v.ask(ctx, question{name: "signature", predicateType: SignatureType}, s, e)
	return report, err
}

// signer is one identity of a Subject, ready to be compared with bundles.
type signer struct {
	identity verify.Identity
	hint     string           // of a key
	key      crypto.PublicKey // nil for a keyless identity
}

// signers reads the identities of a subject. One that cannot be read is an error
// for all: the catalog that names it is signed, so somebody should see it.
func signers(ids []verify.Identity) ([]signer, error) {
	out := make([]signer, 0, len(ids))
	for n, id := range ids {
		switch {
		case id.Key != "" && id.Issuer == "" && id.Subject == "":
			key, err := parsePublic([]byte(id.Key))
			if err != nil {
				return nil, fmt.Errorf("signer %d: %w", n+1, err)
			}
			canonical, hint, err := describe(key)
			if err != nil {
				return nil, fmt.Errorf("signer %d: %w", n+1, err)
			}
			out = append(out, signer{identity: canonical, hint: hint, key: key})
		case strings.Contains(id.Issuer, "#"): // an issuer has no fragment, and Identity.ID stays unambiguous
			return nil, fmt.Errorf("signer %d: issuer %.80q has a fragment", n+1, id.Issuer)
		case id.Key == "" && id.Issuer != "" && id.Subject != "":
			out = append(out, signer{identity: id})
		default:
			return nil, fmt.Errorf("signer %d: an identity is either a key, or an issuer and a subject", n+1)
		}
	}
	return out, nil
}

// proves computes the signature of one bundle: it is by who, and over what the
// artifact option says. It returns the time the bundle proves, zero for a key.
func (v *Verifier) proves(b *bundle.Bundle, who signer, what sigverify.ArtifactPolicyOption) (time.Time, error) {
	verifier, by := v.keyless, sigverify.PolicyOption(nil)
	if who.key != nil {
		key, err := signature.LoadVerifier(who.key, crypto.SHA256)
		if err != nil {
			return time.Time{}, err
		}
		material := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
			return root.NewExpiringKey(key, time.Time{}, time.Time{}), nil
		})
		if verifier, err = sigverify.NewVerifier(material, sigverify.WithNoObserverTimestamps(), sigverify.WithoutStatementPredicate()); err != nil {
			return time.Time{}, err
		}
		by = sigverify.WithKey()
	} else {
		if verifier == nil {
			return time.Time{}, errors.New(sayNotConfigured)
		}
		id, err := sigverify.NewShortCertificateIdentity(who.identity.Issuer, "", who.identity.Subject, "")
		if err != nil {
			return time.Time{}, err
		}
		by = sigverify.WithCertificateIdentity(id)
	}
	result, err := verifier.Verify(b, sigverify.NewPolicy(what, by))
	if err != nil {
		return time.Time{}, err
	}
	// Of several proven times the latest counts: to predate a signature, every
	// witness would have to lie.
	var latest time.Time
	for _, t := range result.VerifiedTimestamps {
		if t.Timestamp.After(latest) {
			latest = t.Timestamp
		}
	}
	return latest, nil
}

// digestPolicy demands that the statement is about d.
func digestPolicy(d verify.Digest) (sigverify.ArtifactPolicyOption, error) {
	sum, err := hex.DecodeString(d.Hex())
	if err != nil {
		return nil, err
	}
	return sigverify.WithArtifactDigest("sha256", sum), nil
}
