package portal_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/hub/server"
)

func TestRatings(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{})
	at := "/plugins/acme/backup/"
	w.posted(w.uma, at+"rating", "stars", "4", "text", "Good.\r\nReally.", "version", "1.0.0")
	page := w.page(w.uma, at+"ratings")
	assert.Contains(t, page, `<option value="4" selected>`)
	assert.Contains(t, page, "Good.\nReally.")
	assert.NotContains(t, page, "out of 5")
	w.posted(w.uma, at+"rating", "stars", "2", "text", "Not so good.")
	mine, err := w.Hub.Community.RatingOf(t.Context(), w.Actor(w.uma), "acme/backup")
	require.NoError(t, err)
	assert.Equal(t, 2, mine.Stars)
	for _, stars := range []string{"0", "6", "many", ""} {
		assert.Equal(t, http.StatusUnprocessableEntity, w.post(w.uma, at+"rating", "stars", stars).Status, stars)
	}
	assert.Equal(t, http.StatusForbidden, w.post(w.mona, at+"rating", "stars", "5").Status, "members do not rate their own")
	assert.Contains(t, words(w.page(w.mona, at+"ratings")), "You belong to its publisher")
	assert.Contains(t, words(w.page(nil, at+"ratings")), "Sign in to rate this plugin.")

	w.posted(w.erin, at+"vote", "author", w.uma.Account, "helpful", "1")
	assert.Contains(t, w.page(w.erin, at+"ratings"), `aria-pressed="true"`)
	assert.Equal(t, http.StatusForbidden, w.post(w.uma, at+"vote", "author", w.uma.Account, "helpful", "1").Status, "nobody votes for themselves")
	w.posted(w.erin, at+"vote", "author", w.uma.Account, "helpful", "0")
	mine, err = w.Hub.Community.RatingOf(t.Context(), w.Actor(w.uma), "acme/backup")
	require.NoError(t, err)
	assert.Zero(t, mine.Helpful)

	assert.Equal(t, http.StatusForbidden, w.post(w.erin, at+"answer", "author", w.uma.Account, "text", "x").Status)
	w.posted(w.mona, at+"answer", "author", w.uma.Account, "text", "We will look at it.")
	assert.Contains(t, w.page(nil, at+"ratings"), "We will look at it.")
	assert.Contains(t, w.page(w.uma, "/account/reports"), "The publisher has answered.")

	for i := range 30 {
		p := w.Person("Rater " + string(rune('A'+i)))
		w.write(func(tx hub.Tx) error {
			return tx.Ratings().Insert(t.Context(), &hub.Rating{Plugin: "acme/backup", Account: p.Account, Stars: 5, State: hub.Shown, Created: mine.Created, Updated: mine.Created})
		})
	}
	page = w.page(nil, at+"ratings")
	assert.Contains(t, page, "after=")
	assert.Contains(t, w.page(nil, at+"ratings?sort=helpful"), "&amp;sort=helpful")
	assert.Contains(t, words(w.page(nil, at+"ratings?stars=1")), "No rating with that many stars")
	assert.Equal(t, http.StatusUnprocessableEntity, w.get(nil, at+"ratings?after="+url.QueryEscape("?")).Status)

	w.posted(w.uma, at+"rating/delete")
	assert.Equal(t, http.StatusNotFound, w.post(w.uma, at+"rating/delete").Status)
	assert.NotContains(t, w.page(nil, at+"ratings"), "Not so good.")
}

// TestNeedReceipt has no form where only panels may rate.
func TestNeedReceipt(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{})
	ada := w.Person("Ada Admin", hub.RoleAdmin)
	_, rev, err := w.Hub.Publishing.Policy(t.Context())
	require.NoError(t, err)
	_, err = w.Hub.Publishing.SetPolicy(t.Context(), w.Actor(ada), rev, hub.Policy{NeedReceipt: true})
	require.NoError(t, err)
	require.Eventually(t, func() bool { // the policy is read once a second
		return strings.Contains(words(w.get(w.uma, "/plugins/acme/backup/ratings").Body), "This hub takes ratings from panels only")
	}, 10*time.Second, 50*time.Millisecond)
	inOrder(t, "ratings", w.get(w.uma, "/plugins/acme/backup/ratings"))
	assert.GreaterOrEqual(t, w.post(w.uma, "/plugins/acme/backup/rating", "stars", "5").Status, 400)
}

func TestShelf(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{})
	ada := w.Person("Ada Admin", hub.RoleAdmin)
	require.NoError(t, w.Hub.Publishing.SetCategory(t.Context(), w.Actor(ada), hub.Category{Slug: "storage", Name: "Storage", Summary: "Where things lie."}))
	other := hubtest.Manifest("evil/clock", "0.1.0")
	other.Categories = []string{"storage"}
	other.Dependencies = []catalog.Dependency{{ID: "acme/backup", Range: "^1.0"}}
	w.Publish(w.evil, hubtest.Plugin{Manifest: other})
	page := w.page(nil, "/plugins?category=storage")
	assert.Contains(t, page, "/plugins/evil/clock")
	assert.NotContains(t, page, "/plugins/acme/backup")
	assert.Contains(t, page, "<h1>Storage</h1>")
	assert.NotContains(t, w.page(nil, "/plugins?publisher=acme"), "/plugins/evil/clock")
	assert.Contains(t, w.page(nil, "/plugins?q=clo"), "/plugins/evil/clock")
	assert.Contains(t, words(w.page(nil, "/plugins?q=zzz")), "Nothing found")
	assert.Contains(t, w.page(nil, "/plugins/evil/clock"), `<a href="/plugins/acme/backup">`)
	page = w.page(nil, "/plugins/acme/backup/permissions")
	assert.Contains(t, words(page), "Can send data to backup.acme.example on port 443.")
	assert.Contains(t, page, "To send backups away.")
	_, err := w.Hub.Publishing.Feature(t.Context(), w.Actor(ada), "evil/clock", true)
	require.NoError(t, err)
	assert.Contains(t, words(w.page(nil, "/")), "Featured")

	adv, err := w.Hub.Community.IssueAdvisory(t.Context(), w.Actor(w.mo), catalog.Advisory{Action: catalog.ActionDisable, Title: "Leaks keys", Detail: "Turn **it** off.", Plugin: "acme/backup", Range: "<2.0.0", FixedIn: "2.0.0", URL: "https://a.example/x"})
	require.NoError(t, err)
	for path, want := range map[string]string{"/advisories": "Leaks keys", "/advisories/" + adv.ID: "<strong>it</strong>", "/plugins/acme/backup": "Panels stop running", "/publishers/acme": "Leaks keys"} {
		assert.Contains(t, w.page(nil, path), want, path)
	}
	_, err = w.Hub.Community.RescindAdvisory(t.Context(), w.Actor(w.mo), adv.ID, "It was a mistake.")
	require.NoError(t, err)
	assert.Contains(t, words(w.page(nil, "/advisories/"+adv.ID)), "taken back")
	assert.NotContains(t, w.page(nil, "/plugins/acme/backup"), "Leaks keys")

	empty := hubtest.New(t, hubtest.Options{})
	e := &town{World: empty, t: t}
	for path, want := range map[string]string{"/": "Nothing is published yet", "/plugins": "Nothing is published yet", "/advisories": "No advisories"} {
		assert.Contains(t, words(e.page(nil, path)), want)
	}
}
