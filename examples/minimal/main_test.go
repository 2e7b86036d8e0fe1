package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/markettest"
)

// TestOpen opens the program's store on a catalog of a test.
func TestOpen(t *testing.T) {
	w := markettest.New(t, markettest.Options{}, markettest.Plugin{Manifest: markettest.Manifest("acme/backup", "1.0.0")})
	m, shop, err := open(t.TempDir(), w.CatalogRef(), w.Root(), runtime{})
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	require.NoError(t, m.Sync(t.Context()))
	page := httptest.NewRecorder()
	shop.ServeHTTP(page, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/plugins/p/acme/backup", nil))
	assert.Equal(t, http.StatusOK, page.Code)
	assert.Contains(t, page.Body.String(), "acme/backup")
}

// TestReadme holds the README's listing to this program.
func TestReadme(t *testing.T) {
	source, err := os.ReadFile("main.go")
	require.NoError(t, err)
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, from, ok := strings.Cut(string(source), "// open returns the marketplace")
	require.True(t, ok)
	listing, _, ok := strings.Cut(from, "\n}\n")
	require.True(t, ok)
	assert.Contains(t, string(readme), listing)
}
