// Package identity knows who somebody is and lets programs act for them: accounts,
// sessions, passkeys, API tokens, linked panels, workloads of CI systems, credentials of
// the registry. It turns what a request shows into a [hub.Actor], and everything else in
// the hub asks only that.
//
//	ids, err := identity.New(hub.Env{Store: store}, identity.Options{AllowSignUp: true})
//	...
//	cookie, session, err := ids.SignIn(ctx, who, identity.Browser{UserAgent: r.UserAgent(), Session: old})
//	http.SetCookie(w, identity.Cookie(cookie, session, true))
//	...
//	actor, err := ids.Authenticate(ctx, cookie)          // of a browser
//	actor, err := ids.AuthenticateToken(ctx, bearer)     // of a program
//	err = actor.May(hub.ActSubmissionSubmit, hub.Object{Publisher: "acme", Plugin: "acme/backup"})
//
// It speaks neither OpenID Connect nor WebAuthn: package signin verifies, and this
// package keeps and decides.
//
// # What holds
//
//   - Secrets (session ids, tokens, device codes, setup codes) have 178 bits or more and
//     are kept as SHA-256. Looking a hash up takes as long for a near miss as for any other.
//   - An actor is read from the database for each request. What was taken away, a role, a
//     membership, a token, is gone with the next one.
//   - A token is never more than its account: both have to be allowed something.
//   - Signing in gives a new session id and ends the session that the browser had.
//   - What somebody else owns is not there: [hub.ErrNotFound], the same as for an id that
//     does not exist.
//   - Every change is checked and stands in the audit log, in one transaction, except that
//     something was used or a notice was read. The log has ids and no names, addresses or
//     secrets, so that it can stay when an account goes.
//   - Reading does not write, but for the time of last use, once a minute and session or token.
//   - There is always an administrator once there was one. The first one shows a code that
//     the operator's program printed: see [Service.SetupCode].
//
// # Deleting an account
//
// [Service.Delete] says what goes and what stays, [Service.Export] gives everything out
// before.
//
// # Not built
//
// Merging two accounts. [hub.Account.Seen] moves when somebody signs in, not with each use:
// their sessions and tokens say when those were used. Limits by address: package edge has those, so that an account a
// minute cannot be made. Mail.
package identity
