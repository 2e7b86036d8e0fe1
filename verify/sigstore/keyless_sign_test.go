package sigstore_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/sigstore"
)

// services are a certificate authority and a log with the interfaces of Fulcio and
// Rekor, in this process.
type services struct {
	t            testing.TB
	instance     instance
	root, middle *x509.Certificate
	key          *ecdsa.PrivateKey // of middle
	url          string
	tokens       []string // that were sent
	spoil        func(path string, answer map[string]any)
	status       int // 0: as usual
}

func newServices(t testing.TB) *services {
	t.Helper()
	s := &services{t: t, instance: newInstance(t)}
	var key *ecdsa.PrivateKey
	var err error
	s.root, key, err = ca.GenerateRootCa()
	require.NoError(t, err)
	s.middle, s.key, err = ca.GenerateFulcioIntermediate(s.root, key)
	require.NoError(t, err)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// trustedRoot names this authority and this log.
func (s *services) trustedRoot() []byte {
	authority := &root.FulcioCertificateAuthority{
		Root: s.root, Intermediates: []*x509.Certificate{s.middle}, URI: s.url,
		ValidityPeriodStart: time.Now().Add(-time.Hour), ValidityPeriodEnd: time.Now().Add(time.Hour),
	}
	r, err := root.NewTrustedRoot(root.TrustedRootMediaType01, []root.CertificateAuthority{authority}, nil, nil, s.instance.rekor(s.t))
	require.NoError(s.t, err)
	b, err := r.MarshalJSON()
	require.NoError(s.t, err)
	return b
}

func (s *services) verifier() *sigstore.Verifier {
	v, err := sigstore.New(sigstore.Options{TrustedRoot: s.trustedRoot(), NoCertificateLog: true})
	require.NoError(s.t, err)
	return v
}

func (s *services) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a := r.Header.Get("Authorization"); a != "" {
		s.tokens = append(s.tokens, r.URL.Path+" "+a)
	}
	b, err := io.ReadAll(r.Body)
	if s.status != 0 {
		w.Header().Set("Location", "https://elsewhere.example")
		http.Error(w, "no, because", s.status)
		return
	}
	var answer map[string]any
	status := http.StatusOK
	if err == nil {
		switch r.URL.Path {
		case "/api/v2/signingCert":
			answer, err = s.certify(b, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		case "/api/v1/log/entries":
			answer, err = s.enter(b)
			status = http.StatusCreated
		default:
			err = fmt.Errorf("no such path")
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if s.spoil != nil {
		s.spoil(r.URL.Path, answer)
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
}

// public is a key of which only the public half is here.
type public struct{ crypto.PublicKey }

func (p public) Public() crypto.PublicKey { return p.PublicKey }

func (p public) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, fmt.Errorf("not ours")
}

// certify holds a request to what Fulcio holds it to.
func (s *services) certify(b []byte, token string) (map[string]any, error) {
	var q struct {
		PublicKeyRequest struct {
			PublicKey         struct{ Algorithm, Content string }
			ProofOfPossession []byte
		}
	}
	if err := json.Unmarshal(b, &q); err != nil {
		return nil, err
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		return nil, err
	}
	var claims struct{ Iss, Email, Sub string }
	if err := json.Unmarshal(raw, &claims); err != nil {
		return nil, err
	}
	who := claims.Email
	if who == "" {
		who = claims.Sub
	}
	block, _ := pem.Decode([]byte(q.PublicKeyRequest.PublicKey.Content))
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(who))
	if !ecdsa.VerifyASN1(key.(*ecdsa.PublicKey), sum[:], q.PublicKeyRequest.ProofOfPossession) {
		return nil, fmt.Errorf("the key is not held by who asks")
	}
	leaf, err := ca.GenerateLeafCert(who, claims.Iss, time.Now(), public{key}, s.middle, s.key)
	if err != nil {
		return nil, err
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}))
	return map[string]any{"signedCertificateEmbeddedSct": map[string]any{"chain": map[string]any{"certificates": []string{text}}}}, nil
}

