package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"

	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

// OpenSQLite opens the database in the file at path, and creates it when it is absent;
// its directory must be there, on a local file system. It brings the schema up to date.
//
// One connection writes, each change synced to disk before it is confirmed; Readers
// others read, and never wait for it.
func OpenSQLite(ctx context.Context, path string, o Options) (*Store, error) {
	o = o.withDefaults()
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
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

// sqliteDSN names a database. Double quotes are for names alone, and what is said to a
// connection cannot damage the file.
func sqliteDSN(path string, q url.Values) string {
	q.Set("_dqs", "0")
	q.Set("_defensive", "1")
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}
