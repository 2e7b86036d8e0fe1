package portal_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub/edge"
	"github.com/souk-dev/souk/marketplace/hub/server"
	"github.com/souk-dev/souk/marketplace/hub/signin/signintest"
)

// ceremony is what passkey.js does: begin, ask the authenticator, finish.
func (b *browserAt) ceremony(name string, fields url.Values, ask func([]byte) ([]byte, error)) *httptest.ResponseRecorder {
	b.t.Helper()
	w := b.do(http.MethodPost, "/passkey/"+name+"/begin", fields)
	if w.Code != http.StatusOK {
		return w
	}
	var q struct {
		Ceremony  string          `json:"ceremony"`
		PublicKey json.RawMessage `json:"publicKey"`
	}
	require.NoError(b.t, json.Unmarshal(w.Body.Bytes(), &q))
	credential, err := ask(q.PublicKey)
	require.NoError(b.t, err)
	plain := map[string]string{}
	for k := range fields {
		plain[k] = fields.Get(k)
	}
	body, err := json.Marshal(map[string]any{"ceremony": q.Ceremony, "credential": json.RawMessage(credential), "fields": plain})
	require.NoError(b.t, err)
	return b.json("/passkey/"+name+"/finish", string(body))
}

func (b *browserAt) json(path, body string) *httptest.ResponseRecorder {
	b.t.Helper()
	r := httptest.NewRequestWithContext(b.t.Context(), http.MethodPost, base+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	b.hub.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		b.cookies[c.Name] = c.Value
	}
	return w
}

func location(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	var d struct{ Location string }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &d))
	return d.Location
}

func TestPasskeys(t *testing.T) {
	t.Parallel()
	s, err := server.Open(t.Context(), server.Options{
		Dir: t.TempDir(), BaseURL: base, Volatile: true, Limits: edge.Limits{Read: 1 << 20, Write: 1 << 20, SignIn: 1 << 20},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	browser := func() *browserAt { return &browserAt{t, s, map[string]string{}} }
	device := &signintest.Authenticator{Origin: base}

	w := browser().do(http.MethodPost, "/passkey/signup/begin", url.Values{})
	assert.Equal(t, http.StatusUnprocessableEntity, w.Code, "without a name")
	uma := browser()
	assert.Equal(t, "/publish", location(t, uma.ceremony("signup", url.Values{"name": {"Uma"}, "to": {"/publish"}}, device.Create)))
	assert.Contains(t, uma.do(http.MethodGet, "/account", nil).Body.String(), "Uma")
	assert.Equal(t, http.StatusConflict, uma.ceremony("signup", url.Values{"name": {"Second"}}, (&signintest.Authenticator{Origin: base}).Create).Code, "who is signed in makes no other account")

	again := browser()
	assert.Equal(t, "/", location(t, again.ceremony("login", url.Values{"to": {"//evil.example/"}}, device.Get)), "nothing leads away")
	assert.Contains(t, again.do(http.MethodGet, "/account", nil).Body.String(), "Uma")

	// A further one, which then opens the account too.
	second := &signintest.Authenticator{Origin: base}
	assert.Equal(t, "/account/security?done=added", location(t, uma.ceremony("add", url.Values{"passkey": {"Phone"}}, second.Create)))
	page := uma.do(http.MethodGet, "/account/security", nil).Body.String()
	assert.Contains(t, page, "Phone")
	assert.Equal(t, "/", location(t, browser().ceremony("login", url.Values{"to": {"/"}}, second.Get)))
	assert.Equal(t, http.StatusUnauthorized, browser().do(http.MethodPost, "/passkey/add/begin", url.Values{}).Code)

	// It can be removed, and then opens nothing.
	id := between(t, page[strings.Index(page, "Phone"):], `name="id" value="`, `"`)
	assert.Equal(t, http.StatusSeeOther, uma.do(http.MethodPost, "/account/security/passkeys/remove", url.Values{"id": {id}}).Code)
	assert.Equal(t, http.StatusUnprocessableEntity, browser().ceremony("login", nil, second.Get).Code)
	assert.Contains(t, words(uma.do(http.MethodGet, "/account/security", nil).Body.String()), "your only way in")

	// Answers that prove nothing.
	copied := device.Clone()
	assert.Equal(t, "/", location(t, browser().ceremony("login", url.Values{"to": {"/"}}, device.Get)))
	assert.Equal(t, http.StatusForbidden, browser().ceremony("login", nil, copied.Get).Code, "a copy counts from where it was made")
	elsewhere := device.Clone()
	elsewhere.Origin = "http://localhost:2"
	assert.Equal(t, http.StatusUnprocessableEntity, browser().ceremony("login", nil, elsewhere.Get).Code)
	w = browser().json("/passkey/login/finish", `{"ceremony":"none","credential":{}}`)
	assert.Equal(t, http.StatusUnprocessableEntity, w.Code)
	assert.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
}
