package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/souk-dev/souk/verify"
)

// Media types of what Souk stores in a registry.
const (
	TypeManifest = "application/vnd.oci.image.manifest.v1+json" // of every OCI manifest
	TypeIndex    = "application/vnd.oci.image.index.v1+json"
	TypeEmpty    = "application/vnd.oci.empty.v1+json" // config of a manifest that needs none: {}

	TypePlugin         = "application/vnd.souk.plugin.v1" // artifactType of a release
	TypePluginManifest = "application/vnd.souk.plugin.manifest.v1+json"
	TypePluginContent  = "application/vnd.souk.plugin.content.v1.tar+zstd"

	TypeCatalog         = "application/vnd.souk.catalog.v1"      // artifactType that holds a catalog's segments together
	TypeCatalogManifest = "application/vnd.souk.catalog.v1+json" // its config: [CatalogManifest]
	TypeSegment         = "application/vnd.souk.catalog.segment.v1.jsonl+zstd"
	TypeMetadata        = "application/vnd.tuf.metadata.v1+json" // a TUF metadata or target file
)

// Annotations of a release's manifest.
const (
	AnnotationTitle    = "org.opencontainers.image.title" // file of the package that a blob is
	AnnotationDiffID   = "dev.souk.content.diffid"        // digest of the content's plain tar
	AnnotationUnpacked = "dev.souk.content.unpacked"      // bytes of all its files
	AnnotationEntries  = "dev.souk.content.entries"       // files and directories in it
)

// Bounds of an artifact.
const (
	MaxLayers      = 64                 // content, and the files of a detail page
	MaxUnpacked    = 1 << 40            // bytes; a sanity bound, installs have their own
	MaxContentSize = 1 << 40            // bytes, likewise
	maxOCIManifest = verify.MaxManifest // what registries accept at least
)

// Artifact is what a release's OCI manifest says, after it was checked.
type Artifact struct {
	Content  Descriptor    // the package: tar+zstd
	DiffID   verify.Digest // of the plain tar
	Unpacked int64         // bytes of all files
	Entries  int           // files and directories
	Media    []Descriptor  // README, changelog, icon, screenshots, with their titles
}

// OCIDescriptor is a descriptor as the OCI image spec writes it.
type OCIDescriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       verify.Digest     `json:"digest"`
	Size         int64             `json:"size"`
	ArtifactType string            `json:"artifactType,omitempty"`
	URLs         []string          `json:"urls,omitempty"` // never followed
	Data         []byte            `json:"data,omitempty"` // never used
	Annotations  map[string]string `json:"annotations,omitempty"`
}

