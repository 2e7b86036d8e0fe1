package store_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestGalleryIsPages: each screenshot has a page with the way to those beside it, which
// works without script, and no page beyond them.
func TestGalleryIsPages(t *testing.T) {
	t.Parallel()
	h := shop(t, newMarket(), viewer)
	const base = "/plugins/p/acme/backup"
	first := get(h, base+"/screenshots/1")
	require.Equal(t, http.StatusOK, first.Code)
	wellFormed(t, first.Body.String())
	for _, s := range []string{"shots/1.png?d=", `alt="The dashboard with last night&#39;s backups"`, "Last night at a glance", "1 of 2", `rel="next" href="` + base + `/screenshots/2"`, `href="` + base + `"`} {
		assert.Contains(t, first.Body.String(), s)
	}
	assert.NotContains(t, first.Body.String(), `rel="prev"`)
	last := get(h, base+"/screenshots/2").Body.String()
	assert.Contains(t, last, "shots/2.png?d=")
	assert.Contains(t, last, `rel="prev" href="`+base+`/screenshots/1"`)
	assert.NotContains(t, last, `rel="next"`)
	assert.Contains(t, get(h, base).Body.String(), `<a href="`+base+`/screenshots/1">`)
	for _, n := range []string{"0", "3", "-1", "x", "99999999999999999999", "1%2f2"} {
		assert.Equal(t, http.StatusNotFound, get(h, base+"/screenshots/"+n).Code, n)
	}
	assert.Equal(t, http.StatusNotFound, get(h, "/plugins/p/no/body/screenshots/1").Code)
}
