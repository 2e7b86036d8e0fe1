package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

// Names and contents that the OCI image layout prescribes, see
// https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md.
const (
	LayoutFile      = "oci-layout"
	layoutIndex     = "index.json"
	layoutContent   = `{"imageLayoutVersion":"1.0.0"}`
	annotationRef   = "org.opencontainers.image.ref.name"
	layoutBlobs     = "blobs/sha256/"
	maxLayoutFile   = 4 << 10
	maxLayoutBundle = verify.MaxBundles
)

// Layout is a package with its signatures as it travels: what is packed on one
// machine, signed on another and pushed from a third. Its files are an OCI image
// layout, which oras, crane and cosign read too. It is not safe for concurrent use.
type Layout struct {
	Package *Package
	Bundles [][]byte // sigstore bundles, unverified; at most verify.MaxBundles
}

// layoutIndexJSON is index.json.
type layoutIndexJSON struct {
	SchemaVersion int                     `json:"schemaVersion"`
	MediaType     string                  `json:"mediaType,omitempty"`
	Manifests     []catalog.OCIDescriptor `json:"manifests"`
}

// Sign adds a signature. A nil signer is an error. Signing again with the same key
// adds another bundle, since ECDSA signs differently each time.
func (l *Layout) Sign(ctx context.Context, signer verify.Signer) error {
	if signer == nil {
		return fmt.Errorf("sign %s: %w: a signer is needed", l.ref(), verify.ErrUntrusted)
	}
	if len(l.Bundles) >= maxLayoutBundle {
		return fmt.Errorf("sign %s: it has %d signatures, and more are not read", l.ref(), len(l.Bundles))
	}
	b, err := signer.Sign(ctx, l.Package.OCI.Digest)
	if err != nil {
		return fmt.Errorf("sign %s: %w", l.ref(), err)
	}
	l.Bundles = append(l.Bundles, b)
	return nil
}

// Evidence returns what a [verify.Verifier] is asked with.
func (l *Layout) Evidence() verify.Evidence {
	return verify.Evidence{Manifest: l.Package.raw, Bundles: l.Bundles}
}

// Push pushes the package with its signatures to <prefix>/<publisher>/<name>, tagged
// by its version, and can be repeated after an error. A package without a signature
// is an error: nobody could install it.
func (l *Layout) Push(ctx context.Context, r Registry, prefix string) error {
	err := fmt.Errorf("%w: it is not signed", verify.ErrUntrusted)
	if len(l.Bundles) > 0 {
		err = pushPackage(ctx, r, Repo(prefix, l.Package.Manifest.ID), l.Package, l.Bundles)
	}
	if err != nil {
		return &catalog.RefError{Op: "push", Ref: l.ref(), Err: err}
	}
	return nil
}

func (l *Layout) ref() catalog.Ref {
	return catalog.Ref{Plugin: l.Package.Manifest.ID, Version: l.Package.Manifest.Version}
}

// Files returns the files of the image layout by name, "index.json" and
// "blobs/sha256/<hex>" among them. The bytes are shared and must not be changed.
// Same package and bundles, same files.
func (l *Layout) Files() (map[string][]byte, error) {
	files := map[string][]byte{LayoutFile: []byte(layoutContent)}
	put := func(d verify.Digest, b []byte) { files[layoutBlobs+d.Hex()] = b }
	for d, b := range l.Package.data {
		put(d, b)
	}
	put(l.Package.OCI.Digest, l.Package.raw)
	index := layoutIndexJSON{SchemaVersion: 2, MediaType: catalog.TypeIndex, Manifests: []catalog.OCIDescriptor{{
		MediaType: catalog.TypeManifest, Digest: l.Package.OCI.Digest, Size: l.Package.OCI.Size, ArtifactType: catalog.TypePlugin,
		Annotations: map[string]string{annotationRef: Tag(l.Package.Manifest.Version)},
	}}}
	for _, b := range l.Bundles {
		empty := []byte("{}")
		raw, err := json.Marshal(catalog.OCIManifest{
			SchemaVersion: 2, MediaType: catalog.TypeManifest, ArtifactType: TypeBundle,
			Config:      catalog.OCIDescriptor{MediaType: catalog.TypeEmpty, Digest: verify.DigestOf(empty), Size: int64(len(empty))},
			Layers:      []catalog.OCIDescriptor{{MediaType: TypeBundle, Digest: verify.DigestOf(b), Size: int64(len(b))}},
			Subject:     &catalog.OCIDescriptor{MediaType: catalog.TypeManifest, Digest: l.Package.OCI.Digest, Size: l.Package.OCI.Size},
			Annotations: bundleAnnotations(),
		})
		if err != nil {
			return nil, err
		}
		d := verify.DigestOf(raw)
		put(verify.DigestOf(empty), empty)
		put(verify.DigestOf(b), b)
		put(d, raw)
		index.Manifests = append(index.Manifests, catalog.OCIDescriptor{
			MediaType: catalog.TypeManifest, Digest: d, Size: int64(len(raw)), ArtifactType: TypeBundle,
		})
	}
	var err error
	files[layoutIndex], err = json.Marshal(index)
	return files, err
}

