// Package server puts a hub together: the store, the registry, the services, the JSON
// interface and the portal, as one http.Handler and one Run.
//
//	s, err := server.Open(ctx, server.Options{Dir: "/var/lib/hub", BaseURL: "https://hub.example.org"})
//	defer s.Close()
//	go s.Run(ctx)                    // jobs: scans, publishing, webhooks, renewals
//	http.ListenAndServe(addr, s)     // behind TLS
//
// # Embedded, and outgrown
//
// Without more options everything is in this process and in Dir: SQLite in hub.db, an OCI
// registry in registry/, the keys in keys/. Where that is outgrown, [Options.Postgres]
// names a database that any number of processes share, and [Options.Registry] any OCI
// registry. Nothing else changes.
//
// # Keys
//
// The first start makes all keys in Dir/keys, files of mode 0600. The three root keys are
// needed again only when a key is replaced or the root's year is over: move them offline,
// the hub runs without them and says when they are needed. Several processes need the same
// keys: copy the directory, without the root keys.
//
// # The first administrator
//
// While there is no administrator, [Server.SetupCode] returns a code. Who signs in and
// shows it becomes one. The code lives for one start of the hub.
//
// # Addresses
//
//	/v2/          the registry, with its token service at /v2/token
//	/api/v1/      the JSON interface     /feeds/   Atom feeds
//	/healthz      200 while the process lives
//	/readyz       200 while the database answers, else 503
//	/             the portal
package server
