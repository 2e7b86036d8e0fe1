// Package tuf is a catalog's root of trust: it answers whether a catalog is the
// one the operator trusts, and whether it is fresh. It implements
// [verify.CatalogTrust] after The Update Framework, and is the only package that
// imports go-tuf.
//
// # Reading
//
// [New] takes the root that the operator pinned. [Trust.Update] then follows the
// signed chain of roots, timestamp.json, N.snapshot.json and N.targets.json to
// the three target files [TargetNames], and refuses a catalog that is older than
// one seen before, expired, mixed from several versions, signed by too few, or
// not what was promised byte for byte. A poll that finds nothing new is one
// request, for timestamp.json.
//
// What was kept between runs is not believed because it was kept: [Trust.Load]
// checks it again, from the pinned root up.
//
// # Publishing
//
// [Init] makes a repository, [Repository.Publish] signs a new version of the
// target files, [Repository.Renew] keeps an unchanged catalog fresh, and
// [Repository.Rotate] replaces keys. All of them are pure: they return the files
// to upload and the order to upload them in, timestamp.json last.
//
// Target files lie under their digest ("<64 hex digits>.index"), so that a reader
// in the middle of an update never gets half of the next one. Every name is a
// valid OCI tag.
//
// # Limits
//
// There are no delegations; metadata that has any is refused. Keys made here are
// Ed25519; ECDSA P-256 keys of other TUF tools verify too. All root
// keys that sign have to be in one place at the time of Init or Rotate.
package tuf
