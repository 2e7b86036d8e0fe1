// Package store is the storefront: an [http.Handler] that a panel mounts at a
// prefix and that looks like a part of the panel. People find plugins there, read
// what they are and what they ask for, install, update, roll back and remove them.
//
// Pages are rendered on the server and work as plain forms without JavaScript; one
// small script adds live progress, dialogs and updates in place. Beside the pages
// there is a JSON interface under <BasePath>api/v1/, described by the OpenAPI
// document at <BasePath>api/v1/openapi.json.
//
//	shop, err := store.New(market, store.Options{Actor: actorFromSession, Layout: panelLayout})
//	mux.Handle("/plugins/", shop)
//
// # Who decides what
//
// The panel says who asks, through [Options.Actor]; the store has no login. The
// store decides nothing itself: what may be installed, what needs consent and
// whether a plan is still good is the word of the [Market]. A change always goes
// the same way: it is planned, a person reads the plan, and the id of exactly that
// plan, a hash of all of it, is what is applied.
//
// # How a plugin stands
//
// A plugin is, on every page and in the JSON, in exactly one state: unavailable, available,
// one of an operation's on its way (install.State), failed, installed, update, disabled,
// needs restart, crashed or revoked; each with words and the one thing to do. It is worked
// out from the market at each request, so that two tabs and a restart agree. Cards ask a
// plugin how it is at most every five seconds. There is no switch to turn a plugin off or on:
// the install engine has none, and the pages say so.
//
// A failed change is planned again, as things are then. After a restart what was asked for is
// told from the history; a way back of several plugins cannot be, and is begun again from the
// restore points. The log of an operation is kept until the panel restarts.
//
// # Events
//
// <BasePath>api/v1/events tells how operations move. The id of an event names this run of
// the storefront: a client that was cut off goes on behind the event that it names, and one
// that comes from an earlier run gets a "reset" first and asks again for what it shows.
// Of an operation whose events are no longer held, the newest is told.
//
// # Settings
//
// Who may administer changes how plugins are updated: a policy in a sentence, or rules of
// their own with maintenance windows. Forms and JSON name the settings that they were made
// from, so that nobody overwrites what they have not seen. The market keeps no record of who
// changed settings: they go to [Options.Log] with the name of the actor.
//
// # Languages
//
// Pages and JSON speak English or German, as [Options.Language] says of each request, with
// numbers, dates and lists as they are written there. So do the sentences of the engines:
// permissions, plans, conflicts, reasons. As they were said stay the words of publishers, a
// panel's own scopes, the lines of an operation's log and the causes of errors, which are
// English; titles in a history that was written before their facts were kept, too.
//
// # Native and isolated
//
// Pages take the look of the panel from tokens, custom properties that its style sheet sets
// on .souk: --souk-color-bg, -surface, -fg, -muted, -border, -accent, -on-accent, -ok, -warn
// and -danger, --souk-font, --souk-radius and --souk-space. Native pages also follow its
// rules, which are all stronger than the store's. With [Options.Isolated] pages are within a
// shadow root that the parser makes, without script: rules for elements and classes stay out,
// nothing is inherited, sizes of text are the reader's and not the panel's. Fragments of
// addresses and what the panel does to the elements around are as Options says.
//
// # What a hub adds
//
// With [Options.Community] there are reviews, reports, suggestions and, in the settings,
// the account of a hub that the panel is linked to. Without one nothing of it is there.
// A hub that is away takes nothing else with it, and holds no page longer than two
// seconds. Package marketplace/link has a Community; the store links nothing of the hub.
//
// # What the handler guarantees
//
//   - Requests for a host that was not listed are refused (DNS rebinding), see [Options.Hosts].
//   - Requests that change something are POST, PUT or DELETE and of the same origin.
//   - Nothing in a page is inline, and its own shell sends a strict policy with
//     Trusted Types. A panel with its own layout sends [ContentSecurityPolicy], or more.
//   - Texts by publishers are plain text or sanitised Markdown, those of a hub are plain
//     text; pictures come only from the market, by digest, and only when they decode as
//     PNG, JPEG or GIF within bounds. SVG is never served.
//   - No text turns what follows around: U+202A to U+202E are left out of pages. The JSON
//     has texts as they were written.
//   - A request's body has at most 256 KiB and half a minute to come, streams of events are
//     bounded for all and for each actor, and a reader who takes nothing is cut off.
//   - Every error that is shown was mapped to words on purpose; anything else is
//     "internal error" and an id that is logged with the cause.
//
// # Limits
//
// The pages keep no state of their own beyond what is soon out of date anyway (what plugins
// said of their health, what a plan left out), so there is nothing to store and nothing to
// lose. A plugin cannot be switched off without removing it: the engine has no such change.
package store
