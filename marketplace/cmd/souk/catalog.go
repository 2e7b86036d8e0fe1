package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/sandbox/safefs"
	"github.com/souk-dev/souk/verify/tuf"
)

// catalogVerbs are those of an operator who keeps a catalog without a hub.
func catalogVerbs() []verb {
	return []verb{{
		name: "catalog init", args: "<dir>", min: 1, max: 1,
		short: "make a catalog with its keys",
		long: `
Makes a catalog in <dir>, which must be absent or empty:

  root.json    what panels pin: the catalog's root of trust
  keys/        root-1.pem ..., targets.pem, snapshot.pem, timestamp.pem, for you alone
  state.json   what was published last; keep it with the keys
  catalog.json where it is published to

Nothing is published yet. Move the root keys to a place without network, each to
another one: they are needed again only to change keys, once a year at least.`,
		flags: func(fs *flag.FlagSet) action {
			var o catalogInit
			fs.StringVar(&o.at, "at", "", "`registry/prefix/catalog`, the repository of the catalog; plugins are beside it; required")
			fs.IntVar(&o.roots, "root-keys", 3, "`number` of root keys")
			fs.IntVar(&o.threshold, "root-threshold", tuf.DefaultRootThreshold, "`number` of them that have to sign")
			return func(_ context.Context, a *app, args []string) error { return a.catalogInit(args[0], o) }
		},
	}, publishVerb(), {
		name: "catalog renew", args: "<dir>", min: 1, max: 1,
		short: "keep an unchanged catalog fresh",
		long: `
Signs the catalog's timestamp anew, and its snapshot when that is due, so that panels
know that what they have is the newest. The timestamp is good for a day: run this
every few hours, from cron or a timer. It needs keys/timestamp.pem and
keys/snapshot.pem. Targets are renewed by ` + "`souk catalog publish`" + `.`,
		flags: func(fs *flag.FlagSet) action {
			insecure := insecureFlag(fs)
			return func(ctx context.Context, a *app, args []string) error {
				return a.withCatalog(ctx, args[0], *insecure, func(c *openCatalog) error {
					if err := c.Renew(ctx, c.target); err != nil {
						return registryAdvice(err, c.at)
					}
					a.say("renewed catalog %d, good until %s", c.Serial(), c.TUF().Status().Timestamp.Expires.Format(time.RFC3339))
					return nil
				})
			}
		},
	}, {
		name: "catalog status", args: "<dir>", min: 1, max: 1,
		short: "show what is published and what expires when",
		long: `
Shows the number of the last publish and when each role expires, without asking the
registry. Exit status 1 when one has expired, or does so --within a time: a monitor
can watch it. With --json also publishers and advisories, as --publishers and
--advisories of ` + "`souk catalog publish`" + ` take them.`,
		flags: func(fs *flag.FlagSet) action {
			asJSON := jsonFlag(fs)
			within := fs.Duration("within", 0, "`time` ahead to look, such as 6h")
			return func(_ context.Context, a *app, args []string) error {
				return a.catalogStatus(args[0], *within, *asJSON)
			}
		},
	}}
}

// The files of a catalog's directory.
const (
	configFile  = "catalog.json"
	stateFile   = "state.json"
	initialFile = "initial.json" // the state before the first publish
	rootFile    = "root.json"
	lockFile    = "lock"
	keysFolder  = "keys"
)

// catalogConfig is catalog.json.
type catalogConfig struct {
	Format int    `json:"format"`
	At     string `json:"at"`
}

const catalogFormat = 1

type catalogInit struct {
	at               string
	roots, threshold int
}

func (a *app) catalogInit(dir string, o catalogInit) (err error) {
	if o.at == "" {
		return usage("--at is missing: the repository of the catalog, such as registry.example.org/plugins/catalog")
	}
	if _, _, err := splitAt(o.at); err != nil {
		return err
	}
	if o.roots < 1 || o.roots > 20 {
		return usage("--root-keys is %d, must be 1 to 20", o.roots)
	}
	if err := emptyDir(dir); err != nil {
		return err
	}
	keys, files, err := newKeys(o.roots)
	if err != nil {
		return err
	}
	repository, _, err := tuf.Init(keys, a.now(), tuf.Config{RootThreshold: o.threshold})
	if err != nil {
		return usage("%v", err)
	}
	root, err := repository.Root()
	if err != nil {
		return err
	}
	state, err := publish.New(repository).State()
	if err != nil {
		return err
	}
	config, err := json.MarshalIndent(catalogConfig{catalogFormat, o.at}, "", "  ")
	if err != nil {
		return err
	}
	disk, err := openRoot(dir, 0o700)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := disk.Close(); err == nil {
			err = cerr
		}
	}()
	if err := disk.MkdirDurable(keysFolder, 0o700); err != nil {
		return err
	}
	for name, b := range files {
		if err := disk.WriteFile(keysFolder+"/"+name, b, 0o600); err != nil {
			return err
		}
	}
	for _, f := range []struct {
		name string
		b    []byte
		perm fs.FileMode
	}{{rootFile, root, 0o644}, {initialFile, state, 0o600}, {stateFile, state, 0o600}, {configFile, append(config, '\n'), 0o644}} {
		if err := disk.WriteFile(f.name, f.b, f.perm); err != nil {
			return err
		}
	}
	a.say("made a catalog in %s for %s", dir, o.at)
	a.say("panels pin %s; move %s away from this machine", filepath.Join(dir, rootFile), filepath.Join(dir, keysFolder, "root-*.pem"))
	return nil
}

