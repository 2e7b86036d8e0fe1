package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/marketplace/store/storetest"
)

// TestPages: the store's pages are in the shell, in the chosen colours, under the strict policy.
func TestPages(t *testing.T) {
	h, err := handler(storetest.NewMarket())
	require.NoError(t, err)
	for _, theme := range []string{"light", "dark"} {
		for _, path := range []string{"/", "/plugins/", "/plugins/p/acme/backup", "/plugins/installed"} {
			r := httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil)
			r.AddCookie(&http.Cookie{Name: themeCookie, Value: theme})
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Equal(t, http.StatusOK, w.Code)
			page := w.Body.String()
			assert.Contains(t, page, `data-bs-theme="`+theme+`"`)
			assert.Contains(t, page, `id="souk"`)
			assert.NotContains(t, page, "style=")
			assert.Equal(t, store.ContentSecurityPolicy, w.Header().Get("Content-Security-Policy"))
		}
	}
}

// TestEveryTokenIsMapped: what the store asks for is told from Bootstrap's own values.
func TestEveryTokenIsMapped(t *testing.T) {
	css, err := os.ReadFile("web/admin.css")
	require.NoError(t, err)
	bootstrap, err := os.ReadFile("web/bootstrap.min.css")
	require.NoError(t, err)
	for _, token := range strings.Fields("color-bg color-surface color-fg color-muted color-border color-accent color-on-accent color-ok color-warn color-danger font radius") {
		_, value, ok := strings.Cut(string(css), "--souk-"+token+": ")
		require.True(t, ok, token)
		_, value, ok = strings.Cut(value, "var(")
		require.True(t, ok, token)
		name, _, _ := strings.Cut(value, ")")
		assert.Contains(t, string(bootstrap), name+":", "Bootstrap has no such value")
	}
	licence, err := os.ReadFile("web/bootstrap.LICENSE")
	require.NoError(t, err)
	assert.Contains(t, string(licence), "The MIT License")
}

// TestEmbeddingIsShort counts the lines that the embedding takes, in Go and in the style sheet.
func TestEmbeddingIsShort(t *testing.T) {
	n := 0
	for file, marks := range map[string][2]string{"main.go": {"\n// embed\n", "\n// end\n"}, "web/admin.css": {"\n/* embed\n", "\n/* end */"}} {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		_, from, ok := strings.Cut(string(b), marks[0])
		require.True(t, ok)
		lines, _, ok := strings.Cut(from, marks[1])
		require.True(t, ok)
		n += strings.Count(strings.TrimSpace(lines), "\n") + 1
	}
	assert.LessOrEqual(t, n, 30)
}
