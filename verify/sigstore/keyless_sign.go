package sigstore

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"

	"github.com/souk-dev/souk/verify"
)

var _ verify.Signer = (*KeylessSigner)(nil)

// The public good instance of sigstore.
const (
	PublicFulcio = "https://fulcio.sigstore.dev"
	PublicRekor  = "https://rekor.sigstore.dev"
)

const (
	maxToken        = 64 << 10 // bytes; those of GitHub have 2 kB
	maxAnswer       = 1 << 20  // bytes of an answer of Fulcio or Rekor; both have some kB
	keylessTimeout  = 30 * time.Second
	maxAnswerInText = 300 // bytes of an answer that are shown in an error
)

// KeylessOptions are the choices of NewKeylessSigner. Token is required.
type KeylessOptions struct {
	// Token is an OpenID Connect identity token for the audience "sigstore", as CI
	// systems give to a job. It is sent to Fulcio alone.
	Token string
	// Fulcio and Rekor are the addresses of the certificate authority and of the
	// transparency log (API v1). Empty: the public good instance, whose log anybody
	// can read, for ever: the identity stands in it.
	Fulcio, Rekor string
	// Verifier checks each bundle before it is handed out. Nil: whoever verifies it
	// is the first to notice that an instance gave nonsense.
	Verifier *Verifier
	// Transport replaces the usual one. Nil: that of net/http.
	Transport http.RoundTripper
}

// KeylessSigner signs with a key that lives in memory for some minutes and a
// certificate that names who asked for it: an identity, no stored secret. It is safe
// for concurrent use, and of use until its certificate expires, after ten minutes at
// the public instance.
type KeylessSigner struct {
	key      *ecdsa.PrivateKey
	cert     []byte // DER
	identity verify.Identity
	rekor    string
	verifier *Verifier
	client   *http.Client
}

// NewKeylessSigner makes a key and asks Fulcio to certify it for the identity of the
// token. Redirects are not followed, and only a host on this machine is spoken to
// in plain HTTP.
func NewKeylessSigner(ctx context.Context, o KeylessOptions) (*KeylessSigner, error) {
	s, err := newKeyless(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("keyless signing: %w", err)
	}
	return s, nil
}

func newKeyless(ctx context.Context, o KeylessOptions) (*KeylessSigner, error) {
	token := strings.TrimSpace(o.Token)
	who, err := tokenSubject(token)
	if err != nil {
		return nil, err
	}
	fulcio, err := base(cmp.Or(o.Fulcio, PublicFulcio))
	if err != nil {
		return nil, err
	}
	s := &KeylessSigner{verifier: o.Verifier, client: &http.Client{
		Transport: o.Transport, Timeout: keylessTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if s.rekor, err = base(cmp.Or(o.Rekor, PublicRekor)); err != nil {
		return nil, err
	}
	if s.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	if s.cert, err = s.certify(ctx, fulcio, token, who); err != nil {
		return nil, err
	}
	return s, s.readCertificate()
}

// Identity returns who the certificate names: what a catalog lists as signer.
func (s *KeylessSigner) Identity() verify.Identity { return s.identity }

// Sign returns a bundle that says: I published the manifest with digest d. It is
// entered into the transparency log.
func (s *KeylessSigner) Sign(ctx context.Context, d verify.Digest) ([]byte, error) {
	b, err := s.sign(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("keyless signing: %w", err)
	}
	return b, nil
}

func (s *KeylessSigner) sign(ctx context.Context, d verify.Digest) ([]byte, error) {
	if !d.Valid() {
		return nil, fmt.Errorf("%w: %.80q is not a digest", verify.ErrDigest, string(d))
	}
	payload, err := json.Marshal(wireStatement{
		Type: statementV1, Subject: []wireSubject{{Digest: map[string]string{"sha256": d.Hex()}}},
		PredicateType: SignatureType, Predicate: json.RawMessage("{}"),
	})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(preAuthEncoding(payloadType, payload))
	sig, err := ecdsa.SignASN1(rand.Reader, s.key, sum[:])
	if err != nil {
		return nil, err
	}
	envelope := wireEnvelope{Payload: payload, PayloadType: payloadType, Signatures: []wireSignature{{Sig: sig}}}
	entry, err := s.enter(ctx, envelope)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(keylessBundle{
		MediaType: MediaType,
		Material:  keylessMaterial{Certificate: wireCertificate{s.cert}, Entries: []wireEntry{*entry}},
		Envelope:  envelope,
	})
	if err != nil {
		return nil, err
	}
	if len(b) > verify.MaxBundle {
		return nil, fmt.Errorf("bundle would have %d bytes; at most %d are read", len(b), verify.MaxBundle)
	}
	return b, s.check(b, d)
}

// check verifies what will be handed out.
func (s *KeylessSigner) check(raw []byte, d verify.Digest) error {
	if s.verifier == nil {
		return nil
	}
	b := new(bundle.Bundle)
	if err := b.UnmarshalJSON(raw); err != nil {
		return err
	}
	what, err := digestPolicy(d)
	if err != nil {
		return err
	}
	if _, err := s.verifier.proves(b, signer{identity: s.identity}, what); err != nil {
		return fmt.Errorf("%w: what certificate authority and log gave does not verify: %w", verify.ErrUntrusted, err)
	}
	return nil
}

// tokenSubject returns what Fulcio wants signed as proof that we hold the key: the
// verified mail address in the token, else its subject. Fulcio checks the token.
func tokenSubject(token string) (string, error) {
	parts := strings.Split(token, ".")
	if len(token) > maxToken || len(parts) != 3 {
		return "", errors.New("the identity token is missing or not a JSON Web Token")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", errors.New("the identity token is not a JSON Web Token")
	}
	var claims struct {
		Subject  string `json:"sub"`
		Email    string `json:"email"`
		Verified any    `json:"email_verified"` // true, or "true" from some issuers
	}
	if json.Unmarshal(raw, &claims) != nil { // its error could quote the token
		return "", errors.New("the claims of the identity token are not JSON")
	}
	switch {
	case claims.Email != "" && claims.Verified != true && claims.Verified != "true":
		return "", errors.New("the mail address in the identity token is not verified by its issuer")
	case claims.Email != "":
		return claims.Email, nil
	case claims.Subject == "":
		return "", errors.New("the identity token names no subject")
	}
	return claims.Subject, nil
}

// base checks the address of a service.
func base(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("%.100q is not the address of a service", s)
	}
	local := u.Hostname() == "localhost"
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
		local = ip.IsLoopback()
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return "", fmt.Errorf("%.100q must be an https:// address", s)
	}
	return strings.TrimRight(s, "/"), nil
}

