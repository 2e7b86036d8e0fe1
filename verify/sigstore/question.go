package sigstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"

	"github.com/souk-dev/souk/verify"
)

// What a bundle is made of. See https://github.com/sigstore/cosign for the type
// of a signature, and https://in-toto.io/Statement/v1 for the statement.
const (
	// MediaType is that of a bundle, and of the layer that holds it in a registry.
	MediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"
	// SignatureType is the predicate type of a signature. It is the only one that
	// Verify accepts, and one that Attested never does.
	SignatureType = "https://sigstore.dev/cosign/sign/v1"

	payloadType   = "application/vnd.in-toto+json"
	statementV1   = "https://in-toto.io/Statement/v1"
	statementV01  = "https://in-toto.io/Statement/v0.1" // what cosign attest writes
	bundleVersion = "v0.3"
)

// What is said of a bundle that does not convince. Reports are read by people.
const (
	sayBroken        = "signature broken"
	sayNotConfigured = "keyless signatures are not configured: give the verifier a sigstore trusted root"
)

// question is what is asked of bundles. A bundle answers exactly one question,
// by its predicate type, so two questions are never mixed.
type question struct {
	name          string // "signature", "attestation"
	predicateType string
}

func (q question) isSignature() bool { return q.predicateType == SignatureType }

// answer is the bundle that convinced.
type answer struct {
	payload []byte // the in-toto statement, verified
}

// ask puts the question to each bundle of the evidence, until one convinces.
// Everything that costs little comes first, so that junk costs no signatures.
func (v *Verifier) ask(ctx context.Context, q question, s verify.Subject, e verify.Evidence) (*verify.Report, *answer, error) {
	report := &verify.Report{Subject: s}
	refuse := func(verdict verify.Verdict, sentinel error, detail string) (*verify.Report, *answer, error) {
		report.Checks = []verify.Check{{Name: q.name, Verdict: verdict, Detail: detail}}
		err := fmt.Errorf("%w: %s", verify.ErrUntrusted, detail)
		if sentinel != nil {
			err = fmt.Errorf("%w: %w: %s", verify.ErrUntrusted, sentinel, detail)
		}
		return report, nil, &verify.Error{Subject: s.Name, Check: q.name, Err: err}
	}
	switch {
	case !s.Digest.Valid():
		return refuse(verify.VerdictError, verify.ErrDigest, "the catalog gives no digest to check against")
	case len(e.Manifest) > verify.MaxManifest:
		return refuse(verify.VerdictError, nil, fmt.Sprintf("the manifest has %d bytes; at most %d are read", len(e.Manifest), verify.MaxManifest))
	case verify.DigestOf(e.Manifest) != s.Digest:
		return refuse(verify.VerdictFail, verify.ErrDigest,
			fmt.Sprintf("the registry served manifest %s, the catalog promised %s", verify.DigestOf(e.Manifest), s.Digest))
	case len(e.Bundles) > verify.MaxBundles:
		return refuse(verify.VerdictError, nil, fmt.Sprintf("%d bundles are attached; at most %d are looked at", len(e.Bundles), verify.MaxBundles))
	case len(s.Signers) == 0:
		return refuse(verify.VerdictFail, nil, "nobody may sign for "+publisher(s))
	}
	who, err := signers(s.Signers)
	if err != nil {
		return refuse(verify.VerdictError, nil, fmt.Sprintf("who may sign for %s cannot be read: %v", publisher(s), err))
	}
	what, err := digestPolicy(s.Digest)
	if err != nil {
		return refuse(verify.VerdictError, nil, err.Error())
	}
	computed := 0
	for n, raw := range e.Bundles {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		check := verify.Check{Name: fmt.Sprintf("bundle %d", n+1), Verdict: verify.VerdictFail, Bundle: verify.DigestOf(raw)}
		b, payload, by, err := v.candidate(q, raw, s, who)
		switch {
		case errors.Is(err, errNotConfigured):
			check.Verdict, check.Detail = verify.VerdictNotConfigured, sayNotConfigured
		case err != nil:
			check.Detail = err.Error()
		case computed == verify.MaxVerified:
			check.Detail = fmt.Sprintf("not looked at: %d signatures were computed before it", computed)
		default:
			computed++
			at, err := v.proves(b, by, what)
			if err != nil {
				check.Detail = fmt.Sprintf("%s: %v", sayBroken, err)
				break
			}
			check.Verdict, check.Signer, check.Time = verify.VerdictPass, by.identity, at
			check.Detail = q.name + " by " + by.identity.ID()
		}
		report.Considered = append(report.Considered, check)
		if check.Verdict == verify.VerdictPass {
			check.Name = q.name
			report.Checks = []verify.Check{check}
			return report, &answer{payload: payload}, nil
		}
	}
	return refuse(verify.VerdictFail, nil, q.summary(s, report.Considered))
}

var errNotConfigured = errors.New(sayNotConfigured)

