package store_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/store"
)

var viewer = store.Actor{Name: "vic", View: true}

// TestNoHubNoTrace: a store without a hub has nothing of it, which is not the same as a
// hub that is broken.
func TestNoHubNoTrace(t *testing.T) {
	t.Parallel()
	h := shop(t, newMarket(), admin)
	with := shop(t, newMarket(), admin, newHub().In)
	for _, path := range []string{"", "?q=back", "p/acme/backup", "p/acme/backup/versions", "p/acme/backup/security", "installed", "updates", "history", "settings", "operations/t3"} {
		page := strings.ReplaceAll(get(h, "/plugins/"+path).Body.String(), "GitHub", "")
		for _, s := range []string{" hub", "Hub", "souk-review", "/reviews", "Review", "Account", "account/", "Report this", "For you", "data-again"} {
			assert.False(t, strings.Contains(page, s), "%s: %s", path, s)
		}
	}
	for _, c := range [][2]string{
		{"GET", "p/acme/backup/reviews"}, {"GET", "p/acme/backup/report"}, {"POST", "p/acme/backup/reviews"}, {"POST", "account/link"},
		{"GET", "api/v1/account"}, {"GET", "api/v1/plugins/acme/backup/reviews"}, {"GET", "api/v1/recommendations"},
	} {
		assert.Equal(t, http.StatusNotFound, do(h, c[0], "/plugins/"+c[1], "").Code, c)
		assert.NotEqual(t, http.StatusNotFound, do(with, c[0], "/plugins/"+c[1], "").Code, "%s with a hub", c)
	}
	assert.NotContains(t, get(h, "/plugins/api/v1/openapi.json").Body.String(), "/account")
	assert.Contains(t, get(with, "/plugins/api/v1/openapi.json").Body.String(), "/account")
}

// TestStoreLinksNoHub: the pages know a hub by an interface only.
func TestStoreLinksNoHub(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	assert.NotContains(t, string(out), "souk/marketplace/hub")
	assert.NotContains(t, string(out), "souk/marketplace/link")
}

