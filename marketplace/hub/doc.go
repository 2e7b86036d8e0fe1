// Package hub has the words and the rules of a marketplace's server side: who may
// publish under which name, what becomes of a submission, what people say about a
// plugin, and who decides what about it.
//
// It is pure: no SQL, no HTTP, no registry. The services that act by these rules are
// the packages below it,
//
//   - identity: accounts, sessions, tokens, passkeys, linked panels
//   - publishing: publishers, submissions, scans, reviews, releases, the catalog
//   - community: ratings, reports, moderation, advisories, appeals
//   - insight: downloads, installs, recommendations, webhooks, notices
//
// and what they work with: sqlstore keeps everything in SQLite or PostgreSQL, registry
// is an OCI registry in the same process, signin knows OpenID Connect and passkeys, api
// and portal are the two faces, and server puts all of it together. A panel needs none of
// this to browse, install and update: it reads the registry, so a hub that is down hurts
// no panel.
//
// # How a service acts
//
// Every change is one [Store.Update]: read, check with [Actor.May], write, [Record] it in
// the audit log, [Emit] an event and enqueue jobs, all or nothing. The function may run
// more than once, so it touches nothing but its transaction. What reaches outside (a
// registry, a webhook, a mail) is a [Job]: it runs after the transaction that asked for
// it, at least once, and is therefore idempotent.
//
// # Rules that are tables
//
//   - who may do what: [Rules], an action by who asks
//   - what may become of a submission: [Transitions]
//   - what a token may do: [Verb] of an action
package hub
