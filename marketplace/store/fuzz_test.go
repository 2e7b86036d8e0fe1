package store_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/souk-dev/souk/marketplace/store/storetest"
)

// FuzzReadme holds whatever a publisher writes to a handful of harmless elements,
// links to the web and to mail, and pictures of the release itself.
func FuzzReadme(f *testing.F) {
	for _, s := range []string{
		storetest.Readme, "<script>alert(1)</script>", "[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "<a href=data:text/html,x>", "![x](//evil/x.png)", "[x](https://)", "<https:x>", "<http://[>", "![x](shots/1.png)", "![x](../../shots/1.png)",
		"[x]: javascript:alert(1)\n[x]", "<javascript:alert(1)>", "| a |\n|:-:|\n| <img src=x onerror=y> |", "[![a](shots/1.png)](javascript:x)", "`<b>`", "https://example.org/\"onclick=x", strings.Repeat("[", 2000), strings.Repeat("> ", 500) + "x", "\x00\xff\ufffd",
	} {
		f.Add(s)
	}
	m := newMarket()
	h := shop(f, m, admin)
	f.Fuzz(func(t *testing.T, text string) {
		m.Blobs["README.md"] = []byte(text)
		w := get(h, "/plugins/api/v1/plugins/acme/backup/readme")
		require.Equal(t, http.StatusOK, w.Code)
		var answer struct{ HTML string }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
		doc, err := html.Parse(strings.NewReader("<body>" + answer.HTML))
		require.NoError(t, err)
		for n := range doc.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			assert.Contains(t, "html head body tbody p br hr h3 h4 h5 h6 blockquote pre code em strong del ul ol li table thead tr th td a img", n.Data)
			for _, a := range n.Attr {
				switch a.Key {
				case "href":
					lower := strings.ToLower(a.Val)
					assert.True(t, strings.HasPrefix(lower, "http://") || strings.HasPrefix(lower, "https://") || strings.HasPrefix(lower, "mailto:"), a.Val)
				case "src":
					assert.True(t, strings.HasPrefix(a.Val, "/plugins/media/acme/backup/"), a.Val)
				case "alt", "align", "start", "rel", "target":
				case "loading":
					assert.Equal(t, "img lazy", n.Data+" "+a.Val)
				case "tabindex":
					assert.Equal(t, "pre 0", n.Data+" "+a.Val)
				default:
					assert.Fail(t, "attribute "+a.Key)
				}
			}
		}
	})
}
