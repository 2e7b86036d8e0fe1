package store_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/markettest"
	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/marketplace/store/storetest"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/update"
)

// german is a storefront whose readers all read German.
func german(t *testing.T, m *market, change ...func(*store.Options)) *store.Handler {
	return shop(t, m, admin, append(change, func(o *store.Options) { o.Language = func(*http.Request) string { return "de" } })...)
}

// TestEnginesSpeakGerman: titles, reasons, permissions, conflicts and what is refused, on the
// pages and in the JSON. The scope of the panel stays as the panel words it.
func TestEnginesSpeakGerman(t *testing.T) {
	t.Parallel()
	m := newMarket()
	h := german(t, m)
	for path, words := range map[string][]string{
		"p/acme/backup/permissions": {"Kann Daten an jeden Server unter amazonaws.com senden, über Port 443.", "Kann /srv lesen, mit allem darin.", "Can see the list of your servers."},
		"settings":                  {"Kann Daten an hooks.example.org senden, über Port 443."},
		"updates":                   {"Es verlangt mehr, als vereinbart war.", "Kann Daten an jeden Server im Internet senden."},
		"history":                   {"Mailer auf 2.1.0 aktualisieren", "Mailer 1.9.0 installieren und dazu 1 Abhängigkeit"},
		"operations/t3":             {"Mailer auf 2.1.0 aktualisieren"},
		"api/v1/history":            {"Metrics 2.1.0 installieren"},
		"api/v1/updates":            {"Es verlangt mehr, als vereinbart war."},
		"api/v1/operations/t3":      {"Mailer auf 2.1.0 aktualisieren"},
	} {
		body := get(h, "/plugins/"+path).Body.String()
		for _, s := range words {
			assert.Contains(t, body, s, path)
		}
		assert.NotContains(t, body, "Can send", path)
	}
	body := do(h, http.MethodPost, "/plugins/api/v1/plans", `{"install":[{"plugin":"acme/backup"}]}`, "Content-Type", asJSON).Body.String()
	for _, s := range []string{"Backup 2.1.0 installieren und dazu 1 Abhängigkeit", "acme/backup 2.1.0 braucht", "Sie wollten es", "Kann /srv lesen, mit allem darin."} {
		assert.Contains(t, body, s)
	}

	m = newMarket()
	m.PlanErr = storetest.Clash()
	h = german(t, m)
	for _, w := range []string{
		post(h, "/plugins/plans", url.Values{"do": {"update-all"}}).Body.String(),
		do(h, http.MethodPost, "/plugins/api/v1/plans", `{"updateAll":true}`, "Content-Type", asJSON).Body.String(),
	} {
		for _, s := range []string{
			"Nicht möglich: acme/backup 2.1.0 installieren.", "acme/backup 2.1.0 braucht acme/storage ^2.0", "also: acme/backup 2.1.0 und kiln/postgres 2.1.0 lassen sich nicht zusammen installieren",
			"kiln/postgres auf 2.2.0 aktualisieren", "acme/backup 1.9.0 wurde zurückgezogen (data loss on upgrade)",
		} {
			assert.Contains(t, w, s)
		}
		assert.NotContains(t, w, "Cannot install")
	}

	set := sandbox.MustSet("exec:/bin/sh")
	ruling := sandbox.Policy{Deny: set}.Decide(set, sandbox.Consent{}).Rulings[0]
	m = newMarket()
	m.PlanErr = &catalog.RefError{Op: "plan", Ref: catalog.Ref{Plugin: "acme/backup", Version: "2.1.0"}, Err: &install.DeniedError{Ruling: ruling}}
	body = post(german(t, m), "/plugins/plans", url.Values{"do": {"update-all"}}).Body.String()
	assert.Contains(t, body, "Kann das Programm /bin/sh ausführen, oder jedes Programm darin, wenn es ein Ordner ist. Der Grund: die Richtlinie dieses Panels verbietet exec:/bin/sh.")
	assert.ErrorIs(t, m.PlanErr, sandbox.ErrDenied)
}

// TestFormsSpeakGerman: what is wrong with what somebody typed.
func TestFormsSpeakGerman(t *testing.T) {
	t.Parallel()
	h := german(t, newMarket(), newHub().In)
	body := post(h, "/plugins/p/acme/backup/reviews", url.Values{"text": {"Gut."}}).Body.String()
	assert.Contains(t, body, "wählen Sie einen bis fünf Sterne")
	assert.NotContains(t, body, "choose one")
	body = post(h, "/plugins/p/acme/backup/report", url.Values{"reason": {"other"}}).Body.String()
	assert.Contains(t, body, "schreiben Sie, was Sie gesehen haben")
}