// OCIManifest is an image manifest of the OCI image spec 1.1, as far as Souk
// writes and reads one.
type OCIManifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType,omitempty"`
	ArtifactType  string            `json:"artifactType,omitempty"`
	Config        OCIDescriptor     `json:"config"`
	Layers        []OCIDescriptor   `json:"layers"`
	Subject       *OCIDescriptor    `json:"subject,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// ParseArtifact reads the OCI manifest of release r. It fails with
// [verify.ErrDigest] when raw is not what r.Digest says, and otherwise in a
// [*RefError] with [verify.ErrUntrusted] when it is not a plugin's manifest, is
// ambiguous, or does not hold the plugin.json that the catalog shows.
func ParseArtifact(raw []byte, r Release) (*Artifact, error) {
	a, err := parseArtifact(raw, r)
	if err != nil {
		return nil, &RefError{"read manifest of", r.Ref, err}
	}
	return a, nil
}

func parseArtifact(raw []byte, r Release) (*Artifact, error) {
	if got := verify.DigestOf(raw); got != r.Digest {
		return nil, fmt.Errorf("%w: got %s, want %s", verify.ErrDigest, got, r.Digest)
	}
	m, err := ParseOCIManifest(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", verify.ErrUntrusted, err)
	}
	if err := checkConfig(m, r); err != nil {
		return nil, fmt.Errorf("%w: %w", verify.ErrUntrusted, err)
	}
	a, err := layers(m.Layers)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", verify.ErrUntrusted, err)
	}
	return a, nil
}

// ParseOCIManifest reads an image manifest strictly: an image index, unknown or
// double fields, and more than [MaxLayers] layers are errors.
func ParseOCIManifest(raw []byte) (*OCIManifest, error) {
	if isIndex(raw) {
		return nil, errors.New("is an image index: releases with a manifest per platform cannot be installed by this version, publish one image manifest")
	}
	var m OCIManifest
	if err := newStrict().decode(raw, maxOCIManifest, &m); err != nil {
		return nil, err
	}
	switch {
	case m.SchemaVersion != 2:
		return nil, fmt.Errorf("schemaVersion is %d, must be 2", m.SchemaVersion)
	case m.MediaType != "" && m.MediaType != TypeManifest:
		return nil, fmt.Errorf("mediaType is %.100q, must be %q", m.MediaType, TypeManifest)
	case len(m.Layers) > MaxLayers:
		return nil, fmt.Errorf("%d layers are more than %d", len(m.Layers), MaxLayers)
	}
	return &m, nil
}

// isIndex looks for the marks of an image index, so that it is refused by its name
// and not for an unknown field.
func isIndex(raw []byte) bool {
	var fields map[string]json.RawMessage
	if len(raw) > maxOCIManifest || json.Unmarshal(raw, &fields) != nil {
		return false // what is wrong is said by the strict reading
	}
	_, manifests := fields["manifests"]
	return manifests || string(fields["mediaType"]) == strconv.Quote(TypeIndex)
}

func checkConfig(m *OCIManifest, r Release) error {
	if m.ArtifactType != TypePlugin {
		return fmt.Errorf("artifactType is %.100q, must be %q", m.ArtifactType, TypePlugin)
	}
	if m.Config.MediaType != TypePluginManifest {
		return fmt.Errorf("config has media type %.100q, must be %q", m.Config.MediaType, TypePluginManifest)
	}
	config, err := r.Manifest.Canonical()
	if err != nil {
		return err
	}
	if want := verify.DigestOf(config); m.Config.Digest != want || m.Config.Size != int64(len(config)) {
		return fmt.Errorf("the catalog's plugin.json (%s) is not the one the publisher signed (%.80s)", want, m.Config.Digest)
	}
	return nil
}

func layers(all []OCIDescriptor) (*Artifact, error) {
	if len(all) == 0 || all[0].MediaType != TypePluginContent {
		return nil, fmt.Errorf("layer 0 must be the content, of media type %q", TypePluginContent)
	}
	content := all[0]
	a := &Artifact{Content: Descriptor{MediaType: content.MediaType, Digest: content.Digest, Size: content.Size}}
	var err error
	if a.DiffID, err = verify.ParseDigest(content.Annotations[AnnotationDiffID]); err != nil {
		return nil, fmt.Errorf("annotation %s: %w", AnnotationDiffID, err)
	}
	if a.Unpacked, err = number(content, AnnotationUnpacked, MaxUnpacked); err != nil {
		return nil, err
	}
	entries, err := number(content, AnnotationEntries, 1<<31-1)
	if err != nil {
		return nil, err
	}
	a.Entries = int(entries)
	for i, l := range all {
		switch {
		case !l.Digest.Valid():
			return nil, fmt.Errorf("layer %d has no valid digest", i)
		case l.Size < 0 || l.Size > MaxContentSize:
			return nil, fmt.Errorf("layer %d has a size of %d", i, l.Size)
		case i == 0:
		case l.MediaType == TypePluginContent:
			return nil, fmt.Errorf("layer %d is a second content", i)
		default:
			if title := l.Annotations[AnnotationTitle]; title != "" {
				if l.Size > MaxMedia {
					return nil, fmt.Errorf("%.100q has %d bytes, more than %d", title, l.Size, MaxMedia)
				}
				a.Media = append(a.Media, Descriptor{Title: title, MediaType: l.MediaType, Digest: l.Digest, Size: l.Size})
			}
		}
	}
	return a, nil
}

// number reads a decimal annotation from 0 to most, in the one form that
// strconv writes.
func number(d OCIDescriptor, annotation string, most int64) (int64, error) {
	s := d.Annotations[annotation]
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > most || strconv.FormatInt(n, 10) != s {
		return 0, fmt.Errorf("annotation %s is %.40q, must be a number from 0 to %d", annotation, s, most)
	}
	return n, nil
}
