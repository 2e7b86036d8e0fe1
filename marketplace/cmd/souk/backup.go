package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/souk-dev/souk/marketplace/hub/sqlstore"
	"github.com/souk-dev/souk/sandbox/safefs"
)

// Names in a hub's directory, as package server has them.
const (
	dbFile      = "hub.db"
	keysDir     = "keys"
	registryDir = "registry"
)

func backupVerb() verb {
	return verb{
		name: "hub backup", args: "<dir> <file>", min: 2, max: 2,
		short: "copy a hub's database while it runs",
		long: `
Writes a consistent copy of the SQLite database of the hub in <dir> into a new file. The
hub may run: it is neither stopped nor slowed down much.

The database is one part of three. Copy <dir>/registry after it, with cp -a, rsync or a
snapshot: what is in it is named by its digest and never changes, so that the copy has all
that the database names. <dir>/keys never changes: copy it once, encrypted, elsewhere.

A hub on PostgreSQL is backed up by pg_dump --format=custom.`,
		flags: func(fs *flag.FlagSet) action {
			asJSON := jsonFlag(fs)
			return func(ctx context.Context, a *app, args []string) error {
				return a.backup(ctx, args[0], args[1], *asJSON)
			}
		},
	}
}

func restoreVerb() verb {
	return verb{
		name: "hub restore", args: "<file> <dir>", min: 2, max: 2,
		short: "make a hub's directory of a backup",
		long: `
Checks that the backup is whole and of a version that this souk knows, and puts it as
database into <dir>, which must be absent or empty. Then copy registry and keys of the
backup into <dir>, before the hub is started there: without its keys a hub makes new ones,
which no panel trusts.

A dump of PostgreSQL is restored by pg_restore.`,
		flags: func(fs *flag.FlagSet) action {
			asJSON := jsonFlag(fs)
			return func(ctx context.Context, a *app, args []string) error {
				return a.restore(ctx, args[0], args[1], *asJSON)
			}
		},
	}
}

type backedUp struct {
	File   string `json:"file"`
	Size   int64  `json:"size"`
	Schema int    `json:"schema"`
}

func (a *app) backup(ctx context.Context, dir, file string, asJSON bool) error {
	db := filepath.Join(dir, dbFile)
	if _, err := os.Stat(db); errors.Is(err, fs.ErrNotExist) {
		return advise(fmt.Errorf("there is no %s in %s", dbFile, dir), "name the --dir of the hub; one on PostgreSQL is backed up by pg_dump --format=custom")
	} else if err != nil {
		return err
	}
	var schema int
	err := a.during(ctx, "copying the database", func(ctx context.Context) (err error) {
		// Opening it would bring an older schema up to date, under a hub that runs.
		if schema, err = sqlstore.Verify(ctx, db); err != nil {
			return err
		}
		if schema != sqlstore.Schema {
			return advise(fmt.Errorf("%s has the schema %d, this souk %d", db, schema, sqlstore.Schema), "back it up with the souk that runs it")
		}
		s, err := sqlstore.OpenSQLite(ctx, db, sqlstore.Options{})
		if err != nil {
			return err
		}
		if err = errors.Join(s.Backup(ctx, file), s.Close()); err != nil {
			return err
		}
		_, err = sqlstore.Verify(ctx, file)
		return err
	})
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if asJSON {
		return a.result(backedUp{file, info.Size(), schema})
	}
	a.say("wrote %s (%s), readable by you alone: it has mail addresses in it", file, bytesText(info.Size()))
	a.say("now copy %s, and keep %s safe", filepath.Join(dir, registryDir), filepath.Join(dir, keysDir))
	return nil
}

func (a *app) restore(ctx context.Context, file, dir string, asJSON bool) (err error) {
	if err := emptyDir(dir); err != nil {
		return err
	}
	var schema int
	err = a.during(ctx, "checking the backup", func(ctx context.Context) (err error) {
		schema, err = sqlstore.Verify(ctx, file)
		return err
	})
	if err != nil {
		return advise(err, "nothing was changed; take another backup")
	}
	root, err := openRoot(dir, 0o700)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	var size int64
	err = a.during(ctx, "copying the database", func(ctx context.Context) (err error) {
		if size, err = copyInto(ctx, root, dbFile, file); err != nil {
			return err
		}
		_, err = sqlstore.Verify(ctx, root.Abs(dbFile))
		return err
	})
	if err != nil {
		return err
	}
	if asJSON {
		return a.result(backedUp{root.Abs(dbFile), size, schema})
	}
	a.say("%s has the database; copy %s and %s of the hub there before you start it", dir, registryDir, keysDir)
	return nil
}

// copyInto copies a file so that it is there as a whole and durably, or not at all.
func copyInto(ctx context.Context, root *safefs.Root, name, from string) (n int64, err error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	part := safefs.TempPrefix + name
	out, err := root.Create(part, 0o600)
	if err != nil {
		return 0, err
	}
	n, err = io.Copy(out, readerFunc(func(b []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return in.Read(b)
	}))
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return n, errors.Join(err, root.RemoveAll(part))
	}
	if err := root.Rename(part, name); err != nil {
		return n, err
	}
	return n, root.SyncDir(".")
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
