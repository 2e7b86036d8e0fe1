package hubtest

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub/sqlstore"
)

// Store returns an empty store in a temporary SQLite file, which is not synced to disk and
// is closed when the test ends.
func Store(t testing.TB) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "hub.db"), sqlstore.Options{Volatile: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}