func TestCommunityPagesInEveryState(t *testing.T) {
	t.Parallel()
	state := func(s store.LinkState) func(*community) { return func(c *community) { c.Linked.State = s } }
	for _, c := range []struct {
		name, path string
		set        func(*community)
		actor      store.Actor
		want       []string
		not        []string
	}{
		{"reviews", "p/acme/backup/reviews", func(*community) {}, admin, []string{
			"4.3", "128 ratings", `aria-label="How many gave which rating"`, "5 stars", "of 128 ratings", `href="/plugins/p/acme/backup/reviews?stars=5"`, "Most helpful", "Bob Field", "Restored a whole server",
			"Has it installed", "The publisher answers", "Since 2.1 the page shows", `aria-pressed="true"`, "Your review", "Does what it says.", "Change it", `value="4" required checked`, "/reviews/delete", "Read from the hub at", "hub.example.org", "More reviews", "Report this plugin",
		}, []string{"Link this panel", "does not answer"}},
		{"none of mine", "p/acme/backup/reviews", func(c *community) { c.Mine = nil }, admin, []string{"Write a review", "Publish the review", "under the name Mira Neu", `type="radio"`}, []string{"Change it", "checked>"}},
		{"held", "p/acme/backup/reviews", func(c *community) { c.Mine.Held = true }, admin, []string{"Held", "a moderator of the hub looks at them first"}, nil},
		{"hidden", "p/acme/backup/reviews", func(c *community) { c.Mine.Hidden, c.Mine.Why = true, "It names a person." }, admin, []string{"Hidden", "They say: It names a person.", "appeal"}, nil},
		{"not linked", "p/acme/backup/reviews", state(store.LinkNone), admin, []string{"Link this panel to take part", `href="/plugins/settings#souk-account"`, "Bob Field", "14 people found this helpful"}, []string{"souk-write", "/helpful"}},
		{"not linked, no right to", "p/acme/backup/reviews", state(store.LinkNone), store.Actor{Name: "ina", View: true, Install: true}, []string{"Ask somebody who runs this panel"}, []string{"settings#"}},
		{"viewer", "p/acme/backup/reviews", func(*community) {}, viewer, []string{"Bob Field", "not write them"}, []string{"souk-write", `method="post"`, "Report this plugin"}},
		{"few", "p/acme/backup/reviews", func(c *community) { c.Rated.Mean, c.Rated.Count = 0, 2 }, admin, []string{"Too few ratings"}, nil},
		{"empty", "p/acme/backup/reviews", func(c *community) { c.Rated, c.Mine = store.Ratings{}, nil }, admin, []string{"No reviews yet", "Write a review"}, nil},
		{"one star", "p/acme/backup/reviews?stars=1&sort=newest", func(c *community) { c.Rated.Items = nil }, admin, []string{"Nobody gave this many stars", "All stars"}, nil},
		{"second page", "p/acme/backup/reviews?cursor=more", func(c *community) { c.Rated.Next = "" }, admin, []string{"First page"}, []string{"More reviews"}},
		{"unknown to the hub", "p/acme/backup/reviews", func(c *community) { c.Err = catalog.ErrNotFound }, admin, []string{"No reviews for this plugin"}, []string{"souk-write"}},
		{"away", "p/acme/backup/reviews", func(c *community) { c.Err = catalog.ErrUnavailable }, admin, []string{"The hub does not answer", "Everything else works without it", "Acme Labs", "Medium risk"}, []string{"souk-write"}},
		{"stale", "p/acme/backup/reviews", func(c *community) { c.Rated.Stale, c.Rated.Read = true, now.Add(-3*time.Minute) }, admin, []string{"The hub hub.example.org does not answer", "3 minutes ago", "Bob Field"}, nil},
		{"reported", "p/acme/backup/reviews?reported=1", func(*community) {}, admin, []string{"your report has arrived"}, nil},
		{"report", "p/acme/backup/report", func(*community) {}, admin, []string{"Report Backup", "Does harm on purpose", "What you saw"}, nil},
		{"report, not linked", "p/acme/backup/report", state(store.LinkLost), admin, []string{"Link this panel to take part"}, []string{"<textarea"}},
		{"account, none", "settings", state(store.LinkNone), admin, []string{"Account", "not linked to an account", "Link this panel"}, []string{"http-equiv"}},
		{"account, none, no right", "settings", state(store.LinkNone), viewer, []string{"You may not link this panel"}, []string{"account/link"}},
		{"account, waiting", "settings", state(store.LinkWaiting), admin, []string{"BCDF-GHJK", `href="https://hub.example.org/link"`, "in 14 minutes", `data-again="5000"`, `content="5"`, "Cancel"}, nil},
		{"account, waiting, no right", "settings", state(store.LinkWaiting), viewer, []string{"Somebody is linking"}, []string{"BCDF"}},
		{"account, too late", "settings", func(c *community) { c.Linked.State, c.Linked.Until = store.LinkWaiting, now }, admin, []string{"Nobody typed the code in time"}, []string{"BCDF", "data-again"}},
		{"account, linked", "settings", func(*community) {}, admin, []string{"Linked as Mira Neu", "/plugins/account/unlink"}, []string{"Link this panel"}},
		{"account, lost", "settings", state(store.LinkLost), admin, []string{"does not accept this panel any more", "Link it again"}, nil},
		{"account, untold", "settings", func(c *community) { c.Linked.State, c.Linked.Problem = store.LinkNone, store.LinkUntold }, admin, []string{"could not be told"}, nil},
		{"unlink", "account/unlink", func(*community) {}, admin, []string{"Unlink this panel?", "no longer act for Mira Neu at hub.example.org"}, nil},
		{"tips", "", func(*community) {}, admin, []string{"For you", "Because you have Metrics", "Alerts"}, nil},
		{"tips, away", "", func(c *community) { c.Err = catalog.ErrUnavailable }, admin, []string{"Featured"}, []string{"For you"}},
		{"tips, searching", "?q=a", func(*community) {}, admin, nil, []string{"For you"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			hub := newHub()
			c.set(hub)
			w := get(shop(t, newMarket(), c.actor, hub.In), "/plugins/"+c.path)
			require.Equal(t, http.StatusOK, w.Code, w.Body)
			page := w.Body.String()
			wellFormed(t, page)
			for _, s := range c.want {
				assert.True(t, strings.Contains(page, s), "%q is missing", s)
			}
			for _, s := range c.not {
				assert.False(t, strings.Contains(page, s), "%q stands there", s)
			}
			assert.Equal(t, store.ContentSecurityPolicy, w.Header().Get("Content-Security-Policy"))
		})
	}
}

