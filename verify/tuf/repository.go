package tuf

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Defaults of Config.
const (
	DefaultRootThreshold     = 2 // of three, so that one key may be lost, and one stolen
	DefaultRootLifetime      = 365 * 24 * time.Hour
	DefaultTargetsLifetime   = 90 * 24 * time.Hour
	DefaultSnapshotLifetime  = 7 * 24 * time.Hour
	DefaultTimestampLifetime = 24 * time.Hour
)

// Config is how a repository is signed. The zero value means the defaults.
type Config struct {
	RootThreshold     int           `json:"rootThreshold"`    // signatures a root needs; zero means 2
	TargetsThreshold  int           `json:"targetsThreshold"` // signatures targets need; zero means 1
	RootLifetime      time.Duration `json:"rootLifetime"`     // nanoseconds, as all of these; zero means a year
	TargetsLifetime   time.Duration `json:"targetsLifetime"`
	SnapshotLifetime  time.Duration `json:"snapshotLifetime"`
	TimestampLifetime time.Duration `json:"timestampLifetime"` // an old catalog can be replayed for as long
}

func (c Config) complete() (Config, error) {
	c.RootThreshold = cmp.Or(c.RootThreshold, DefaultRootThreshold)
	c.TargetsThreshold = cmp.Or(c.TargetsThreshold, 1)
	c.RootLifetime = cmp.Or(c.RootLifetime, DefaultRootLifetime)
	c.TargetsLifetime = cmp.Or(c.TargetsLifetime, DefaultTargetsLifetime)
	c.SnapshotLifetime = cmp.Or(c.SnapshotLifetime, DefaultSnapshotLifetime)
	c.TimestampLifetime = cmp.Or(c.TimestampLifetime, DefaultTimestampLifetime)
	if c.RootThreshold < 0 || c.TargetsThreshold < 0 {
		return c, errors.New("a threshold cannot be negative")
	}
	for _, d := range []time.Duration{c.RootLifetime, c.TargetsLifetime, c.SnapshotLifetime, c.TimestampLifetime} {
		if d < time.Second {
			return c, fmt.Errorf("a lifetime of %s is too short; a second is the least", d)
		}
	}
	return c, nil
}

// Keys are the keys of each role. What an operation signs with has to be private.
type Keys struct {
	Root, Targets, Snapshot, Timestamp []Key
}

func (k Keys) role(name string) []Key {
	switch name {
	case metadata.ROOT:
		return k.Root
	case metadata.TARGETS:
		return k.Targets
	case metadata.SNAPSHOT:
		return k.Snapshot
	}
	return k.Timestamp
}

// Publication is what an operation wants uploaded: each file in Order, and
// timestamp.json last, because it is what makes the others visible.
type Publication struct {
	Files map[string][]byte
	Order []string
}

func (p *Publication) add(name string, b []byte) {
	if p.Files == nil {
		p.Files = make(map[string][]byte)
	}
	if _, ok := p.Files[name]; !ok {
		p.Order = append(p.Order, name)
	}
	p.Files[name] = b
}

// Repository is the publishing side of a catalog. It holds no private keys and
// does no I/O: the caller keeps State, and uploads each Publication whole before
// it keeps the new State. An operation that returns an error changes nothing. It
// is not safe for concurrent use.
type Repository struct {
	config    Config
	root      *metadata.Metadata[metadata.RootType]
	targets   *metadata.Metadata[metadata.TargetsType] // nil until the first Publish, as the next two
	snapshot  *metadata.Metadata[metadata.SnapshotType]
	timestamp *metadata.Metadata[metadata.TimestampType]
}

// Init makes a repository, with a first root signed by keys.Root. The root, file
// "1.root.json", is what operators of panels pin.
func Init(keys Keys, now time.Time, c Config) (*Repository, *Publication, error) {
	c, err := c.complete()
	if err != nil {
		return nil, nil, fmt.Errorf("init catalog: %w", err)
	}
	r := &Repository{config: c}
	if r.root, err = r.newRoot(1, keys, now); err != nil {
		return nil, nil, fmt.Errorf("init catalog: %w", err)
	}
	if err := sign(r.root, r.root, metadata.ROOT, keys.Root); err != nil {
		return nil, nil, fmt.Errorf("init catalog: %w", err)
	}
	p := new(Publication)
	if err := put(p, "1.root.json", r.root); err != nil {
		return nil, nil, fmt.Errorf("init catalog: %w", err)
	}
	return r, p, nil
}