// TestWithoutFactsTheEnglishStays: a history of before the facts were kept is still told.
func TestWithoutFactsTheEnglishStays(t *testing.T) {
	t.Parallel()
	m := newMarket()
	m.Entries[0].Title, m.Entries[0].Says.Key, m.Entries[0].Says.English = "Update Mailer to 2.1.0", "", ""
	assert.Contains(t, get(german(t, m), "/plugins/history").Body.String(), "Update Mailer to 2.1.0")
}

// TestARealMarketSpeaksGerman: what the real engines say, before and after a restart, has no
// English in it: a title that the history keeps, a permission that is asked for, a conflict
// with a pin.
func TestARealMarketSpeaksGerman(t *testing.T) {
	t.Parallel()
	shop := markettest.Manifest("acme/shop", "1.0.0")
	shop.Dependencies = []catalog.Dependency{{ID: "acme/cart", Range: "^1"}}
	r := newRoom(t, sandbox.Policy{}, markettest.Plugin{Manifest: shop}, markettest.Plugin{Manifest: markettest.Manifest("acme/cart", "1.4.0")})
	r.Install("acme/shop")
	shop.Version, shop.Dependencies[0].Range = "2.0.0", "^2"
	shop.Permissions = []catalog.PermissionRequest{storetest.Ask(sandbox.KindNetOut, "smtp.example.org:587", "To send mail.", false)}
	r.Publish(markettest.Plugin{Manifest: shop}, markettest.Plugin{Manifest: markettest.Manifest("acme/cart", "2.0.1")})
	speaks := func() *store.Handler {
		h, err := store.New(r.Market, store.Options{
			Actor:    func(*http.Request) (store.Actor, error) { return admin, nil },
			Language: func(*http.Request) string { return "de" },
		})
		require.NoError(t, err)
		return h
	}
	h := speaks()
	plan := get(h, post(h, "/plugins/plans", url.Values{"do": {"update"}, "plugin": {"acme/shop"}}).Header().Get("Location")).Body.String()
	for _, s := range []string{"2 Plugins aktualisieren", "acme/shop 2.0.0 braucht ^2", "Sie wollten sein Update", "Kann Daten an smtp.example.org senden, über Port 587."} {
		assert.Contains(t, plan, s)
	}

	require.NoError(t, r.Market.Hold(t.Context(), "acme/cart", update.Hold{By: "ada", At: time.Now(), Pin: true, Why: "Messe"}))
	clash := post(h, "/plugins/plans", url.Values{"do": {"install"}, "plugin": {"acme/shop"}, "version": {"2.0.0"}}).Body.String()
	for _, s := range []string{"Nicht möglich: acme/shop auf 2.0.0 aktualisieren.", "acme/shop 2.0.0 braucht acme/cart ^2", "acme/cart ist auf 1.4.0 festgesetzt (festgesetzt von ada seit", "also: acme/shop 2.0.0 lässt sich nicht installieren", "acme/cart nicht länger festsetzen"} {
		assert.Contains(t, clash, s)
	}
	for _, english := range []string{"Cannot", " needs ", "you ask", "pinned", "since"} {
		assert.NotContains(t, clash, english)
	}

	title := "acme/shop 1.0.0 installieren und dazu 1 Abhängigkeit"
	assert.Contains(t, get(h, "/plugins/history").Body.String(), title)
	r.restart()
	h = speaks()
	assert.Contains(t, get(h, "/plugins/history").Body.String(), title, "the history keeps the facts")
	assert.Contains(t, get(r.handler, "/plugins/history").Body.String(), "Install acme/shop 1.0.0 and 1 dependency", "and English is still English")
}

// TestAnAdvisoryIsNamedInGerman: why the solver does not take a release.
func TestAnAdvisoryIsNamedInGerman(t *testing.T) {
	t.Parallel()
	r := newRoom(t, sandbox.Policy{}, markettest.Plugin{Manifest: markettest.Manifest("acme/backup", "1.0.0")})
	r.Advise(catalog.Advisory{ID: "ADV-7", Title: "It leaks", Plugin: "acme/backup", Range: "<2.0.0", Action: catalog.ActionBlock, Issued: time.Now().Add(-time.Hour)})
	h, err := store.New(r.Market, store.Options{
		Actor:    func(*http.Request) (store.Actor, error) { return admin, nil },
		Language: func(*http.Request) string { return "de" },
	})
	require.NoError(t, err)
	body := post(h, "/plugins/plans", url.Values{"do": {"install"}, "plugin": {"acme/backup"}}).Body.String()
	assert.Contains(t, body, "acme/backup 1.0.0 ist gesperrt: Sicherheitshinweis ADV-7: It leaks")
	assert.NotContains(t, body, "blocked by")
}
