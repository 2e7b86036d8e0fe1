// Package storetest is a market and a hub in memory for those who work on the pages of
// marketplace/store, or on a layout around them: [Market] and [Hub] answer what their
// fields say, so that every state of every page is a few lines away.
//
//	m := storetest.NewMarket() // a dozen plugins, three installed, one with an update
//	m.Catalogs[0].State = "stale"
//	h, err := store.New(m, store.Options{Actor: admin, Now: func() time.Time { return storetest.Now }})
//
// Nothing is installed, verified or downloaded by it. To test against a real market with
// a registry and signed plugins, see marketplace/markettest.
package storetest