// TestReviewWithoutJavaScript goes the way of a person with plain forms.
func TestReviewWithoutJavaScript(t *testing.T) {
	t.Parallel()
	hub := newHub()
	h := shop(t, newMarket(), admin, hub.In)
	at := "/plugins/p/acme/backup/"
	w := post(h, at+"reviews", url.Values{"stars": {"5"}, "text": {"Two\r\nlines"}})
	require.Equal(t, http.StatusSeeOther, w.Code, w.Body)
	assert.Contains(t, w.Header().Get("Location"), at+"reviews")
	require.Equal(t, http.StatusSeeOther, post(h, at+"reviews/delete", nil).Code)
	w = post(h, at+"reviews/helpful", url.Values{"author": {"acc_bob"}, "helpful": {"1"}, "sort": {"newest"}, "stars": {"5"}, "cursor": {"abc"}})
	require.Equal(t, http.StatusSeeOther, w.Code)
	assert.Equal(t, at+"reviews?cursor=abc&sort=newest&stars=5#review-acc_bob", w.Header().Get("Location"))
	require.Equal(t, http.StatusSeeOther, post(h, at+"reviews/helpful", url.Values{"author": {"acc_bob"}, "helpful": {"0"}}).Code)
	w = post(h, at+"report", url.Values{"reason": {"broken"}, "text": {"The page is empty."}})
	require.Equal(t, http.StatusSeeOther, w.Code)
	assert.Equal(t, at+"reviews?reported=1", w.Header().Get("Location"))
	require.Equal(t, http.StatusSeeOther, post(h, "/plugins/account/link", nil).Code)
	require.Equal(t, http.StatusSeeOther, post(h, "/plugins/account/unlink", nil).Code)
	assert.Equal(t, []string{
		"rate acme/backup 5 Two\nlines", "delete acme/backup", "helpful acme/backup acc_bob", "unhelpful acme/backup acc_bob",
		"report acme/backup broken The page is empty.", "link", "unlink",
	}, hub.Did)

	get(h, at+"reviews?sort=stars&stars=2&cursor=x")
	get(h, at+"reviews?sort=worst&stars=9&cursor="+strings.Repeat("x", 700))
	assert.Equal(t, []store.RatingsQuery{{Sort: "stars", Stars: 2, Cursor: "x"}, {Sort: "helpful"}}, hub.Asked[len(hub.Asked)-2:])
}

// TestRefusedByTheHub: what was written stays, and the hub's words are shown.
func TestRefusedByTheHub(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		status int
		says   string
	}{
		{&store.RefusedError{Reason: "Limit reached: 20 ratings a day."}, 422, "20 ratings a day"},
		{&store.RefusedError{Forbidden: true}, 403, "Members of a publisher"},
		{&store.RefusedError{Relink: true}, 409, "Link it under Settings"},
		{fmt.Errorf("hub: %w", catalog.ErrUnavailable), 502, "The hub does not answer"},
	} {
		hub := newHub()
		hub.ActErr = c.err
		h := shop(t, newMarket(), admin, hub.In)
		for path, form := range map[string]url.Values{
			"reviews": {"stars": {"2"}, "text": {"my <b>words</b>"}}, "report": {"reason": {"other"}, "text": {"my <b>words</b>"}},
		} {
			w := post(h, "/plugins/p/acme/backup/"+path, form)
			assert.Equal(t, c.status, w.Code, path)
			wellFormed(t, w.Body.String())
			assert.Contains(t, w.Body.String(), c.says, path)
			assert.Contains(t, w.Body.String(), "my &lt;b&gt;words&lt;/b&gt;", path)
		}
		w := do(h, http.MethodPut, "/plugins/api/v1/plugins/acme/backup/reviews/mine", `{"stars":2}`, "Content-Type", asJSON)
		assert.Equal(t, c.status, w.Code)
		assert.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
	}
	hub := newHub()
	h := shop(t, newMarket(), admin, hub.In)
	for _, form := range []url.Values{{}, {"stars": {"0"}}, {"stars": {"6"}}, {"stars": {"5"}, "text": {strings.Repeat("x", 4001)}}} {
		assert.Equal(t, http.StatusBadRequest, post(h, "/plugins/p/acme/backup/reviews", form).Code)
	}
	for _, form := range []url.Values{{}, {"reason": {"because"}, "text": {"x"}}, {"reason": {"other"}, "text": {" "}}, {"reason": {"other"}, "text": {strings.Repeat("x", 2001)}}} {
		assert.Equal(t, http.StatusBadRequest, post(h, "/plugins/p/acme/backup/report", form).Code)
	}
	for _, author := range []string{"", "../x", "a/b", "<script>", strings.Repeat("a", 65)} {
		assert.Equal(t, http.StatusNotFound, post(h, "/plugins/p/acme/backup/reviews/helpful", url.Values{"author": {author}, "helpful": {"1"}}).Code, author)
	}
	assert.Empty(t, hub.Did)
}

