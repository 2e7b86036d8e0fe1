package mirror

import (
	"bytes"
	"fmt"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

// State says how good what the mirror has of a source is.
type State string

// The states of a source.
const (
	Empty   State = "empty"   // never synced
	Fresh   State = "fresh"   // the last sync succeeded and has not expired
	Stale   State = "stale"   // the last sync failed; there is a snapshot, not expired
	Expired State = "expired" // there is a snapshot, too old to install anything from
	Failed  State = "error"   // there is no snapshot, because of an error
)

// Status is what is known of a source.
type Status struct {
	Name    string
	State   State
	Serial  uint64    // of the snapshot; 0: there is none
	Synced  time.Time // when the source last confirmed it
	Expires time.Time
	Plugins int
	Err     error // of the last sync, or of what was found on disk
}

func stateOf(snapshot *catalog.Snapshot, err error, now time.Time) State {
	switch {
	case snapshot == nil && err == nil:
		return Empty
	case snapshot == nil:
		return Failed
	case now.After(snapshot.Expires()):
		return Expired
	case err != nil:
		return Stale
	}
	return Fresh
}

// targets are the signed documents of a catalog.
type targets struct {
	index      catalog.Index
	publishers catalog.Publishers
	advisories catalog.Advisories
}

func parseTargets(s *verify.CatalogState) (t targets, err error) {
	if t.index, err = catalog.ParseIndex(s.Files[catalog.TargetIndex]); err != nil {
		return targets{}, err
	}
	if t.publishers, err = catalog.ParsePublishers(s.Files[catalog.TargetPublishers]); err != nil {
		return targets{}, err
	}
	t.advisories, err = catalog.ParseAdvisories(s.Files[catalog.TargetAdvisories])
	return t, err
}

// checkAdvance refuses documents that go back, or that are others under the same
// number: signed as they may be, one of both was not meant for us.
func checkAdvance(held, next *verify.CatalogState) error {
	if held == nil {
		return nil
	}
	h, err := parseTargets(held)
	if err != nil {
		return nil // what cannot be read any more holds nothing back; the TUF versions still do
	}
	n, err := parseTargets(next)
	if err != nil {
		return err
	}
	if err := checkSerial("catalog", h.index.Serial, n.index.Serial, h.index == n.index); err != nil {
		return err
	}
	same := bytes.Equal(held.Files[catalog.TargetAdvisories], next.Files[catalog.TargetAdvisories])
	return checkSerial("advisories", h.advisories.Serial, n.advisories.Serial, same)
}

func checkSerial(what string, held, next uint64, same bool) error {
	switch {
	case next < held:
		return fmt.Errorf("%s %d after %d: %w", what, next, held, verify.ErrRollback)
	case next == held && !same:
		return fmt.Errorf("%s %d is not the one seen before under that number: %w", what, next, verify.ErrUntrusted)
	}
	return nil
}

// supply says how a segment gets here.
type supply struct {
	segment catalog.Segment
	merge   bool           // from its inputs, of which fetch are missing
	fetch   []catalog.Blob // what to download: inputs, or the segment itself
}

// plan says how to get the segments that are not held, by the fewest bytes.
func plan(m catalog.CatalogManifest, held func(verify.Digest) bool) []supply {
	var out []supply
	for _, s := range m.Segments {
		if held(s.DiffID) {
			continue
		}
		way := supply{segment: s, fetch: []catalog.Blob{s.Blob}}
		var missing []catalog.Blob
		var bytes int64
		for _, b := range s.From {
			if !held(b.DiffID) {
				missing = append(missing, b)
				bytes += b.Size
			}
		}
		if len(s.From) > 0 && bytes < s.Size && len(missing) < len(s.From) {
			way = supply{segment: s, merge: true, fetch: missing}
		}
		out = append(out, way)
	}
	return out
}

// isBase reports whether the segment is the oldest of its family: then a merge of
// it has no tombstones.
func isBase(m catalog.CatalogManifest, s catalog.Segment) bool {
	return m.Of(s.Family)[0].DiffID == s.DiffID
}
