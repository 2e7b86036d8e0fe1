package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/client"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	hubidentity "github.com/souk-dev/souk/marketplace/hub/identity"
	"github.com/souk-dev/souk/marketplace/hub/server"
	"github.com/souk-dev/souk/marketplace/hub/signin"
	"github.com/souk-dev/souk/marketplace/hub/signin/signintest"
)

// TestSubmitNeedsChanges: what only the hub can see is wrong ends with exit status 1.
func TestSubmitNeedsChanges(t *testing.T) {
	t.Parallel()
	w := newTown(t, hubtest.Options{})
	dir := w.plugin("dark")
	w.do("keygen", w.path("other"))
	assert.Contains(t, w.fail(exitFailed, "submit", dir, "--key", w.path("other.pem")), "not among those who may sign for acme")
	assert.Contains(t, w.fail(exitUsage, "submit", dir), "--key is missing")
	w.do("pack", dir, "-o", w.path("out"))
	assert.Contains(t, w.fail(exitFailed, "submit", w.path("out")), "not signed")
	w.do("sign", w.path("out"), "--key", w.path("other.pem")) // by a key that the hub does not know
	out := w.fail(exitFailed, "submit", w.path("out"))
	assert.Contains(t, out, "is to be changed")
	assert.Contains(t, out, "signature")
	assert.Contains(t, out, "souk sign", "advice")
	assert.Contains(t, out, "next: fix it")

	// The right signature beside the wrong one, for the same package: the next round.
	w.do("submit", w.path("out"), "--key", w.path("acme.pem"))
	ref := catalog.Ref{Plugin: "acme/dark", Version: "0.1.0"}
	all := w.submissions(ref)
	require.Len(t, all, 1)
	assert.Equal(t, 2, all[0].Round)

	// Another package while people look at this one.
	w.edit("dark/package/README.md", "#", "##")
	assert.Contains(t, w.fail(exitFailed, "submit", dir, "--key", w.path("acme.pem")), "in review, with another package")
	w.do("withdraw", ref.String(), "--reason", "A better one comes.")
	w.do("withdraw", ref.String())
	w.do("submit", dir, "--key", w.path("acme.pem"))
	assert.Len(t, w.submissions(ref), 2)
	w.approve(ref)
	w.do("submit", dir, "--key", w.path("acme.pem"), "--wait")
	w.edit("dark/package/README.md", "##", "#")
	assert.Contains(t, w.fail(exitFailed, "submit", dir, "--key", w.path("acme.pem")), "version-exists")

	var sub client.Submission
	require.NoError(t, json.Unmarshal([]byte(w.do("status", ref.String(), "--json")), &sub))
	assert.Equal(t, hub.StatePublished, sub.State)
	assert.Contains(t, w.fail(exitFailed, "withdraw", ref.String()), "souk yank")
	assert.Contains(t, w.fail(exitFailed, "submit", w.other("nobody/tool"), "--key", w.path("acme.pem")), "there is no publisher nobody")
}

// other makes a plugin of another publisher.
func (w *town) other(id string) string {
	dir := w.path(strings.ReplaceAll(id, "/", "-"))
	w.do("init", dir, "--id", id, "--runtime", "static")
	return dir
}

