package store_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/mirror"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/store/storetest"
	"github.com/souk-dev/souk/marketplace/ui"
	"github.com/souk-dev/souk/sandbox/phrase"
	"github.com/souk-dev/souk/update"
	"github.com/souk-dev/souk/verify"
)

// TestEveryPageInEveryState renders each page in each state that it can be in,
// and looks for the words that a person needs there.
func TestEveryPageInEveryState(t *testing.T) {
	t.Parallel()
	expired := func(m *market) {
		m.Catalogs = []mirror.Status{{Name: "main", State: "expired", Synced: now.Add(-9 * 24 * time.Hour), Plugins: 12}}
	}
	partial := func(m *market) {
		m.Catalogs = append(m.Catalogs, mirror.Status{Name: "team", State: "error", Err: catalog.ErrUnavailable})
	}
	nothing := func(m *market) { *m = market{} }
	running := func(s install.State) func(*market) {
		return func(m *market) {
			m.Running = []install.Operation{{ID: "t9", Title: "Install Backup 2.1.0", State: s, Plugins: []catalog.PluginID{"acme/backup"}, Done: 1, Total: 4, Started: now}}
		}
	}
	advisory := func(action catalog.Action) func(*market) {
		return func(m *market) {
			for _, id := range []catalog.PluginID{"acme/backup", "acme/mailer"} {
				p := m.Listed[id]
				p.Advisories = []catalog.Advisory{{ID: "SA-7", Action: action, Title: "Leaks keys", Plugin: id, Issued: now, FixedIn: "3.0.0", Detail: "Turn **it** off."}}
				m.Listed[id] = p
			}
		}
	}
	policy := func(m *market) {
		p := m.Listed["acme/backup"]
		p.Releases[0].Manifest.Permissions = append(p.Releases[0].Manifest.Permissions, storetest.Ask("exec", "/usr/bin/tar", "", false))
	}
	held := func(m *market) {
		m.Updating.Holds = map[catalog.PluginID]update.Hold{"acme/mailer": {By: "ada", At: now, Until: now.Add(48 * time.Hour), Why: "fair week", Pin: true, Version: "2.1.0"}}
		m.Offered[0].Decision = update.Policy{}.Decide(update.Input{Now: now, Hold: new(m.Updating.Holds["acme/mailer"]), To: m.Offered[0].To})
	}
	none := func(*market) {}
	for _, c := range []struct {
		name, path string
		set        func(*market)
		want       []string
		not        []string
	}{
		{"browse", "", none, []string{"Featured", "Recently updated", "Backup", "rated 4.8 of 5", "High risk", "it is not well"}, []string{"Your account"}},
		{"browse, no source", "", nothing, []string{"No catalog yet", "/plugins/settings"}, nil},
		{"browse, empty catalog", "", func(m *market) { m.Listed = nil }, []string{"The catalog is empty"}, nil},
		{"browse, partial", "", partial, []string{"The source “team” does not work", "cannot be reached|did not answer", "Backup"}, nil},
		{"browse, expired", "", expired, []string{"has expired", "9 days ago"}, nil},
		{"browse, running", "", running(install.StateDownloading), []string{"Downloading 25%", `<progress`}, nil},
		{"search", "?q=back", none, []string{"Results for “back”", "2 plugins<", "Backup"}, []string{"Featured"}},
		{"search, nothing", "?q=zzz", none, []string{"Nothing found", "Show all plugins"}, nil},
		{"category", "?category=monitoring", none, []string{"Metrics", "Alerts", "2 plugins"}, []string{"PostgreSQL"}},
		{"publisher", "?publisher=kiln", none, []string{"PostgreSQL", "Redis"}, []string{"Backup<"}},
		{"overview", "p/acme/backup", none, []string{"Restore of single files", "by ", "Acme Labs", "Medium risk", "last night&#39;s backups", `value="install"`}, nil},
		{"overview, offline", "p/acme/backup", func(m *market) { m.MediaErr = catalog.ErrUnavailable }, []string{"could not be fetched", "Install"}, nil},
		{"overview, no README", "p/acme/backup", func(m *market) { m.Listed["acme/backup"].Releases[0].Manifest.Docs = "" }, []string{"No documentation"}, nil},
		{"overview, running", "p/acme/backup", running(install.StateVerifying), []string{"Checking signatures", "/plugins/operations/t9"}, []string{`value="install"`}},
		{"overview, installed", "p/north/metrics", none, []string{"Installed: 2.1.0", "Remove"}, []string{`value="install"`}},
		{"overview, went back by itself", "p/acme/mailer", none, []string{"The update to 2.1.0 was undone", "went back to 2.0.3 by itself", "connection refused"}, nil},
		{"overview, blocked", "p/acme/backup", advisory(catalog.ActionBlock), []string{"Blocked by advisory SA-7: Leaks keys", "Not available", "Fixed in 3.0.0"}, []string{`value="install"`}},
		{"overview, against policy", "p/acme/backup", policy, []string{"policy of this panel forbids", "Not available"}, []string{`value="install"`}},
		{"overview, expired", "p/acme/backup", expired, []string{"Its catalog has expired", "Not available"}, []string{`value="install"`}},
		{"overview, deprecated", "p/acme/backup", func(m *market) {
			p := m.Listed["acme/backup"]
			p.Deprecated = "Use acme/vault instead."
			m.Listed["acme/backup"] = p
		}, []string{"deprecated", "Use acme/vault instead."}, nil},
		{"permissions", "p/acme/backup/permissions", none, []string{"Can read /srv and everything in it.", "Can see the list of your servers.", "To store your backups.", "Needs your agreement", "Allowed: the policy of this panel allows it"}, nil},
		{"permissions, none", "p/kiln/redis/permissions", none, []string{"It asks for nothing"}, nil},
		{"versions", "p/acme/mailer/versions", none, []string{"2.1.0", "Taken back", "data loss on upgrade", "Faster by a third", "Switch to this version"}, nil},
		{"dependencies", "p/acme/backup/dependencies", none, []string{"Object Storage", "^2.0", "Installed: 2.1.0", "Optional"}, nil},
		{"dependencies, none", "p/kiln/redis/dependencies", none, []string{"It stands alone"}, nil},
		{"security", "p/acme/mailer/security", advisory(catalog.ActionDisable), []string{"acme/mailer on GitHub, by its workflow release.yml at main", "sha256:", "SA-7", "Stopped", "concerns the installed version"}, nil},
		{"installed", "installed", none, []string{"Running", "Not healthy", "connection refused", "Not known", "came along"}, nil},
		{"installed, none", "installed", nothing, []string{"No plugins yet", "Browse"}, nil},
		{"installed, revoked", "installed", advisory(catalog.ActionDisable), []string{"Stopped by advisory SA-7"}, nil},
		{"installed, off", "installed", func(m *market) { m.Here[0].Enabled = false }, []string{"Switched off"}, nil},
		{"updates", "updates", none, []string{"Needs your decision", "Asks for more permissions", "Can send data to any server", "Before: Can send data to smtp.example.org", "New: <strong>any</strong> mail server", "went back to 2.0.3 by itself", "in 5 hours", "Update all"}, nil},
		{"updates, held", "updates", held, []string{"Pinned by ada until 5 May 2026: fair week.", "Release"}, nil},
		{"updates, none", "updates", func(m *market) { m.Offered = nil }, []string{"Everything is up to date"}, []string{"Update all"}},
		{"updates, error", "updates", func(m *market) { m.Offered, m.OffersErr = nil, catalog.ErrExpired }, []string{"The catalog has expired"}, []string{"up to date"}},
		{"updates, frozen", "updates", func(m *market) { m.Updating.Frozen = true }, []string{"Automatic updates are paused"}, nil},
		{"history", "history", none, []string{"Mailer: 2.0.3 → 1.9.0", "remove Metrics 2.1.0", "What was written since is lost: Mailer", "Go back", "health check failed", "automatic updates"}, nil},
		{"history, none", "history", nothing, []string{"Nothing happened yet"}, nil},
		{"history, damaged", "history", func(m *market) { m.HistoryErr = install.ErrCorrupt }, []string{"The plugin store is damaged"}, nil},
		{"settings", "settings", held, []string{"Up to date", "42", "fair week", "until 5 May 2026", "Pinned", "hooks.example.org", "Signed in as ada", "Fetch now"}, nil},
		{"settings, no source", "settings", nothing, []string{"No catalog yet", "Nothing is held", "every permission is asked for"}, nil},
		{"settings, partial", "settings", partial, []string{"Does not work"}, nil},
		{"operation, failed and back", "operations/t3", none, []string{"did not run as it should, so this panel went back by itself", "It does not run as it should", "went back to 2.0.3"}, []string{"cancel\""}},
		{"operation, running", "operations/t9", running(install.StateDownloading), []string{"Downloading 25%", "Stop", "http-equiv"}, nil},
		{"operation, past the point", "operations/t9", running(install.StateStarting), []string{"Starting"}, []string{"/cancel"}},
		{"operation, going back", "operations/t9", running(install.StateRollingBack), []string{"Going back"}, []string{"/cancel"}},
		{"operation, done", "operations/t9", running(install.StateDone), []string{"what was started is healthy"}, []string{"http-equiv"}},
		{"operation, cancelled", "operations/t9", running(install.StateCancelled), []string{"Nothing was changed"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMarket()
			c.set(m)
			w := get(shop(t, m, admin), "/plugins/"+c.path)
			require.Equal(t, http.StatusOK, w.Code)
			page := w.Body.String()
			wellFormed(t, page)
			assert.Contains(t, page, `lang="en"`)
			for _, s := range c.want {
				re := regexp.QuoteMeta(s)
				if strings.Contains(s, "|") {
					re = s
				}
				assert.True(t, regexp.MustCompile(re).MatchString(page), "%q is missing", s)
			}
			for _, s := range c.not {
				assert.False(t, strings.Contains(page, s), "%q stands there", s)
			}
		})
	}
}

