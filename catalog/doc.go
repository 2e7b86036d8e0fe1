// Package catalog has the words in which Souk speaks about plugins, and the
// documents in which they are written down: plugin.json ([ParseManifest]), the OCI
// manifest of a release ([ParseArtifact]), and the parts of a signed catalog
// ([ParseIndex], [ParseCatalogManifest], [ReadSegment], [ParsePublishers],
// [ParseAdvisories]).
//
// # Glossary
//
//   - Plugin: publisher/name in lower-case ASCII, e.g. acme/backup ([PluginID]). Its
//     identity includes the source it came from: a name in another source is another
//     plugin.
//   - Release: one immutable version of a plugin: [Ref] and the digest of its
//     manifest ([Release]). Listing: what people read about a plugin ([Listing]).
//   - Catalog: a signed, numbered, expiring index of listings and releases. Source:
//     where one is fetched from ([Source]). Snapshot: a catalog that was verified;
//     immutable ([Snapshot]). Envelope: one that was not ([Envelope]).
//   - Segment: a part of a catalog, zstd over sorted JSON Lines ([Segment]).
//   - Yank: not for new installs, existing ones stay. Withdraw: gone, with an
//     advisory. Deprecate: works, has a successor.
//   - Advisory: signed statement about releases, a publisher or a signer: warn,
//     block (no install), disable (stop running it); can be rescinded ([Advisory]).
//   - Plan: what would change and why. Generation: the complete set of installed
//     releases with their grants. Transaction: the journalled move from one
//     generation to the next. These live in package install.
//   - Permission, Set, Policy, Consent, Grant: asked for, all asked for, what the
//     panel allows, what a person agreed to, what the runtime enforces. These live
//     in package sandbox.
//   - Evidence: signature bundles, attestations, scan and review verdicts attached
//     to a release. Report: what was checked, by whom, how, when, with what result.
//     These live in package verify.
//   - Host: the panel's side of a plugin's life: activate, deactivate, health.
//
// # Guarantees
//
// Every reader of this package takes bounded input, refuses what it does not know
// (unknown fields, fields that stand twice, null, trailing data) and names the place.
// Every document carries a format number; an unknown one is an error that says what
// is needed to read it. Nothing here fetches, and nothing here is mutable once made:
// all of it is safe for concurrent use.
package catalog