// TestTrustedPublishing: a CI job publishes without a stored secret.
func TestTrustedPublishing(t *testing.T) {
	t.Parallel()
	const audience = "https://hub.example.org"
	ci := signintest.NewIssuer(signintest.IssuerOptions{})
	defer ci.Close()
	w := newTown(t, hubtest.Options{Server: server.Options{CI: []signin.Issuer{{URL: ci.URL, Audience: audience, Kind: signin.GitHub}}}})
	w.env.token = ""
	dir := w.plugin("dark")
	job := func(repository string) string {
		return ci.Token(signintest.GitHubClaims(audience, repository, "release.yml", "refs/tags/v0.1.0"))
	}
	file := w.path("id-token")
	submit := []string{"submit", dir, "--key", w.path("acme.pem"), "--identity-token-file", file}
	show := func(token string) { require.NoError(t, os.WriteFile(file, []byte(token+"\n"), 0o600)) }

	show(job("acme/dark"))
	assert.Contains(t, w.fail(exitFailed, submit...), "trusted publishing", "nobody trusts it yet")
	_, err := w.Hub.Identity.AddTrusted(t.Context(), w.Actor(w.owner), hub.Trusted{Publisher: "acme", Issuer: ci.URL, Repository: "acme/dark", Workflow: "release.yml"})
	require.NoError(t, err)
	show(job("mallory/dark"))
	assert.Contains(t, w.fail(exitFailed, submit...), "no publisher trusts the repository")
	show(ci.Forge(signintest.GitHubClaims(audience, "acme/dark", "release.yml", "refs/tags/v0.1.0")))
	said := w.fail(exitFailed, submit...)
	assert.Contains(t, said, "get a new one")

	show(job("acme/dark"))
	id := w.do(submit...)
	ref := catalog.Ref{Plugin: "acme/dark", Version: "0.1.0"}
	all := w.submissions(ref)
	require.Len(t, all, 1)
	assert.Equal(t, id, all[0].ID)
	assert.Contains(t, all[0].Via, "acme/dark .github/workflows/release.yml refs/tags/v0.1.0")
	said = w.fail(exitFailed, submit...)
	assert.Contains(t, said, "good once")
	show(job("acme/dark"))
	assert.Contains(t, w.fail(exitFailed, submit...), "cannot be changed while it is looked at")
	assert.Len(t, w.submissions(ref), 1)

	// What needs changes is gone on with, without reading it.
	w.askForChanges(id, "A word on colours, please.", "README.md", 1)
	w.edit("dark/package/README.md", "#", "##")
	show(job("acme/dark"))
	assert.Equal(t, id, w.do(submit...))
	w.approve(ref)

	// By GitHub's environment, and as a token alone.
	var asked url.Values
	actions := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked = r.URL.Query()
		if r.Header.Get("Authorization") != "Bearer runner" {
			http.Error(rw, "no", http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(rw).Encode(map[string]string{"value": job("acme/dark")})
	}))
	defer actions.Close()
	w.env.actionsURL, w.env.actionsToken = actions.URL+"/token?api-version=2.0", "runner"
	token := w.do("ci-token", "--for", "acme/dark")
	assert.True(t, strings.HasPrefix(token, "souk_"), token)
	assert.Equal(t, url.Values{"api-version": {"2.0"}, "audience": {audience}}, asked)
	w.env.actionsToken = "wrong"
	assert.Contains(t, w.fail(exitFailed, "ci-token"), "id-token: write")
	w.env.actionsURL, w.env.actionsToken = "http://ci.example.org/token", "runner"
	assert.Contains(t, w.fail(exitFailed, "ci-token"), "no https address")
	w.env.actionsURL, w.env.jobToken = "", job("acme/dark") // GitLab hands it over itself
	assert.NotEmpty(t, w.do("ci-token"))
}

// stopAt calls stop when a text is written.
type stopAt struct {
	lockedBuffer
	text string
	stop func()
}

func (s *stopAt) Write(b []byte) (int, error) {
	n, err := s.lockedBuffer.Write(b)
	if strings.Contains(s.String(), s.text) {
		s.stop()
	}
	return n, err
}

// moments are those of a submission at which it is cut off.
var moments = []string{"pushed", "named it", "submitted", "is in review"}

// TestSubmitInterrupted: an interrupt at any moment, and then again.
func TestSubmitInterrupted(t *testing.T) {
	t.Parallel()
	w := newTown(t, hubtest.Options{})
	args := []string{"submit", w.plugin("dark"), "--key", w.path("acme.pem")}
	for _, moment := range append([]string{"pushed"}, moments...) {
		ctx, stop := context.WithCancel(t.Context())
		errs := &stopAt{text: moment, stop: stop}
		code := w.app(io.Discard, errs).run(ctx, append(args, "--wait"))
		stop()
		assert.Equal(t, exitFailed, code, moment)
		assert.Contains(t, errs.String(), "interrupted", moment)
	}
	w.do(args...)
	w.once("acme/dark")
}

// once: there is one submission of a version, and it is published once.
func (w *town) once(id catalog.PluginID) {
	w.shell.t.Helper()
	ref := catalog.Ref{Plugin: id, Version: "0.1.0"}
	all := w.submissions(ref)
	require.Len(w.shell.t, all, 1)
	assert.Equal(w.shell.t, 1, all[0].Round)
	w.approve(ref)
	w.do("submit", w.path(id.Name()), "--key", w.path("acme.pem"), "--wait")
	releases, err := w.Client(w.owner).Releases(w.shell.t.Context(), id)
	require.NoError(w.shell.t, err)
	assert.Len(w.shell.t, releases, 1)
}

// TestSubmitKilled: kill -9 at the same moments.
func TestSubmitKilled(t *testing.T) {
	t.Parallel()
	w := newTown(t, hubtest.Options{})
	dir := w.plugin("dark")
	for _, moment := range moments {
		cmd := exec.Command(os.Args[0], "submit", dir, "--key", w.path("acme.pem"), "--wait")
		cmd.Env = append(os.Environ(), "SOUK_TEST_KILL="+moment, "SOUK_HUB="+w.URL, "SOUK_TOKEN="+w.env.token, "XDG_CONFIG_HOME="+w.path("settings"))
		said, err := cmd.CombinedOutput()
		assert.ErrorContains(t, err, "killed", moment)
		assert.Contains(t, string(said), moment)
	}
	w.do("submit", dir, "--key", w.path("acme.pem"))
	w.once("acme/dark")
}

