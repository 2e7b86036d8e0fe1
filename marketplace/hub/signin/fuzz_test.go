package signin_test

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub/signin"
	"github.com/souk-dev/souk/marketplace/hub/signin/signintest"
)

// FuzzClaims has a trusted issuer sign anything.
func FuzzClaims(f *testing.F) {
	c := newClock()
	i := signintest.NewIssuer(signintest.IssuerOptions{Now: c.now})
	f.Cleanup(i.Close)
	readers := map[signin.Kind]*signin.Issuers{}
	for _, kind := range []signin.Kind{signin.GitHub, signin.GitLab, signin.Generic} {
		issuer := signin.Issuer{URL: i.URL, Audience: audience, Kind: kind}
		if kind == signin.Generic {
			issuer.Claims = signin.ClaimMap{Repository: "repository", Ref: "ref", RunID: "run_id"}
		}
		readers[kind] = trust(f, c, issuer)
	}
	for _, claims := range []map[string]any{
		gitHubRun(), signintest.GitLabClaims(audience, "a/b", "ci.yml", "refs/heads/main"), {"aud": audience, "repository": "x"}, {"ISS": "x"}, {},
	} {
		claims["iat"], claims["exp"], claims["sub"] = c.now().Unix(), c.now().Unix()+60, "s"
		b, err := json.Marshal(claims)
		require.NoError(f, err)
		f.Add(b[1:])
	}
	f.Fuzz(func(t *testing.T, tail []byte) {
		payload := append([]byte(`{"iss":"`+i.URL+`",`), tail...)
		token := i.Sign(payload)
		for kind, s := range readers {
			w, err := s.Verify(t.Context(), token)
			if err != nil {
				require.Zero(t, w)
				require.NotErrorIs(t, err, signin.ErrUnavailable)
				continue
			}
			// What was understood is what any strict reader of the same JSON finds.
			exact := map[string]any{}
			d := json.NewDecoder(strings.NewReader(string(payload)))
			d.UseNumber()
			require.NoError(t, d.Decode(&exact))
			name := "repository"
			if kind == signin.GitLab {
				name = "project_path"
			}
			if n, is := exact[name].(json.Number); is {
				exact[name] = n.String()
			}
			require.Equal(t, exact[name], w.Repository)
			require.Equal(t, i.URL, w.Issuer)
			require.Len(t, w.TokenID, 64)
			for _, text := range []string{w.Subject, w.Repository, w.RepositoryID, w.OwnerID, w.Workflow, w.Job, w.Ref, w.Environment, w.RunID} {
				require.LessOrEqual(t, len(text), 1024)
				require.False(t, strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }), "%q", text)
			}
		}
	})
}

// FuzzPending changes the cookie of a sign-in: nothing but the value itself opens.
func FuzzPending(f *testing.F) {
	i := signintest.NewIssuer(signintest.IssuerOptions{})
	f.Cleanup(i.Close)
	p, err := signin.NewProvider(signin.ProviderOptions{Issuer: i.URL, ClientID: "hub", RedirectURL: "https://hub.example.org/callback", Key: testKey()})
	require.NoError(f, err)
	_, begun, err := p.Begin(f.Context(), "/plugins/")
	require.NoError(f, err)
	f.Add(0, byte(1), "")
	f.Add(len(begun)/2, byte(0x20), "state=&code=x")
	f.Add(len(begun)-1, byte(0), "state=x&state=x")
	f.Add(-1, byte(7), "%zz")
	f.Fuzz(func(t *testing.T, at int, bit byte, raw string) {
		query, err := url.ParseQuery(raw)
		if err != nil {
			query = url.Values{"state": {raw}}
		}
		b := []byte(begun)
		if at >= 0 && at < len(b) {
			b[at] ^= bit
		} else {
			b = append(b, bit)
		}
		who, to, err := p.Finish(t.Context(), signin.Pending(b), query)
		require.ErrorIs(t, err, signin.ErrRefused)
		require.Zero(t, who)
		require.Empty(t, to)
		if string(b) != string(begun) {
			require.NotContains(t, err.Error(), "(state)", "it opened")
		}
	})
}

// FuzzSafeReturn reads the result as a browser does.
func FuzzSafeReturn(f *testing.F) {
	for _, s := range []string{"/", "/plugins/?q=a+b#top", "//evil.example", `/\evil.example`, "/\t/evil.example", "https://evil.example", "/a/../..//b", "/%2f/evil", "/%5cevil", "javascript:alert(1)", "/a?x=//b", "", "/%", "/é"} {
		f.Add(s)
	}
	home, err := url.Parse("https://hub.example.org/signin/callback")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, s string) {
		to := signin.SafeReturn(s)
		require.Equal(t, to, signin.SafeReturn(to))
		require.True(t, strings.HasPrefix(to, "/"))
		// WHATWG: tabs and newlines go, and a backslash is a slash.
		seen := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(to)
		require.Equal(t, to, seen)
		require.False(t, strings.HasPrefix(seen, "//"))
		u, err := home.Parse(seen)
		require.NoError(t, err)
		require.Equal(t, "https", u.Scheme)
		require.Equal(t, "hub.example.org", u.Host)
	})
}

// FuzzPasskeyAnswer shows that no answer is good but the authenticator's.
func FuzzPasskeyAnswer(f *testing.F) {
	p, err := signin.NewPasskeys(signin.PasskeyOptions{RPID: "example.org", RPName: "hub", Origins: []string{origin}})
	require.NoError(f, err)
	a := &signintest.Authenticator{Origin: origin}
	options, registration, err := p.BeginRegistration(user("mira"), nil)
	require.NoError(f, err)
	made, err := a.Create(options)
	require.NoError(f, err)
	stored, err := p.FinishRegistration(registration, made, "")
	require.NoError(f, err)
	_, login, err := p.BeginLogin()
	require.NoError(f, err)
	other, _, err := p.BeginLogin()
	require.NoError(f, err)
	signed, err := a.Get(other) // for another challenge
	require.NoError(f, err)
	f.Add([]byte(strings.Replace(string(made), "public-key", "other", 1)))
	f.Add(signed)
	f.Add([]byte("{}"))
	_, again, err := p.BeginRegistration(user("mira"), nil)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := p.FinishRegistration(again, b, "")
		require.ErrorIs(t, err, signin.ErrRefused)
		_, err = p.FinishLogin(t.Context(), login, b, func(_ context.Context, id []byte) (signin.Credential, error) {
			s := stored
			s.ID = id
			return s, nil
		})
		require.ErrorIs(t, err, signin.ErrRefused)
		if a, err := signin.ParseAnswer(b); err == nil {
			require.NotEmpty(t, a.Credential)
		}
	})
}
