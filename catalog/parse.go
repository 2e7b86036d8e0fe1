package catalog

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
)

// MaxManifest is the most bytes of a plugin.json: people write it, and a catalog
// carries one per release.
const MaxManifest = 256 << 10

//go:embed plugin.schema.json
var schema string

// ManifestSchema returns the JSON Schema (draft 2020-12) of plugin.json, for
// editors and pipelines. [ParseManifest] refuses everything that the schema
// refuses, and what a schema cannot say.
func ManifestSchema() []byte { return []byte(schema) }

// ManifestError says what is wrong with a plugin.json, and where.
type ManifestError struct {
	Path   string // "permissions[2].kind"; empty for the document itself
	Line   int    // from 1; 0 when it is not known
	Reason string // "is null, must be a string; leave it out instead"
}

func (e *ManifestError) Error() string {
	return "plugin.json: " + (&fault{e.Path, e.Line, e.Reason}).Error()
}

// ParseManifest reads a plugin.json. Every error is a [*ManifestError]: JSON that is
// not strict (see the package documentation), a format other than [ManifestFormat],
// and everything that [Manifest.Check] finds. The settings come back compacted, so
// that reading what [Manifest.Canonical] wrote gives the same Manifest.
func ParseManifest(b []byte) (Manifest, error) {
	var m Manifest
	s := newStrict()
	s.offsets = make(map[string]int)
	if len(b) <= MaxManifest {
		if err := checkFormat(b, "plugin.json", ManifestFormat); err != nil {
			return Manifest{}, manifestError(err, s)
		}
	}
	if err := s.decode(b, MaxManifest, &m); err != nil {
		return Manifest{}, manifestError(err, s)
	}
	if m.Settings != nil {
		var compact bytes.Buffer
		if err := json.Compact(&compact, m.Settings); err != nil {
			return Manifest{}, manifestError(err, s)
		}
		m.Settings = compact.Bytes()
	}
	if err := m.Check(); err != nil {
		return Manifest{}, manifestError(err, s)
	}
	return m, nil
}

// manifestError turns a fault into a ManifestError, with the line of what it is about.
func manifestError(err error, s *strict) error {
	if known := (*ManifestError)(nil); errors.As(err, &known) {
		if off, ok := s.offsets[known.Path]; ok {
			known.Line = s.line(off)
		}
		return known
	}
	if f := (*fault)(nil); errors.As(err, &f) {
		return &ManifestError{f.path, f.line, f.reason}
	}
	return &ManifestError{Reason: err.Error()}
}
