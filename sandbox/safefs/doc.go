// Package safefs is the only code of this module that changes a disk: confined to
// one directory, atomic, durable, lockable, and open to faults, so that every
// disk effect can be failed, counted and cut in a test.
//
// A [Root] is one directory. All names are slash-separated paths below it, as
// [fs.ValidPath] has them; nothing outside can be reached, not through ".." and
// not through a symbolic link, because everything goes through one [os.Root].
//
// Two levels are offered. [Root.WriteFile] replaces a small file so that after a
// crash or a power cut there is the old content or the new one, nothing else. The
// rest are primitives for those who arrange their own order of effects, as the
// installer does: [Root.Create], [File.Sync], [Root.Rename], [Root.SyncDir],
// [Root.SyncTree]. These make nothing durable by themselves.
//
// Guarantees: an error names the operation and the path, and wraps the cause. What
// was renamed but not confirmed by the disk is [ErrNotDurable], a different thing
// from what was not done. Files with temporary names begin with ".tmp-" or
// ".del-"; [Root.Sweep] removes what a crash left of them.
//
// What it does not do: it does not guard against somebody with the same rights who
// changes the directory at the same time, and it cannot make a disk honest that
// confirms what it did not write.
package safefs
