package store_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/souk-dev/souk/marketplace/store"
)

func TestAcceptLanguage(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"": "en", "en-GB,en;q=0.9": "en", "fr": "en", "fr,de;q=0.3": "de", "de-AT": "de", "de;q=0.2,en;q=0.8": "en", "*": "en", ";;;": "en", "x": "en",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Language", header)
		assert.Equal(t, want, store.AcceptLanguage(r), header)
	}
}

// TestLanguageOfWhoAsks: the panel says it at each request, the page and the layout are told.
func TestLanguageOfWhoAsks(t *testing.T) {
	t.Parallel()
	var got store.Page
	h := shop(t, newMarket(), admin, func(o *store.Options) {
		o.Language = func(r *http.Request) string { return r.Header.Get("X-Language") }
		o.Layout = func(w http.ResponseWriter, _ *http.Request, p store.Page) { got = p; w.WriteHeader(p.Status) }
	})
	for tag, want := range map[string][2]string{"": {"en", "ltr"}, "en-US": {"en", "ltr"}, "xx": {"en", "ltr"}, "de": {"de", "ltr"}, "de-CH": {"de", "ltr"}, "en-XA": {"en-XA", "ltr"}, "en-XB": {"en-XB", "rtl"}} {
		w := get(h, "/plugins/", "X-Language", tag)
		assert.Equal(t, want, [2]string{got.Lang, got.Dir}, tag)
		assert.Equal(t, want[0], w.Header().Get("Content-Language"))
		assert.Contains(t, string(got.Body), `lang="`+want[0]+`" dir="`+want[1]+`"`)
	}
}
