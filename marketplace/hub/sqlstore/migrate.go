package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/riverqueue/river/rivermigrate"
)

// migrations has, for each version of the schema, a file NNNN.sql that both engines run,
// and NNNN.sqlite.sql or NNNN.postgres.sql behind it where there is something to say to
// one alone. What was released is never changed, only added to.
//
//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the version of the schema that this program knows.
const Schema = 2

// migrationLock is the advisory lock of PostgreSQL that one process holds while it
// migrates: "souk" in ASCII.
const migrationLock = 0x736f756b

// open brings the schema up to date and returns the store, or closes it.
func (s *Store) open(ctx context.Context) (*Store, error) {
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the database: %w", err), s.Close())
	}
	if err := s.openJobs(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// migrate runs what is missing, each version in a transaction of its own; then River's.
// Processes that open the database at the same time take turns.
func (s *Store) migrate(ctx context.Context) error {
	for done := false; !done; {
		err := s.locked(ctx, func(tx *sql.Tx) (err error) {
			done, err = s.migrateOne(ctx, tx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return s.migrateRiver(ctx)
}

// locked runs f in a transaction that no other process has at the same time.
func (s *Store) locked(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.writer.BeginTx(ctx, nil) // SQLite: takes the write lock
	if err != nil {
		return s.explain(ctx, err)
	}
	defer tx.Rollback()
	if s.dialect.name == "postgres" {
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
			return s.explain(ctx, err)
		}
	}
	if err := f(tx); err != nil {
		return s.explain(ctx, err)
	}
	return s.explain(ctx, tx.Commit())
}

// migrateOne runs the next version, and says whether there was none.
func (s *Store) migrateOne(ctx context.Context, tx *sql.Tx) (done bool, err error) {
	const table = "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL PRIMARY KEY)"
	if _, err := tx.ExecContext(ctx, table); err != nil {
		return false, err
	}
	var version int
	if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(version), 0) FROM schema_version").Scan(&version); err != nil {
		return false, err
	}
	if version > Schema {
		return false, fmt.Errorf("%w: its schema has version %d, and this one knows %d", ErrNewer, version, Schema)
	}
	if version == Schema {
		return true, nil
	}
	version++
	for _, suffix := range []string{"", "." + s.dialect.name} {
		text, err := migrations.ReadFile(fmt.Sprintf("migrations/%04d%s.sql", version, suffix))
		if errors.Is(err, fs.ErrNotExist) && suffix != "" {
			continue
		} else if err != nil {
			return false, err
		}
		if _, err := tx.ExecContext(ctx, s.dialect.ddl.Replace(withoutComments(string(text)))); err != nil {
			return false, fmt.Errorf("schema %d%s: %w", version, suffix, err)
		}
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO schema_version (version) VALUES ("+strconv.Itoa(version)+")")
	return false, err
}

// withoutComments removes comments, so that the words in them are not
// taken for types.
func withoutComments(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "--")
		out = append(out, strings.TrimRight(line, " \n"))
	}
	return strings.Join(out, "\n")
}

// migrateRiver brings River's own tables up to date. In PostgreSQL some of its versions
// cannot share a transaction, so a second connection holds the lock meanwhile.
func (s *Store) migrateRiver(ctx context.Context) error {
	m, err := rivermigrate.New(s.driver(), &rivermigrate.Config{Logger: s.riverLog()})
	if err != nil {
		return err
	}
	return s.locked(ctx, func(tx *sql.Tx) error {
		if s.dialect.name == "postgres" {
			_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
		} else {
			//lint:ignore SA1019 in SQLite all of it can be one transaction, and must: there is one connection
			_, err = m.MigrateTx(ctx, tx, rivermigrate.DirectionUp, nil)
		}
		return err
	})
}