func (s *services) enter(b []byte) (map[string]any, error) {
	var q struct {
		APIVersion, Kind string
		Spec             struct {
			ProposedContent struct {
				Envelope  string
				Verifiers [][]byte
			}
		}
	}
	if err := json.Unmarshal(b, &q); err != nil {
		return nil, err
	}
	if q.Kind != "dsse" || q.APIVersion != "0.0.1" || len(q.Spec.ProposedContent.Verifiers) != 1 {
		return nil, fmt.Errorf("not an entry of the kind dsse")
	}
	var e dsse.Envelope
	if err := json.Unmarshal([]byte(q.Spec.ProposedContent.Envelope), &e); err != nil {
		return nil, err
	}
	block, _ := pem.Decode(q.Spec.ProposedContent.Verifiers[0])
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	sig, err := base64.StdEncoding.DecodeString(e.Signatures[0].Sig)
	if err != nil {
		return nil, err
	}
	entry, err := s.instance.GenerateTlogEntry(cert, &e, sig, time.Now().Add(time.Minute).Unix(), true)
	if err != nil {
		return nil, err
	}
	p := s.instance.complete(s.t, entry.TransparencyLogEntry())
	var hashes []string
	for _, h := range p.GetInclusionProof().GetHashes() {
		hashes = append(hashes, hex.EncodeToString(h))
	}
	return map[string]any{"24296fb24b8ad77a": map[string]any{
		"body": p.GetCanonicalizedBody(), "integratedTime": p.GetIntegratedTime(), "logIndex": p.GetLogIndex(),
		"logID": hex.EncodeToString(p.GetLogId().GetKeyId()),
		"verification": map[string]any{
			"signedEntryTimestamp": p.GetInclusionPromise().GetSignedEntryTimestamp(),
			"inclusionProof": map[string]any{
				"checkpoint": p.GetInclusionProof().GetCheckpoint().GetEnvelope(), "hashes": hashes,
				"logIndex": p.GetInclusionProof().GetLogIndex(), "treeSize": p.GetInclusionProof().GetTreeSize(),
				"rootHash": hex.EncodeToString(p.GetInclusionProof().GetRootHash()),
			},
		},
	}}, nil
}

