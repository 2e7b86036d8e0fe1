package ui_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/ui"
)

func TestSend(t *testing.T) {
	t.Parallel()
	page := strings.Repeat("a page of some length ", 200)
	var s ui.Sender
	for accept, zipped := range map[string]bool{
		"": false, "gzip": true, "br, gzip;q=0.5": true, "gzip; q=0": false, "gzip;q=0.000": false, "gzip;q=x": false, "br": false, "xgzip": false, "deflate,gzip": true,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Encoding", accept)
		w := httptest.NewRecorder()
		require.NoError(t, s.Send(w, r, http.StatusTeapot, []byte(page)))
		assert.Equal(t, http.StatusTeapot, w.Code)
		assert.Equal(t, "Accept-Encoding", w.Header().Get("Vary"))
		assert.Equal(t, strconv.Itoa(w.Body.Len()), w.Header().Get("Content-Length"))
		got := io.Reader(w.Body)
		assert.Equal(t, zipped, w.Header().Get("Content-Encoding") == "gzip", accept)
		if zipped {
			assert.Less(t, w.Body.Len(), 200)
			z, err := gzip.NewReader(w.Body)
			require.NoError(t, err)
			got = z
		}
		b, err := io.ReadAll(got)
		require.NoError(t, err)
		assert.Equal(t, page, string(b))
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	w := httptest.NewRecorder()
	require.NoError(t, s.Send(w, r, http.StatusOK, []byte("short")))
	assert.Equal(t, "short", w.Body.String())
}

// TestAssetsAreCompressed: to who takes it, and the same bytes to who does not.
func TestAssetsAreCompressed(t *testing.T) {
	t.Parallel()
	a, err := ui.NewAssets("/x/assets/")
	require.NoError(t, err)
	for _, name := range []string{"souk.css", "souk.js", "icons.svg"} {
		plain := asset(t, name).Body.String()
		r := httptest.NewRequest(http.MethodGet, a.URL(name), nil)
		r.Header.Set("Accept-Encoding", "gzip, br")
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		require.Equal(t, "gzip", w.Header().Get("Content-Encoding"), name)
		require.Equal(t, "Accept-Encoding", w.Header().Get("Vary"))
		assert.Less(t, w.Body.Len(), len(plain)/2)
		z, err := gzip.NewReader(w.Body)
		require.NoError(t, err)
		b, err := io.ReadAll(z)
		require.NoError(t, err)
		assert.Equal(t, plain, string(b))
	}
}
