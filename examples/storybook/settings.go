package main

import (
	"github.com/souk-dev/souk/catalog/mirror"
	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/marketplace/store/storetest"
	"github.com/souk-dev/souk/sandbox"
)

func settingsStories() []story {
	const path = "settings"
	linked := func(state store.LinkState, problem store.LinkProblem) func(*scene) {
		return hub(func(h *storetest.Hub) { h.Linked.State, h.Linked.Problem = state, problem })
	}
	out := page("Settings",
		story{ID: "settings", Name: "All is well", Path: path},
		story{ID: "settings-viewer", Name: "Somebody who may only look", Path: path, Set: as(viewer)},
		story{ID: "settings-operator", Name: "Somebody who may install, but not run the panel", Path: path, Set: both(as(operator), linked(store.LinkNone, ""))},
		story{ID: "settings-sources", Name: "A source in every state", Path: path, Set: with(source(
			fresh, mirror.Status{Name: "mirror", State: mirror.Stale, Serial: 41, Synced: stale.Synced, Expires: stale.Expires, Plugins: 12, Err: stale.Err},
			mirror.Status{Name: "old", State: mirror.Expired, Serial: 7, Synced: expired.Synced, Expires: expired.Expires, Plugins: 3, Err: expired.Err},
			failing, mirror.Status{Name: "new", State: mirror.Empty},
		))},
		story{ID: "settings-no-source", Name: "No source", Path: path, Set: with(nothing)},
		story{ID: "settings-held", Name: "Holds", Path: path, Set: with(held)},
		story{ID: "settings-open-policy", Name: "A policy that says nothing", Path: path, Set: with(func(m *storetest.Market) { m.Rules = sandbox.Policy{} })},
		story{ID: "account-none", Name: "Account: not linked", Path: path, Set: linked(store.LinkNone, "")},
		story{ID: "account-waiting", Name: "Account: waits for the code", Path: path, Set: linked(store.LinkWaiting, "")},
		story{ID: "account-waiting-else", Name: "Account: somebody else is linking it", Path: path, Set: both(as(operator), linked(store.LinkWaiting, ""))},
		story{ID: "account-linked", Name: "Account: linked", Path: path, Set: linked(store.LinkLinked, "")},
		story{ID: "account-lost", Name: "Account: no longer accepted", Path: path, Set: linked(store.LinkLost, "")},
		story{ID: "account-unlink", Name: "Unlink?", Path: "account/unlink", Set: linked(store.LinkLinked, "")},
	)
	for _, p := range []store.LinkProblem{store.LinkExpired, store.LinkDenied, store.LinkFailed, store.LinkOtherHub, store.LinkUntold} {
		out = append(out, page("Settings", story{ID: "account-" + string(p), Name: "Account: " + string(p), Path: path, Set: linked(store.LinkNone, p)})...)
	}
	return out
}
