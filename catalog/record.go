package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// releasesRecord is the record of a plugin in the family of releases.
type releasesRecord struct {
	ID       PluginID  `json:"id"`
	Releases []Release `json:"releases"` // newest first
}

// NewListingRecord returns the record of a listing.
func NewListingRecord(l Listing) (Record, error) { return newRecord(l.ID, l, checkListing(&l)) }

// NewStatsRecord returns the record of a plugin's numbers.
func NewStatsRecord(s Stats) (Record, error) { return newRecord(s.ID, s, checkStats(&s)) }

// NewReleasesRecord returns the record of all releases of a plugin, in any order.
func NewReleasesRecord(id PluginID, releases []Release) (Record, error) {
	sorted := slices.Clone(releases)
	slices.SortFunc(sorted, newestFirst)
	return newRecord(id, releasesRecord{id, sorted}, checkReleases(id, sorted))
}

func newestFirst(a, b Release) int { return CompareVersions(b.Version, a.Version) }

func newRecord(id PluginID, v any, fault error) (Record, error) {
	if fault != nil {
		return Record{}, fmt.Errorf("%s: %w", id, fault)
	}
	line, err := json.Marshal(v)
	if err != nil {
		return Record{}, err
	}
	if len(line) >= MaxRecord {
		return Record{}, fmt.Errorf("%s: record has %d bytes, more than %d", id, len(line), MaxRecord)
	}
	return recordOf(line)
}

// RecordReader decodes records, strictly. The zero value is ready for use; it is
// not safe for concurrent use.
type RecordReader struct{ strict *strict }

func (d *RecordReader) decode(r Record, v any) error {
	if d.strict == nil {
		d.strict = newStrict()
	}
	if err := d.strict.decode(r.Line, MaxRecord, v); err != nil {
		return fmt.Errorf("record of %s: %w", r.ID, err)
	}
	return nil
}

// Listing decodes a record of the family of listings that is no tombstone.
func (d *RecordReader) Listing(r Record) (Listing, error) {
	var l Listing
	if err := d.decode(r, &l); err != nil {
		return Listing{}, err
	}
	if err := errors.Join(sameID(r, l.ID), checkListing(&l)); err != nil {
		return Listing{}, fmt.Errorf("listing of %s: %w", r.ID, err)
	}
	return l, nil
}

// Releases decodes a record of the family of releases that is no tombstone.
func (d *RecordReader) Releases(r Record) ([]Release, error) {
	var all releasesRecord
	if err := d.decode(r, &all); err != nil {
		return nil, err
	}
	if err := errors.Join(sameID(r, all.ID), checkReleases(r.ID, all.Releases)); err != nil {
		return nil, fmt.Errorf("releases of %s: %w", r.ID, err)
	}
	return all.Releases, nil
}

// Stats decodes a record of the family of stats that is no tombstone.
func (d *RecordReader) Stats(r Record) (Stats, error) {
	var s Stats
	if err := d.decode(r, &s); err != nil {
		return Stats{}, err
	}
	if err := errors.Join(sameID(r, s.ID), checkStats(&s)); err != nil {
		return Stats{}, fmt.Errorf("stats of %s: %w", r.ID, err)
	}
	return s, nil
}

func sameID(r Record, id PluginID) error {
	if id != r.ID {
		return fmt.Errorf("is about %.100q", id)
	}
	return nil
}

func checkListing(l *Listing) error {
	if _, err := ParsePluginID(string(l.ID)); err != nil {
		return err
	}
	if err := CheckText(l.Name, MaxPluginName); err != nil {
		return fmt.Errorf("name %w", err)
	}
	if err := CheckText(l.Summary, MaxSummary); err != nil {
		return fmt.Errorf("summary %w", err)
	}
	if len(l.Categories) > MaxCategories || len(l.Tags) > MaxTags || len(l.Keywords) > MaxTags || len(l.Localized) > MaxLanguages {
		return errors.New("has more categories, tags, keywords or languages than a plugin.json may")
	}
	if l.Latest != "" {
		if _, err := ParseVersion(l.Latest); err != nil {
			return fmt.Errorf("latest: %w", err)
		}
	}
	if l.Icon != nil {
		return checkMedia(*l.Icon)
	}
	return nil
}

func checkStats(s *Stats) error {
	if s.Downloads < 0 || s.Ratings < 0 || s.Rating != 0 && (s.Rating < 1 || s.Rating > 5) {
		return errors.New("numbers are out of range: counts from 0, a rating from 1 to 5 or 0 for none")
	}
	_, err := ParsePluginID(string(s.ID))
	return err
}

func checkReleases(id PluginID, all []Release) error {
	for i := range all {
		r := &all[i]
		if err := checkRelease(id, r); err != nil {
			return fmt.Errorf("%s: %w", r.Ref, err)
		}
		if i > 0 && newestFirst(all[i-1], *r) >= 0 {
			return fmt.Errorf("%s is not in order, or stands twice", r.Ref)
		}
	}
	return nil
}

func checkRelease(id PluginID, r *Release) error {
	if r.Plugin != id || r.Manifest.ID != id || r.Manifest.Version != r.Version {
		return fmt.Errorf("is not about %s, or has the manifest of %s@%s", id, r.Manifest.ID, r.Manifest.Version)
	}
	if _, err := ParseVersion(r.Version); err != nil {
		return err
	}
	switch {
	case !r.Digest.Valid():
		return errors.New("has no valid digest")
	case r.Size < 0 || r.Size > MaxContentSize:
		return fmt.Errorf("has a size of %d", r.Size)
	case r.State != Active && r.State != Yanked && r.State != Withdrawn:
		return fmt.Errorf("state %.40q is not known", r.State)
	case r.Rollout != nil && (r.Rollout.Percent < 0 || r.Rollout.Percent > 100):
		return fmt.Errorf("rollout of %d percent is not between 0 and 100", r.Rollout.Percent)
	case len(r.Media) > MaxLayers:
		return fmt.Errorf("%d media are more than %d", len(r.Media), MaxLayers)
	}
	for _, m := range r.Media {
		if err := checkMedia(m); err != nil {
			return err
		}
	}
	return nil
}

func checkMedia(d Descriptor) error {
	if !d.Digest.Valid() || d.Size < 0 || d.Size > MaxMedia {
		return fmt.Errorf("%.100q has no valid digest or a size of %d, at most %d is allowed", d.Title, d.Size, MaxMedia)
	}
	return nil
}