func TestWhatIsNotThere(t *testing.T) {
	t.Parallel()
	h := shop(t, newMarket(), admin)
	for _, path := range []string{"nothing", "p/acme/none", "p/ACME/../x", "p/acme/backup/nothing", "plans/none", "operations/none", "media/acme/backup/9.9.9/x.png", "media/acme/backup/2.1.0/nothing.png", "api/v2"} {
		w := get(h, "/plugins/"+path)
		if w.Code == http.StatusMovedPermanently || w.Code == http.StatusTemporaryRedirect {
			continue // a path with dots is cleaned first
		}
		assert.Equal(t, http.StatusNotFound, w.Code, path)
	}
	w := get(h, "/plugins/p/acme/none")
	wellFormed(t, w.Body.String())
}

// TestTextsByPublishersStayText puts an attack into everything a publisher writes.
func TestTextsByPublishersStayText(t *testing.T) {
	t.Parallel()
	const attack = `"><script>alert(1)</script><img src=x onerror=alert(1)>`
	m := newMarket()
	m.Blobs["README.md"] = []byte(attack + "\n\n<script>alert(1)</script>\n\n[a](javascript:alert(1)) [b](data:text/html,x) [c](//evil.example/) ![x](https://evil.example/t.png) ![y](javascript:alert(1))\n\n<a href=\"x\" onclick=\"y\">z</a> [good](https://good.example/)\n\n# <svg onload=alert(1)>\n")
	p := m.Listed["acme/backup"]
	p.Name, p.Summary, p.License, p.Deprecated, p.Tags, p.Categories = "N"+attack, attack, attack, attack, []string{attack}, []string{attack}
	p.Publisher.Name = attack
	rel := &p.Releases[0]
	rel.Manifest.Name, rel.Manifest.Homepage, rel.Manifest.Source = attack, "javascript:alert(1)", attack
	rel.Manifest.Permissions[0].Reason, rel.Manifest.Screenshots[0].Alt, rel.Manifest.Screenshots[0].Caption = attack, attack, attack
	rel.Notes, rel.Reason = attack, attack
	p.Advisories = []catalog.Advisory{{ID: attack, Title: attack, Detail: attack, URL: "javascript:alert(1)", Action: catalog.ActionWarn, Plugin: p.ID}}
	m.Listed["acme/backup"] = p
	m.Entries[0].Title, m.Entries[0].Error, m.Entries[0].Actor = attack, attack, attack
	m.Sick["acme/mailer"] = fmt.Errorf("%s", attack)
	m.Running[0].Log, m.Running[0].Title = []string{attack}, attack
	m.Offered[0].Notes[0].Text, m.Offered[0].Decision = attack, storetest.Decided(update.Ask, now, phrase.Raw(attack))
	m.Next = backupPlan(m)
	storetest.Titled(m.Next, phrase.Raw(attack), phrase.Raw(attack)).Steps[1] = storetest.Because(m.Next.Steps[1], phrase.Raw(attack))
	m.Made = map[string]*install.Plan{m.Next.ID(): m.Next}
	h := shop(t, m, admin)
	for _, path := range []string{"", "?q=" + "%22%3E%3Cscript%3Ealert(1)%3C/script%3E", "p/acme/backup", "p/acme/backup/permissions", "p/acme/backup/versions", "p/acme/backup/security", "installed", "updates", "history", "settings", "operations/t3", "plans/" + m.Next.ID()} {
		w := get(h, "/plugins/"+path)
		require.Equal(t, http.StatusOK, w.Code, path)
		page := w.Body.String()
		wellFormed(t, page)
		for _, bad := range []string{"<script>alert", "onerror=alert(1)>", "href=\"javascript:", "evil.example/t.png", "<svg onload", "href=\"data:", "href=\"//evil"} {
			clean := strings.ReplaceAll(page, "&lt;", "")
			if bad == "onerror=alert(1)>" { // as text its bracket is escaped
				clean = page
			}
			assert.False(t, strings.Contains(clean, bad), "%s: %s", path, bad)
		}
	}
	page := get(h, "/plugins/p/acme/backup").Body.String()
	link := regexp.MustCompile(`<a href="https://good.example/"[^>]*>`).FindString(page)
	assert.Contains(t, link, "nofollow")
	assert.Contains(t, link, "noopener")
	w := get(h, "/plugins/api/v1/plugins/acme/backup/readme")
	assert.NotContains(t, w.Body.String(), "script>")
	assert.NotContains(t, w.Body.String(), "u003cscript")
}

