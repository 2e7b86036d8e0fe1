package sqlstore_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/hub/sqlstore"
)

func TestMain(m *testing.M) {
	if os.Getenv("SOUK_SQLSTORE_CHILD") != "" {
		child()
		return
	}
	os.Exit(m.Run())
}

// database is one for a test, empty at first.
type database struct {
	t              testing.TB
	driver, source string
	server         *hubtest.Server // nil: SQLite, or one that is not ours
}

// engine makes a database.
type engine func(t testing.TB) database

func sqlite(t testing.TB) database {
	return database{t: t, driver: "sqlite", source: filepath.Join(t.TempDir(), "hub.db")}
}

func postgres(t testing.TB) database {
	dsn, server := hubtest.Postgres(t)
	return database{t: t, driver: "pgx", source: dsn, server: server}
}

// open opens the database as another process would.
func (d database) open(o sqlstore.Options) *sqlstore.Store {
	d.t.Helper()
	s, err := d.try(o)
	require.NoError(d.t, err)
	d.t.Cleanup(func() { require.NoError(d.t, s.Close()) })
	return s
}

func (d database) try(o sqlstore.Options) (*sqlstore.Store, error) {
	if d.driver == "sqlite" {
		return sqlstore.OpenSQLite(d.t.Context(), d.source, o)
	}
	return sqlstore.OpenPostgres(d.t.Context(), d.source, o)
}

// raw is the database without the store.
func (d database) raw() *sql.DB {
	d.t.Helper()
	db, err := sql.Open(d.driver, d.source)
	require.NoError(d.t, err)
	d.t.Cleanup(func() { require.NoError(d.t, db.Close()) })
	return db
}

// both runs a test on both engines.
func both(t *testing.T, f func(t *testing.T, e engine)) {
	t.Run("sqlite", func(t *testing.T) { f(t, sqlite) })
	t.Run("postgres", func(t *testing.T) { f(t, postgres) })
}

func TestStore(t *testing.T) {
	both(t, func(t *testing.T, e engine) {
		hubtest.StoreSuite(t, func(t testing.TB) hubtest.Database {
			d := e(t)
			// Patient, because the tests take the machine away from each other.
			return func() hub.Store { return d.open(sqlstore.Options{Volatile: true, Timeout: time.Minute}) }
		})
	})
}