// TestHangingHubHoldsNoPage: two seconds, and the rest of the page is there.
func TestHangingHubHoldsNoPage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub := newHub()
		hub.Hang = true
		h := shop(t, newMarket(), admin, hub.In)
		for path, want := range map[string]string{"p/acme/backup/reviews": "The hub does not answer", "": "Featured", "p/acme/backup": "Restore of single files", "settings": "Linked as Mira Neu"} {
			began := time.Now()
			w := get(h, "/plugins/"+path)
			assert.LessOrEqual(t, time.Since(began), 2*time.Second, path)
			assert.Equal(t, http.StatusOK, w.Code)
			assert.Contains(t, w.Body.String(), want)
		}
		began := time.Now()
		assert.Equal(t, http.StatusBadGateway, post(h, "/plugins/account/link", nil).Code)
		assert.LessOrEqual(t, time.Since(began), 6*time.Second)
	})
}

// TestWhoMayAtTheHub: seeing is for viewers, acting for who may install, linking for
// administrators; and nothing is done for another origin, or by GET.
func TestWhoMayAtTheHub(t *testing.T) {
	t.Parallel()
	installer := store.Actor{Name: "ina", View: true, Install: true}
	bodies := map[string]string{"PUT reviews/mine": `{"stars":4}`, "POST reports": `{"reason":"other","text":"x"}`}
	api := "/plugins/api/v1/plugins/acme/backup/"
	for _, c := range []struct {
		method, path, body string
		needs              int // 0: view, 1: install, 2: administer
	}{
		{"GET", "/plugins/p/acme/backup/reviews", "", 0}, {"GET", api + "reviews", "", 0}, {"GET", "/plugins/api/v1/account", "", 0}, {"GET", "/plugins/api/v1/recommendations", "", 0},
		{"POST", "/plugins/p/acme/backup/reviews", "stars=5", 1}, {"POST", "/plugins/p/acme/backup/reviews/delete", "", 1}, {"POST", "/plugins/p/acme/backup/reviews/helpful", "author=acc_bob&helpful=1", 1},
		{"GET", "/plugins/p/acme/backup/report", "", 1}, {"POST", "/plugins/p/acme/backup/report", "reason=other&text=x", 1},
		{"GET", api + "reviews/mine", "", 1}, {"PUT", api + "reviews/mine", bodies["PUT reviews/mine"], 1}, {"DELETE", api + "reviews/mine", "", 1},
		{"PUT", api + "reviews/acc_bob/helpful", "", 1}, {"DELETE", api + "reviews/acc_bob/helpful", "", 1}, {"POST", api + "reports", bodies["POST reports"], 1},
		{"POST", "/plugins/account/link", "", 2}, {"GET", "/plugins/account/unlink", "", 2}, {"POST", "/plugins/account/unlink", "", 2}, {"POST", "/plugins/api/v1/account/link", "", 2}, {"DELETE", "/plugins/api/v1/account/link", "", 2},
	} {
		header := []string{}
		if strings.HasPrefix(c.body, "{") {
			header = []string{"Content-Type", asJSON}
		}
		for right, actor := range []store.Actor{viewer, installer, admin} {
			hub := newHub()
			code := do(shop(t, newMarket(), actor, hub.In), c.method, c.path, c.body, header...).Code
			if right >= c.needs {
				assert.Less(t, code, 400, "%s %s by %s", c.method, c.path, actor.Name)
			} else {
				assert.Equal(t, http.StatusForbidden, code, "%s %s by %s", c.method, c.path, actor.Name)
				assert.Empty(t, hub.Did)
			}
		}
		if c.method == http.MethodGet {
			continue
		}
		hub := newHub()
		h := shop(t, newMarket(), admin, hub.In)
		assert.Equal(t, http.StatusForbidden, do(h, c.method, c.path, c.body, append(header, "Sec-Fetch-Site", "cross-site")...).Code, c.path)
		get(h, c.path)
		assert.Empty(t, hub.Did, "%s %s", c.method, c.path)
	}
}