// TestHubErrors: what is printed says what happened and what next.
func TestHubErrors(t *testing.T) {
	t.Parallel()
	w := newTown(t, hubtest.Options{})
	dir, token := w.plugin("dark"), w.env.token
	submit := []string{"submit", dir, "--key", w.path("acme.pem")}
	w.env.token = "souk_wrong"
	said := w.fail(exitFailed, submit...)
	assert.Contains(t, said, "make one at "+w.URL+"/account/tokens")
	assert.NotContains(t, said, "souk_wrong")
	w.env.token = ""
	assert.Contains(t, w.fail(exitFailed, submit...), "there is no token for "+w.URL)

	limited, _, err := w.Hub.Identity.CreateToken(t.Context(), w.Actor(w.owner), hubidentity.NewToken{Name: "reader", Verbs: []hub.Verb{hub.VerbRead}})
	require.NoError(t, err)
	w.env.token = limited
	assert.Contains(t, w.fail(exitFailed, submit...), "needs the scope push")
	assert.Contains(t, w.fail(exitFailed, "yank", "acme/dark@0.1.0", "--reason", "x"), "lacks the scope")
	stranger, err := w.TokenOf(t.Context(), w.Person("Mira Meier"))
	require.NoError(t, err)
	w.env.token = stranger
	assert.Contains(t, w.fail(exitFailed, submit...), "member of the publisher")
	assert.Contains(t, w.fail(exitFailed, "numbers", "acme/dark"), "not allowed")

	w.env.token = token
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, gone.Close())
	assert.Contains(t, w.fail(exitFailed, append(submit, "--hub", "http://"+gone.Addr().String())...), "is up and the address is right")
	assert.Contains(t, w.fail(exitUsage, append(submit, "--hub", "http://hub.example.org")...), "must be https")
	assert.Contains(t, w.fail(exitUsage, "status", "dark"), "is neither a submission")
	assert.Contains(t, w.fail(exitFailed, "status", "acme/dark@0.1.0"), "there is no submission of acme/dark@0.1.0")
	assert.Contains(t, w.fail(exitFailed, "hub", "keys"), "not allowed")

	admin, err := w.TokenOf(t.Context(), w.admin)
	require.NoError(t, err)
	w.env.token = admin
	w.written()
	assert.Contains(t, w.do("hub", "keys"), "timestamp  version")
}

// TestRegistryDownMidPush: the registry goes away in the middle of a push, comes back, and
// the push goes on.
func TestRegistryDownMidPush(t *testing.T) {
	t.Parallel()
	w := newTown(t, hubtest.Options{})
	var cut atomic.Bool
	var uploads atomic.Int64
	proxy := front(t, w.URL, func(r *http.Request) bool {
		if r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, "/v2/") {
			return uploads.Add(1) > 1 && cut.Load()
		}
		return cut.Load() && uploads.Load() > 1 && strings.HasPrefix(r.URL.Path, "/v2/")
	})
	submit := []string{"submit", w.plugin("dark"), "--key", w.path("acme.pem"), "--hub", proxy}
	cut.Store(true)
	said := w.fail(exitFailed, submit...)
	assert.Contains(t, said, "does not answer; run it again when it does")
	assert.Empty(t, w.submissions(catalog.Ref{Plugin: "acme/dark", Version: "0.1.0"}))
	cut.Store(false)
	code, out, errs := w.run(submit...)
	require.Equal(t, exitDone, code, out+errs)
	assert.NotContains(t, errs, "of which 0 bytes were there already")
	w.once("acme/dark")
}

// front puts a proxy before a hub and its registry, which drops connections.
func front(t *testing.T, hubURL string, drop func(*http.Request) bool) (address string) {
	t.Helper()
	to, err := url.Parse(hubURL)
	require.NoError(t, err)
	var self string
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ModifyResponse: func(r *http.Response) error {
			for name, values := range r.Header {
				for i := range values {
					r.Header[name][i] = strings.ReplaceAll(values[i], hubURL, self)
				}
			}
			if r.Request.URL.Path != "/api/v1/about" {
				return nil
			}
			b, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			b = bytes.ReplaceAll(b, []byte(to.Host), []byte(strings.TrimPrefix(self, "http://")))
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
			r.Header.Del("Content-Length")
			return nil
		},
	}
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if drop(r) {
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(s.Close)
	self = s.URL
	return s.URL
}
