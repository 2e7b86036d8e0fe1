// Package sigstoretest has a sigstore instance for tests, in their process: a
// certificate authority with the interface of Fulcio, a transparency log with that of
// Rekor, and a certificate log. What it makes is verified as what the public instance
// makes is; it holds tokens to their form only, anybody can write one with [Token].
package sigstoretest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/verify"
)

// Services are a certificate authority and the two logs. They are safe for concurrent use.
type Services struct {
	// URL is the address of authority and log, "http://127.0.0.1:43210".
	URL string

	t            testing.TB
	log          *ca.VirtualSigstore
	root, middle *x509.Certificate
	key          *ecdsa.PrivateKey // of middle
	certificates *certificateLog

	mu sync.Mutex // the log is not made for several at once
}

// New starts an instance, which ends with the test.
func New(t testing.TB) *Services {
	t.Helper()
	s := &Services{t: t}
	var err error
	s.log, err = ca.NewVirtualSigstore()
	require.NoError(t, err)
	var key *ecdsa.PrivateKey
	s.root, key, err = ca.GenerateRootCa()
	require.NoError(t, err)
	s.middle, s.key, err = ca.GenerateFulcioIntermediate(s.root, key)
	require.NoError(t, err)
	s.certificates, err = newCertificateLog()
	require.NoError(t, err)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// TrustedRoot returns the instance's trusted_root.json, good for an hour.
func (s *Services) TrustedRoot() []byte {
	s.t.Helper()
	from, until := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	authority := &root.FulcioCertificateAuthority{
		Root: s.root, Intermediates: []*x509.Certificate{s.middle}, URI: s.URL, ValidityPeriodStart: from, ValidityPeriodEnd: until,
	}
	logs := s.log.RekorLogs()
	for id, log := range logs { // on the wire an ID is bytes, not their hex
		b, err := hex.DecodeString(id)
		require.NoError(s.t, err)
		log.ID = b
	}
	id := s.certificates.id
	ctlogs := map[string]*root.TransparencyLog{hex.EncodeToString(id[:]): {
		BaseURL: s.URL, ID: id[:], ValidityPeriodStart: from, ValidityPeriodEnd: until,
		HashFunc: crypto.SHA256, SignatureHashFunc: crypto.SHA256, PublicKey: s.certificates.key.Public(),
	}}
	r, err := root.NewTrustedRoot(root.TrustedRootMediaType01, []root.CertificateAuthority{authority}, ctlogs, nil, logs)
	require.NoError(s.t, err)
	b, err := r.MarshalJSON()
	require.NoError(s.t, err)
	return b
}

// Token returns an OpenID Connect token that the authority takes for id: its subject is
// an e-mail address.
func Token(id verify.Identity) string {
	enc := base64.RawURLEncoding.EncodeToString
	claims, err := json.Marshal(map[string]any{"iss": id.Issuer, "sub": id.Subject, "email": id.Subject, "email_verified": true})
	if err != nil {
		panic(err) // a map of strings
	}
	return enc([]byte(`{"alg":"RS256"}`)) + "." + enc(claims) + "." + enc([]byte("signature"))
}

// ServeHTTP implements [http.Handler].
func (s *Services) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
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
			err = errors.New("no such path")
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
}

// certify holds a request to what Fulcio holds it to.
func (s *Services) certify(b []byte, token string) (map[string]any, error) {
	var q struct {
		PublicKeyRequest struct {
			PublicKey         struct{ Algorithm, Content string }
			ProofOfPossession []byte
		}
	}
	if err := json.Unmarshal(b, &q); err != nil {
		return nil, err
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("not a token")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, err
	}
	var claims struct{ Iss, Email string }
	if err := json.Unmarshal(raw, &claims); err != nil {
		return nil, err
	}
	key, err := publicKey(q.PublicKeyRequest.PublicKey.Content)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(claims.Email))
	if !ecdsa.VerifyASN1(key, sum[:], q.PublicKeyRequest.ProofOfPossession) {
		return nil, errors.New("the key is not held by who asks")
	}
	leaf, err := s.certificates.issue(claims.Email, claims.Iss, key, s.middle, s.key)
	if err != nil {
		return nil, err
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf}))
	return map[string]any{"signedCertificateEmbeddedSct": map[string]any{"chain": map[string]any{"certificates": []string{text}}}}, nil
}

func publicKey(text string) (*ecdsa.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("not PEM")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	out, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("a key of type %T", key)
	}
	return out, nil
}

// enter writes a signature into the log.
func (s *Services) enter(b []byte) (map[string]any, error) {
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
		return nil, errors.New("not an entry of the kind dsse")
	}
	var e dsse.Envelope
	if err := json.Unmarshal([]byte(q.Spec.ProposedContent.Envelope), &e); err != nil {
		return nil, err
	}
	block, _ := pem.Decode(q.Spec.ProposedContent.Verifiers[0])
	if block == nil || len(e.Signatures) != 1 {
		return nil, errors.New("no certificate, or not one signature")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	sig, err := base64.StdEncoding.DecodeString(e.Signatures[0].Sig)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	entry, err := s.log.GenerateTlogEntry(cert, &e, sig, time.Now().Add(time.Minute).Unix(), true)
	if err != nil {
		return nil, err
	}
	p := entry.TransparencyLogEntry()
	promise, err := s.promise(p)
	if err != nil {
		return nil, err
	}
	proof := p.GetInclusionProof()
	var hashes []string
	for _, h := range proof.GetHashes() {
		hashes = append(hashes, hex.EncodeToString(h))
	}
	return map[string]any{"24296fb24b8ad77a": map[string]any{
		"body": p.GetCanonicalizedBody(), "integratedTime": p.GetIntegratedTime(), "logIndex": p.GetLogIndex(),
		"logID": hex.EncodeToString(p.GetLogId().GetKeyId()),
		"verification": map[string]any{
			"signedEntryTimestamp": promise,
			"inclusionProof": map[string]any{
				"checkpoint": proof.GetCheckpoint().GetEnvelope(), "hashes": hashes,
				"logIndex": proof.GetLogIndex(), "treeSize": proof.GetTreeSize(), "rootHash": hex.EncodeToString(proof.GetRootHash()),
			},
		},
	}}, nil
}

// promise is the log's that an entry will be in it.
func (s *Services) promise(e *protorekor.TransparencyLogEntry) ([]byte, error) {
	return s.log.RekorSignPayload(tlog.RekorPayload{
		Body: base64.StdEncoding.EncodeToString(e.GetCanonicalizedBody()), IntegratedTime: e.GetIntegratedTime(),
		LogIndex: e.GetLogIndex(), LogID: hex.EncodeToString(e.GetLogId().GetKeyId()),
	})
}
