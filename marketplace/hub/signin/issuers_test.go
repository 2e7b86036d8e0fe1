package signin_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub/signin"
	"github.com/souk-dev/souk/marketplace/hub/signin/signintest"
)

const (
	audience = "https://hub.example.org"
	tag      = "refs/tags/v1.2.0"
)

func ci(t testing.TB, c *clock) *signintest.Issuer {
	i := signintest.NewIssuer(signintest.IssuerOptions{Now: c.now, RSA: true})
	t.Cleanup(i.Close)
	return i
}

func trust(t testing.TB, c *clock, list ...signin.Issuer) *signin.Issuers {
	t.Helper()
	s, err := signin.NewIssuers(list, signin.IssuersOptions{Now: c.now})
	require.NoError(t, err)
	return s
}

func gitHubRun() map[string]any {
	return signintest.GitHubClaims(audience, "acme/backup", "release.yml", tag)
}

func TestGitHubRun(t *testing.T) {
	c := newClock()
	i := ci(t, c)
	s := trust(t, c, signin.Issuer{URL: i.URL, Audience: audience, Kind: signin.GitHub})
	claims := gitHubRun()
	claims["environment"] = "production"
	w, err := s.Verify(t.Context(), i.Token(claims))
	require.NoError(t, err)
	assert.Len(t, w.TokenID, 64)
	assert.WithinDuration(t, c.now().Add(6*time.Minute), w.TokenUntil, time.Second)
	w.TokenID, w.TokenUntil = "", time.Time{}
	assert.Equal(t, signin.Workload{
		Issuer: i.URL, Kind: signin.GitHub, Subject: "repo:acme/backup:ref:" + tag,
		Repository: "acme/backup", RepositoryID: claims["repository_id"].(string), Owner: "acme", OwnerID: claims["repository_owner_id"].(string),
		Workflow: ".github/workflows/release.yml", Event: "push", Ref: tag, Environment: "production",
		Commit: claims["sha"].(string), RunID: "8923456712",
	}, w)

	claims["job_workflow_ref"] = "acme/shared/.github/workflows/publish.yml@714a629c0b401fdce83e847fc9589983fc6f46bc"
	w, err = s.Verify(t.Context(), i.Token(claims))
	require.NoError(t, err)
	assert.Equal(t, "acme/shared/.github/workflows/publish.yml", w.Job)
	assert.Equal(t, ".github/workflows/release.yml", w.Workflow)
}

func TestGitLabRun(t *testing.T) {
	c := newClock()
	i := ci(t, c)
	s := trust(t, c, signin.Issuer{URL: i.URL, Audience: audience, Kind: signin.GitLab})
	claims := signintest.GitLabClaims(audience, "acme/tools/backup", "ci/release.yml", "refs/heads/main")
	claims["project_id"] = 4711 // some issuers write numbers
	w, err := s.Verify(t.Context(), i.Token(claims))
	require.NoError(t, err)
	w.TokenID, w.TokenUntil = "", time.Time{}
	assert.Equal(t, signin.Workload{
		Issuer: i.URL, Kind: signin.GitLab, Subject: "project_path:acme/tools/backup:ref_type:branch:ref:main",
		Repository: "acme/tools/backup", RepositoryID: "4711", Owner: "acme/tools", OwnerID: claims["namespace_id"].(string),
		Workflow: "ci/release.yml", Event: "push", Ref: "refs/heads/main", Commit: claims["sha"].(string), RunID: "1212",
	}, w)
	for _, uri := range []any{nil, "", "gitlab.example.org/evil/backup//ci.yml@refs/heads/main", "gitlab.example.org/acme/tools/backup//ci.yml", "gitlab.example.org/acme/tools/backup//@refs/heads/main"} {
		claims["ci_config_ref_uri"] = uri
		_, err = s.Verify(t.Context(), i.Token(claims))
		require.ErrorIs(t, err, signin.ErrRefused, "%v", uri)
	}
}

