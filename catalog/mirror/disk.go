package mirror

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox/safefs"
	"github.com/souk-dev/souk/verify"
)

// kept is the state of a source on disk: one file, written when all that it needs
// is durable, so that it is the truth at every moment.
type kept struct {
	Format   int                  `json:"format"`
	Trust    *verify.CatalogState `json:"trust"`
	Manifest []byte               `json:"manifest"` // the catalog manifest
	Synced   time.Time            `json:"synced"`
}

const (
	keptFormat = 1
	maxKept    = 256 << 20 // bytes: all documents at their limits, in base64
)

// disk is the directory of one source:
//
//	<name>/state.json      kept
//	<name>/segments/<hex>  a segment, compressed, by the hex of its diffID
type disk struct {
	root *safefs.Root
	name string
}

func (d disk) state() string    { return path.Join(d.name, "state.json") }
func (d disk) segments() string { return path.Join(d.name, "segments") }

func (d disk) segment(diffID verify.Digest) string { return path.Join(d.segments(), diffID.Hex()) }

// prepare makes the directories and removes what a crash left half written.
func (d disk) prepare() error {
	if err := d.root.MkdirDurable(d.segments(), 0o700); err != nil {
		return err
	}
	return errors.Join(d.root.Sweep(d.name), d.root.Sweep(d.segments()))
}

// load returns what is kept, nil when there is nothing.
func (d disk) load() (*kept, error) {
	b, err := d.root.ReadFile(d.state(), maxKept)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var k kept
	if err := json.Unmarshal(b, &k); err != nil {
		return nil, fmt.Errorf("%s: %w", d.state(), err)
	}
	if k.Format != keptFormat || k.Trust == nil {
		return nil, fmt.Errorf("%s: format %d, this version reads %d", d.state(), k.Format, keptFormat)
	}
	return &k, nil
}

func (d disk) save(k *kept) error {
	b, err := json.Marshal(k)
	if err != nil {
		return err
	}
	return d.root.WriteFile(d.state(), b, 0o600)
}

// has reports whether there is a file for the segment. That it is whole is checked
// when it is read.
func (d disk) has(diffID verify.Digest) bool {
	info, err := d.root.Stat(d.segment(diffID))
	return err == nil && info.Mode().IsRegular()
}

func (d disk) put(diffID verify.Digest, raw []byte) error {
	return d.root.WriteFile(d.segment(diffID), raw, 0o600)
}

// records reads a segment from disk, and checks it.
func (d disk) records(b catalog.Blob) iter.Seq2[catalog.Record, error] {
	return func(yield func(catalog.Record, error) bool) {
		f, err := d.root.OpenFile(d.segment(b.DiffID))
		if err != nil {
			yield(catalog.Record{}, err)
			return
		}
		defer f.Close() // it was only read
		for r, err := range catalog.ReadSegment(f, b) {
			if !yield(r, err) {
				return
			}
		}
	}
}

// dropDamaged removes the segments that are not what their name says, so that they
// are fetched again, and returns how many they were.
func (d disk) dropDamaged(raw []byte) (dropped int) {
	m, err := catalog.ParseCatalogManifest(raw)
	if err != nil {
		return 0
	}
	for _, s := range m.Segments {
		for _, err := range d.records(s.Blob) {
			if err != nil && d.root.Remove(d.segment(s.DiffID)) == nil {
				dropped++
			}
		}
	}
	return dropped
}

// collect removes the segments that the manifest does not need, neither as segments
// nor as inputs of the next merge.
func (d disk) collect(raw []byte) error {
	m, err := catalog.ParseCatalogManifest(raw)
	if err != nil {
		return err
	}
	needed := make(map[string]bool)
	for _, s := range m.Segments {
		needed[s.DiffID.Hex()] = true
	}
	list, err := d.root.ReadDir(d.segments())
	if err != nil {
		return err
	}
	var all []error
	for _, e := range list {
		if !needed[e.Name()] {
			all = append(all, d.root.Remove(path.Join(d.segments(), e.Name())))
		}
	}
	return errors.Join(all...)
}
