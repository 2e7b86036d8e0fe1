package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"

	"github.com/souk-dev/souk/sandbox/safefs"
)

// Backup implements [hub.Store]. path must not exist; what is there afterwards is
// complete and on the disk. A PostgreSQL database is backed up by pg_dump, and this is an
// error that says so.
func (s *Store) Backup(ctx context.Context, path string) error {
	if s.dialect.name == "postgres" {
		return errors.New(`a PostgreSQL database is backed up by its own tools: pg_dump --format=custom, and pg_restore to go back`)
	}
	dir, err := safefs.Open(filepath.Dir(path), safefs.Options{Network: true})
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer dir.Close()
	name := filepath.Base(path)
	if _, err := dir.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("backup: %s: %w", path, fs.ErrExist)
	}
	part := safefs.TempPrefix + name
	if err := dir.RemoveAll(part); err != nil { // of one that was interrupted
		return fmt.Errorf("backup: %w", err)
	}
	if err := s.copyTo(ctx, dir, part); err != nil {
		return errors.Join(fmt.Errorf("backup: %w", err), dir.RemoveAll(part))
	}
	if err := dir.Rename(part, name); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return dir.SyncDir(".")
}

// copyTo writes a copy and makes it durable.
func (s *Store) copyTo(ctx context.Context, dir *safefs.Root, name string) error {
	db, err := sql.Open("sqlite", sqliteDSN(s.path, url.Values{"mode": {"ro"}}))
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "VACUUM INTO $1", dir.Abs(name)); err != nil {
		return s.explain(ctx, err)
	}
	f, err := dir.Append(name, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o600), f.Sync(), f.Close())
}

// Verify says whether the SQLite database in the file at path is whole, and of a version
// that this program can open: before it is put in the place of another. It returns the
// version of its schema.
func Verify(ctx context.Context, path string) (schema int, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return 0, err
	}
	db, err := sql.Open("sqlite", sqliteDSN(path, url.Values{"mode": {"ro"}, "_query_only": {"on"}}))
	if err != nil {
		return 0, err
	}
	defer db.Close()
	var found string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&found); err != nil {
		return 0, fmt.Errorf("%s is no database that can be read: %w", path, err)
	}
	if found != "ok" {
		return 0, fmt.Errorf("%s is damaged: %s", path, found)
	}
	if err := db.QueryRowContext(ctx, "SELECT max(version) FROM schema_version").Scan(&schema); err != nil {
		return 0, fmt.Errorf("%s is no database of a hub: %w", path, err)
	}
	if schema > Schema {
		return schema, fmt.Errorf("%s: %w: its schema has version %d, and this one knows %d", path, ErrNewer, schema, Schema)
	}
	return schema, nil
}