func TestGenericRun(t *testing.T) {
	c := newClock()
	i := ci(t, c)
	s := trust(t, c, signin.Issuer{URL: i.URL, Audience: audience, Kind: signin.Generic, Claims: signin.ClaimMap{
		Repository: "https://ci.example.org/repo", RunID: "build", Environment: "stage",
	}})
	w, err := s.Verify(t.Context(), i.Token(map[string]any{"aud": []string{audience}, "https://ci.example.org/repo": "Backup", "build": 12, "ref": "x"}))
	require.NoError(t, err)
	w.TokenID, w.TokenUntil = "", time.Time{}
	assert.Equal(t, signin.Workload{Issuer: i.URL, Kind: signin.Generic, Subject: "somebody", Repository: "Backup", RunID: "12"}, w)
	_, err = s.Verify(t.Context(), i.Token(map[string]any{"aud": audience, "repo": "Backup"}))
	require.ErrorIs(t, err, signin.ErrRefused)
	_, err = s.Verify(t.Context(), i.Token(map[string]any{"aud": audience, "https://ci.example.org/repo": []string{"Backup"}}))
	require.ErrorIs(t, err, signin.ErrRefused)
}

func TestCITokenAttacks(t *testing.T) {
	c := newClock()
	i, evil := ci(t, c), ci(t, c)
	s := trust(t, c, signin.Issuer{URL: i.URL, Audience: audience, Kind: signin.GitHub})
	at := func(d time.Duration) int64 { return c.now().Add(d).Unix() }
	with := func(name string, value any) string {
		m := gitHubRun()
		m[name] = value
		return i.Token(m)
	}
	// run is of a repository and its owner, which agree with the workflow.
	run := func(repository, owner string) string {
		m := signintest.GitHubClaims(audience, repository, "release.yml", tag)
		m["repository_owner"] = owner
		return i.Token(m)
	}
	signed := func(key jose.JSONWebKey, algorithm jose.SignatureAlgorithm) string {
		m := gitHubRun()
		m["iss"], m["sub"], m["iat"], m["exp"] = i.URL, "s", at(0), at(time.Minute)
		body, err := json.Marshal(m)
		require.NoError(t, err)
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, nil)
		require.NoError(t, err)
		jws, err := signer.Sign(body)
		require.NoError(t, err)
		raw, err := jws.CompactSerialize()
		require.NoError(t, err)
		return raw
	}
	key := *i.Key()
	renamed, recast := key, key
	renamed.KeyID, recast.Algorithm = "key-7", "PS256"
	for name, token := range map[string]string{"claims": with("ref", tag), "run": run("acme/backup", "acme"), "key": signed(key, jose.RS256)} {
		_, err := s.Verify(t.Context(), token)
		require.NoError(t, err, "the control: %s", name)
	}
	claimsToBe := gitHubRun()
	claimsToBe["iss"] = i.URL
	noJTI := gitHubRun()
	noJTI["jti"] = nil
	for name, token := range map[string]string{
		"unsigned":              i.Unsigned(gitHubRun()),
		"another key":           i.Forge(gitHubRun()),
		"another issuer":        evil.Token(gitHubRun()),
		"says it is ours":       evil.Token(claimsToBe),
		"another audience":      with("aud", "https://pypi.org"),
		"two audiences":         with("aud", []string{audience, "https://pypi.org"}),
		"no audience":           with("aud", nil),
		"a long life":           with("exp", at(2*time.Hour)),
		"of the future":         with("iat", at(10*time.Minute)),
		"two issuers":           with("Iss", evil.URL),
		"two repositories":      with("Repository", "evil/backup"),
		"no repository":         with("repository", nil),
		"repository of nobody":  with("repository", "backup"),
		"repository of another": with("repository", "evil/backup"),
		"repository with ..%2f": with("repository", "acme/..%2fbackup"),
		"owner is another":      run("acme/backup", "evil"),
		"odd repository":        run("acme/..%2fbackup", "acme"),
		"key by another name":   signed(renamed, jose.RS256),
		"another algorithm":     signed(recast, jose.PS256),
		"no repository id":      with("repository_id", nil),
		"no owner id":           with("repository_owner_id", ""),
		"no ref":                with("ref", nil),
		"no run":                with("run_id", nil),
		"ref with a newline":    with("ref", "refs/heads/main\nrefs/tags/v1"),
		"long environment":      with("environment", strings.Repeat("x", 1025)),
		"no workflow":           with("workflow_ref", nil),
		"foreign workflow":      with("workflow_ref", "evil/backup/.github/workflows/release.yml@refs/heads/main"),
		"workflow without ref":  with("workflow_ref", "acme/backup/.github/workflows/release.yml"),
		"workflow no file":      with("workflow_ref", "acme/backup/@refs/heads/main"),
		"no job":                with("job_workflow_ref", nil),
		"odd job":               with("job_workflow_ref", "x"),
		"huge":                  with("filler", strings.Repeat("x", 20<<10)),
		"empty":                 "",
		"garbage":               "a.b.c",
		"list":                  "e30." + base64.RawURLEncoding.EncodeToString([]byte("[]")) + ".e30",
	} {
		w, err := s.Verify(t.Context(), token)
		require.ErrorIs(t, err, signin.ErrRefused, name)
		assert.Zero(t, w)
		if len(token) > 9 {
			assert.NotContains(t, err.Error(), token, "tokens stay out of errors")
		}
	}
	_, err := s.Verify(t.Context(), with("exp", at(-2*time.Minute)))
	require.ErrorIs(t, err, signin.ErrExpired)
	require.Zero(t, evil.Fetches("/.well-known/openid-configuration")+evil.Fetches("/keys"), "nothing is fetched because a token says so")
}