func token(claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"RS256"}`)) + "." + enc([]byte(claims)) + "." + enc([]byte("signature"))
}

var robotToken = token(`{"iss":"https://issuer.example","sub":"42","email":"release@acme.example","email_verified":true}`)

func TestKeylessSigner(t *testing.T) {
	t.Parallel()
	s := newServices(t)
	signer, err := sigstore.NewKeylessSigner(t.Context(), sigstore.KeylessOptions{Token: robotToken + "\n", Fulcio: s.url + "/", Rekor: s.url, Verifier: s.verifier()})
	require.NoError(t, err)
	assert.Equal(t, robot, signer.Identity())
	b, err := signer.Sign(t.Context(), verify.DigestOf(manifest))
	require.NoError(t, err)
	report, err := s.verifier().Verify(t.Context(), subject(robot), evidence(b))
	require.NoError(t, err)
	assert.Equal(t, robot, report.Signer())
	assert.WithinDuration(t, time.Now(), report.Checks[0].Time, time.Hour)
	assert.Equal(t, []string{"/api/v2/signingCert Bearer " + robotToken}, s.tokens, "the token is for the authority alone")

	_, err = s.verifier().Verify(t.Context(), subject(verify.Identity{Issuer: robot.Issuer, Subject: "other@acme.example"}), evidence(b))
	require.ErrorIs(t, err, verify.ErrUntrusted)
	_, err = newServices(t).verifier().Verify(t.Context(), subject(robot), evidence(b))
	require.ErrorIs(t, err, verify.ErrUntrusted, "another instance")
	_, err = signer.Sign(t.Context(), "x")
	require.ErrorIs(t, err, verify.ErrDigest)
}

func TestKeylessSignerRefuses(t *testing.T) {
	t.Parallel()
	s := newServices(t)
	for say, o := range map[string]sigstore.KeylessOptions{
		"missing or not":                {},
		"not a JSON Web Token":          {Token: "a.!.c"},
		"are not JSON":                  {Token: token("secret")},
		"names no subject":              {Token: token(`{"iss":"x"}`)},
		"not verified by its issuer":    {Token: token(`{"email":"a@b.example","sub":"x"}`)},
		"must be an https:// address":   {Token: robotToken, Fulcio: "http://fulcio.example"},
		"is not the address":            {Token: robotToken, Fulcio: s.url, Rekor: "rekor.example"},
		"must be an https:// address\"": {Token: robotToken, Fulcio: s.url, Rekor: "ftp://127.0.0.1"},
		"cannot be reached":             {Token: robotToken, Fulcio: "http://127.0.0.1:1"},
	} {
		_, err := sigstore.NewKeylessSigner(t.Context(), o)
		assert.ErrorContains(t, err, strings.TrimSuffix(say, `"`))
		assert.NotContains(t, err.Error(), "secret")
	}
	for _, status := range []int{400, 500, 302, 204} {
		s.status = status
		_, err := sigstore.NewKeylessSigner(t.Context(), sigstore.KeylessOptions{Token: robotToken, Fulcio: s.url, Rekor: s.url})
		require.ErrorContains(t, err, fmt.Sprintf("answered %d", status))
		assert.NotContains(t, err.Error(), robotToken)
	}
}

// TestKeylessSignerChecks: what authority and log give is looked at before it is
// handed out.
func TestKeylessSignerChecks(t *testing.T) {
	t.Parallel()
	s := newServices(t)
	options := sigstore.KeylessOptions{Token: robotToken, Fulcio: s.url, Rekor: s.url, Verifier: s.verifier()}
	entry := func(answer map[string]any) map[string]any { return answer["24296fb24b8ad77a"].(map[string]any) }
	for say, spoil := range map[string]func(path string, answer map[string]any){
		"it gave no certificate": func(_ string, a map[string]any) { delete(a, "signedCertificateEmbeddedSct") },
		"is not a certificate": func(_ string, a map[string]any) {
			a["signedCertificateEmbeddedSct"] = map[string]any{"chain": map[string]any{"certificates": []string{"x"}}}
		},
		"for another key": func(_ string, a map[string]any) {
			leaf, _, err := newInstance(t).GenerateLeafCert("a", "b")
			require.NoError(t, err)
			a["signedCertificateEmbeddedSct"] = map[string]any{"chain": map[string]any{"certificates": []string{string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}))}}}
		},
	} {
		s.spoil = spoil
		_, err := sigstore.NewKeylessSigner(t.Context(), options)
		assert.ErrorContains(t, err, say)
	}
	s.spoil = nil
	signer, err := sigstore.NewKeylessSigner(t.Context(), options)
	require.NoError(t, err)
	for say, spoil := range map[string]func(path string, answer map[string]any){
		"does not verify": func(_ string, a map[string]any) { entry(a)["integratedTime"] = 1 },
		"0 entries":       func(_ string, a map[string]any) { clear(a) },
		"id of the log":   func(_ string, a map[string]any) { entry(a)["logID"] = "x" },
		"entry: invalid":  func(_ string, a map[string]any) { entry(a)["body"] = []byte("x") },
	} {
		s.spoil = spoil
		_, err := signer.Sign(t.Context(), verify.DigestOf(manifest))
		assert.ErrorContains(t, err, say)
	}
	s.spoil = nil
	_, err = signer.Sign(t.Context(), verify.DigestOf(manifest))
	require.NoError(t, err, "the control")
}
