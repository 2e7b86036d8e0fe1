// Package client speaks to a hub: a panel uses it for ratings, reports, recommendations
// and the account link, the souk command for publishing.
//
//	c, err := client.New("https://hub.example.org", client.Options{Token: token})
//	sum, err := c.RatingSummary(ctx, "acme/backup")
//
// # Linking a panel
//
//	link, err := c.StartLink(ctx, "web1", key.Public().(ed25519.PublicKey))
//	show(link.UserCode, link.URI)            // the person types the code there
//	token, err := c.FinishLink(ctx, link)    // blocks until they did, or it expired
//
// # What it promises
//
//   - A request that failed because the hub was away or busy is sent again a few times when
//     that is safe: reading always, writing with an idempotency key of its own. It never
//     waits longer than [MaxWait].
//   - Errors are [*Problem], which wrap the sentinels of package hub: errors.Is works as in
//     the hub itself.
//   - Answers are bounded by [MaxAnswer]; the token goes to the hub's own host, and no
//     redirect is followed.
//
// A Client is safe for concurrent use. Its requests are those of the hub's OpenAPI
// document, which a test holds it to.
package client
