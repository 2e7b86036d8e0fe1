// Package insight is what the hub counts, tells and suggests: downloads and installs,
// numbers for publishers, recommendations, webhooks, feeds and mail.
//
//	in, err := insight.New(hub.Env{Store: store}, insight.Options{BaseURL: "https://hub.example.org/"})
//	go in.Run(ctx)
//	err = in.CountDownloads(ctx, downloads) // from the registry's notifications
//	list, err := in.Recommend(ctx, installed, 6)
//
// # What is counted, and what is kept of whom
//
// A download is the content of a release that a client fetched: counted once per release, day and
// client. A client is known only as an HMAC of its address and agent under a key that is
// made anew each day (UTC) and dropped within [KeyGrace] of the day's end; after that
// nobody, the hub included, can tell what a hash stood for. Panels that opted in report
// what they run once a day, known by such a hash too. Only totals stay.
//
// [Service.CountDownloads] says yes when the batch is in memory; it is in the store
// within [FlushEvery]. A crash loses what came in that time. While the store is away the
// memory fills up to [MaxPending], and then the caller gets an error and has to send
// again, which counts nothing twice.
//
// # Webhooks
//
// Standard Webhooks 1.0.0 (https://www.standardwebhooks.com): webhook-id,
// webhook-timestamp and webhook-signature with v1 symmetric signatures. Each event is
// sent to each hook that wants it, again and again over about a day until the receiver
// says 2xx, so a receiver sees an id more than once when its answer got lost. Addresses
// are https, and dialled through a [hub.Guard].
//
// # Recommendations
//
// Plugins that are installed together: the cosine of co-installs, shrunk where they are
// few, with a minimum of five panels. For plugins with no company yet, those whose name,
// summary, tags and categories are alike (tf-idf). Each process computes its own model
// from totals once an hour. Each recommendation names the plugin that it is because of.
//
// # Not built
//
// Rotation of a webhook's secret has no time in which both are valid. Numbers of a day
// are not corrected when reports of it come later than the day after. Mail is a digest a
// day and no more.
package insight
