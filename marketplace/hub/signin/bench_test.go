package signin_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub/signin"
	"github.com/souk-dev/souk/marketplace/hub/signin/signintest"
)

// BenchmarkVerifyCIToken is what each publication from CI costs once the keys are there.
func BenchmarkVerifyCIToken(b *testing.B) {
	for name, rsa := range map[string]bool{"RS256": true, "ES256": false} {
		b.Run(name, func(b *testing.B) {
			i := signintest.NewIssuer(signintest.IssuerOptions{RSA: rsa})
			defer i.Close()
			s, err := signin.NewIssuers([]signin.Issuer{{URL: i.URL, Audience: audience, Kind: signin.GitHub}}, signin.IssuersOptions{})
			require.NoError(b, err)
			token := i.Token(gitHubRun())
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Verify(b.Context(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRefuseCIToken is what anybody can make us do.
func BenchmarkRefuseCIToken(b *testing.B) {
	i := signintest.NewIssuer(signintest.IssuerOptions{RSA: true})
	defer i.Close()
	s, err := signin.NewIssuers([]signin.Issuer{{URL: i.URL, Audience: audience, Kind: signin.GitHub}}, signin.IssuersOptions{})
	require.NoError(b, err)
	token := i.Forge(gitHubRun())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Verify(b.Context(), token); err == nil {
			b.Fatal("a forged token")
		}
	}
}

// BenchmarkPasskeyLogin is one sign-in, of which the authenticator's signature is a part.
func BenchmarkPasskeyLogin(b *testing.B) {
	p, err := signin.NewPasskeys(signin.PasskeyOptions{RPID: "example.org", RPName: "hub", Origins: []string{origin}})
	require.NoError(b, err)
	a := &signintest.Authenticator{Origin: origin, Synced: true}
	options, ceremony, err := p.BeginRegistration(user("mira"), nil)
	require.NoError(b, err)
	answer, err := a.Create(options)
	require.NoError(b, err)
	c, err := p.FinishRegistration(ceremony, answer, "")
	require.NoError(b, err)
	v := &vault{keys: map[string]signin.Credential{string(c.ID): c}}
	b.ReportAllocs()
	for b.Loop() {
		options, ceremony, err := p.BeginLogin()
		if err != nil {
			b.Fatal(err)
		}
		answer, err := a.Get(options)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := p.FinishLogin(b.Context(), ceremony, answer, v.find); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBegin is a click on the sign-in button.
func BenchmarkBegin(b *testing.B) {
	i := signintest.NewIssuer(signintest.IssuerOptions{})
	defer i.Close()
	p, err := signin.NewProvider(signin.ProviderOptions{Issuer: i.URL, ClientID: "hub", RedirectURL: "https://hub.example.org/callback", Key: testKey()})
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := p.Begin(b.Context(), "/"); err != nil {
			b.Fatal(err)
		}
	}
}