// TestNoRequestsByTokens shows that a token decides over no request: not by iss, jku,
// x5u or an unknown key.
func TestNoRequestsByTokens(t *testing.T) {
	hit := false
	trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hit = true }))
	defer trap.Close()
	c := newClock()
	i := ci(t, c)
	s := trust(t, c, signin.Issuer{URL: i.URL, Audience: audience, Kind: signin.GitHub})
	good := i.Token(gitHubRun())
	parts := strings.Split(good, ".")
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"nobody's","jku":"` + trap.URL + `","x5u":"` + trap.URL + `","typ":"JWT"}`))
	for range 50 {
		_, err := s.Verify(t.Context(), header+"."+parts[1]+"."+parts[2])
		require.ErrorIs(t, err, signin.ErrRefused)
	}
	iss := gitHubRun()
	iss["iss"] = trap.URL
	_, err := s.Verify(t.Context(), i.Token(iss))
	require.ErrorIs(t, err, signin.ErrRefused)
	assert.False(t, hit)
	assert.Equal(t, 1, i.Fetches("/keys"))
	assert.Equal(t, 1, i.Fetches("/.well-known/openid-configuration"))
}

// TestIssuerAway asks an issuer that is down, together, and again with growing pauses.
func TestIssuerAway(t *testing.T) {
	c := newClock()
	i := ci(t, c)
	i.SetDown(true)
	s := trust(t, c, signin.Issuer{URL: i.URL, Audience: audience, Kind: signin.GitHub})
	token := i.Token(gitHubRun())
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			_, err := s.Verify(t.Context(), token)
			assert.ErrorIs(t, err, signin.ErrUnavailable)
			assert.NotErrorIs(t, err, signin.ErrRefused)
		})
	}
	all.Wait()
	const asked = "/.well-known/openid-configuration"
	require.Equal(t, 1, i.Fetches(asked))
	for n := range 40 { // two minutes, three seconds apart
		c.add(3 * time.Second)
		_, err := s.Verify(t.Context(), token)
		require.ErrorIs(t, err, signin.ErrUnavailable, n)
	}
	require.LessOrEqual(t, i.Fetches(asked), 8)
	require.Greater(t, i.Fetches(asked), 3)
	i.SetDown(false)
	c.add(5 * time.Minute)
	w, err := s.Verify(t.Context(), i.Token(gitHubRun()))
	require.NoError(t, err)
	assert.Equal(t, "acme/backup", w.Repository)
}

// TestTokenID tells used tokens from new ones, whatever they are dressed up as.
func TestTokenID(t *testing.T) {
	c := newClock()
	i := ci(t, c)
	s := trust(t, c, signin.Issuer{URL: i.URL, Audience: audience, Kind: signin.GitHub})
	id := func(token string) string {
		w, err := s.Verify(t.Context(), token)
		require.NoError(t, err)
		return w.TokenID
	}
	claims := gitHubRun()
	a, b := i.Token(claims), i.Token(claims)
	assert.Equal(t, id(a), id(a))
	assert.NotEqual(t, id(a), id(b))
	claims["jti"] = "7"
	assert.Equal(t, id(i.Token(claims)), id(i.Token(claims)), "the issuer says that it is one")
	claims["jti"] = nil
	plain := i.Token(claims)
	assert.Equal(t, id(plain), id(plain))
	claims["run_id"] = "8"
	assert.NotEqual(t, id(plain), id(i.Token(claims)))
	for _, other := range []string{plain + "\n", " " + plain, strings.Replace(plain, ".", "\n.", 1), plain + "=", plain + "."} {
		_, err := s.Verify(t.Context(), other)
		require.ErrorIs(t, err, signin.ErrRefused)
	}
	// The last character of an RS256 signature has four bits that mean nothing.
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, plain[len(plain)-1])
	_, err := s.Verify(t.Context(), plain[:len(plain)-1]+string(alphabet[last^1]))
	require.ErrorIs(t, err, signin.ErrRefused)
}

func TestNewIssuersRefuses(t *testing.T) {
	good := signin.Issuer{URL: signin.GitHubIssuer, Audience: audience, Kind: signin.GitHub}
	s, err := signin.NewIssuers([]signin.Issuer{good, {URL: signin.GitLabIssuer, Audience: audience, Kind: signin.GitLab}}, signin.IssuersOptions{})
	require.NoError(t, err)
	assert.Len(t, s.All(), 2)
	for name, list := range map[string][]signin.Issuer{
		"twice":             {good, good},
		"no audience":       {{URL: signin.GitHubIssuer, Kind: signin.GitHub}},
		"no kind":           {{URL: signin.GitHubIssuer, Audience: audience}},
		"plain http":        {{URL: "http://ci.example.org", Audience: audience, Kind: signin.GitHub}},
		"no repository":     {{URL: "https://ci.example.org", Audience: audience, Kind: signin.Generic}},
		"claims for GitHub": {{URL: signin.GitHubIssuer, Audience: audience, Kind: signin.GitHub, Claims: signin.ClaimMap{Repository: "sub"}}},
	} {
		_, err := signin.NewIssuers(list, signin.IssuersOptions{})
		require.Error(t, err, name)
	}
	none, err := signin.NewIssuers(nil, signin.IssuersOptions{})
	require.NoError(t, err)
	_, err = none.Verify(t.Context(), "e30.e30.e30")
	require.ErrorIs(t, err, signin.ErrRefused)
}

func TestRule(t *testing.T) {
	run := signin.Workload{
		Issuer: signin.GitHubIssuer, Kind: signin.GitHub, Repository: "acme/backup", RepositoryID: "11", Owner: "acme", OwnerID: "22",
		Workflow: ".github/workflows/release.yml", Event: "push", Ref: tag, Environment: "production",
	}
	rule := signin.Rule{Issuer: signin.GitHubIssuer, Repository: "Acme/Backup", Workflow: "release.yml"}
	require.NoError(t, rule.Matches(run))
	pinned := rule.Pinned(run)
	require.Equal(t, "11", pinned.RepositoryID)
	require.Equal(t, "22", pinned.OwnerID)
	require.NoError(t, pinned.Matches(run))
	reborn := run
	reborn.RepositoryID, reborn.OwnerID = "99", "98"
	require.Equal(t, pinned, pinned.Pinned(reborn), "recorded once")

	for field, change := range map[string]func(*signin.Rule, *signin.Workload){
		"issuer":        func(_ *signin.Rule, w *signin.Workload) { w.Issuer = signin.GitLabIssuer },
		"repository":    func(_ *signin.Rule, w *signin.Workload) { w.Repository = "acme/backup2" },
		"repository id": func(_ *signin.Rule, w *signin.Workload) { w.RepositoryID = "99" },
		"owner id":      func(_ *signin.Rule, w *signin.Workload) { w.OwnerID = "98" },
		"workflow":      func(_ *signin.Rule, w *signin.Workload) { w.Workflow = ".github/workflows/test.yml" },
		"job":           func(_ *signin.Rule, w *signin.Workload) { w.Job = "evil/x/.github/workflows/y.yml" },
		"event":         func(_ *signin.Rule, w *signin.Workload) { w.Event = "pull_request_target" },
		"environment":   func(r *signin.Rule, w *signin.Workload) { r.Environment, w.Environment = "production", "" },
		"ref":           func(r *signin.Rule, _ *signin.Workload) { r.Ref = "refs/heads/main" },
	} {
		r, w := pinned, run
		change(&r, &w)
		err := r.Matches(w)
		require.ErrorIs(t, err, signin.ErrRefused, field)
		var differs *signin.MismatchError
		require.True(t, errors.As(err, &differs), field)
		assert.Equal(t, field, differs.Field)
		t.Log(err)
	}
	gone := run
	gone.RepositoryID = ""
	require.Error(t, pinned.Matches(gone), "an id that is not said any more")

	job := run
	job.Job = "acme/shared/.github/workflows/publish.yml"
	allowed := rule
	allowed.Job = job.Job
	require.NoError(t, allowed.Matches(job))
	require.NoError(t, allowed.Matches(run))

	anyFile := rule
	anyFile.Workflow = signin.AnyWorkflow
	other := run
	other.Workflow = ".github/workflows/test.yml"
	require.NoError(t, anyFile.Matches(other))
	fullPath := rule
	fullPath.Workflow = ".github/workflows/release.yml"
	require.NoError(t, fullPath.Matches(run))

	for pattern, refs := range map[string]map[string]bool{
		"":                  {"refs/heads/main": true, tag: true, "refs/heads/a/b": true, "refs/pull/7/merge": false, "": false},
		"refs/tags/v*":      {tag: true, "refs/tags/x1": false, "refs/tags/v1/2": false, "refs/heads/v1": false},
		"refs/heads/main":   {"refs/heads/main": true, "refs/heads/main2": false, "refs/tags/main": false},
		"refs/heads/[ab]/?": {"refs/heads/a/1": true, "refs/heads/c/1": false},
	} {
		for ref, want := range refs {
			r, w := rule, run
			r.Ref, w.Ref = pattern, ref
			assert.Equal(t, want, r.Matches(w) == nil, "%q on %q", pattern, ref)
		}
	}

	generic := signin.Workload{Issuer: "https://ci.example.org", Kind: signin.Generic, Repository: "Backup"}
	r := signin.Rule{Issuer: "https://ci.example.org", Repository: "Backup", Workflow: signin.AnyWorkflow}
	require.NoError(t, r.Matches(generic))
	r.Repository = "backup"
	require.Error(t, r.Matches(generic), "case may matter there")
}

func TestRuleCheck(t *testing.T) {
	good := signin.Rule{Issuer: signin.GitHubIssuer, Repository: "acme/backup", Workflow: "release.yml", Ref: "refs/tags/v*"}
	require.NoError(t, good.Check())
	for name, change := range map[string]func(*signin.Rule){
		"no issuer":     func(r *signin.Rule) { r.Issuer = "" },
		"no repository": func(r *signin.Rule) { r.Repository = "" },
		"no workflow":   func(r *signin.Rule) { r.Workflow = "" },
		"bad pattern":   func(r *signin.Rule) { r.Ref = "refs/tags/[" },
		"short ref":     func(r *signin.Rule) { r.Ref = "main" },
		"any ref":       func(r *signin.Rule) { r.Ref = "*" },
		"too long":      func(r *signin.Rule) { r.Environment = strings.Repeat("x", 256) },
	} {
		r := good
		change(&r)
		require.Error(t, r.Check(), name)
		require.ErrorIs(t, r.Matches(signin.Workload{}), signin.ErrRefused, name)
	}
}
