// Package publish is what a publisher and a hub call: it packs a plugin ([Pack]),
// pushes it with its signature ([Push]), and builds and signs a catalog ([Catalog]).
//
// Packing is pure: same files, same bytes. Publishing writes to a registry through
// the small interfaces [Pusher] and [Attacher], in an order in which a reader never
// sees half of anything, and can be repeated after every error.
//
// A catalog is log-structured. Each publish adds one small segment to every family
// that changed, and sixteen of a level become one of the next, so that both what a
// publish uploads and what a client downloads depend on the changes, not on the
// size of the catalog.
package publish
