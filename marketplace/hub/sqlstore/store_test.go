package sqlstore_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/hub/sqlstore"
)

// engine makes an empty database, to be opened as often as one likes.
type engine func(t testing.TB, o sqlstore.Options) func() *sqlstore.Store

func sqlite(t testing.TB, o sqlstore.Options) func() *sqlstore.Store {
	path := filepath.Join(t.TempDir(), "hub.db")
	return func() *sqlstore.Store {
		s, err := sqlstore.OpenSQLite(t.Context(), path, o)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}
}

func postgres(t testing.TB, o sqlstore.Options) func() *sqlstore.Store {
	dsn, _ := hubtest.Postgres(t)
	return func() *sqlstore.Store {
		s, err := sqlstore.OpenPostgres(t.Context(), dsn, o)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}
}

// both runs a test on both engines.
func both(t *testing.T, f func(t *testing.T, e engine)) {
	t.Run("sqlite", func(t *testing.T) { f(t, sqlite) })
	t.Run("postgres", func(t *testing.T) { f(t, postgres) })
}

func TestStore(t *testing.T) {
	both(t, func(t *testing.T, e engine) {
		hubtest.StoreSuite(t, func(t testing.TB) hubtest.Database {
			open := e(t, sqlstore.Options{Volatile: true})
			return func() hub.Store { return open() }
		})
	})
}