// newKeys makes the keys of all roles, and the files they are kept in.
func newKeys(roots int) (keys tuf.Keys, files map[string][]byte, err error) {
	files = make(map[string][]byte)
	for _, role := range []struct {
		into *[]tuf.Key
		name string
		n    int
	}{{&keys.Root, "root-%d.pem", roots}, {&keys.Targets, "targets.pem", 1}, {&keys.Snapshot, "snapshot.pem", 1}, {&keys.Timestamp, "timestamp.pem", 1}} {
		for i := range role.n {
			key, err := tuf.GenerateKey()
			if err != nil {
				return keys, nil, err
			}
			b, err := key.PEM()
			if err != nil {
				return keys, nil, err
			}
			name := role.name
			if strings.Contains(name, "%d") {
				name = fmt.Sprintf(name, i+1)
			}
			*role.into, files[name] = append(*role.into, key), b
		}
	}
	return keys, files, nil
}

// loadKeys reads the keys that a publish or renewal signs with. One that is not here
// is left out: signing says which is missing.
func loadKeys(dir string) (keys tuf.Keys, err error) {
	for _, role := range []struct {
		into *[]tuf.Key
		name string
	}{{&keys.Targets, "targets.pem"}, {&keys.Snapshot, "snapshot.pem"}, {&keys.Timestamp, "timestamp.pem"}} {
		b, err := readFile(filepath.Join(dir, keysFolder, role.name), maxSmall)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return keys, err
		}
		key, err := tuf.ParseKey(b)
		if err != nil {
			return keys, fmt.Errorf("%s: %w", role.name, err)
		}
		*role.into = append(*role.into, key)
	}
	return keys, nil
}

// splitAt splits "registry.example.org/plugins/catalog" before its last part.
func splitAt(at string) (prefix, repo string, err error) {
	i := strings.LastIndexByte(at, '/')
	if _, err := oci.New(at, oci.Options{Credentials: oci.Anonymous}); err != nil || i < 0 {
		return "", "", usage("--at: %v", err)
	}
	return at[:i], at[i+1:], nil
}

// openCatalog is a catalog that can be published.
type openCatalog struct {
	*publish.Catalog
	at     string // its repository
	prefix string // where its plugins are
	src    *oci.Source
	target publish.Target
}

// withCatalog opens a catalog, alone, for the time of do.
func (a *app) withCatalog(ctx context.Context, dir string, insecure bool, do func(*openCatalog) error) (err error) {
	config, err := readCatalog(dir)
	if err != nil {
		return err
	}
	disk, err := openRoot(dir, 0o700)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := disk.Close(); err == nil {
			err = cerr
		}
	}()
	lock, err := disk.Lock(lockFile)
	if errors.Is(err, safefs.ErrLocked) {
		return advise(fmt.Errorf("%s: %w", dir, err), "another souk is publishing it; try again when that is done")
	}
	if err != nil {
		return err
	}
	defer func() {
		if uerr := lock.Unlock(); err == nil {
			err = uerr
		}
	}()
	c := &openCatalog{at: config.At}
	options := oci.Options{Insecure: insecure}
	if c.src, err = oci.New(config.At, options); err != nil {
		return err
	}
	defer c.src.Close()
	prefix, repo, err := splitAt(config.At)
	if err != nil {
		return err
	}
	pusher, err := oci.NewPusher(prefix, options)
	if err != nil {
		return err
	}
	defer pusher.Close()
	keys, err := loadKeys(dir)
	if err != nil {
		return err
	}
	c.prefix = prefix
	c.target = publish.Target{Registry: pusher, Repo: repo, Keys: keys, Now: a.now(), Keep: func(state []byte) error {
		return disk.WriteFile(stateFile, state, 0o600)
	}}
	err = a.during(ctx, "publishing", func(ctx context.Context) error {
		if c.Catalog, err = c.open(ctx, disk); err != nil {
			return registryAdvice(err, c.at)
		}
		return do(c)
	})
	return err
}

