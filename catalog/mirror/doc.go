// Package mirror keeps catalogs: it fetches them from their sources, verifies them,
// and keeps the last good one of each on disk ([Mirror]).
//
// Guarantees. A [catalog.Snapshot] from here was verified from the pinned root to
// the last byte, after a restart as after a sync. A source that serves something
// older, expired, or not as promised changes nothing but its [Status]: the last
// good snapshot stays, and no catalog is shown as empty because it could not be
// fetched. A plugin disappears only because a newer signed catalog says so.
// A crash at any moment leaves the old state or the new one.
//
// A poll that finds nothing new is one conditional request. A change costs the
// segments that are new, whatever the size of the catalog; what a publisher merged
// is merged here as well instead of being fetched.
//
// With several sources a plugin belongs to exactly one of them ([Universe]): the one
// it was installed from, otherwise the first in the operator's order. A higher
// version in another source never wins.
package mirror
