package signintest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Issuer is a server with discovery and keys, and a pen to sign tokens with: the CI
// system in a test of trusted publishing. It is safe for concurrent use.
type Issuer struct {
	URL string

	server *httptest.Server
	mux    *http.ServeMux

	mu       sync.Mutex
	now      func() time.Time
	rsa      bool
	keys     []jose.JSONWebKey // the last one signs
	made     int
	down     bool
	metadata map[string]any
	fetches  map[string]int
}

// IssuerOptions are the choices of [NewIssuer]. The zero value is good.
type IssuerOptions struct {
	// Now is the clock of its tokens; nil means time.Now.
	Now func() time.Time
	// RSA signs with RS256, as GitHub does, instead of the faster ES256.
	RSA bool
}

// NewIssuer starts an issuer. Close ends it.
func NewIssuer(o IssuerOptions) *Issuer {
	if o.Now == nil {
		o.Now = time.Now
	}
	i := &Issuer{now: o.Now, rsa: o.RSA, mux: http.NewServeMux(), metadata: map[string]any{}, fetches: map[string]int{}}
	i.Rotate()
	i.mux.HandleFunc("GET /.well-known/openid-configuration", i.discovery)
	i.mux.HandleFunc("GET /keys", i.jwks)
	i.server = httptest.NewServer(http.HandlerFunc(i.serve))
	i.URL = i.server.URL
	return i
}

// Close ends the server.
func (i *Issuer) Close() { i.server.Close() }

// Handle adds a handler, as http.ServeMux has it: a token endpoint, say.
func (i *Issuer) Handle(pattern string, h http.HandlerFunc) { i.mux.HandleFunc(pattern, h) }

// SetMetadata changes or adds a member of the discovery document.
func (i *Issuer) SetMetadata(name string, value any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.metadata[name] = value
}

// SetDown makes the issuer answer everything with 503, or stop doing so.
func (i *Issuer) SetDown(down bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = down
}

// Fetches returns how often a path was asked for: "/keys".
func (i *Issuer) Fetches(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches[path]
}

// Rotate makes a new key, which signs from now on. The old ones stay published until
// Retire.
func (i *Issuer) Rotate() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.made++
	i.keys = append(i.keys, newKey(i.rsa, fmt.Sprintf("key-%d", i.made)))
}

// Retire publishes no key any more but the one that signs.
func (i *Issuer) Retire() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = i.keys[len(i.keys)-1:]
}

// Token signs claims. Absent ones are filled in: iss, sub, iat, nbf, exp (in five
// minutes) and jti; a nil value leaves one out.
func (i *Issuer) Token(claims map[string]any) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return sign(i.keys[len(i.keys)-1], i.filled(claims))
}

// Sign signs any text, which need not be claims.
func (i *Issuer) Sign(payload []byte) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return signBytes(i.keys[len(i.keys)-1], payload)
}

// Forge signs claims as Token does, under the same key id, with a key that is not the
// issuer's.
func (i *Issuer) Forge(claims map[string]any) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return sign(newKey(i.rsa, i.keys[len(i.keys)-1].KeyID), i.filled(claims))
}

// Unsigned makes a token with the algorithm "none".
func (i *Issuer) Unsigned(claims map[string]any) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	body, err := json.Marshal(i.filled(claims))
	must(err)
	b64 := base64.RawURLEncoding
	return b64.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + b64.EncodeToString(body) + "."
}

// Key returns the key that signs, for tokens that are strange in other ways.
func (i *Issuer) Key() *jose.JSONWebKey {
	i.mu.Lock()
	defer i.mu.Unlock()
	k := i.keys[len(i.keys)-1]
	return &k
}

func (i *Issuer) filled(claims map[string]any) map[string]any {
	now := i.now().Unix()
	all := map[string]any{
		"iss": i.URL, "sub": "somebody", "iat": now, "nbf": now, "exp": now + 300, "jti": rand.Text(),
	}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all
}

func (i *Issuer) serve(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.fetches[r.URL.Path]++
	down := i.down
	i.mu.Unlock()
	if down {
		http.Error(w, "down for maintenance", http.StatusServiceUnavailable)
		return
	}
	i.mux.ServeHTTP(w, r)
}

func (i *Issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	all := map[string]any{
		"issuer": i.URL, "jwks_uri": i.URL + "/keys",
		"authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{i.keys[0].Algorithm},
	}
	maps.Copy(all, i.metadata)
	writeJSON(w, all)
}

func (i *Issuer) jwks(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var set jose.JSONWebKeySet
	for _, k := range i.keys {
		set.Keys = append(set.Keys, k.Public())
	}
	writeJSON(w, set)
}

func newKey(isRSA bool, id string) jose.JSONWebKey {
	var private crypto.Signer
	var err error
	algorithm := jose.ES256
	if isRSA {
		algorithm = jose.RS256
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	must(err)
	return jose.JSONWebKey{Key: private, KeyID: id, Algorithm: string(algorithm), Use: "sig"}
}

func sign(key jose.JSONWebKey, claims map[string]any) string {
	body, err := json.Marshal(claims)
	must(err)
	return signBytes(key, body)
}

func signBytes(key jose.JSONWebKey, body []byte) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.Algorithm), Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	must(err)
	jws, err := signer.Sign(body)
	must(err)
	token, err := jws.CompactSerialize()
	must(err)
	return token
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the reader went away
}

// must stops a test whose own tools are broken.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