// ReadLayout reads an image layout with exactly one plugin in it: every blob is
// checked against its digest, the package is one that a catalog can list, and
// bundles are those about it. What else is in the layout is passed over. It holds the
// whole package in memory, at most o.MaxUnpacked bytes of content.
func ReadLayout(ctx context.Context, fsys fs.FS, o PackOptions) (*Layout, error) {
	l, err := readLayout(ctx, fsys, o.defaults())
	if err != nil {
		return nil, fmt.Errorf("read image layout: %w", err)
	}
	return l, nil
}

func readLayout(ctx context.Context, fsys fs.FS, o PackOptions) (*Layout, error) {
	b, err := readFile(fsys, LayoutFile, maxLayoutFile)
	if err != nil {
		return nil, err
	}
	var head struct {
		Version string `json:"imageLayoutVersion"`
	}
	if err := json.Unmarshal(b, &head); err != nil || head.Version != "1.0.0" {
		return nil, fmt.Errorf("%s: imageLayoutVersion is %.20q, this version reads 1.0.0", LayoutFile, head.Version)
	}
	if b, err = readFile(fsys, layoutIndex, verify.MaxManifest); err != nil {
		return nil, err
	}
	var index layoutIndexJSON
	if err := json.Unmarshal(b, &index); err != nil {
		return nil, fmt.Errorf("%s: %w", layoutIndex, err)
	}
	if len(index.Manifests) > maxLayoutBundle+1 {
		return nil, fmt.Errorf("%s: %d manifests are more than %d", layoutIndex, len(index.Manifests), maxLayoutBundle+1)
	}
	l := &Layout{}
	var others []*catalog.OCIManifest
	for _, d := range index.Manifests {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		raw, err := layoutBlob(fsys, d, verify.MaxManifest)
		if err != nil {
			return nil, err
		}
		m, err := catalog.ParseOCIManifest(raw)
		switch {
		case err != nil:
			return nil, fmt.Errorf("manifest %s: %w", d.Digest.Short(), err)
		case m.ArtifactType != catalog.TypePlugin:
			others = append(others, m)
		case l.Package != nil:
			return nil, errors.New("there is more than one plugin in it")
		default:
			if l.Package, err = layoutPackage(ctx, fsys, raw, m, o); err != nil {
				return nil, err
			}
		}
	}
	if l.Package == nil {
		return nil, errors.New("there is no plugin in it")
	}
	for _, m := range others {
		if err := l.readBundles(fsys, m); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// readBundles adds the bundles of a manifest that is about the package.
func (l *Layout) readBundles(fsys fs.FS, m *catalog.OCIManifest) error {
	if m.Subject == nil || m.Subject.Digest != l.Package.OCI.Digest {
		return nil
	}
	for _, d := range m.Layers {
		if d.MediaType != TypeBundle {
			continue
		}
		if len(l.Bundles) == maxLayoutBundle {
			return fmt.Errorf("more than %d bundles", maxLayoutBundle)
		}
		b, err := layoutBlob(fsys, d, verify.MaxBundle)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(l.Bundles, func(o []byte) bool { return bytes.Equal(o, b) }) {
			l.Bundles = append(l.Bundles, b)
		}
	}
	return nil
}

// layoutPackage reads the package of a manifest with all its blobs.
func layoutPackage(ctx context.Context, fsys fs.FS, raw []byte, m *catalog.OCIManifest, o PackOptions) (*Package, error) {
	config, err := layoutBlob(fsys, m.Config, catalog.MaxManifest)
	if err != nil {
		return nil, err
	}
	p := &Package{
		OCI:  catalog.Descriptor{MediaType: catalog.TypeManifest, Digest: verify.DigestOf(raw), Size: int64(len(raw))},
		raw:  raw,
		data: make(map[verify.Digest][]byte),
	}
	if p.Manifest, err = catalog.ParseManifest(config); err != nil {
		return nil, err
	}
	a, err := catalog.ParseArtifact(raw, p.Release(time.Time{}, ""))
	if err != nil {
		return nil, err
	}
	p.Artifact = *a
	for _, d := range slices.Insert(slices.Clone(m.Layers), 1, m.Config) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if _, known := p.data[d.Digest]; known {
			continue
		}
		most := int64(catalog.MaxMedia)
		if d.Digest == a.Content.Digest {
			most = o.MaxUnpacked + int64(o.MaxEntries+1)*4096
		}
		b, err := layoutBlob(fsys, d, most)
		if err != nil {
			return nil, err
		}
		p.data[d.Digest] = b
		p.Blobs = append(p.Blobs, catalog.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size})
	}
	return p, nil
}

// layoutBlob reads a blob and checks it.
func layoutBlob(fsys fs.FS, d catalog.OCIDescriptor, most int64) ([]byte, error) {
	if !d.Digest.Valid() || d.Size < 0 || d.Size > most {
		return nil, fmt.Errorf("%w: %.80q of %d bytes is not a valid descriptor, or more than %d", verify.ErrDigest, d.Digest, d.Size, most)
	}
	b, err := readFile(fsys, layoutBlobs+d.Digest.Hex(), d.Size)
	if long := (*tooLongError)(nil); errors.As(err, &long) || err == nil && (int64(len(b)) != d.Size || verify.DigestOf(b) != d.Digest) {
		return nil, fmt.Errorf("%w: the file of %s holds something else", verify.ErrDigest, d.Digest.Short())
	}
	return b, err
}

// IsLayout reports whether fsys has the mark of an image layout in its root.
func IsLayout(fsys fs.FS) bool {
	info, err := fs.Stat(fsys, LayoutFile)
	return err == nil && info.Mode().IsRegular()
}
