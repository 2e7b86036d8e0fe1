// Package markettest is for people who test a panel that embeds a plugin
// marketplace: [New] starts a registry, makes a catalog, publishes plugins to it as
// their publishers would, and opens a Market on it, all in a temporary directory
// and in less than a second.
//
//	w := markettest.New(t, markettest.Options{Host: myPanelHost},
//		markettest.Plugin{Manifest: markettest.Manifest("acme/backup", "1.0.0")},
//	)
//	w.Install("acme/backup")
//	w.Publish(markettest.Plugin{Manifest: markettest.Manifest("acme/backup", "1.1.0")})
//	w.Update("acme/backup")
//
// Nothing in it is a pretence: packages are packed and signed, the catalog is
// signed and synced over HTTP, the solver solves and the transaction is on disk.
// What can be made to fail is the registry (see catalogtest.Handler.Inject), the
// clock ([World.Advance]), the publisher ([Plugin.Signer]) and the panel's own
// runtime ([Options.Host]).
//
// A World is used by one goroutine; its Market may be used by many.
package markettest
