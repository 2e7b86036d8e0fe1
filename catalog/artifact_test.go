package catalog_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

// artifact returns an OCI manifest of the small plugin, after change, and its release.
func artifact(t testing.TB, change func(*catalog.OCIManifest)) ([]byte, catalog.Release) {
	t.Helper()
	m, err := catalog.ParseManifest([]byte(small))
	require.NoError(t, err)
	config, err := m.Canonical()
	require.NoError(t, err)
	oci := catalog.OCIManifest{
		SchemaVersion: 2, MediaType: catalog.TypeManifest, ArtifactType: catalog.TypePlugin,
		Config: catalog.OCIDescriptor{MediaType: catalog.TypePluginManifest, Digest: verify.DigestOf(config), Size: int64(len(config))},
		Layers: []catalog.OCIDescriptor{
			{MediaType: catalog.TypePluginContent, Digest: verify.DigestOf([]byte("content")), Size: 7, Annotations: map[string]string{
				catalog.AnnotationDiffID: string(verify.DigestOf([]byte("tar"))), catalog.AnnotationUnpacked: "300", catalog.AnnotationEntries: "3",
			}},
			{MediaType: "application/vnd.souk.plugin.chunks.v1+json", Digest: verify.DigestOf([]byte("chunks")), Size: 6},
			{MediaType: "text/markdown", Digest: verify.DigestOf([]byte("readme")), Size: 6, Annotations: map[string]string{catalog.AnnotationTitle: "README.md"}},
		},
	}
	if change != nil {
		change(&oci)
	}
	raw, err := json.Marshal(oci)
	require.NoError(t, err)
	return raw, releaseOf(m, raw)
}

func releaseOf(m catalog.Manifest, raw []byte) catalog.Release {
	return catalog.Release{Ref: catalog.Ref{Plugin: m.ID, Version: m.Version}, Digest: verify.DigestOf(raw), Manifest: m}
}

func TestParseArtifact(t *testing.T) {
	t.Parallel()
	raw, r := artifact(t, nil)
	a, err := catalog.ParseArtifact(raw, r)
	require.NoError(t, err)
	assert.Equal(t, &catalog.Artifact{
		Content:  catalog.Descriptor{MediaType: catalog.TypePluginContent, Digest: verify.DigestOf([]byte("content")), Size: 7},
		DiffID:   verify.DigestOf([]byte("tar")),
		Unpacked: 300,
		Entries:  3,
		Media:    []catalog.Descriptor{{Title: "README.md", MediaType: "text/markdown", Digest: verify.DigestOf([]byte("readme")), Size: 6}},
	}, a)
}

func TestParseArtifactRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*catalog.OCIManifest)
		says   string
	}{
		"other artifact type": {func(m *catalog.OCIManifest) { m.ArtifactType = "application/x" }, "artifactType"},
		"other config type":   {func(m *catalog.OCIManifest) { m.Config.MediaType = catalog.TypeEmpty }, "config has media type"},
		"other config": {func(m *catalog.OCIManifest) { m.Config.Digest = verify.DigestOf(nil) },
			"the catalog's plugin.json"},
		"other config size": {func(m *catalog.OCIManifest) { m.Config.Size++ }, "is not the one the publisher signed"},
		"schema version":    {func(m *catalog.OCIManifest) { m.SchemaVersion = 1 }, "schemaVersion is 1"},
		"index by type":     {func(m *catalog.OCIManifest) { m.MediaType = catalog.TypeIndex }, "image index"},
		"no layers":         {func(m *catalog.OCIManifest) { m.Layers = []catalog.OCIDescriptor{} }, "layer 0 must be the content"},
		"null layers":       {func(m *catalog.OCIManifest) { m.Layers = nil }, "layers: is null"},
		"content not first": {func(m *catalog.OCIManifest) { m.Layers[0], m.Layers[1] = m.Layers[1], m.Layers[0] }, "layer 0 must be"},
		"two contents":      {func(m *catalog.OCIManifest) { m.Layers[1] = m.Layers[0] }, "second content"},
		"no diffID":         {func(m *catalog.OCIManifest) { delete(m.Layers[0].Annotations, catalog.AnnotationDiffID) }, catalog.AnnotationDiffID},
		"no unpacked size":  {func(m *catalog.OCIManifest) { delete(m.Layers[0].Annotations, catalog.AnnotationUnpacked) }, catalog.AnnotationUnpacked},
		"negative size":     {func(m *catalog.OCIManifest) { m.Layers[0].Annotations[catalog.AnnotationUnpacked] = "-1" }, catalog.AnnotationUnpacked},
		"size in another form": {func(m *catalog.OCIManifest) { m.Layers[0].Annotations[catalog.AnnotationUnpacked] = "+1" },
			catalog.AnnotationUnpacked},
		"entries over the range": {func(m *catalog.OCIManifest) { m.Layers[0].Annotations[catalog.AnnotationEntries] = "99999999999" },
			catalog.AnnotationEntries},
		"layer digest":   {func(m *catalog.OCIManifest) { m.Layers[2].Digest = "sha512:00" }, "layer 2 has no valid digest"},
		"layer size":     {func(m *catalog.OCIManifest) { m.Layers[1].Size = -5 }, "layer 1 has a size of -5"},
		"huge README":    {func(m *catalog.OCIManifest) { m.Layers[2].Size = catalog.MaxMedia + 1 }, "README.md"},
		"too many":       {func(m *catalog.OCIManifest) { m.Layers = append(m.Layers, make([]catalog.OCIDescriptor, 64)...) }, "67 layers are more than 64"},
		"other manifest": {func(m *catalog.OCIManifest) { m.MediaType = "application/vnd.docker.distribution.manifest.v2+json" }, "mediaType is"},
	} {
		raw, r := artifact(t, c.change)
		_, err := catalog.ParseArtifact(raw, r)
		require.ErrorIs(t, err, verify.ErrUntrusted, name)
		require.ErrorContains(t, err, c.says, name)
		require.ErrorContains(t, err, "read manifest of acme/backup@1.0.0: ", name)
	}
}

func TestParseArtifactRefusesAmbiguity(t *testing.T) {
	t.Parallel()
	raw, r := artifact(t, nil)
	for name, c := range map[string][2]string{
		"key twice":       {strings.Replace(string(raw), `"schemaVersion":2`, `"schemaVersion":2,"layers":[]`, 1), `field "layers" stands twice`},
		"other case":      {strings.Replace(string(raw), `"schemaVersion":2`, `"schemaVersion":2,"Layers":[]`, 1), `unknown field "Layers"`},
		"index as well":   {strings.Replace(string(raw), `"schemaVersion":2`, `"schemaVersion":2,"manifests":[]`, 1), "image index"},
		"trailing":        {string(raw) + "{}", "after top-level value"},
		"not JSON":        {"<html>", "line 1: invalid character"},
		"annotation null": {strings.Replace(string(raw), `"README.md"`, `null`, 1), "null"},
	} {
		r := releaseOf(r.Manifest, []byte(c[0]))
		_, err := catalog.ParseArtifact([]byte(c[0]), r)
		require.ErrorIs(t, err, verify.ErrUntrusted, name)
		require.ErrorContains(t, err, c[1], name)
	}
	_, err := catalog.ParseArtifact(append(raw, ' '), r)
	require.ErrorIs(t, err, verify.ErrDigest)
	require.NotErrorIs(t, err, verify.ErrUntrusted)
	var at *catalog.RefError
	require.ErrorAs(t, err, &at)
	assert.Equal(t, r.Ref, at.Ref)
}

func FuzzParseArtifact(f *testing.F) {
	raw, r := artifact(f, nil)
	f.Add(raw)
	f.Add([]byte(`{"manifests":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := catalog.ParseArtifact(b, releaseOf(r.Manifest, b))
		if err == nil {
			require.True(t, a.Content.Digest.Valid() && a.DiffID.Valid() && a.Unpacked >= 0 && a.Entries >= 0)
		}
	})
}

func ExampleParseArtifact() {
	raw := []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`)
	r := catalog.Release{Ref: catalog.Ref{Plugin: "acme/backup", Version: "1.0.0"}, Digest: verify.DigestOf(raw)}
	_, err := catalog.ParseArtifact(raw, r)
	fmt.Println(err)
	// Output: read manifest of acme/backup@1.0.0: not trusted: is an image index: releases with a manifest per platform cannot be installed by this version, publish one image manifest
}
