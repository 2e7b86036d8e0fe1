package markettest_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/catalog/mirror"
	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace"
	"github.com/souk-dev/souk/marketplace/markettest"
	"github.com/souk-dev/souk/marketplace/store"
)

var _ store.Market = (*marketplace.Market)(nil)

// TestPanel is how a panel tests its embedding: its pages, its runtime, and what
// happens when a registry or a plugin fails.
func TestPanel(t *testing.T) {
	t.Parallel()
	w := markettest.New(t, markettest.Options{},
		markettest.Plugin{Manifest: markettest.Manifest("acme/backup", "1.0.0"), Files: map[string]string{"hello.txt": "hello"}})
	shop, err := store.New(w.Market, store.Options{Actor: func(*http.Request) (store.Actor, error) {
		return store.Actor{Name: "alice", View: true}, nil
	}})
	require.NoError(t, err)
	page := httptest.NewRecorder()
	shop.ServeHTTP(page, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/plugins/", nil))
	assert.Equal(t, http.StatusOK, page.Code)
	assert.Contains(t, page.Body.String(), "acme/backup")

	w.Install("acme/backup")
	assert.Equal(t, []string{"acme/backup@1.0.0"}, w.Host.Versions())

	w.Publish(markettest.Plugin{Manifest: markettest.Manifest("acme/backup", "1.1.0")})
	w.Host.OnActivate = func(context.Context, install.Installed) error { return nil }
	w.Update("acme/backup")
	assert.Equal(t, []string{"acme/backup@1.1.0"}, w.Versions())
	w.Remove("acme/backup")
	assert.Empty(t, w.Versions())
}

// TestFailures shows what can be made to fail.
func TestFailures(t *testing.T) {
	t.Parallel()
	w := markettest.New(t, markettest.Options{Registry: catalogtest.RegistryOptions{NoReferrers: true}},
		markettest.Plugin{Manifest: markettest.Manifest("acme/backup", "1.0.0")})
	change := install.Change{Install: []resolve.Want{{Plugin: "acme/backup"}}}

	heal := w.Registry.Inject(catalogtest.Fault{On: catalogtest.Blobs, Effect: catalogtest.FlipByte(3)})
	op, err := w.Do(change)
	require.NoError(t, err)
	require.Error(t, op.Err)
	heal()

	w.Host.OnActivate = func(context.Context, install.Installed) error { return errors.New("no") }
	op, err = w.Do(change)
	require.NoError(t, err)
	require.ErrorContains(t, op.Err, "no")
	w.Host.OnActivate = nil

	w.Advance(48 * time.Hour)
	require.ErrorIs(t, w.Market.Sync(t.Context()), catalog.ErrExpired)
	assert.Equal(t, mirror.Expired, w.Market.Sources()[0].State)
	w.Renew()
	w.Sync()
	w.Install("acme/backup")
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		markettest.New(b, markettest.Options{}, markettest.Plugin{Manifest: markettest.Manifest("acme/backup", "1.0.0")})
	}
}
