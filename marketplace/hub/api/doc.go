// Package api is the hub's JSON interface, under /api/v1/, and its Atom feeds, under
// /feeds/. Package client speaks it; anything else that speaks HTTP can, by the OpenAPI
// 3.1 document at /api/v1/openapi.json, which is made from the handlers' own types.
//
// # Conventions
//
//   - Who asks: Authorization: Bearer with an API, CI or panel token, or the portal's
//     session cookie. What a token may do is its verbs ([hub.Verb]).
//   - Errors are problem details (RFC 9457). The type, urn:souk:problem:<name>, is for
//     programs, detail for people, instance names the request in the hub's log.
//   - Lists have items and next; the cursor in next is opaque.
//   - A POST with an Idempotency-Key is done once, however often it is sent: the answer is
//     kept for 24 hours. An answer that had a secret is not kept; its replay is 204 with
//     Idempotency-Replayed. A hub that dies after it did what was asked and before it kept
//     the answer does not know: the key is busy for two minutes then, and good again.
//   - A GET has an ETag, and is answered with 304 to whoever sends it back in If-None-Match.
//   - Records that several people change have a rev, which a change sends back; when it is
//     not the current one the answer is 412.
//   - RateLimit headers say how many requests are left; 429 and 503 have Retry-After.
//   - Times are RFC 3339 in UTC. Bodies have at most 256 kB and no unknown fields.
package api
