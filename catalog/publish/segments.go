package publish

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

// layout is what a publish makes of a catalog: the segments of the new state, and
// the bytes of those that are new.
type layout struct {
	segments map[catalog.Family][]segment
	blobs    map[verify.Digest][]byte
}

// lay lays out the next state. It changes nothing in c.
//
// A publish adds one segment with the records that changed to each family that
// has any. Sixteen of a level are merged into one of the next. A change of half a
// family or more, as the daily numbers are, replaces the family as a whole, since
// nobody gains from keeping what it hides.
func (c *Catalog) lay() (*layout, error) {
	l := &layout{segments: make(map[catalog.Family][]segment), blobs: make(map[verify.Digest][]byte)}
	for _, f := range catalog.Families() {
		segments, err := l.family(f, c.families[f], slices.Clone(c.segments[f]))
		if err != nil {
			return nil, fmt.Errorf("family %s: %w", f, err)
		}
		l.segments[f] = segments
	}
	return l, nil
}

func (l *layout) family(name catalog.Family, f *family, have []segment) ([]segment, error) {
	if len(f.changed) == 0 {
		return have, nil
	}
	records := 0
	for _, s := range have {
		records += s.Records
	}
	if 2*len(f.changed) >= records {
		whole, err := l.write(name, f, slices.Sorted(maps.Keys(f.lines)), 0, true)
		if err != nil || whole.Records == 0 {
			return nil, err
		}
		return []segment{whole}, nil
	}
	added, err := l.write(name, f, slices.Sorted(maps.Keys(f.changed)), 0, false)
	if err != nil {
		return nil, err
	}
	have = append(dropInputs(have), added)
	for cascade := false; ; cascade = true {
		level := have[len(have)-1].Level
		first := slices.IndexFunc(have, func(s segment) bool { return s.Level <= level })
		inputs := have[first:]
		if len(inputs) < catalog.SegmentFanout {
			return have, nil
		}
		merged, err := l.write(name, f, union(inputs), level+1, first == 0)
		if err != nil {
			return nil, err
		}
		for i, in := range inputs {
			if cascade && i == len(inputs)-1 { // made just now: nobody holds it
				merged.From = append(merged.From, in.From...)
			} else {
				merged.From = append(merged.From, in.Blob)
			}
		}
		have = append(have[:first:first], merged)
	}
}

// dropInputs forgets the inputs of all merges but the newest of each level: a
// client that did not sync for so long fetches the merged segment.
func dropInputs(have []segment) []segment {
	for i := range have {
		if i+1 < len(have) && have[i+1].Level == have[i].Level {
			have[i].From = nil
		}
	}
	return have
}

// write makes a segment of the present records of the plugins. Because the segments
// that are merged are always the newest ones, the present record of a plugin in
// them is the newest in them, so this is what [catalog.MergeRecords] makes of them.
func (l *layout) write(name catalog.Family, f *family, ids []catalog.PluginID, level int, base bool) (segment, error) {
	raw, s, err := catalog.WriteSegment(f.records(ids, base))
	if err != nil {
		return segment{}, err
	}
	s.Family, s.Level = name, level
	l.blobs[s.Digest] = raw
	return segment{s, ids}, nil
}

func union(segments []segment) []catalog.PluginID {
	all := make(map[catalog.PluginID]bool)
	for _, s := range segments {
		for _, id := range s.ids {
			all[id] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// manifest returns the catalog manifest of the layout.
func (l *layout) manifest(serial uint64) catalog.CatalogManifest {
	m := catalog.CatalogManifest{Format: catalog.CatalogFormat, Serial: serial}
	for _, f := range catalog.Families() {
		for _, s := range l.segments[f] {
			m.Segments = append(m.Segments, s.Segment)
		}
	}
	return m
}

// OpenBlob opens a blob of the catalog's repository, as [catalog.Envelope.Blob] does.
type OpenBlob func(ctx context.Context, d verify.Digest, size int64) (io.ReadCloser, error)

// load reads the published segments into c.
func (c *Catalog) load(ctx context.Context, m catalog.CatalogManifest, open OpenBlob) error {
	for _, s := range m.Segments {
		seg, err := c.loadSegment(ctx, s, open)
		if err != nil {
			return fmt.Errorf("segment %s: %w", s.Digest.Short(), err)
		}
		c.segments[s.Family] = append(c.segments[s.Family], seg)
	}
	for _, f := range c.families {
		clear(f.changed)
	}
	return nil
}

func (c *Catalog) loadSegment(ctx context.Context, s catalog.Segment, open OpenBlob) (_ segment, err error) {
	r, err := open(ctx, s.Digest, s.Size)
	if err != nil {
		return segment{}, err
	}
	defer func() {
		if cerr := r.Close(); err == nil {
			err = cerr
		}
	}()
	out := segment{Segment: s}
	f := c.families[s.Family]
	for rec, err := range catalog.ReadSegment(verify.NewReader(r, s.Digest, s.Size), s.Blob) {
		switch {
		case err != nil:
			return segment{}, err
		case rec.Deleted():
			f.remove(rec.ID)
		default:
			f.set(rec)
		}
		out.ids = append(out.ids, rec.ID)
	}
	return out, nil
}
