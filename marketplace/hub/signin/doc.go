// Package signin answers "who is this?": a person at an OpenID provider ([Provider]), a
// person with a passkey ([Passkeys]), or a run of a CI system ([Issuers]). What account
// that is, and what it may do, the caller decides; this package knows no accounts, no
// sessions and no database. It is the only one that imports go-oidc, oauth2 and
// go-webauthn.
//
// # People at a provider
//
//	p, err := signin.NewProvider(signin.ProviderOptions{
//		Name: "Example GmbH", Issuer: "https://id.example.org", ClientID: "hub", ClientSecret: secret,
//		RedirectURL: "https://hub.example.org/signin/example/callback", Key: key,
//	})
//	to, begun, err := p.Begin(ctx, r.FormValue("return"))           // keep begun in a cookie, redirect to to
//	who, back, err := p.Finish(ctx, signin.Pending(cookie.Value), r.URL.Query()) // delete the cookie
//
// The flow is authorization code with PKCE (S256), state and nonce. An [Identity] is known
// by issuer and subject, never by its email. What waits in the browser is encrypted, and
// opens for the provider, client and callback it was made for, for ten minutes. Answers of
// another issuer are refused (RFC 9207), as are tokens for other clients (aud, azp), of
// other kinds (typ), without an asymmetric signature, or with claims that two readers could
// read differently. Providers are asked when they are needed: one that is down at start
// does no harm, see [ErrUnavailable].
//
// # People with passkeys
//
//	options, ceremony, err := k.BeginLogin()       // store ceremony, answer Question{PublicKey: options}
//	key, err := k.FinishLogin(ctx, ceremony, answer.Credential, find) // having deleted the ceremony
//
// A [Ceremony] is kept at the server, and good once: that is the caller's to keep. The
// browser's side is [Script], for forms; it and a caller speak [Question], [Answer] and
// [Done].
//
// # Runs of a CI system
//
//	issuers, err := signin.NewIssuers([]signin.Issuer{
//		{URL: signin.GitHubIssuer, Audience: "https://hub.example.org", Kind: signin.GitHub},
//	}, signin.IssuersOptions{})
//	run, err := issuers.Verify(ctx, token)  // remember run.TokenID until run.TokenUntil, refuse it again
//	err = rule.Matches(run)                 // which field differs
//	rule = rule.Pinned(run)                 // store: a name that changes hands is noticed from now on
//
// # What an issuer can cost
//
// An issuer's metadata and keys are kept for an hour, and used for up to six while it does
// not answer. A token with an unknown key makes us ask again at most once a minute, a
// failure after 1 s, 2 s, 4 s ... 5 minutes. An answer is at most 512 kB and 10 s, and no
// redirect is followed. Only issuers that the operator configured are asked, and only at
// addresses that they published over TLS (or loopback); these may be private addresses, as
// a company's provider has one.
//
// # Not built
//
// Sign-out at the provider, refresh tokens, step-up (max_age, acr), encrypted ID tokens,
// pushed or signed requests, form_post; second factors beside passkeys, attestation of
// authenticators, related origins, autofill (conditional mediation); GitHub OAuth apps,
// which are no OpenID providers.
package signin
