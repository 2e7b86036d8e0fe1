package store_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/marketplace/store/storetest"
	"github.com/souk-dev/souk/marketplace/ui"
)

// TestIsolatedIsWithinAShadowRoot: the parser makes it, without script; whatever the page
// shows is within, with the stylesheet of the head. The control is the same page without.
func TestIsolatedIsWithinAShadowRoot(t *testing.T) {
	t.Parallel()
	for _, isolated := range []bool{true, false} {
		h, err := store.New(storetest.NewMarket(), store.Options{Actor: func(*http.Request) (store.Actor, error) { return admin, nil }, Isolated: isolated, Language: func(r *http.Request) string { return ui.PseudoRight }})
		require.NoError(t, err)
		for _, path := range []string{"", "p/acme/backup", "installed", "nothing"} {
			w := get(h, "/plugins/"+path)
			doc, err := html.Parse(w.Body)
			require.NoError(t, err)
			sheets := map[string]int{}
			var host, root, heading *html.Node
			for n := range doc.Descendants() {
				switch {
				case n.Data == "link" && attr(n, "rel") == "stylesheet":
					sheets[attr(n, "href")]++
				case attr(n, "id") == "souk":
					host = n
				case n.Data == "template" && attr(n, "shadowrootmode") == "open":
					root = n
				case n.Data == "h1":
					heading = n
				}
				assert.Empty(t, attr(n, "style"))
			}
			require.NotNil(t, host, path)
			require.NotNil(t, heading, path)
			assert.Equal(t, "rtl", attr(host, "dir"))
			assert.Len(t, sheets, 1, "one file, which the browser has by then")
			assert.Equal(t, store.ContentSecurityPolicy, w.Header().Get("Content-Security-Policy"))
			if !isolated {
				assert.Nil(t, root)
				continue
			}
			require.NotNil(t, root, path)
			assert.Same(t, host, root.Parent)
			assert.True(t, below(root, heading), "%s: the heading is outside", path)
			for n := range host.ChildNodes() {
				assert.True(t, n == root || strings.TrimSpace(n.Data) == "", "%s: %q is in the reach of the panel's rules", path, n.Data)
			}
			for _, n := range sheets {
				assert.Equal(t, 2, n)
			}
		}
	}
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func below(top, n *html.Node) bool {
	for ; n != nil; n = n.Parent {
		if n == top {
			return true
		}
	}
	return false
}