// Publish signs a new version of the catalog, with keys.Targets, keys.Snapshot and
// keys.Timestamp. A target file that is not given stays as it is; the first time
// all of [TargetNames] are needed.
func (r *Repository) Publish(keys Keys, targets map[string][]byte, now time.Time) (*Publication, error) {
	next, p := *r, new(Publication)
	if err := next.publish(p, keys, targets, now); err != nil {
		return nil, fmt.Errorf("publish catalog: %w", err)
	}
	*r = next
	return p, nil
}

func (r *Repository) publish(p *Publication, keys Keys, targets map[string][]byte, now time.Time) error {
	files := make(map[string]*metadata.TargetFiles)
	if r.targets != nil {
		for name, f := range r.targets.Signed.Targets {
			files[name] = f
		}
	}
	for _, name := range TargetNames() {
		b, given := targets[name]
		switch {
		case given && len(b) > MaxFile:
			return fmt.Errorf("target %q has %d bytes; at most %d are read", name, len(b), MaxFile)
		case given:
			f, err := metadata.TargetFile().FromBytes(name, b)
			if err != nil {
				return err
			}
			files[name] = f
			p.add(filePath(name, f), b)
		case files[name] == nil:
			return fmt.Errorf("target %q is missing", name)
		}
	}
	for name := range targets {
		if !slices.Contains(TargetNames(), name) {
			return fmt.Errorf("target %q is not one of %q", name, TargetNames())
		}
	}
	if err := r.renewTargets(p, keys, files, now); err != nil {
		return err
	}
	if err := r.renewSnapshot(p, keys, now); err != nil {
		return err
	}
	return r.renewTimestamp(p, keys, now)
}

// Renew keeps an unchanged catalog fresh: it signs a new timestamp, and a new
// snapshot once half of the old one's life is over. It needs keys.Timestamp, and
// keys.Snapshot when that is due.
func (r *Repository) Renew(keys Keys, now time.Time) (*Publication, error) {
	next, p := *r, new(Publication)
	if err := next.renew(p, keys, now); err != nil {
		return nil, fmt.Errorf("renew catalog: %w", err)
	}
	*r = next
	return p, nil
}

func (r *Repository) renew(p *Publication, keys Keys, now time.Time) error {
	if r.targets == nil {
		return errors.New("nothing was published yet")
	}
	if r.targets.Signed.IsExpired(now) {
		return fmt.Errorf("its targets expired at %s; publish it again", say(r.targets.Signed.Expires))
	}
	if r.snapshot.Signed.Expires.Sub(now) < r.config.SnapshotLifetime/2 {
		if err := r.renewSnapshot(p, keys, now); err != nil {
			return err
		}
	}
	return r.renewTimestamp(p, keys, now)
}

// Rotate replaces the keys of all roles by next, in a new root that is signed by
// signers, who are root keys so far, and by next.Root. With the same keys it gives
// the root another year. What was signed by a replaced key is signed anew, for
// which next.Snapshot and next.Timestamp, and if they change next.Targets, have
// to be private.
func (r *Repository) Rotate(signers []Key, next Keys, now time.Time) (*Publication, error) {
	after, p := *r, new(Publication)
	if err := after.rotate(p, signers, next, now); err != nil {
		return nil, fmt.Errorf("rotate keys: %w", err)
	}
	*r = after
	return p, nil
}

