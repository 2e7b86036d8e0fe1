// Package install puts plugins on the disk and takes them off again: all of a plan
// or nothing, across crashes and power cuts, and never what was not verified.
//
// A [Store] is one directory. What is installed is a [Generation]: the complete set
// of plugins with their versions, grants and data directories. Every change makes a
// new one, and going back makes a new one equal to an old one. Generations and the
// unpacked trees ("objects", named by the hash of their content) never change; one
// small file, current, says which generation counts, and it alone is the truth.
//
//	<root>/  FORMAT  lock  current
//	  gen/0000000042              a generation
//	  store/sha256-<hex>/         MANIFEST and tree/; the name is the hash of MANIFEST
//	  store/.new-<tx>-<i>/        being unpacked
//	  data/<publisher>/<name>/<gen>/
//	  tx/<id>.log                 exists exactly as long as the transaction is not finished
//	  history/2026-11.log         finished transactions
//
// # The way of a change
//
// [Store.Plan] turns a solution of package resolve into a [Plan]: steps, what each
// plugin may do, and what a person has to agree to. [Store.Apply] takes a plan and
// an [Approval] and goes this way; what is written is on the disk before the next
// step begins.
//
//  1. The transaction's log begins. For every release: is it still allowed, who may
//     sign it, did they, is it the one who signed before.
//  2. Releases are downloaded, hashed, unpacked and hashed again per file in one
//     pass; synced; renamed to their names. Nothing refers to them yet. Until here
//     the context cancels it and nothing that runs was touched.
//  3. What changes is stopped, dependants first. Data of another schema is copied
//     and the copy migrated; the original stays.
//  4. The new generation is written, and current says: this one, on trial.
//  5. What changes is started, dependencies first, and has to become healthy.
//  6. current says: this one. Only now does Apply return nil.
//  7. The history is written, the log removed, what nobody refers to is removed.
//
// Whatever goes wrong before 6, a crash or an error, is undone by one rule: a
// generation on trial goes back to the one before. [Open] and a failing Apply do
// the same by the same code, [Store.Recover].
//
// # Guarantees
//
// Apply returned nil: the new set survives a power cut. Apply returned an error: the
// old set with its data is in place and [Error.Restored] says so, or the error wraps
// [ErrInDoubt] and the store changes nothing more until Recover succeeds. What is
// kept to go back to is never deleted. What is run was checked when it was loaded
// ([Store.Start], [Store.Verify]), not only when it was installed.
//
// What it does not do: a plugin whose data schema is unchanged keeps writing to the
// same directory, so going back takes such data along as it is; and it does not
// guard a directory against somebody with the rights of the panel.
//
// # The panel's side
//
// The panel runs plugins behind [Host], and supplies releases through [Supply]. A
// [Queue] in front of the Store applies plans one by one and tells how they do.
package install
