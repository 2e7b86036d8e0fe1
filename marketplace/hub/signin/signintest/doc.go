// Package signintest is the other side of sign-in, for tests and examples: a CI system
// that issues identity tokens ([Issuer]), an OpenID provider ([Provider], made of the
// server library zitadel/oidc), and an authenticator that holds passkeys
// ([Authenticator]). All run in process, in no time, and can be told to misbehave.
//
// The servers listen on a loopback address with plain HTTP, which package signin allows
// for loopback only. None of it protects anything: everybody who asks is signed in.
//
// It imports nothing of Souk.
package signintest
