// Package edge is what stands between the network and the hub's two faces, the JSON
// interface and the portal. [Edge.Wrap] gives every request an id, finds out who asks
// and from where, bounds how often, refuses what a foreign page sends in somebody's
// name, turns a panic into an answer, and sets the headers that every answer has.
//
// # Who asks
//
// A bearer token in Authorization decides when there is one; a token that is not valid is
// an error and never falls back to anything. Otherwise the session cookie, and one that
// has ended is nobody. [ActorOf] has the result; what an actor may do is decided by the
// services, not here.
//
// # What holds
//
//   - A request that changes something and comes from a browser comes from the hub's own
//     origin (Sec-Fetch-Site, Origin). Tokens are not sent by browsers on their own, and
//     the rule holds for them all the same.
//   - The name in the Host header is the hub's own, an address, or localhost.
//   - An address behind a proxy is believed from the proxies named in [Options.Proxies]
//     only.
//   - A body comes within a minute, so that nobody holds connections by sending slowly.
//   - Limits are kept per process, see [Limits]; answers have RateLimit and RateLimit-Policy
//     headers (draft-ietf-httpapi-ratelimit-headers-10).
//   - Logs have the path, never the query, a header or a body.
package edge
