package store_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/mirror"
	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/marketplace/store/storetest"
	"github.com/souk-dev/souk/update"
	"github.com/souk-dev/souk/verify"
)

const two = "/plugins/compare?id=acme/backup&id=kiln/redis"

// rowsOf reads the rows of a comparison: name to the words of its cells, and which differ.
func rowsOf(t *testing.T, page string) (cells map[string][]string, differs map[string]bool) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	cells, differs = map[string][]string{}, map[string]bool{}
	for n := range doc.Descendants() {
		if n.Data != "tr" || n.Type != html.ElementNode {
			continue
		}
		name := ""
		for c := range n.ChildNodes() {
			switch {
			case c.Data == "th" && name == "" && value(c, "scope") == "row":
				name = words(c)
				for _, drop := range []string{"Differs", "Low risk", "Medium risk", "High risk"} {
					name = strings.TrimSpace(strings.ReplaceAll(name, drop, ""))
				}
				differs[name] = strings.Contains(value(n, "class"), "souk-differs")
				assert.Equal(t, differs[name], strings.Contains(words(c), "Differs"), "the difference of %q stands in words too", name)
			case c.Data == "td" && name != "":
				cells[name] = append(cells[name], words(c))
			}
		}
	}
	return cells, differs
}

func value(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func words(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func TestCompareSaysWhatDiffers(t *testing.T) {
	t.Parallel()
	m := newMarket()
	m.API, m.Platform = "3.2.0", "linux/amd64"
	p := m.Listed["kiln/redis"]
	p.Releases[0].Manifest.Platforms = []string{"windows/amd64"}
	p.License = "MIT"
	p.Advisories = []catalog.Advisory{{ID: "SA-1", Action: catalog.ActionWarn, Title: "x", Plugin: p.ID, Issued: now}, {ID: "SA-2", Action: catalog.ActionWarn, Title: "over", Plugin: p.ID, Rescinded: now.Add(-time.Hour)}}
	p.Publisher.Signers = nil
	m.Listed["kiln/redis"] = p
	b := m.Listed["acme/backup"]
	b.Releases[0].Manifest.Dependencies = append(b.Releases[0].Manifest.Dependencies, catalog.Dependency{ID: "orbit/cron"})
	w := get(shop(t, m, admin), two)
	require.Equal(t, http.StatusOK, w.Code)
	wellFormed(t, w.Body.String())
	cells, differs := rowsOf(t, w.Body.String())
	for name, want := range map[string][2]string{
		"Publisher": {"Acme Labs acme", "Kiln Labs kiln"}, "Signed by": {"May sign; checked before it is installed", "Nobody may sign"}, "Open advisories": {"None", "1 open SA-1"},
		"Can read /srv and everything in it.": {"Asks for it", "Does not ask for it"}, "Highest risk": {"4 permissions", "Low risk 0 permissions"},
		"Runs here": {"Yes linux/amd64, linux/arm64 · panel >=3.0", "Only version 2.0.3"}, "Comes along": {"1 plugin orbit/cron", "Nothing"}, "License": {"Apache-2.0", "MIT"},
		"Releases in 12 months": {"3 releases usually 20 days apart", "3 releases usually 20 days apart"}, "Rating": {"4.8 of 5 321 ratings", "Not rated yet"}, "Installs": {"128,400", "9,400"}, "On this panel": {"Install", "Install"},
	} {
		require.Len(t, cells[name], 2, "%q of %v", name, cells)
		assert.Contains(t, cells[name][0], want[0], name)
		assert.Contains(t, cells[name][1], want[1], name)
	}
	assert.True(t, differs["License"])
	assert.False(t, differs["Catalog"])
	assert.False(t, differs["Releases in 12 months"])

	w = get(shop(t, m, admin), two+"&only=differences")
	cells, _ = rowsOf(t, w.Body.String())
	assert.Contains(t, cells, "License")
	assert.NotContains(t, cells, "Catalog", "it is the same for both")
}

func TestCompareInstalledShowsItsVerifiedSigner(t *testing.T) {
	t.Parallel()
	cells, _ := rowsOf(t, get(shop(t, newMarket(), admin), "/plugins/compare?id=acme/mailer&id=acme/backup").Body.String())
	assert.Contains(t, cells["Signed by"][0], "Checked when it was installed here")
	assert.NotContains(t, cells["Signed by"][1], "Checked when it was installed here")
}

func TestCompareOfTooFewOrTooManyLeadsOn(t *testing.T) {
	t.Parallel()
	h := shop(t, newMarket(), admin)
	for _, c := range []struct {
		query  string
		status int
		want   []string
	}{
		{"", http.StatusOK, []string{"Choose what to compare", "/plugins/compare?id="}},
		{"?id=", http.StatusOK, []string{"Choose what to compare"}},
		{"?id=acme/backup", http.StatusOK, []string{"Choose one more", "/plugins/?with=acme%2Fbackup", "/plugins/compare?id=acme%2Fbackup&amp;id="}},
		{"?id=acme/backup&id=acme/backup", http.StatusOK, []string{"Choose one more"}},
		{"?id=acme/backup&id=acme/none", http.StatusNotFound, []string{"Some of them are not here", "acme/none", "Choose one more"}},
		{"?id=acme/backup&id=%3Cscript%3E", http.StatusNotFound, []string{"&lt;script&gt;"}},
		{"?id=acme/backup&id=acme/mailer&id=kiln/redis&id=orbit/cron&id=orbit/deploy", http.StatusBadRequest, []string{"Too many to compare", "take out", "/plugins/compare?id=acme%2Fmailer"}},
		{"?" + strings.Repeat("id=acme/backup&", 500), http.StatusBadRequest, []string{"Too many"}},
		{"?id=acme/backup&id=kiln/redis&id=acme/none", http.StatusOK, []string{"Some of them are not here", "souk-compare-2"}},
		{"?id=acme/backup&id=acme/mailer&id=kiln/redis&id=orbit/cron", http.StatusOK, []string{"souk-compare-4"}},
	} {
		w := get(h, "/plugins/compare"+c.query)
		name := c.query[:min(len(c.query), 80)]
		assert.Equal(t, c.status, w.Code, name)
		wellFormed(t, w.Body.String())
		for _, s := range c.want {
			assert.Contains(t, w.Body.String(), s, name)
		}
		assert.NotContains(t, w.Body.String(), "<script>alert", name)
	}
}

var href = regexp.MustCompile(`<a [^>]*href="([^"]+)"`)

// TestChoosingToCompareNeedsNoScript walks from the first page to a comparison by links
// alone, with a filter that has to stay.
func TestChoosingToCompareNeedsNoScript(t *testing.T) {
	t.Parallel()
	h := shop(t, newMarket(), admin)
	follow := func(page, near string) string {
		t.Helper()
		i := strings.Index(page, near)
		require.Positive(t, i, near)
		m := href.FindAllStringSubmatch(page[:i], -1)
		require.NotEmpty(t, m)
		return html.UnescapeString(m[len(m)-1][1])
	}
	page := get(h, "/plugins/?category=monitoring").Body.String()
	assert.NotContains(t, page, "souk-tray")
	at := follow(page, ": Metrics</span>")
	assert.Contains(t, at, "category=monitoring")
	page = get(h, at).Body.String()
	wellFormed(t, page)
	assert.Contains(t, page, "souk-tray")
	assert.Contains(t, page, "Choose at least one more")
	assert.NotContains(t, page, "Compare now")
	assert.Contains(t, page, `name="with" value="north/metrics"`, "a search keeps what was chosen")
	assert.Contains(t, page, "category=backup&amp;with=north%2Fmetrics", "a filter keeps it")
	page = get(h, follow(page, ": Alerts</span>")).Body.String()
	at = follow(page, "Compare now")
	page = get(h, at).Body.String()
	cells, _ := rowsOf(t, page)
	assert.Len(t, cells["License"], 2)
	assert.Contains(t, page, `action="/plugins/plans"`, "each has its button")

	full := get(h, "/plugins/?with=acme/backup&with=acme/mailer&with=kiln/redis&with=orbit/cron&with=orbit/deploy&with=%3Cb%3E").Body.String()
	assert.Contains(t, full, "That is all four.")
	assert.NotContains(t, full, ">Compare<span", "a fifth is not offered")
	assert.NotContains(t, full, "<b>")
}

func TestCompareKeepsToTheRights(t *testing.T) {
	t.Parallel()
	assert.Equal(t, http.StatusForbidden, get(shop(t, newMarket(), store.Actor{Name: "x"}), two).Code)
	page := get(shop(t, newMarket(), store.Actor{Name: "vic", View: true}), two).Body.String()
	assert.Contains(t, page, "You can look at plugins here")
	assert.NotContains(t, page, `value="install"`)
	assert.Contains(t, get(shop(t, newMarket(), admin), two).Body.String(), `value="install"`)
}

func TestCompareSaysWhatIsOldOrMissing(t *testing.T) {
	t.Parallel()
	m := newMarket()
	m.Catalogs = []mirror.Status{{Name: "main", State: "stale", Synced: now.Add(-30 * time.Hour), Plugins: 12, Err: catalog.ErrUnavailable}, {Name: "team", State: "error", Err: catalog.ErrUnavailable}}
	hub := newHub()
	for _, path := range []string{two, "/plugins/publishers/acme"} {
		page := get(shop(t, m, admin), path).Body.String()
		assert.Contains(t, page, "could not be refreshed", path)
		assert.Contains(t, page, "The source “team” does not work", path)
	}
	cells, _ := rowsOf(t, get(shop(t, m, admin, hub.In), two).Body.String())
	assert.Contains(t, cells["Rating"][1], "4.3 of 5", "the hub's own")
	hub.Err = catalog.ErrUnavailable
	page := get(shop(t, m, admin, hub.In), two).Body.String()
	assert.Contains(t, page, "The hub does not answer")
	cells, _ = rowsOf(t, page)
	assert.Contains(t, cells["Rating"][0], "4.8 of 5", "the catalog's")
}

func TestCompareJSON(t *testing.T) {
	t.Parallel()
	h := shop(t, newMarket(), admin)
	var got struct {
		Plugins []struct {
			ID, State, Signer    string
			Along                []string
			Releases, MedianDays int
			Compatible           bool
			Permissions          []struct{ Permission, Risk string }
		}
		Differences []string
	}
	w := get(h, "/plugins/api/v1/compare?id=acme/backup&id=acme/mailer")
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
	require.Len(t, got.Plugins, 2)
	assert.Equal(t, "acme/backup", got.Plugins[0].ID)
	assert.Len(t, got.Plugins[0].Permissions, 4)
	assert.Equal(t, 3, got.Plugins[0].Releases)
	assert.Equal(t, 20, got.Plugins[0].MedianDays)
	assert.NotEmpty(t, got.Plugins[1].Signer)
	assert.Contains(t, got.Differences, "fs.read:/srv")
	assert.NotContains(t, got.Differences, "license")
	for query, status := range map[string]int{"": 400, "id=acme/backup": 400, "id=acme/backup&id=acme/backup": 400, "id=acme/backup&id=acme/none": 404, strings.Repeat("id=acme/backup&", 13): 400, "id=acme/backup&id=acme/mailer&id=kiln/redis&id=orbit/cron&id=orbit/deploy": 400} {
		assert.Equal(t, status, get(h, "/plugins/api/v1/compare?"+query).Code, query)
	}
}

func TestPublisherPage(t *testing.T) {
	t.Parallel()
	m := newMarket()
	signer := func(who string, from, until, revoked time.Time) catalog.Signer {
		return catalog.Signer{Identity: verify.Identity{Issuer: "https://issuer.example", Subject: who}, From: from, Until: until, Revoked: revoked}
	}
	p := m.Listed["acme/backup"]
	p.Publisher.Homepage = "https://acme.example"
	p.Publisher.Signers = []catalog.Signer{signer("stolen", time.Time{}, time.Time{}, now.Add(-48*time.Hour)), signer("old", time.Time{}, now.Add(-time.Hour), time.Time{}), signer("good", now.Add(-99*24*time.Hour), time.Time{}, time.Time{}), signer("soon", now.Add(time.Hour), time.Time{}, time.Time{})}
	p.Advisories = []catalog.Advisory{{ID: "SA-9", Action: catalog.ActionBlock, Title: "Everything by acme", Publisher: "acme", Issued: now}}
	m.Listed["acme/backup"] = p
	other := m.Listed["acme/mailer"]
	other.Publisher, other.Advisories = p.Publisher, p.Advisories
	m.Listed["acme/mailer"] = other
	h := shop(t, m, admin)
	w := get(h, "/plugins/publishers/acme")
	require.Equal(t, http.StatusOK, w.Code)
	page := w.Body.String()
	wellFormed(t, page)
	for _, s := range []string{"Acme Labs", "<code>acme</code>", "3 plugins", "Releases since", "Backup", "Mailer", "Object Storage", "https://acme.example", "SA-9: Everything by acme", "As the catalog “main” says"} {
		assert.Contains(t, page, s)
	}
	assert.Equal(t, 1, strings.Count(page, "<strong>SA-9: Everything"), "one advisory of two plugins stands there once")
	signers := page[strings.Index(page, "souk-verified"):]
	order := regexp.MustCompile(`>(Valid|Not yet|Ended|Revoked)<`).FindAllStringSubmatch(signers, -1)
	require.Len(t, order, 4)
	assert.Equal(t, "Valid Not yet Ended Revoked", order[0][1]+" "+order[1][1]+" "+order[2][1]+" "+order[3][1])
	assert.NotContains(t, page, "PostgreSQL")

	for _, path := range []string{"publishers/nobody", "publishers/A", "publishers/..%2fetc", "publishers/" + strings.Repeat("a", 500)} {
		w := get(h, "/plugins/"+path)
		assert.Equal(t, http.StatusNotFound, w.Code, path)
		wellFormed(t, w.Body.String())
		assert.Equal(t, http.StatusNotFound, get(h, "/plugins/api/v1/"+path).Code, path)
	}
	assert.Contains(t, get(h, "/plugins/p/acme/backup").Body.String(), `href="/plugins/publishers/acme"`)
	assert.Contains(t, get(h, "/plugins/").Body.String(), `href="/plugins/publishers/acme"`)

	var got struct {
		Records []struct{ Signers []struct{ State string } }
		Total   int
	}
	require.NoError(t, json.Unmarshal(get(h, "/plugins/api/v1/publishers/acme").Body.Bytes(), &got))
	assert.Equal(t, 3, got.Total)
	require.Len(t, got.Records, 1)
	assert.Equal(t, "valid", got.Records[0].Signers[0].State)
}

// TestPublisherOfManyPlugins holds the page to a page of cards, and the walk to its end.
func TestPublisherOfManyPlugins(t *testing.T) {
	t.Parallel()
	m := newMarket()
	base := m.Listed["kiln/redis"]
	for i := range 130 {
		p := base
		p.ID = catalog.PluginID(fmt.Sprintf("kiln/x%d", i))
		p.Listing.ID = p.ID
		m.Listed[p.ID] = p
	}
	h := shop(t, m, admin)
	seen, at := 0, "/plugins/publishers/kiln?with=kiln/redis"
	for range 10 {
		page := get(h, at).Body.String()
		n := strings.Count(page, `<article class="souk-card">`)
		assert.LessOrEqual(t, n, 24)
		seen += n
		next := regexp.MustCompile(`rel="next" href="([^"]+)"`).FindStringSubmatch(page)
		if next == nil {
			break
		}
		at = html.UnescapeString(next[1])
		assert.Contains(t, at, "with="+url.QueryEscape("kiln/redis"))
	}
	assert.Equal(t, 132, seen)
	assert.Contains(t, get(h, "/plugins/publishers/kiln?page=999").Body.String(), "No more plugins here")
}

func TestEmptyResultsLeadOn(t *testing.T) {
	t.Parallel()
	h := shop(t, newMarket(), admin)
	page := get(h, "/plugins/?q=metrics&category=backup&tag=official&with=acme/backup").Body.String()
	wellFormed(t, page)
	assert.Contains(t, page, "Nothing found")
	assert.Regexp(t, `q=metrics&amp;tag=official&amp;with=acme%2Fbackup">In all categories <span class="souk-count">1<`, page)
	assert.NotContains(t, page, "Without the tag", "there is nothing there either")
	page = get(h, "/plugins/?q=metrics+zzz").Body.String()
	assert.Contains(t, page, "Search “metrics”")
	assert.NotContains(t, page, "Search “zzz”")
	page = get(h, "/plugins/?tag=official&publisher=kiln").Body.String()
	assert.Contains(t, page, "Tag: official")
	assert.Regexp(t, `href="/plugins/\?tag=official">Publisher: kiln`, page)
}

// TestTextsOnTheNewPagesStayText is TestTextsByPublishersStayText for these pages.
func TestTextsOnTheNewPagesStayText(t *testing.T) {
	t.Parallel()
	const attack = `"><script>alert(1)</script><img src=x onerror=alert(1)>`
	m := newMarket()
	p := m.Listed["acme/backup"]
	p.Name, p.Summary, p.License = attack, attack, attack
	p.Publisher.Name, p.Publisher.Homepage = attack, "javascript:alert(1)"
	p.Publisher.Signers[0].Subject = attack
	p.Releases[0].Manifest.Panel, p.Releases[0].Manifest.Runtime.Kind = attack, attack
	p.Releases[0].Manifest.Platforms = []string{attack}
	p.Releases[0].Manifest.Permissions = append(p.Releases[0].Manifest.Permissions, storetest.Ask("fs.read", "/"+attack, attack, false))
	p.Advisories = []catalog.Advisory{{ID: attack, Title: attack, Detail: attack, URL: "javascript:alert(1)", Action: catalog.ActionWarn, Plugin: p.ID}}
	m.Listed["acme/backup"] = p
	m.Updating.Holds = map[catalog.PluginID]update.Hold{}
	h := shop(t, m, admin)
	for _, path := range []string{"compare?id=acme/backup&id=kiln/redis", "compare?id=acme/backup", "compare?id=" + url.QueryEscape(attack), "publishers/acme", "?with=acme/backup", "?tag=" + url.QueryEscape(attack) + "&publisher=" + url.QueryEscape(attack)} {
		page := get(h, "/plugins/"+path).Body.String()
		wellFormed(t, page)
		assert.NotContains(t, page, "<script>alert", path)
		assert.NotContains(t, page, "<img src=x", path)
		assert.NotContains(t, page, `href="javascript:`, path)
	}
	assert.Contains(t, get(h, "/plugins/publishers/acme").Body.String(), "&lt;script&gt;alert", "it stands there as text")
}