// candidate looks at everything in a bundle that costs no signature: is it a
// bundle, does it answer this question, is it about this subject, and by whom
// does it claim to be? Nothing of it is verified yet.
func (v *Verifier) candidate(q question, raw []byte, s verify.Subject, who []signer) (*bundle.Bundle, []byte, signer, error) {
	if len(raw) > verify.MaxBundle {
		return nil, nil, signer{}, fmt.Errorf("no %s: it has %d bytes, at most %d are read", q.name, len(raw), verify.MaxBundle)
	}
	b := new(bundle.Bundle)
	if err := b.UnmarshalJSON(raw); err != nil {
		return nil, nil, signer{}, fmt.Errorf("no %s: not a sigstore bundle: %w", q.name, err)
	}
	if version, err := b.Version(); err != nil || version != bundleVersion {
		return nil, nil, signer{}, fmt.Errorf("no %s: bundle format %.80q is not supported, %s is", q.name, b.GetMediaType(), bundleVersion)
	}
	envelope, err := b.Envelope()
	if err != nil {
		return nil, nil, signer{}, fmt.Errorf("no %s: the bundle holds no DSSE envelope", q.name)
	}
	// Strict: unknown and repeated fields are errors, so that nobody else can read
	// another statement out of the same bytes.
	statement, err := envelope.Statement()
	if err != nil {
		return nil, nil, signer{}, fmt.Errorf("no %s: the bundle holds no in-toto statement: %w", q.name, err)
	}
	if got := statement.GetPredicateType(); got != q.predicateType {
		return nil, nil, signer{}, fmt.Errorf("no %s: it states %.120q, not %q", q.name, got, q.predicateType)
	}
	switch kind := statement.GetType(); {
	case kind == statementV1:
	case kind == statementV01 && !q.isSignature():
	default:
		return nil, nil, signer{}, fmt.Errorf("no %s: statement type %.80q is not supported", q.name, kind)
	}
	if n := len(statement.GetSubject()); n != 1 {
		return nil, nil, signer{}, fmt.Errorf("no %s: it is about %d subjects, not exactly one", q.name, n)
	}
	digests := statement.GetSubject()[0].GetDigest()
	if len(digests) != 1 || digests["sha256"] != s.Digest.Hex() {
		return nil, nil, signer{}, fmt.Errorf("no %s of this release: it is about %.80q, not %s", q.name, digests["sha256"], s.Digest)
	}
	by, err := v.claimed(b, s, who)
	if err != nil {
		return nil, nil, signer{}, err
	}
	return b, b.GetDsseEnvelope().GetPayload(), by, nil
}

// claimed returns which of who the bundle says it is by.
func (v *Verifier) claimed(b *bundle.Bundle, s verify.Subject, who []signer) (signer, error) {
	content, err := b.VerificationContent()
	if err != nil {
		return signer{}, fmt.Errorf("%s: it does not say by whom it is: %w", sayBroken, err)
	}
	stranger := fmt.Errorf("signed by somebody who may not sign for %s", publisher(s))
	if key := content.PublicKey(); key != nil {
		for _, w := range who {
			if w.key != nil && w.hint == key.Hint() {
				return w, nil
			}
		}
		return signer{}, fmt.Errorf("%w: key %.64q", stranger, key.Hint())
	}
	leaf, err := certificate.SummarizeCertificate(content.Certificate())
	if err != nil {
		return signer{}, fmt.Errorf("%s: the certificate names nobody: %w", sayBroken, err)
	}
	for _, w := range who {
		if w.key == nil && w.identity.Issuer == leaf.Issuer && w.identity.Subject == leaf.SubjectAlternativeName {
			if v.keyless == nil {
				return signer{}, errNotConfigured
			}
			return w, nil
		}
	}
	return signer{}, fmt.Errorf("%w: %.200q of %.200q", stranger, leaf.SubjectAlternativeName, leaf.Issuer)
}

// maxReasons keeps a refusal readable when much junk is attached; the rest
// stands in Report.Considered.
const maxReasons = 3

func (q question) summary(s verify.Subject, considered []verify.Check) string {
	if len(considered) == 0 {
		return fmt.Sprintf("no %s: nothing is attached to the release", q.name)
	}
	reasons := make([]string, 0, maxReasons+1)
	for n, c := range considered {
		if n == maxReasons {
			reasons = append(reasons, fmt.Sprintf("and %d more", len(considered)-n))
			break
		}
		reasons = append(reasons, c.Name+": "+c.Detail)
	}
	return fmt.Sprintf("no valid %s for %s: %s", q.name, publisher(s), strings.Join(reasons, "; "))
}

// publisher is the part of a plugin's name before the slash, for people.
func publisher(s verify.Subject) string {
	name, _, _ := strings.Cut(s.Name, "/")
	if name == "" {
		return "this release"
	}
	return name
}

// Attestation is a statement about a release that was verified: who made it, and
// what it says.
type Attestation struct {
	Predicate json.RawMessage // what is said, of the predicate type asked for
	Signer    verify.Identity // who says so
	Time      verify.Time     // when, proven; zero when a key signed
}

// Attested returns the first attestation of the given predicate type about the
// manifest with s.Digest that one of s.Signers made: a review, a scan, a
// provenance. s.Signers are those who may say such a thing, not those who may
// publish. The Report and the error are as for Verify, the check is named
// "attestation". What the predicate means is for the caller to judge.
func (v *Verifier) Attested(ctx context.Context, s verify.Subject, e verify.Evidence, predicateType string) (*Attestation, *verify.Report, error) {
	if err := checkAttestationType(predicateType); err != nil {
		return nil, nil, &verify.Error{Subject: s.Name, Check: "attestation", Err: err}
	}
	report, found, err := v.ask(ctx, question{name: "attestation", predicateType: predicateType}, s, e)
	if err != nil {
		return nil, report, err
	}
	var statement struct {
		Predicate json.RawMessage `json:"predicate"`
	}
	if err := json.Unmarshal(found.payload, &statement); err != nil {
		return nil, nil, &verify.Error{Subject: s.Name, Check: "attestation", Err: fmt.Errorf("%w: %w", verify.ErrUntrusted, err)}
	}
	return &Attestation{Predicate: statement.Predicate, Signer: report.Checks[0].Signer, Time: report.Checks[0].Time}, report, nil
}

func checkAttestationType(predicateType string) error {
	switch predicateType {
	case "":
		return errors.New("an attestation needs a predicate type")
	case SignatureType:
		return errors.New("a signature is not an attestation: sign, or verify, instead")
	}
	return nil
}
