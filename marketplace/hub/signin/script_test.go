package signin_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub/signin"
	"github.com/souk-dev/souk/marketplace/hub/signin/signintest"
)

// TestScriptIsClean holds passkey.js to its size and to Trusted Types.
func TestScriptIsClean(t *testing.T) {
	js := string(signin.Script())
	require.Less(t, len(js), 3000)
	sinks := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacent|document\.write|eval|Function\(|setTimeout|import|\.src\b|srcdoc|createElement|\.on[a-z]+ *=`)
	require.Regexp(t, sinks, "x.innerHTML = y", "the control")
	assert.Empty(t, sinks.FindAllString(js, -1))
}

// page is a hub with passkey forms, and an authenticator behind it. Each request to a
// begin or finish is answered with problem, if that is set.
type page struct {
	*httptest.Server
	mu       sync.Mutex // for the fields below: requests come from another process
	v        *vault
	ceremony signin.Ceremony
	problem  string
	location string
	fields   []string
}

func newPage(t *testing.T) *page {
	p := &page{v: newVault(t), location: "/account"}
	a := &signintest.Authenticator{Origin: origin}
	mux := http.NewServeMux()
	handle := func(pattern string, f func(r *http.Request, body []byte) (any, error)) {
		mux.HandleFunc("POST "+pattern, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			assert.NoError(t, err)
			p.mu.Lock()
			defer p.mu.Unlock()
			answer, err := f(r, body)
			switch {
			case p.problem != "" && !strings.HasPrefix(pattern, "/authenticator/"):
				w.Header().Set("Content-Type", "application/problem+json")
				w.WriteHeader(http.StatusForbidden)
				answer = map[string]string{"detail": p.problem}
			case err != nil:
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			assert.NoError(t, json.NewEncoder(w).Encode(answer))
		})
	}
	handle("/authenticator/create", func(_ *http.Request, b []byte) (any, error) {
		out, err := a.Create(b)
		return json.RawMessage(out), err
	})
	handle("/authenticator/get", func(_ *http.Request, b []byte) (any, error) { out, err := a.Get(b); return json.RawMessage(out), err })
	begin := func(options json.RawMessage, c signin.Ceremony, err error) (any, error) {
		p.ceremony = c
		return signin.Question{Ceremony: "c-1", PublicKey: options}, err
	}
	handle("/register/begin", func(r *http.Request, b []byte) (any, error) {
		p.fields = append(p.fields, r.Header.Get("Content-Type"), string(b))
		return begin(p.v.p.BeginRegistration(user("mira"), nil))
	})
	handle("/login/begin", func(*http.Request, []byte) (any, error) { return begin(p.v.p.BeginLogin()) })
	handle("/register/finish", func(_ *http.Request, b []byte) (any, error) {
		answer, err := signin.ParseAnswer(b)
		if err != nil {
			return nil, err
		}
		p.fields = append(p.fields, answer.Ceremony, answer.Fields["name"])
		c, err := p.v.p.FinishRegistration(p.ceremony, answer.Credential, answer.Fields["name"])
		p.v.keys[string(c.ID)] = c
		return signin.Done{Location: p.location}, err
	})
	handle("/login/finish", func(_ *http.Request, b []byte) (any, error) {
		answer, err := signin.ParseAnswer(b)
		if err != nil {
			return nil, err
		}
		_, err = p.v.finish(p.ceremony, answer.Credential)
		return signin.Done{Location: p.location}, err
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// TestScript runs passkey.js against the ceremonies. A browser with a virtual
// authenticator is for the walk through the hub's pages; here the page is a stand-in.
func TestScript(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("SOUK_TEST_REQUIRE") == "all" {
			t.Fatal("node is needed here")
		}
		t.Skip("NOT TESTED: passkey.js, since there is no node")
	}
	script := t.TempDir() + "/passkey.mjs"
	require.NoError(t, os.WriteFile(script, signin.Script(), 0o600))
	p := newPage(t)
	type shown struct {
		Went, Alert                 string
		Hidden, Disabled, Prevented bool
	}
	run := func(kind, outcome string) shown {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), node, "testdata/harness.mjs", script, p.URL, kind, outcome).CombinedOutput()
		require.NoError(t, err, "%s", out)
		p.mu.Lock() // the handlers have returned; this says so to the race detector
		defer p.mu.Unlock()
		var s shown
		require.NoError(t, json.Unmarshal(out, &s), "%s", out)
		assert.True(t, s.Prevented)
		assert.False(t, s.Hidden, "shown where there are passkeys")
		assert.False(t, s.Disabled, "to be tried again")
		return s
	}
	s := run("register", "done")
	require.Equal(t, "/account", s.Went, s.Alert)
	assert.Empty(t, s.Alert)
	assert.Equal(t, []string{"application/x-www-form-urlencoded", "name=My+key", "c-1", "My key"}, p.fields)
	require.Len(t, p.v.keys, 1)
	s = run("login", "done")
	require.Equal(t, "/account", s.Went, s.Alert)

	answer := func(location, problem string) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.location, p.problem = location, problem
	}
	answer("https://evil.example/", "")
	assert.Empty(t, run("login", "done").Went, "to this site only")
	answer("javascript:alert(1)", "")
	assert.Empty(t, run("login", "done").Went)
	answer("/account", "")
	assert.Equal(t, "cancelled.", run("login", "NotAllowedError").Alert)
	assert.Equal(t, "taken.", run("register", "InvalidStateError").Alert)
	assert.Equal(t, "failed.", run("register", "SecurityError").Alert)
	answer("/account", "<b>Too many tries</b>")
	s = run("login", "done")
	assert.Equal(t, "<b>Too many tries</b>", s.Alert, "as text")
	assert.Empty(t, s.Went)
}
