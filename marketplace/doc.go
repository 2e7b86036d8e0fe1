// Package marketplace is the facade: it wires catalogs, solver, installer and
// updater into one [Market] that a panel opens, runs and closes.
//
//	m, err := marketplace.Open(dir, marketplace.Options{
//		Sources:  []marketplace.Source{{Name: "main", Source: src, Trust: trust}},
//		Verifier: signed,
//		Host:     panelHost,
//		Panel:    "3.0.0",
//	})
//	defer m.Close()
//	go m.Run(ctx)
//
// What it does: [Market.Search] and [Market.Plugin] answer from memory, from the
// last catalog that was verified. [Market.Plan] says what a change would do and
// what a person has to agree to; nothing is changed by it. [Market.Apply] does
// exactly that plan, as one transaction, and answers with an operation to watch.
// [Market.Run] keeps the catalogs fresh and applies the update policy.
//
// What it does not do: it has no pages (marketplace/store has, and wants a Market),
// no login and no plugin runtime: those are the panel's, which hands in its
// install.Host.
//
// # Guarantees
//
// Open returns with a crash of the last run finished or undone: the installed set
// is an old one or a new one, never a mix. Every release is verified against its
// publisher before it is unpacked, a file that was changed on disk is not started,
// and an advisory that disables is obeyed at the next sync and at every start,
// also without a network. A name in another source is another plugin: a higher
// version there never wins.
//
// A Market is safe for concurrent use.
package marketplace
