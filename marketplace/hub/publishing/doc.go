// Package publishing is the way of a plugin from its publisher to the catalog:
// publishers and what they prove, submissions, validation, scans, review, publishing,
// releases, and the catalog itself.
//
// # A submission's life
//
//	draft -> submitted -> validating -> scanning -> in_review -> approved -> published
//
// [Service.CreateSubmission] names a version, the publisher pushes it to
// staging/<publisher>/<name> and [Service.Submit] says which digest is meant. From there
// jobs carry it on ([Service.Handlers]): validation holds the package to the rules that
// `souk check` knows, to the signers of its publisher and to the digest; scanners look
// at it; then reviewers decide ([Service.Decide]), or a written policy does. What was
// decided is about one round and one digest, so that nothing can be swapped in between.
//
// Publishing is a chain of steps each of which can be repeated: the review's
// attestation is signed once and kept, artifact and evidence are copied to the public
// repository, the attestation is attached, the release is written down, the catalog is
// published. A process that dies between any two steps leaves work that another one
// finishes; a release is published once.
//
// # The catalog
//
// It is made from the records of plugins and releases alone. One process at a time
// writes it, by a lease in the store; the state that is kept with it is compared and
// swapped. Many changes make one publish.
//
// See the example for how it is put together.
//
// # Not built
//
// An index with a manifest per platform cannot be submitted, as it cannot be installed.
// Packages are unpacked in memory, Options.Unpacking at a time.
package publishing