func (r *Repository) rotate(p *Publication, signers []Key, keys Keys, now time.Time) error {
	old := r.root
	root, err := r.newRoot(old.Signed.Version+1, keys, now)
	if err != nil {
		return err
	}
	if err := sign(old, root, metadata.ROOT, signers); err != nil {
		return fmt.Errorf("by the keys so far: %w", err)
	}
	if err := sign(root, root, metadata.ROOT, keys.Root); err != nil {
		return err
	}
	r.root = root
	name := fmt.Sprintf("%d.root.json", root.Signed.Version)
	if r.targets == nil {
		return put(p, name, root)
	}
	if root.VerifyDelegate(metadata.TARGETS, r.targets) != nil {
		if err := r.renewTargets(p, keys, r.targets.Signed.Targets, now); err != nil {
			return err
		}
	}
	if err := r.renewSnapshot(p, keys, now); err != nil {
		return err
	}
	// The root goes up after what lies under new names anyway, and just before the
	// timestamp: in between, readers refuse the old timestamp.
	if err := put(p, name, root); err != nil {
		return err
	}
	return r.renewTimestamp(p, keys, now)
}

// repositoryState is how a Repository is kept.
type repositoryState struct {
	Format    int             `json:"format"`
	Config    Config          `json:"config"`
	Root      json.RawMessage `json:"root"`
	Targets   json.RawMessage `json:"targets,omitempty"`
	Snapshot  json.RawMessage `json:"snapshot,omitempty"`
	Timestamp json.RawMessage `json:"timestamp,omitempty"`
}

const stateFormat = 1

// State returns the repository as JSON, for Open. It holds nothing secret.
func (r *Repository) State() ([]byte, error) {
	s := repositoryState{Format: stateFormat, Config: r.config}
	var err error
	if s.Root, err = r.root.ToBytes(false); err != nil {
		return nil, fmt.Errorf("encode catalog state: %w", err)
	}
	if r.targets != nil {
		var errT, errS, errM error
		s.Targets, errT = r.targets.ToBytes(false)
		s.Snapshot, errS = r.snapshot.ToBytes(false)
		s.Timestamp, errM = r.timestamp.ToBytes(false)
		if err := errors.Join(errT, errS, errM); err != nil {
			return nil, fmt.Errorf("encode catalog state: %w", err)
		}
	}
	return json.Marshal(s)
}

// Open returns the repository that State wrote. It checks that all of it is signed
// by the keys its root names, but not expiry: an expired catalog can be renewed.
func Open(state []byte) (*Repository, error) {
	r, err := open(state)
	if err != nil {
		return nil, fmt.Errorf("open catalog state: %w", err)
	}
	return r, nil
}

func open(state []byte) (*Repository, error) {
	var s repositoryState
	if err := json.Unmarshal(state, &s); err != nil {
		return nil, err
	}
	if s.Format != stateFormat {
		return nil, fmt.Errorf("format %d is not known; %d is", s.Format, stateFormat)
	}
	config, err := s.Config.complete()
	if err != nil {
		return nil, err
	}
	r := &Repository{config: config}
	if err := inspectRoot(s.Root); err != nil {
		return nil, fmt.Errorf("root: %w", err)
	}
	if r.root, err = metadata.Root().FromBytes(s.Root); err != nil {
		return nil, fmt.Errorf("root: %w", err)
	}
	if err := r.root.VerifyDelegate(metadata.ROOT, r.root); err != nil {
		return nil, err
	}
	if s.Targets == nil {
		return r, nil
	}
	if err := inspectTargets(s.Targets); err != nil {
		return nil, fmt.Errorf("targets: %w", err)
	}
	if err := inspectSnapshot(s.Snapshot); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	if err := inspectTimestamp(s.Timestamp); err != nil {
		return nil, fmt.Errorf("timestamp: %w", err)
	}
	if r.targets, err = metadata.Targets().FromBytes(s.Targets); err != nil {
		return nil, err
	}
	if r.snapshot, err = metadata.Snapshot().FromBytes(s.Snapshot); err != nil {
		return nil, err
	}
	if r.timestamp, err = metadata.Timestamp().FromBytes(s.Timestamp); err != nil {
		return nil, err
	}
	return r, errors.Join(
		r.root.VerifyDelegate(metadata.TARGETS, r.targets),
		r.root.VerifyDelegate(metadata.SNAPSHOT, r.snapshot),
		r.root.VerifyDelegate(metadata.TIMESTAMP, r.timestamp))
}
