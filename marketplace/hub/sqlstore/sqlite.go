package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"

	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/souk-dev/souk/sandbox/safefs"
)

// OpenSQLite opens the database in the file at path, and creates it when it is absent,
// and its directory, for this user alone: it holds mail addresses and secrets of
// webhooks. It must be on a local file system ([safefs.ErrNetwork]). It brings the schema
// up to date.
//
// One connection writes, each change synced to disk before it is confirmed; Readers
// others read, and never wait for it.
func OpenSQLite(ctx context.Context, path string, o Options) (*Store, error) {
	o = o.withDefaults()
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := createFile(path); err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	sync := "FULL"
	if o.Volatile {
		sync = "OFF"
	}
	wait := fmt.Sprint(o.Timeout.Milliseconds())
	writer, err := sql.Open("sqlite", sqliteDSN(path, url.Values{
		"_txlock": {"immediate"}, "_busy_timeout": {wait}, "_journal_mode": {"WAL"}, "_synchronous": {sync},
	}))
	if err != nil {
		return nil, err
	}
	writer.SetMaxOpenConns(1)
	reader, err := sql.Open("sqlite", sqliteDSN(path, url.Values{
		"_busy_timeout": {wait}, "_query_only": {"on"},
	}))
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	reader.SetMaxOpenConns(o.Readers)
	reader.SetMaxIdleConns(o.Readers)
	s := newStore(sqliteDialect(), writer, reader, o)
	s.path = path
	return s.open(ctx)
}

// createFile creates an empty file, which to SQLite is a new database, when there is none.
// One that exists is not opened: closing it would end the locks of another store in this
// process, see https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_.
func createFile(path string) error {
	dir, err := safefs.Open(filepath.Dir(path), safefs.Options{})
	if err != nil {
		return err
	}
	defer dir.Close()
	name := filepath.Base(path)
	if _, err := dir.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := dir.Create(name, 0o600)
	if errors.Is(err, fs.ErrExist) { // another process was faster
		return nil
	} else if err != nil {
		return err
	}
	return errors.Join(f.Close(), dir.SyncDir("."))
}

// sqliteDSN names a database. Double quotes are for names alone, and what is said to a
// connection cannot damage the file.
func sqliteDSN(path string, q url.Values) string {
	q.Set("_dqs", "0")
	q.Set("_defensive", "1")
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}
