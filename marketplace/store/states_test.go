package store_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/mirror"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/update"
)

// mine are the pages about what is installed and what is done with it.
var mine = []string{"installed", "updates", "history", "settings", "operations/t3", "p/acme/mailer/health"}

// TestPagesWithNothing: a panel that has just begun reads what there will be, and where to begin.
func TestPagesWithNothing(t *testing.T) {
	t.Parallel()
	h := shop(t, &market{}, admin)
	for page, words := range map[string][]string{
		"installed": {"No plugins yet", `href="/plugins/"`},
		"updates":   {"No plugins yet", `href="/plugins/"`},
		"history":   {"Nothing happened yet", `href="/plugins/"`},
		"settings":  {"You are asked about every update.", "Nothing is held.", "Nothing: every permission is asked for."},
	} {
		w := get(h, "/plugins/"+page)
		assert.Equal(t, http.StatusOK, w.Code, page)
		wellFormed(t, w.Body.String())
		for _, s := range words {
			assert.Contains(t, w.Body.String(), s, page)
		}
	}
}

// TestPagesOffline: what is shown is said to be old, and a source of several that fails is named.
func TestPagesOffline(t *testing.T) {
	t.Parallel()
	m := newMarket()
	m.Catalogs = []mirror.Status{
		{Name: "main", State: "stale", Synced: now.Add(-30 * time.Hour), Plugins: 12, Err: catalog.ErrUnavailable},
		{Name: "team", State: "error", Err: catalog.ErrUnavailable},
	}
	h := shop(t, m, admin)
	for _, page := range []string{"installed", "updates", "settings", "p/acme/mailer/health"} {
		body := get(h, "/plugins/"+page).Body.String()
		wellFormed(t, body)
		assert.Contains(t, body, "team", page)
		assert.Contains(t, body, "1 day ago", page)
		assert.Contains(t, body, "Mailer", "%s: the rest is still there", page)
	}
}

// TestPagesThatFail: the part that cannot be shown says why, the rest is there.
func TestPagesThatFail(t *testing.T) {
	t.Parallel()
	m := newMarket()
	m.HistoryErr, m.OffersErr = install.ErrCorrupt, catalog.ErrExpired
	h := shop(t, m, admin)
	for page, words := range map[string]string{"history": "The plugin store is damaged", "updates": "The catalog has expired", "installed": "Mailer", "settings": "How plugins are updated", "p/acme/mailer/health": "Not healthy", "operations/t3": "Update Mailer to 2.1.0"} {
		w := get(h, "/plugins/"+page)
		assert.Equal(t, http.StatusOK, w.Code, page)
		wellFormed(t, w.Body.String())
		assert.Contains(t, w.Body.String(), words, page)
	}
}

// TestPagesForbiddenAndReadOnly: who may not look sees nothing, who may only look has no
// form to change anything.
func TestPagesForbiddenAndReadOnly(t *testing.T) {
	t.Parallel()
	nobody, look := shop(t, newMarket(), store.Actor{Name: "nobody"}), shop(t, newMarket(), viewer)
	for _, page := range mine {
		w := get(nobody, "/plugins/"+page)
		assert.Equal(t, http.StatusForbidden, w.Code, page)
		assert.NotContains(t, w.Body.String(), "Mailer", page)
		w = get(look, "/plugins/"+page)
		assert.Equal(t, http.StatusOK, w.Code, page)
		assert.NotContains(t, w.Body.String(), `method="post"`, page)
	}
}

// TestPagesInGerman: no text is missing, and none of ours is left in English.
func TestPagesInGerman(t *testing.T) {
	t.Parallel()
	m := newMarket()
	m.Updates = update.Weekend("Europe/Berlin")
	m.Updating.Frozen = true
	h := shop(t, m, admin, func(o *store.Options) { o.Language = func(*http.Request) string { return "de" } })
	for page, words := range map[string]string{
		"installed": "Gestört", "updates": "Alle aktualisieren", "settings": "Sa, So von 02:00 bis 06:00 Uhr (Europe/Berlin)", "history": "Was seither geschrieben wurde, geht verloren",
		"operations/t3": "Plugin für Plugin", "p/acme/mailer/health": "Noch einmal prüfen",
	} {
		body := get(h, "/plugins/"+page).Body.String()
		wellFormed(t, body)
		assert.Contains(t, body, words, page)
		for _, english := range []string{"Try again", "Needs ", "Go back", "Update to", "You may ", "Save<", "from 02:00"} {
			assert.NotContains(t, body, english, page)
		}
	}
}

// TestHistoryInPages: a long history is shown in pages, and a page that does not exist is the last.
func TestHistoryInPages(t *testing.T) {
	t.Parallel()
	m := newMarket()
	e := m.Entries[1]
	for len(m.Entries) < 120 {
		m.Entries = append(m.Entries, e)
	}
	h := shop(t, m, admin)
	for from, want := range map[string]int{"": 50, "50": 50, "100": 20, "x": 50, "-7": 50, "999": 0} {
		body := get(h, "/plugins/history?from="+from).Body.String()
		assert.Equal(t, want, strings.Count(body, "/plugins/operations/"), from)
	}
	assert.Contains(t, get(h, "/plugins/history?from=50").Body.String(), `href="/plugins/history?from=100"`)
}

// TestNotesMarkWhatMatters: of the releases between, the one that closes a hole and the one
// that breaks are marked, and others are not.
func TestNotesMarkWhatMatters(t *testing.T) {
	t.Parallel()
	m := newMarket()
	p := m.Listed["acme/mailer"]
	p.Releases[0].Manifest.Breaking = "<2.1.0"
	p.Advisories = []catalog.Advisory{{ID: "ADV-3", Title: "It leaks", Plugin: "acme/mailer", Range: "<2.0.9", FixedIn: "2.0.9", Action: catalog.ActionWarn, Issued: now.Add(-time.Hour)}}
	fix := p.Releases[1]
	fix.Version, fix.Manifest.Version = "2.0.9", "2.0.9"
	p.Releases = append(p.Releases, fix)
	m.Listed["acme/mailer"] = p
	m.Offered[0].Notes = append(m.Offered[0].Notes, update.Note{Version: "2.0.9", Published: now.Add(-48 * time.Hour), Text: "- closes a hole"}, update.Note{Version: "2.0.5", Published: now.Add(-72 * time.Hour), Text: "- nothing much"})
	m.Offered[0].Risk.Permissions.Removed = []sandbox.Change{{Permission: "exec:/usr/bin/tar"}}
	body := get(shop(t, m, admin), "/plugins/updates").Body.String()
	wellFormed(t, body)
	breaks, fixes, plain := at(t, body, "<h3>2.1.0", "</h3>"), at(t, body, "<h3>2.0.9", "</h3>"), at(t, body, "<h3>2.0.5", "</h3>")
	assert.Contains(t, breaks, "Breaks with what is installed")
	assert.NotContains(t, breaks, "ADV-3")
	assert.Contains(t, fixes, "Closes ADV-3")
	assert.NotContains(t, fixes, "Breaks")
	assert.NotContains(t, plain, "souk-badge")
	assert.Contains(t, body, "No longer asks for: Can run the program /usr/bin/tar")
}
