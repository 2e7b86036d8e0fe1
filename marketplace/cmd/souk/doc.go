// Command souk is what publishers of plugins and operators of catalogs work with.
//
//	souk init hello --id acme/hello   # a plugin that builds and runs
//	souk build hello                  # compiles it to WebAssembly
//	souk check hello                  # what a hub would say, with file and line
//	souk pack hello                   # writes hello-0.1.0.oci, an OCI image layout
//	souk keygen acme                  # acme.pem to sign with, acme.pub.pem to give away
//	souk sign hello-0.1.0.oci --key acme.pem
//	souk push hello-0.1.0.oci registry.example.org/plugins
//
// An operator without a hub keeps a catalog with
//
//	souk catalog init shop --at registry.example.org/plugins/catalog
//	souk catalog publish shop --trust acme=acme.pub.pem --add hello-0.1.0.oci
//	souk catalog renew shop           # every few hours
//
// `souk help` lists all verbs, `souk help <verb>` explains one.
//
// # Exit status
//
// 0 when it is done, 1 when it failed or when a check found errors, 2 when it was
// called wrongly. What a program wants to read goes to standard output, as JSON with
// --json; progress, warnings and errors go to standard error. An interrupt ends
// whatever is under way; every verb can be run again.
//
// # Environment
//
// SOUK_HUB is the address of a hub and SOUK_TOKEN a token for it, for the verbs that
// speak to one. Credentials of registries are those of Docker (`docker login`).
//
// # Not built
//
// Air gap export and import, rotation of a catalog's keys (tuf.Repository.Rotate
// does it in code), image layouts as a tar file, and tags as references: a tag is
// never authority, so a release in a registry is named by its digest, which `souk
// push` prints.
package main
