package store_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/marketplace/markettest"
	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/sandbox"
)

// TestDocumentationHoldsNoPage: a page waits a moment for it, says so, and looks again; who
// has no script sees it too.
func TestDocumentationHoldsNoPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMarket()
		m.MediaWait = 3 * time.Second
		h := shop(t, m, admin)
		began := time.Now()
		page := get(h, "/plugins/p/acme/backup").Body.String()
		assert.Less(t, time.Since(began), time.Second)
		assert.Contains(t, page, "The documentation is being fetched")
		assert.Contains(t, page, `data-again="2000"`)
		assert.Contains(t, page, `<noscript><meta http-equiv="refresh" content="2">`)
		assert.Contains(t, page, "Medium risk", "the rest is there")

		m.MediaWait = 100 * time.Millisecond
		page = get(h, "/plugins/p/acme/backup").Body.String()
		assert.Contains(t, page, "Restore of single files in two clicks")
		assert.NotContains(t, page, "being fetched")
		assert.NotContains(t, page, "data-again")
		assert.NotContains(t, page, `http-equiv="refresh"`)
	})
}

// TestSlowRegistry: each answer of the registry takes three seconds, and the pages are made
// of what is here, with its age.
func TestSlowRegistry(t *testing.T) {
	t.Parallel()
	p := markettest.Plugin{Manifest: markettest.Manifest("acme/backup", "1.0.0"), Files: map[string]string{"README.md": "# Backup\n\nSaves every server at night."}}
	p.Manifest.Docs = "README.md"
	w := markettest.New(t, markettest.Options{Policy: sandbox.Policy{}}, p)
	w.Registry.Inject(catalogtest.Fault{Effect: catalogtest.Slow(3 * time.Second)})
	h, err := store.New(w.Market, store.Options{Actor: func(*http.Request) (store.Actor, error) { return admin, nil }})
	require.NoError(t, err)
	quick := func(path string) string {
		t.Helper()
		began := time.Now()
		answer := get(h, "/plugins/"+path)
		require.Equal(t, http.StatusOK, answer.Code, path)
		require.Less(t, time.Since(began), 2*time.Second, "%s does not wait for the registry", path)
		return answer.Body.String()
	}
	synced := make(chan error, 1)
	go func() { synced <- w.Market.Sync(t.Context()) }() // meanwhile
	assert.Contains(t, quick(""), "acme/backup")
	assert.Contains(t, quick("?q=backup"), "acme/backup")
	assert.Contains(t, quick("api/v1/plugins?q=backup"), "acme/backup")
	quick("updates")
	quick("settings")
	assert.Contains(t, quick("p/acme/backup"), "The documentation is being fetched")
	require.NoError(t, <-synced)
	require.Eventually(t, func() bool {
		return strings.Contains(quick("p/acme/backup"), "Saves every server at night")
	}, 20*time.Second, 500*time.Millisecond, "it was fetched meanwhile")
}