// certify asks Fulcio for a certificate, in DER.
// See https://github.com/sigstore/fulcio/blob/main/fulcio.proto.
func (s *KeylessSigner) certify(ctx context.Context, fulcio, token, who string) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(s.key.Public())
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(who))
	proof, err := ecdsa.SignASN1(rand.Reader, s.key, sum[:])
	if err != nil {
		return nil, err
	}
	type publicKey struct {
		Algorithm string `json:"algorithm"`
		Content   string `json:"content"`
	}
	var question struct {
		Request struct {
			Key   publicKey `json:"publicKey"`
			Proof []byte    `json:"proofOfPossession"`
		} `json:"publicKeyRequest"`
	}
	question.Request.Key = publicKey{"ECDSA", string(pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: der}))}
	question.Request.Proof = proof
	type chain struct {
		Chain struct {
			Certificates []string `json:"certificates"`
		} `json:"chain"`
	}
	var answer struct {
		Embedded chain `json:"signedCertificateEmbeddedSct"`
		Detached chain `json:"signedCertificateDetachedSct"`
	}
	if err := s.post(ctx, fulcio+"/api/v2/signingCert", token, question, &answer, http.StatusOK); err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	certs := answer.Embedded.Chain.Certificates
	if len(certs) == 0 {
		certs = answer.Detached.Chain.Certificates
	}
	if len(certs) == 0 {
		return nil, errors.New("certificate authority: it gave no certificate")
	}
	block, _ := pem.Decode([]byte(certs[0]))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("certificate authority: what it gave is not a certificate")
	}
	return block.Bytes, nil
}

// readCertificate takes the identity from the certificate, which must be for
// our key.
func (s *KeylessSigner) readCertificate() error {
	cert, err := x509.ParseCertificate(s.cert)
	if err != nil {
		return fmt.Errorf("certificate authority: %w", err)
	}
	if !s.key.PublicKey.Equal(cert.PublicKey) {
		return fmt.Errorf("certificate authority: %w: the certificate is for another key", verify.ErrUntrusted)
	}
	summary, err := certificate.SummarizeCertificate(cert)
	if err != nil {
		return fmt.Errorf("certificate authority: %w", err)
	}
	s.identity = verify.Identity{Issuer: summary.Issuer, Subject: summary.SubjectAlternativeName}
	if s.identity.Issuer == "" || s.identity.Subject == "" {
		return errors.New("certificate authority: the certificate names nobody")
	}
	return nil
}

// post sends a question and reads the answer. An error shows the beginning of what
// the service said, never what was sent.
func (s *KeylessSigner) post(ctx context.Context, to, token string, question, answer any, want int) error {
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		var dial *net.OpError
		if errors.As(err, &dial) && ctx.Err() == nil {
			return fmt.Errorf("%s cannot be reached: %w", r.URL.Host, dial.Err)
		}
		return err
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if cerr := resp.Body.Close(); err == nil {
		err = cerr
	}
	switch {
	case err != nil:
		return err
	case resp.StatusCode != want:
		return fmt.Errorf("%s answered %d: %.*q", r.URL.Host, resp.StatusCode, maxAnswerInText, b)
	case len(b) > maxAnswer:
		return fmt.Errorf("%s answered with more than %d bytes", r.URL.Host, maxAnswer)
	}
	if err := json.Unmarshal(b, answer); err != nil {
		return fmt.Errorf("%s: %w", r.URL.Host, err)
	}
	return nil
}