// TestTextsOfAHubStayText puts an attack into everything that comes from a hub.
func TestTextsOfAHubStayText(t *testing.T) {
	t.Parallel()
	const attack = "\"><script>alert(1)</script><img src=x onerror=alert(1)>\u202e"
	hub := newHub()
	for i := range hub.Rated.Items {
		r := &hub.Rated.Items[i]
		r.Author, r.Name, r.Text, r.Version, r.Answer, r.Stars = attack, attack, attack+"\n# [x](javascript:alert(1))", attack, attack, 1000+i
	}
	hub.Mine.Text, hub.Mine.Why, hub.Mine.Hidden, hub.Mine.Version, hub.Mine.Answer = attack, attack, true, attack, attack
	hub.Linked.Name, hub.Rated.Next, hub.Rated.Count, hub.Rated.Mean = attack, attack, -5, 99
	hub.Tips[0].Because, hub.Tips[0].Name = attack, attack
	hub.ActErr = &store.RefusedError{Reason: attack}
	pages := map[string]string{}
	check := func(name, page string) {
		t.Helper()
		pages[name] = page
		for _, bad := range []string{"<script>alert", "<img src=x", "href=\"javascript:", "\u202e"} {
			assert.False(t, strings.Contains(page, bad), "%s: %s", name, bad)
		}
		assert.NotContains(t, page, "ZgotmplZ")
	}
	for count := range 2 {
		hub.Rated.Count = int64(count*10 - 5)
		h := shop(t, newMarket(), admin, hub.In)
		for _, path := range []string{"", "p/acme/backup/reviews", "p/acme/backup/report", "settings", "account/unlink"} {
			w := get(h, "/plugins/"+path)
			require.Equal(t, http.StatusOK, w.Code, path)
			check(path, w.Body.String())
		}
		check("refused", post(h, "/plugins/p/acme/backup/reviews", url.Values{"stars": {"5"}, "text": {strings.Trim(attack, "\u202e")}}).Body.String())
	}
	hub.Linked.State, hub.Linked.Code, hub.Linked.URL, hub.Linked.Hub = store.LinkWaiting, attack, "javascript:alert(1)", "javascript:alert(1)"
	check("waiting", get(shop(t, newMarket(), admin, hub.In), "/plugins/settings").Body.String())
	assert.Contains(t, pages["p/acme/backup/reviews"], "&lt;script&gt;alert(1)", "it is shown, as text")
}

// TestAnotherSourceIsAnotherPlugin: the hub speaks about the plugins of its catalog.
func TestAnotherSourceIsAnotherPlugin(t *testing.T) {
	t.Parallel()
	hub := newHub()
	h := shop(t, newMarket(), admin, hub.In, func(o *store.Options) { o.CommunitySource = "elsewhere" })
	page := get(h, "/plugins/p/acme/backup/reviews").Body.String()
	assert.Contains(t, page, "No reviews for this plugin")
	assert.NotContains(t, page, "Bob Field")
	assert.NotContains(t, page, "Report this plugin")
	assert.Equal(t, http.StatusNotFound, post(h, "/plugins/p/acme/backup/reviews", url.Values{"stars": {"5"}}).Code)
	assert.NotContains(t, get(h, "/plugins/").Body.String(), "For you")
	assert.Empty(t, hub.Did)
	assert.Empty(t, hub.Asked)
	same := shop(t, newMarket(), admin, hub.In, func(o *store.Options) { o.CommunitySource = "main" })
	assert.Contains(t, get(same, "/plugins/p/acme/backup/reviews").Body.String(), "Bob Field")
}

func TestCommunityJSON(t *testing.T) {
	t.Parallel()
	hub := newHub()
	h := shop(t, newMarket(), admin, hub.In)
	var r struct {
		Count   int
		Reviews []struct{ Name, State string }
		Next    string
	}
	require.NoError(t, json.Unmarshal(get(h, "/plugins/api/v1/plugins/acme/backup/reviews").Body.Bytes(), &r))
	assert.Equal(t, 128, r.Count)
	require.Len(t, r.Reviews, 3)
	assert.Equal(t, "more", r.Next)
	var tips struct {
		Recommendations []struct{ Plugin, Because string }
	}
	require.NoError(t, json.Unmarshal(get(h, "/plugins/api/v1/recommendations").Body.Bytes(), &tips))
	require.Len(t, tips.Recommendations, 1, "what is installed or not to be had is left out")
	assert.Equal(t, "north/alerts", tips.Recommendations[0].Plugin)
	hub.Linked.State = store.LinkWaiting
	assert.Contains(t, get(h, "/plugins/api/v1/account").Body.String(), "BCDF-GHJK")
	assert.NotContains(t, get(shop(t, newMarket(), viewer, hub.In), "/plugins/api/v1/account").Body.String(), "BCDF-GHJK")
}

func BenchmarkReviews(b *testing.B) {
	h := shop(b, newMarket(), admin, newHub().In)
	b.ReportAllocs()
	for b.Loop() {
		if w := get(h, "/plugins/p/acme/backup/reviews"); w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
}
