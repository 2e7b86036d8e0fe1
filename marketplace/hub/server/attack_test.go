package server_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/edge"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/hub/identity"
	"github.com/souk-dev/souk/marketplace/hub/insight"
	"github.com/souk-dev/souk/marketplace/hub/registry"
	"github.com/souk-dev/souk/marketplace/hub/server"
)

// ask sends a request with headers, given as names and values.
func ask(t testing.TB, method, address, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(b)
}

// pullToken is what the token service gives for scopes to who shows these headers.
func pullToken(t testing.TB, w *hubtest.World, scopes []string, headers ...string) string {
	t.Helper()
	q := url.Values{"service": {strings.TrimPrefix(w.URL, "http://")}, "scope": scopes}
	res, body := ask(t, http.MethodGet, w.URL+"/v2/token?"+q.Encode(), "", headers...)
	require.Equal(t, http.StatusOK, res.StatusCode, body)
	var answer struct {
		Token string `json:"token"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &answer))
	return answer.Token
}

// downloads is how often acme/backup was downloaded in the last two days.
func downloads(t testing.TB, w *hubtest.World) (n int64) {
	t.Helper()
	require.NoError(t, w.Hub.Store.View(t.Context(), func(tx hub.Tx) error {
		n = 0
		today := hub.Day(time.Now())
		list, err := tx.Totals(t.Context(), hub.TotalQuery{Kind: "download", Plugin: "acme/backup", From: today - 1, To: today})
		for _, one := range list {
			n += one.N
		}
		return err
	}))
	return n
}

// TestPushedBytesAreNoPage: what a publisher pushed is served on the origin of the portal,
// and no browser makes a page or script of it.
func TestPushedBytesAreNoPage(t *testing.T) {
	t.Parallel()
	w := hubtest.New(t, hubtest.Options{})
	r := w.Publish(w.Publisher(w.Person("Olga Owner"), "acme"), hubtest.Plugin{Manifest: hubtest.Manifest("acme/backup", "1.0.0")})
	bearer := "Bearer " + pullToken(t, w, []string{"repository:acme/backup:pull"})
	for path, want := range map[string]int{
		"/v2/": http.StatusUnauthorized, "/v2/acme/backup/blobs/" + r.Content: http.StatusOK,
		"/v2/acme/backup/manifests/1.0.0": 0, "/v2/acme/backup/referrers/" + r.Digest: 0, "/v2/token": http.StatusUnauthorized,
	} {
		auth := bearer
		if path == "/v2/" {
			auth = ""
		}
		res, body := ask(t, http.MethodGet, w.URL+path, "", "Authorization", auth, "Sec-Fetch-Dest", "document")
		if want != 0 {
			assert.Equal(t, want, res.StatusCode, "%s: %.200s", path, body)
		}
		assert.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"), path)
		assert.NotContains(t, res.Header.Get("Content-Type"), "html", path)
		if path != "/v2/token" {
			assert.Contains(t, res.Header.Get("Content-Security-Policy"), "sandbox", path)
			assert.Equal(t, "same-origin", res.Header.Get("Cross-Origin-Resource-Policy"), path)
		}
	}
}

// TestDownloadsAreNotInflated: who calls itself another program each time, or takes another
// address of its own network, is one. Another network is another.
func TestDownloadsAreNotInflated(t *testing.T) {
	t.Parallel()
	w := hubtest.New(t, hubtest.Options{Server: server.Options{Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}})
	r := w.Publish(w.Publisher(w.Person("Olga Owner"), "acme"), hubtest.Plugin{Manifest: hubtest.Manifest("acme/backup", "1.0.0")})
	fetch := func(address, agent string) {
		bearer := "Bearer " + pullToken(t, w, []string{"repository:acme/backup:pull"})
		res, _ := ask(t, http.MethodGet, w.URL+"/v2/acme/backup/blobs/"+r.Content, "", "Authorization", bearer, "User-Agent", agent, "X-Forwarded-For", address)
		require.Equal(t, http.StatusOK, res.StatusCode)
	}
	for i := range 8 {
		fetch("198.51.100.7", fmt.Sprintf("panel-%d", i))
		fetch(fmt.Sprintf("2001:db8:1:2::%x", i+1), "panel")
	}
	fetch("198.51.100.8", "panel")
	within(t, 5*time.Second, func() bool { return downloads(t, w) >= 3 }, "three networks are counted")
	fetch("2001:db8:1:3::1", "panel")
	within(t, 5*time.Second, func() bool { return downloads(t, w) >= 4 }, "a fourth is")
	assert.EqualValues(t, 4, downloads(t, w))
}

// TestSignInIsSlow: ceremonies, codes and setup have a narrower limit than other changes.
func TestSignInIsSlow(t *testing.T) {
	t.Parallel()
	w := hubtest.New(t, hubtest.Options{Server: server.Options{Limits: edge.Limits{Read: 1 << 20, Write: 1 << 20, SignIn: 5}}})
	status := func(path string) (last int) {
		for range 8 {
			res, _ := ask(t, http.MethodPost, w.URL+path, "code=x", "Content-Type", "application/x-www-form-urlencoded")
			last = res.StatusCode
		}
		return last
	}
	assert.NotEqual(t, http.StatusTooManyRequests, status("/report"), "a change like any other")
	assert.Equal(t, http.StatusTooManyRequests, status("/link"))
	assert.Equal(t, http.StatusTooManyRequests, status("/passkey/login/begin"))
	assert.Equal(t, http.StatusTooManyRequests, status("/setup"))
}

// TestRegistryElsewhereIsHeard: a registry tells of one event at a time, of more than a
// person could. Who does not know its secret is told nothing.
func TestRegistryElsewhereIsHeard(t *testing.T) {
	t.Parallel()
	reg := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{})
	secret := "notifications-secret-0123"
	w := hubtest.New(t, hubtest.Options{Server: server.Options{
		Registry: &server.Registry{Ref: reg.Host, Service: "r", NotificationSecret: secret, Options: oci.Options{Insecure: true}},
		Limits:   edge.Limits{Read: 100, Write: 50, SignIn: 50},
	}})
	event := `{"events":[{"id":"%d","timestamp":"2026-01-01T00:00:00Z","action":"pull","target":{"digest":"sha256:` + strings.Repeat("0", 64) + `","repository":"acme/backup"},"request":{"addr":"192.0.2.1:1","method":"GET"}}]}`
	for i := range 120 {
		res, body := ask(t, http.MethodPost, w.URL+"/hooks/registry", fmt.Sprintf(event, i), "Authorization", "Bearer "+secret, "Content-Type", registry.EventsType)
		require.Equal(t, http.StatusNoContent, res.StatusCode, "event %d: %s", i, body)
	}
	res, _ := ask(t, http.MethodPost, w.URL+"/hooks/registry", fmt.Sprintf(event, 1), "Authorization", "Bearer "+secret+"x", "Content-Type", registry.EventsType)
	assert.Equal(t, http.StatusUnauthorized, res.StatusCode)
}

// TestScopes: whoever asks, and however it is written, nobody but the hub writes what
// panels read, and of staging one has one's own.
func TestScopes(t *testing.T) {
	t.Parallel()
	w := hubtest.New(t, hubtest.Options{})
	olga, erin := w.Person("Olga Owner"), w.Person("Erin Else")
	w.Publisher(olga, "acme")
	w.Publisher(erin, "evil")
	plugin := func(p *hubtest.Person, n identity.NewToken) string {
		n.Name = "x"
		raw, _, err := w.Hub.Identity.CreateToken(t.Context(), w.Actor(p), n)
		require.NoError(t, err)
		return raw
	}
	all := []hub.Verb{hub.VerbAdmin, hub.VerbManage, hub.VerbPush, hub.VerbRead, hub.VerbRelease, hub.VerbSubmit}
	whole, narrow := plugin(olga, identity.NewToken{Verbs: all}), plugin(olga, identity.NewToken{Verbs: all, Plugin: "acme/backup"})
	reads, pushes := plugin(olga, identity.NewToken{Verbs: []hub.Verb{hub.VerbRead}}), plugin(olga, identity.NewToken{Verbs: []hub.Verb{hub.VerbPush}})
	for _, c := range []struct{ token, scope, want string }{
		{whole, "repository:staging/acme/backup:pull,push,delete", "pull,push"}, // the control
		{narrow, "repository:staging/acme/backup:push", "push"},
		{narrow, "repository:staging/acme/other:pull,push", ""},
		{reads, "repository:staging/acme/backup:pull,push", "pull"},
		{pushes, "repository:staging/acme/backup:push", "push"},
		{whole, "repository:acme/backup:pull,push,delete", "pull"},
		{whole, "repository:acme/backup:*", ""},
		{whole, "repository:staging/acme/backup:*", ""},
		{whole, "repository:catalog:pull,push", "pull"},
		{whole, "registry:catalog:*", ""},
		{whole, "repository:staging/evil/backup:pull,push", ""},
		{whole, "repository:staging:pull,push", ""},
		{whole, "repository:staging/acme:pull,push", ""},
		{whole, "repository:staging/acme/backup/more:pull,push", ""},
		{whole, "repository:staging/staging/acme/backup:pull,push", ""},
		{whole, "repository(plugin):staging/evil/backup:push", ""},
		{whole, "repository:staging/acme/../evil/backup:push", "400"},
		{whole, "repository:staging/acme%2fbackup:push", "400"},
		{whole, "repository:Staging/acme/backup:push", "400"},
		{whole, "repository:staging//evil/backup:push", "400"},
		{whole, "repository:*:push", "400"},
		{whole, strings.Repeat("repository:staging/acme/backup:push ", 17), "400"},
		{"souk_axxx", "repository:acme/backup:pull", "401"},
		{"", "repository:acme/backup:pull,push", "pull"},
		{"", "repository:staging/acme/backup:pull", ""},
	} {
		q := url.Values{"service": {strings.TrimPrefix(w.URL, "http://")}, "scope": {c.scope}}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL+"/v2/token?"+q.Encode(), nil)
		require.NoError(t, err)
		if c.token != "" {
			r.SetBasicAuth("token", c.token)
		}
		res, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		assert.Contains(t, res.Header.Get("Cache-Control"), "no-store", c.scope)
		if len(c.want) == 3 && c.want[0] == '4' {
			assert.Equal(t, c.want, fmt.Sprint(res.StatusCode), "%s: %s", c.scope, body)
			continue
		}
		require.Equal(t, http.StatusOK, res.StatusCode, "%s: %s", c.scope, body)
		var a struct {
			Token string `json:"token"`
		}
		require.NoError(t, json.Unmarshal(body, &a))
		assert.Equal(t, c.want, granted(t, a.Token), c.scope)
	}
}

// granted are the actions of the one access of a registry's token.
func granted(t *testing.T, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	var claims struct {
		Access []registry.Access `json:"access"`
	}
	require.NoError(t, json.Unmarshal(payload, &claims))
	if len(claims.Access) == 0 {
		return ""
	}
	require.Len(t, claims.Access, 1)
	return strings.Join(claims.Access[0].Actions, ",")
}

// TestNothingPrivateIsKept: what was made for somebody is kept by no cache on the way,
// whether it is an answer or a refusal.
func TestNothingPrivateIsKept(t *testing.T) {
	t.Parallel()
	w := hubtest.New(t, hubtest.Options{})
	olga := w.Person("Olga Owner")
	acme := w.Publisher(olga, "acme")
	sub := w.Submit(acme, hubtest.Plugin{Manifest: hubtest.Manifest("acme/backup", "1.0.0")})
	cookie := identity.CookieName(false) + "=" + olga.Cookie
	for _, path := range []string{
		"/", "/account", "/account/tokens", "/publish/acme", "/submissions/" + sub.ID, "/plugins/acme/backup", "/nothing",
		"/api/v1/account", "/api/v1/submissions", "/api/v1/submissions/" + sub.ID, "/api/v1/publishers/acme/inside", "/api/v1/plugins/acme/backup",
		"/api/v1/account/export", "/api/v1/submissions/sub_nothing", "/api/v1/review/queue", "/api/v1/nothing", "/api/v1/plugins", "/api/v1/notices",
	} {
		res, _ := ask(t, http.MethodGet, w.URL+path, "", "Cookie", cookie)
		how := res.Header.Get("Cache-Control")
		assert.True(t, strings.Contains(how, "no-store") || strings.Contains(how, "private"), "%s (%d): %q", path, res.StatusCode, how)
	}
	res, _ := ask(t, http.MethodGet, w.URL+"/api/v1/plugins", "")
	assert.Contains(t, res.Header.Get("Cache-Control"), "public", "what everybody may know is kept")
	assert.Contains(t, strings.Join(res.Header.Values("Vary"), ","), "Cookie")
}

// TestUnpublishedIsNotThere: a plugin that is in review is, to strangers, as one that there
// never was, at every address and to the letter.
func TestUnpublishedIsNotThere(t *testing.T) {
	t.Parallel()
	w := hubtest.New(t, hubtest.Options{})
	olga, erin := w.Person("Olga Owner"), w.Person("Erin Else")
	w.Submit(w.Publisher(olga, "acme"), hubtest.Plugin{Manifest: hubtest.Manifest("acme/secret", "1.0.0")})
	cookie := func(p *hubtest.Person) []string {
		if p == nil {
			return nil
		}
		return []string{"Cookie", identity.CookieName(false) + "=" + p.Cookie}
	}
	for _, path := range []string{"/plugins/acme/%s", "/plugins/acme/%s/releases", "/api/v1/plugins/acme/%s", "/api/v1/plugins/acme/%s/releases",
		"/api/v1/plugins/acme/%s/releases/1.0.0", "/api/v1/plugins/acme/%s/ratings", "/api/v1/plugins/acme/%s/numbers", "/feeds/plugins/acme/%s.atom"} {
		for _, who := range []*hubtest.Person{nil, erin} {
			is, _ := ask(t, http.MethodGet, w.URL+fmt.Sprintf(path, "secret"), "", cookie(who)...)
			none, _ := ask(t, http.MethodGet, w.URL+fmt.Sprintf(path, "nothing"), "", cookie(who)...)
			assert.NotEqual(t, http.StatusOK, is.StatusCode, path)
			assert.Equal(t, none.StatusCode, is.StatusCode, path)
		}
	}
	for _, path := range []string{"/plugins/acme/secret", "/api/v1/plugins/acme/secret"} {
		res, _ := ask(t, http.MethodGet, w.URL+path, "", cookie(olga)...)
		assert.Equal(t, http.StatusOK, res.StatusCode, "%s: to its owner it is there", path)
	}
}

// lines collects a log.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestLogsHaveNoSecrets drives what shows secrets, with a log of everything.
func TestLogsHaveNoSecrets(t *testing.T) {
	t.Parallel()
	log := &lines{}
	receiver := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	t.Cleanup(receiver.Close)
	w := hubtest.New(t, hubtest.Options{Server: server.Options{
		Log:   slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Guard: hub.Guard{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	}})
	secrets := map[string]string{"setup code": w.Hub.SetupCode()}
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	olga := w.Person("Olga Owner")
	cookie := identity.CookieName(false) + "=" + olga.Cookie
	secrets["session"] = olga.Cookie
	acme := w.Publisher(olga, "acme")
	ask(t, http.MethodPost, w.URL+"/setup", "code="+w.Hub.SetupCode()+"x", append(form, "Cookie", cookie)...)
	token, err := w.TokenOf(t.Context(), olga)
	require.NoError(t, err)
	secrets["token"] = token
	hookURL := receiver.URL + "/in/secret-in-the-address"
	secrets["address of a webhook"] = "secret-in-the-address"
	hook, err := w.Hub.Insight.CreateHook(t.Context(), w.Actor(olga), insight.NewHook{Publisher: "acme", URL: hookURL, Kinds: hub.EventKinds()})
	require.NoError(t, err)
	secrets["webhook secret"] = strings.TrimPrefix(hook.Secret, "whsec_")
	r := w.Publish(acme, hubtest.Plugin{Manifest: hubtest.Manifest("acme/backup", "1.0.0")})
	jwt := pullToken(t, w, []string{"repository:acme/backup:pull"})
	secrets["registry token"] = jwt[strings.LastIndexByte(jwt, '.')+1:]
	ask(t, http.MethodGet, w.URL+"/v2/acme/backup/blobs/"+r.Content, "", "Authorization", "Bearer "+jwt)
	ask(t, http.MethodGet, w.URL+"/v2/acme/backup/blobs/"+r.Content, "", "Authorization", "Bearer "+jwt+"x")
	ask(t, http.MethodGet, w.URL+"/v2/catalog/blobs/"+r.Content, "", "Authorization", "Bearer "+jwt)
	res, body := ask(t, http.MethodPost, w.URL+"/api/v1/device/code", url.Values{"client_name": {"web1"}, "public_key": {strings.Repeat("A", 43) + "="}}.Encode(), form...)
	require.Equal(t, http.StatusOK, res.StatusCode, body)
	var device struct {
		DeviceCode string `json:"device_code"`
		UserCode   string `json:"user_code"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &device))
	secrets["device code"], secrets["user code"] = device.DeviceCode, device.UserCode
	poll := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {device.DeviceCode}}.Encode()
	ask(t, http.MethodPost, w.URL+"/api/v1/device/token", poll, form...)
	ask(t, http.MethodGet, w.URL+"/link?code="+device.UserCode, "", "Cookie", cookie)
	ask(t, http.MethodPost, w.URL+"/link", "code="+device.UserCode+"&answer=yes", append(form, "Cookie", cookie)...)
	secrets["provider's code"] = "code-of-the-provider"
	ask(t, http.MethodGet, w.URL+"/signin/oidc/0/callback?code=code-of-the-provider&state=x", "", "Cookie", cookie)
	for _, path := range []string{"/api/v1/account", "/api/v1/tokens", "/api/v1/accounts/x"} {
		ask(t, http.MethodGet, w.URL+path, "", "Authorization", "Bearer "+token)
		ask(t, http.MethodGet, w.URL+path, "", "Authorization", "Bearer "+token[:len(token)-1]+"x")
	}
	secrets["idempotency key"] = "key-of-an-answer"
	ask(t, http.MethodPost, w.URL+"/api/v1/tokens", `{"name":"x","verbs":["read"]}`, "Cookie", cookie, "Content-Type", "application/json", "Idempotency-Key", "key-of-an-answer")
	ask(t, http.MethodPost, w.URL+"/api/v1/ci/token", `{"token":"eyJhbGciOiJub25lIn0.e30.secret-of-a-job"}`, "Content-Type", "application/json")
	secrets["token of a job"] = "secret-of-a-job"
	_, err = w.Hub.Insight.Deliveries(t.Context(), w.Actor(olga), hook.ID, "", 0)
	require.NoError(t, err)
	said := log.String()
	require.Contains(t, said, "registry:", "the log is written")
	for what, secret := range secrets {
		require.NotEmpty(t, secret, what)
		assert.NotContains(t, said, secret, what)
	}
}
