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
// A hub takes it from there, in one step that can be repeated:
//
//	souk login https://hub.example.org
//	souk submit hello --key acme.pem --percent 10   # checked, scanned, reviewed
//	souk status acme/hello                          # what reviewers said
//	souk rollout acme/hello@0.1.0 --percent 100
//	souk numbers acme/hello
//
// and is itself run by
//
//	souk hub serve --dir /var/lib/hub --base-url https://hub.example.org --proxy 10.0.0.0/8
//	souk hub backup /var/lib/hub hub-2026-05-18.db
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
// speak to one; without them it is what `souk login` kept. A CI job needs neither: its
// identity token comes from GitHub Actions or, as SOUK_ID_TOKEN, from GitLab. Credentials
// of registries other than the hub's are those of Docker (`docker login`).
//
// # Not built
//
// Air gap export and import, rotation of a catalog's keys (tuf.Repository.Rotate
// does it in code), image layouts as a tar file, and tags as references: a tag is
// never authority, so a release in a registry is named by its digest, which `souk
// push` prints. A hub's registry elsewhere is configured in code (server.Options.Registry),
// not by flags of `souk hub serve`; its certificate is read at the start alone.
package main
