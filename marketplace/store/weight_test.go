package store_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

func inProse(n *html.Node) bool {
	for a := range n.Ancestors() {
		if slices.ContainsFunc(a.Attr, func(at html.Attribute) bool { return at.Key == "class" && strings.Contains(at.Val, "souk-prose") }) {
			return true
		}
	}
	return false
}

// TestFirstVisitIsLight: the page with style, script and icons, as it goes over the wire
// to a browser, without pictures.
func TestFirstVisitIsLight(t *testing.T) {
	t.Parallel()
	hub := newHub()
	h := shop(t, newMarket(), admin, hub.In)
	plain := get(h, "/plugins/").Body.String()
	page := get(h, "/plugins/", "Accept-Encoding", "gzip")
	require.Equal(t, "gzip", page.Header().Get("Content-Encoding"))
	sum := page.Body.Len()
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?:href|src)="(/plugins/assets/[^"#]+)`).FindAllStringSubmatch(plain, -1) {
		if seen[m[1]] {
			continue
		}
		seen[m[1]] = true
		w := get(h, m[1], "Accept-Encoding", "gzip")
		require.Equal(t, http.StatusOK, w.Code, m[1])
		sum += w.Body.Len()
	}
	assert.Len(t, seen, 3, "style, script and icons")
	assert.Less(t, sum, 60_000)
	t.Logf("%d bytes", sum)
}

// TestPicturesMoveNothing: the place of a picture is there before it, and what is not in
// view is not fetched.
func TestPicturesMoveNothing(t *testing.T) {
	t.Parallel()
	h := shop(t, newMarket(), admin)
	found := 0
	for _, path := range []string{"", "p/acme/backup", "p/acme/backup/versions", "installed", "updates", "compare?id=acme/backup&id=acme/mailer"} {
		doc, err := html.Parse(strings.NewReader(get(h, "/plugins/"+path).Body.String()))
		require.NoError(t, err)
		for n := range doc.Descendants() {
			if n.Type != html.ElementNode || n.Data != "img" {
				continue
			}
			found++
			has := map[string]string{}
			for _, a := range n.Attr {
				has[a.Key] = a.Val
			}
			if !inProse(n) { // there the style sheet gives every picture the same box
				assert.NotEmpty(t, has["width"], "%s: %v", path, has)
				assert.NotEmpty(t, has["height"], "%s: %v", path, has)
			}
			assert.Equal(t, "lazy", has["loading"], "%s: %v", path, has)
			assert.Contains(t, has, "alt")
		}
	}
	assert.Positive(t, found)
}