func TestPicturesAreDecodedAndBounded(t *testing.T) {
	t.Parallel()
	m := newMarket()
	h := shop(t, m, admin)
	page := get(h, "/plugins/p/acme/backup").Body.String()
	path := regexp.MustCompile(`src="(/plugins/media/[^"]+)"`).FindStringSubmatch(page)
	require.Len(t, path, 2)
	w := get(h, path[1])
	require.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, "image/png", w.Header().Get("Content-Type"))
	assert.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
	assert.Contains(t, w.Header().Get("Cache-Control"), "immutable")
	assert.Contains(t, w.Header().Get("Content-Security-Policy"), "sandbox")
	assert.Equal(t, http.StatusNotModified, get(h, path[1], "If-None-Match", w.Header().Get("ETag")).Code)

	huge := picture(64, 64, 1)
	copy(huge[16:24], []byte{0, 1, 0, 0, 0, 1, 0, 0}) // says 65536 x 65536
	for name, b := range map[string][]byte{
		"svg": []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`), "html": []byte("<html><script>alert(1)</script>"),
		"cut": picture(64, 64, 2)[:200], "bomb": huge, "nothing": nil, "too many bytes": make([]byte, catalog.MaxMedia+1),
	} {
		m.Blobs["shots/1.png"] = b
		w := get(h, "/plugins/media/acme/backup/2.1.0/shots/1.png")
		assert.Equal(t, http.StatusNotFound, w.Code, name)
		assert.NotContains(t, w.Body.String(), "alert(1)", name)
	}
	m.MediaErr = verify.ErrDigest
	assert.Equal(t, http.StatusBadGateway, get(h, "/plugins/media/acme/backup/2.1.0/shots/1.png").Code)
}

// TestEveryTextExists finds the keys in templates and code and looks them up; keys
// that are put together at run time are covered by the pages above.
func TestEveryTextExists(t *testing.T) {
	t.Parallel()
	text, err := ui.NewMessages("")
	require.NoError(t, err)
	files, err := filepath.Glob("templates/*.html")
	require.NoError(t, err)
	code, err := filepath.Glob("*.go")
	require.NoError(t, err)
	key := regexp.MustCompile(`(?:\(t|\{t|\s+t|text\.T\(|\{n|\s+n|text\.N\() ?"([a-z][a-z.-]*)"([+ ]*)`)
	found := 0
	for _, f := range append(files, code...) {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		for _, m := range key.FindAllStringSubmatch(string(b), -1) {
			if strings.HasSuffix(m[1], ".") || strings.HasSuffix(f, "_test.go") {
				continue
			}
			found++
			assert.True(t, text.Has(m[1]) || text.Has(m[1]+".one") && text.Has(m[1]+".other"), "%s: %s", f, m[1])
		}
	}
	assert.Greater(t, found, 150)
}