// open reads the state and what it refers to in the registry.
func (c *openCatalog) open(ctx context.Context, disk *safefs.Root) (*publish.Catalog, error) {
	state, err := disk.ReadFile(stateFile, maxState)
	if err != nil {
		return nil, err
	}
	status, err := publish.StatusOf(state)
	if err != nil || status.Serial == 0 {
		return orOpen(ctx, state, nil, err)
	}
	e, err := c.src.Snapshot(ctx, 0)
	if errors.Is(err, catalog.ErrNotFound) && status.Serial == 1 {
		// The first publish ended after its state was kept and before anybody could
		// see it: it is made again from the beginning.
		state, err := disk.ReadFile(initialFile, maxState)
		return orOpen(ctx, state, nil, err)
	}
	if err != nil {
		return nil, err
	}
	return publish.Open(ctx, state, e.Blob)
}

func orOpen(ctx context.Context, state []byte, open publish.OpenBlob, err error) (*publish.Catalog, error) {
	if err != nil {
		return nil, err
	}
	return publish.Open(ctx, state, open)
}

// maxState bounds state.json, which grows with publishers and advisories.
const maxState = 256 << 20

func readCatalog(dir string) (c catalogConfig, err error) {
	b, err := readFile(filepath.Join(dir, configFile), maxSmall)
	if errors.Is(err, fs.ErrNotExist) {
		return c, advise(fmt.Errorf("%s is not the directory of a catalog", dir), "`souk catalog init` makes one")
	}
	if err != nil {
		return c, err
	}
	if err := strictJSON(b, &c); err != nil {
		return c, fmt.Errorf("%s: %w", configFile, err)
	}
	if c.Format != catalogFormat {
		return c, fmt.Errorf("%s has format %d, this version reads %d", configFile, c.Format, catalogFormat)
	}
	return c, nil
}

// strictJSON reads one document without unknown fields and with nothing behind it.
func strictJSON(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if d.More() {
		return errors.New("there is something behind the end of the document")
	}
	return nil
}

// roleStatus is a role as status shows it.
type roleStatus struct {
	Role    string    `json:"role"`
	Version int64     `json:"version"`
	Expires time.Time `json:"expires,omitzero"`
	Due     bool      `json:"due"` // expired, or about to
}

func (a *app) catalogStatus(dir string, within time.Duration, asJSON bool) error {
	config, err := readCatalog(dir)
	if err != nil {
		return err
	}
	state, err := readFile(filepath.Join(dir, stateFile), maxState)
	if err != nil {
		return err
	}
	s, err := publish.StatusOf(state)
	if err != nil {
		return err
	}
	roles, due := []roleStatus{}, false
	for _, r := range []struct {
		name string
		tuf.RoleStatus
	}{{"root", s.TUF.Root}, {"targets", s.TUF.Targets}, {"snapshot", s.TUF.Snapshot}, {"timestamp", s.TUF.Timestamp}} {
		if r.Version > 0 {
			over := !a.now().Add(within).Before(r.Expires)
			due = due || over
			roles = append(roles, roleStatus{r.name, r.Version, r.Expires, over})
		}
	}
	if asJSON {
		err = a.result(struct {
			At         string              `json:"at"`
			Serial     uint64              `json:"serial"`
			Due        bool                `json:"due"`
			Roles      []roleStatus        `json:"roles"`
			Publishers []catalog.Publisher `json:"publishers"`
			Advisories []catalog.Advisory  `json:"advisories"`
		}{config.At, s.Serial, due, roles, s.Publishers, s.Advisories})
	} else {
		err = a.printStatus(config.At, s.Serial, roles)
	}
	if err == nil && due {
		a.say("something expires: `souk catalog renew` for snapshot and timestamp, `souk catalog publish` for targets, new root keys for the root")
		err = errFound
	}
	return err
}

func (a *app) printStatus(at string, serial uint64, roles []roleStatus) error {
	if err := a.print("%s\nserial     %d, %s", at, serial, map[bool]string{true: "nothing was published yet", false: "published"}[serial == 0]); err != nil {
		return err
	}
	for _, r := range roles {
		mark := ""
		if r.Due {
			mark = "  due"
		}
		if err := a.print("%-10s version %d until %s%s", r.Role, r.Version, r.Expires.Format(time.RFC3339), mark); err != nil {
			return err
		}
	}
	return nil
}

// exists reports whether there is something of that name.
func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
