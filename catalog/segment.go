package catalog

import (
	"errors"
	"fmt"

	"github.com/souk-dev/souk/verify"
)

// CatalogFormat is the format number of the catalog manifest and of the segments
// it lists that this version reads and writes.
const CatalogFormat = 1

// Family is a family of segments. Each has a record per plugin.
type Family string

// The families, in the order in which a catalog manifest lists them.
const (
	FamilyListing  Family = "listing"  // what search and cards need: [Listing]
	FamilyReleases Family = "releases" // all versions of a plugin: [Release]
	FamilyStats    Family = "stats"    // downloads, rating, rank: [Stats]
)

// Families returns all families in their order.
func Families() []Family { return []Family{FamilyListing, FamilyReleases, FamilyStats} }

// Bounds of a catalog.
const (
	MaxCatalogManifest = 4 << 20  // bytes
	MaxSegments        = 4096     // in a catalog manifest
	MaxSegment         = 64 << 20 // bytes, compressed; 200,000 plugins in one segment
	MaxSegmentPlain    = 1 << 30  // bytes
	MaxSegmentRatio    = 200      // plain to compressed bytes, beyond SegmentRatioFree
	SegmentRatioFree   = 1 << 20  // plain bytes that may come from however little
	MaxSegmentLevel    = 16       // 16^16 publishes
	MaxSegmentFrom     = SegmentFanout * MaxSegmentLevel
	MaxRecord          = 16 << 20  // bytes of one record; some 5,000 versions of a plugin
	MaxRecords         = 2_000_000 // in a segment
	SegmentFanout      = 16        // so many segments of a level merge into one of the next
)

// Blob names the bytes of a segment in two ways: as stored, and plain.
type Blob struct {
	Digest verify.Digest `json:"digest"` // of the compressed bytes, by which a registry stores them
	Size   int64         `json:"size"`   // of the compressed bytes
	DiffID verify.Digest `json:"diffID"` // of the plain lines; what makes a segment this segment
	Plain  int64         `json:"plain"`  // bytes of the plain lines
}

// Segment is a part of a catalog: zstd over JSON Lines, a record a plugin, sorted by
// id. Of two records of a plugin the one in the newer segment counts, and a
// tombstone says that the plugin is gone.
type Segment struct {
	Family Family `json:"family"`
	Level  int    `json:"level"` // 0 for what a publish added, n+1 for what was merged from level n
	Blob
	Records int `json:"records"`
	// From are the segments it was merged from, oldest first, while the publisher
	// still keeps them. Who holds them all need not fetch it: see [MergeRecords].
	From []Blob `json:"from,omitempty"`
}

// CatalogManifest lists the segments that make up one state of a catalog. In a
// registry it is the config of an OCI manifest whose layers are the segments, so
// that whoever copies that has all of the catalog.
type CatalogManifest struct {
	Format   int       `json:"format"`
	Serial   uint64    `json:"serial"`   // equal to that of the [Index] that names it
	Segments []Segment `json:"segments"` // by family in the order of [Families], then oldest first
}

// ParseCatalogManifest reads a catalog manifest.
func ParseCatalogManifest(b []byte) (CatalogManifest, error) {
	var m CatalogManifest
	if err := parseDocument(b, "catalog manifest", CatalogFormat, MaxCatalogManifest, &m); err != nil {
		return CatalogManifest{}, err
	}
	if err := m.check(); err != nil {
		return CatalogManifest{}, fmt.Errorf("catalog manifest: %w", err)
	}
	return m, nil
}

// Encode returns the document as its parser reads it, and an error when it would not.
func (m CatalogManifest) Encode() ([]byte, error) {
	if m.Segments == nil {
		m.Segments = []Segment{} // never null
	}
	return encode(m, func(b []byte) error { _, err := ParseCatalogManifest(b); return err })
}

// Of returns the segments of a family, oldest first.
func (m CatalogManifest) Of(f Family) []Segment {
	var out []Segment
	for _, s := range m.Segments {
		if s.Family == f {
			out = append(out, s)
		}
	}
	return out
}

func (m *CatalogManifest) check() error {
	switch {
	case m.Format != CatalogFormat:
		return errors.New("has no format number")
	case m.Serial == 0:
		return errors.New("serial is missing or 0")
	case len(m.Segments) > MaxSegments:
		return fmt.Errorf("%d segments are more than %d", len(m.Segments), MaxSegments)
	}
	rank := map[Family]int{FamilyListing: 1, FamilyReleases: 2, FamilyStats: 3}
	for i, s := range m.Segments {
		at := func(err error) error { return fmt.Errorf("segments[%d]: %w", i, err) }
		if err := s.Check(); err != nil {
			return at(err)
		}
		if i == 0 {
			continue
		}
		before := m.Segments[i-1]
		if rank[before.Family] > rank[s.Family] || before.Family == s.Family && before.Level < s.Level {
			return at(errors.New("is out of order: families in their order, and in each the higher level first"))
		}
	}
	return nil
}

// Check says what is wrong with a segment's entry in a catalog manifest.
func (s *Segment) Check() error {
	switch {
	case s.Family != FamilyListing && s.Family != FamilyReleases && s.Family != FamilyStats:
		return fmt.Errorf("family %.40q is not known: a newer Souk is needed to read it", s.Family)
	case s.Level < 0 || s.Level > MaxSegmentLevel:
		return fmt.Errorf("level %d is not between 0 and %d", s.Level, MaxSegmentLevel)
	case s.Records < 0 || s.Records > MaxRecords:
		return fmt.Errorf("%d records are not between 0 and %d", s.Records, MaxRecords)
	case len(s.From) > MaxSegmentFrom:
		return fmt.Errorf("is merged from %d segments, more than %d", len(s.From), MaxSegmentFrom)
	}
	for _, b := range append([]Blob{s.Blob}, s.From...) {
		if err := b.check(); err != nil {
			return err
		}
	}
	return nil
}

func (b *Blob) check() error {
	switch {
	case !b.Digest.Valid() || !b.DiffID.Valid():
		return errors.New("digest or diffID is not a digest")
	case b.Size <= 0 || b.Size > MaxSegment:
		return fmt.Errorf("size %d is not between 1 and %d", b.Size, MaxSegment)
	case b.Plain < 0 || b.Plain > MaxSegmentPlain:
		return fmt.Errorf("plain size %d is not between 0 and %d", b.Plain, MaxSegmentPlain)
	case b.Plain > SegmentRatioFree+MaxSegmentRatio*b.Size:
		return fmt.Errorf("%d bytes out of %d are more than %d times as many", b.Plain, b.Size, MaxSegmentRatio)
	}
	return nil
}
