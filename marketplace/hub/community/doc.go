// Package community is what people say about plugins and what becomes of it: ratings,
// helpful votes and answers, reports, moderation, advisories and appeals.
//
//	c, err := community.New(hub.Env{Store: store}, community.Options{})
//	mine, err := c.Rate(ctx, actor, community.NewRating{Plugin: "acme/backup", Stars: 5, Text: "Saved my day."})
//	sum, err := c.Summary(ctx, "acme/backup")
//
// # What it promises
//
//   - One rating per account and plugin. A plugin's [hub.Score] changes in the transaction
//     that changes a rating, so it is always the sum of the ratings that are shown.
//   - Members of a publisher do not rate its plugins; they answer each rating once.
//   - A receipt counts one time, and only when the linked panel of who rates signed it for
//     a release that exists: see [hub.Receipt].
//   - More new ratings in a day than a plugin's last 28 days explain, see [Burst], are
//     held until a moderator looked, and the hub itself reports them.
//   - Every decision of a moderator names its reason, is told to those concerned, stands in
//     the audit log, and can be taken back; an appeal is decided by another person.
//   - Whoever asks for an object that they may not know of gets [hub.ErrNotFound].
//
// # Who may
//
// Every method takes the [hub.Actor] who asks and holds it to [hub.Rules] with the
// publisher, plugin and account of the object as the store has them, never as the
// request says.
//
// A Service is safe for concurrent use, and holds nothing but a cached mean: any number
// of processes may work on one store.
//
// # Not built
//
// Ratings have no discussion below them. Reports are not deduplicated across accounts;
// a decision can close many. Held ratings are decided one by one.
package community
