// Package registry is the registry of a hub: distribution v3 in this process
// ([Registry]), the token service that says who may pull and push ([Tokens]), and the
// receiver of what a registry tells ([Notifications], [Event]). It is the only importer
// of github.com/distribution/distribution.
//
// A small hub uses all three, in one process with its content on disk. A large one
// runs any registry that speaks distribution's token and notification protocols,
// with the storage it likes, and uses the last two.
//
//	tokens, err := registry.NewTokens(registry.TokenOptions{
//		Realm: "https://hub.example.org/registry/token", Service: "hub.example.org",
//		Key: key, Authorize: hub.AuthorizeRegistry,
//	})
//	reg, err := registry.Open(filepath.Join(data, "registry"), registry.Options{Tokens: tokens, Notify: hub.Count, Log: log})
//	defer reg.Close()
//	mux.Handle("/v2/", reg)
//	mux.Handle("/registry/token", tokens)
//
// # A registry elsewhere
//
// Write [Tokens.JWKS] to a file for it, and configure it with
//
//	auth:
//	  token: {realm: <Realm>, service: <Service>, issuer: <Issuer>, jwks: /etc/registry/jwks.json, signingalgorithms: [ES256]}
//
// and with the endpoint that [Notifications] shows. It reads the file once: restart it
// when keys change. Keys turn in three steps, each with a restart of what verifies: the
// new key into Accept; then it is Key and the old one in Accept; after MaxTTL and
// a minute the old one goes.
//
// # The hub's own access
//
// A hub does not log in to its registry, it issues itself a token for what it is
// about to do, through [Registry.Transport] without any network:
//
//	p, err := oci.NewPusher("registry.internal", oci.Options{
//		Transport: reg.Transport(), // or none, and the host of a registry elsewhere
//		Credentials: func(context.Context, string) (oci.Credential, error) {
//			token, err := tokens.Issue("hub", []registry.Access{
//				registry.Repository("acme/backup", "pull", "push"),
//				registry.Repository("staging/acme/backup", "pull"),
//			}, 0)
//			return oci.Credential{RegistryToken: token}, err
//		},
//	})
//	err = p.Copy(ctx, "acme/backup", "staging/acme/backup", "1.4.2", digest)
//
// One Pusher for each thing it does keeps a token that small. The callback is asked
// again when a token has expired. Events that the hub causes itself have the subject as
// their Actor, "hub" here, and are not to be counted.
//
// # What distribution does that cannot be helped
//
//   - Its log goes to the Log of the options by the context of each request. A few places
//     use the logger of logrus for the whole process, which writes to standard error: a
//     token that was refused and why (never the token), removed uploads. That
//     logger is not touched here; a program that wants it silent sets it itself.
//   - Linking it registers storage drivers, access controllers, Prometheus metrics (with
//     the default registry of client_golang) and an expvar "registry". Nothing of
//     it is served; no exporter, debug server or health check is started. Open adds one
//     entry of our own to its table of registry middleware, once.
//   - Each Open leaves one goroutine behind for ever, of its broadcaster of events that has
//     no endpoints. Nothing outside of it can end that one; all others end with Close.
//   - Tokens are held against the system's clock, with a minute of grace on both ends.
//   - The key set is read from a file, which is why the directory has one.
//
// # Durability
//
// The file system driver syncs every file, and the directories of links and tags; a
// directory into which a blob is renamed is not synced. So a power cut right after a push
// can leave a link to a blob that is gone: read it back, or push again, which repairs
// it. Publishing in the hub is repeatable for that reason. Notifications: see [Registry].
//
// # Not built
//
// Refresh tokens (refused as OAuth2 has it, or not given, as both specifications
// allow: an API token is the long-lived secret); tokens for distribution 2, which knows
// certificates only; revocation of issued tokens (they live five minutes); rate limits
// and the mapping of accounts to rights, which are the hub's; quotas per publisher;
// the referrers API, which distribution lacks: evidence is found by the tag schema;
// several processes that go on with each other's uploads.
package registry
