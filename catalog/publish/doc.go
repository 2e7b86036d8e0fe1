// Package publish is what a publisher and a hub call: it checks a release
// ([Validate]), packs it ([Pack]), carries it ([Layout]), pushes it with its
// signature ([Push]), looks into what was pushed ([Unpack], [DiffFiles]), and builds
// and signs a catalog ([Catalog]).
//
// Packing is pure: same files, same bytes. Publishing writes to a registry through
// the small interfaces [Pusher] and [Attacher], in an order in which a reader never
// sees half of anything, and can be repeated after every error.
//
// # Checking
//
// A publisher who runs `souk check` and a hub that is sent a release call the same
// [Validate], so that nobody is surprised after a push. It says everything at once,
// with file and line, an id of the rule that does not change, and what to do. What
// is an error cannot be published; a warning is for the reviewer. Release notes are
// typed ([Notes]), written into the changelog that everybody keeps anyway, and held
// against the version. Imports of a module against its permissions, secrets and
// look-alike names are the business of scanners, not of this package.
//
// # Catalogs
//
// A catalog is log-structured. Each publish adds one small segment to every family
// that changed, and sixteen of a level become one of the next, so that both what a
// publish uploads and what a client downloads depend on the changes, not on the
// size of the catalog.
//
// Not built: releases with a manifest for each platform (an image index).
package publish
