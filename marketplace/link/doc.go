// Package link is a panel's link to a hub: what people say about plugins, reports,
// suggestions, and the account that the panel acts for. It is the [store.Community] of the
// storefront.
//
//	l, err := link.Open(dir, link.Options{Hub: "https://hub.example.org", Name: "web1", Market: market})
//	defer l.Close()
//	go l.Run(ctx)
//	shop, err := store.New(market, store.Options{Actor: actor, Community: l})
//
// # The link
//
// A person links the panel to their account on the hub by the device flow (RFC 8628): the
// panel shows a code, they type it at the hub. [Link.Run] polls meanwhile. The panel's key
// (Ed25519), its token and a code that waits are kept in one file, mode 0600, replaced
// atomically: a panel that is restarted goes on where it was. Each linking makes a new key.
// When the hub does not accept the token any more, the link is lost, and says so.
//
// A rating of a release that is installed carries a receipt: a statement signed by the
// panel's key, which the hub accepts once (see hub.Receipt).
//
// # What it promises
//
//   - Nothing waits longer for the hub than [ReadWait], what changes something [WriteWait].
//     After an error of the network it is not asked for [RestAfter] by what only reads.
//   - What was read is remembered for a short while, and shown longer, with its age, while
//     the hub is away: at most [MaxKept] answers.
//   - Secrets are sent to the hub and written to the file; they are never logged.
//   - The token goes to the hub it came from: a file of another hub's link is not used.
//
// # Numbers
//
// With [Options.Telemetry], and only then, the hub is told once a day which releases run
// here, which were rolled back and which failed their health check, counted from the
// market's history. Failed checks of a release that went on running are not in that
// history and not counted.
package link
