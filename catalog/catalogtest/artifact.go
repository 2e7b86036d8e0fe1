package catalogtest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

// Pusher is what a registry is filled through: a [*Handler], or an oci.Pusher for a
// real one.
type Pusher interface {
	PushBlob(ctx context.Context, repo string, d catalog.Descriptor, open func() (io.ReadCloser, error)) error
	PushManifest(ctx context.Context, repo, tag string, mediaType string, raw []byte) (verify.Digest, error)
	Attach(ctx context.Context, repo string, subject catalog.Descriptor, artifactType string, blob []byte, annotations map[string]string) error
}

var _ Pusher = (*Handler)(nil)

// Artifact is a release as it lies in a registry. Its content is whatever bytes the
// test likes: a source moves them and does not look inside. For a package that can
// be installed use catalog/publish.
type Artifact struct {
	Release  catalog.Release
	Manifest []byte // the OCI manifest
	Content  []byte
	Media    map[string][]byte // by title
	config   []byte
}

// NewArtifact makes release version of plugin id. media are the files of a detail
// page by name, may be nil. It fails on names that are not valid.
func NewArtifact(id catalog.PluginID, version string, content []byte, media map[string][]byte) (*Artifact, error) {
	ref, err := catalog.ParseRef(string(id) + "@" + version)
	if err != nil {
		return nil, err
	}
	a := &Artifact{Content: content, Media: media}
	a.Release = catalog.Release{Ref: ref, Published: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), Manifest: catalog.Manifest{
		Format: catalog.ManifestFormat, ID: id, Version: version, Name: id.Name(), Summary: "A plugin for tests.",
		License: "MIT", Runtime: catalog.Runtime{Kind: catalog.RuntimeStatic},
	}}
	if a.config, err = a.Release.Manifest.Canonical(); err != nil {
		return nil, err
	}
	layer := describe(catalog.TypePluginContent, content)
	layer.Annotations = map[string]string{
		catalog.AnnotationDiffID:   string(verify.DigestOf(content)),
		catalog.AnnotationUnpacked: strconv.Itoa(len(content)),
		catalog.AnnotationEntries:  "1",
	}
	oci := catalog.OCIManifest{
		SchemaVersion: 2, MediaType: catalog.TypeManifest, ArtifactType: catalog.TypePlugin,
		Config: describe(catalog.TypePluginManifest, a.config), Layers: []catalog.OCIDescriptor{layer},
	}
	a.Release.Size = layer.Size
	for _, title := range slices.Sorted(maps.Keys(media)) {
		d := describe(cmp.Or(mime.TypeByExtension(path.Ext(title)), "application/octet-stream"), media[title])
		d.Annotations = map[string]string{catalog.AnnotationTitle: title}
		oci.Layers = append(oci.Layers, d)
		a.Release.Media = append(a.Release.Media, catalog.Descriptor{Title: title, MediaType: d.MediaType, Digest: d.Digest, Size: d.Size})
	}
	if a.Manifest, err = json.Marshal(oci); err != nil {
		return nil, err
	}
	a.Release.Digest = verify.DigestOf(a.Manifest)
	return a, nil
}

// Subject is the descriptor of the OCI manifest: what evidence is attached to.
func (a *Artifact) Subject() catalog.Descriptor {
	return catalog.Descriptor{MediaType: catalog.TypeManifest, Digest: a.Release.Digest, Size: int64(len(a.Manifest))}
}

// Repo is the repository of the release below prefix, which may be empty.
func (a *Artifact) Repo(prefix string) string {
	if prefix == "" {
		return string(a.Release.Plugin)
	}
	return prefix + "/" + string(a.Release.Plugin)
}

// Push stores the release below prefix, tagged with its version.
func (a *Artifact) Push(ctx context.Context, p Pusher, prefix string) error {
	blobs := [][]byte{a.config, a.Content}
	for _, b := range a.Media {
		blobs = append(blobs, b)
	}
	for _, b := range blobs {
		if err := pushBlob(ctx, p, a.Repo(prefix), "", b); err != nil {
			return err
		}
	}
	_, err := p.PushManifest(ctx, a.Repo(prefix), a.Release.Version, catalog.TypeManifest, a.Manifest)
	return err
}

func describe(mediaType string, b []byte) catalog.OCIDescriptor {
	return catalog.OCIDescriptor{MediaType: mediaType, Digest: verify.DigestOf(b), Size: int64(len(b))}
}

func pushBlob(ctx context.Context, p Pusher, repo, mediaType string, b []byte) error {
	d := catalog.Descriptor{MediaType: mediaType, Digest: verify.DigestOf(b), Size: int64(len(b))}
	return p.PushBlob(ctx, repo, d, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil })
}

// putMetadata stores a TUF file under the tag of its name.
func putMetadata(ctx context.Context, p Pusher, repo, name string, b []byte) error {
	for _, blob := range [][]byte{b, []byte("{}")} {
		if err := pushBlob(ctx, p, repo, catalog.TypeMetadata, blob); err != nil {
			return err
		}
	}
	raw, err := json.Marshal(catalog.OCIManifest{
		SchemaVersion: 2, MediaType: catalog.TypeManifest, ArtifactType: catalog.TypeMetadata,
		Config: describe(catalog.TypeEmpty, []byte("{}")), Layers: []catalog.OCIDescriptor{describe(catalog.TypeMetadata, b)},
	})
	if err != nil {
		return err
	}
	if _, err = p.PushManifest(ctx, repo, name, catalog.TypeManifest, raw); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
