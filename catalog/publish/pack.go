package publish

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // screenshots
	_ "image/png"  // icon and screenshots
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

// ManifestFile is the name of the manifest in the root of a package.
const ManifestFile = "plugin.json"

// Bounds of a package, unless PackOptions say otherwise; what an install accepts by
// default.
const (
	MaxEntries  = 10_000
	MaxFile     = 64 << 20  // bytes
	MaxUnpacked = 256 << 20 // bytes
	MaxPixels   = 4096      // width and height of a picture
)

// PackOptions say how to pack. The zero value is fit for use.
type PackOptions struct {
	MaxEntries  int   // files and directories; 0: MaxEntries
	MaxFile     int64 // bytes of one file; 0: MaxFile
	MaxUnpacked int64 // bytes of all files; 0: MaxUnpacked
}

func (o PackOptions) defaults() PackOptions {
	if o.MaxEntries == 0 {
		o.MaxEntries = MaxEntries
	}
	if o.MaxFile == 0 {
		o.MaxFile = MaxFile
	}
	if o.MaxUnpacked == 0 {
		o.MaxUnpacked = MaxUnpacked
	}
	return o
}

// Package is a packed plugin: an OCI manifest and its blobs. It is immutable and
// safe for concurrent use.
type Package struct {
	Manifest catalog.Manifest
	OCI      catalog.Descriptor   // the OCI manifest: media type, digest, size
	Blobs    []catalog.Descriptor // content, config, then media; each digest once
	Artifact catalog.Artifact     // what the OCI manifest says

	raw  []byte
	data map[verify.Digest][]byte
}

// Raw returns the bytes of the OCI manifest, whose digest is the release's. They
// are shared and must not be changed.
func (p *Package) Raw() []byte { return p.raw }

// Open opens a blob of the package, or fails with [catalog.ErrNotFound].
func (p *Package) Open(d verify.Digest) (io.ReadCloser, error) {
	b, ok := p.data[d]
	if !ok {
		return nil, fmt.Errorf("blob %s: %w", d, catalog.ErrNotFound)
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

// Release returns the release as a catalog lists it, published at that time, with
// release notes in Markdown.
func (p *Package) Release(published time.Time, notes string) catalog.Release {
	return catalog.Release{
		Ref:       catalog.Ref{Plugin: p.Manifest.ID, Version: p.Manifest.Version},
		Digest:    p.OCI.Digest,
		Size:      p.Artifact.Content.Size,
		Manifest:  p.Manifest,
		Published: published.UTC(),
		Notes:     notes,
		Media:     slices.Clone(p.Artifact.Media),
	}
}

// Pack packs the plugin in fsys, whose root has a plugin.json. Same files, same
// bytes: the tar is sorted, without times and owners, with modes 0644 and 0755
// (0755 for what anybody may execute, and for the entry of a process), and its
// plugin.json is the canonical one. README, changelog, icon and screenshots become
// blobs of their own as well.
//
// It is an error when the manifest is not valid or names a file that is not there,
// and when there is anything but regular files and directories, a name that some
// system cannot store, two names that are one elsewhere, or more than o allows.
func Pack(ctx context.Context, fsys fs.FS, o PackOptions) (*Package, error) {
	o = o.defaults()
	b, err := readFile(fsys, ManifestFile, catalog.MaxManifest)
	if err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	m, err := catalog.ParseManifest(b)
	if err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	k := &packer{ctx: ctx, fsys: fsys, o: o, m: m, pkg: &Package{Manifest: m, data: make(map[verify.Digest][]byte)}}
	if err := k.pack(); err != nil {
		return nil, fmt.Errorf("pack %s@%s: %w", m.ID, m.Version, err)
	}
	return k.pkg, nil
}

type packer struct {
	ctx  context.Context
	fsys fs.FS
	o    PackOptions
	m    catalog.Manifest
	pkg  *Package
}

func (k *packer) pack() error {
	config, err := k.m.Canonical()
	if err != nil {
		return err
	}
	entries, err := k.walk(int64(len(config)))
	if err != nil {
		return err
	}
	if err := k.checkNamed(entries); err != nil {
		return err
	}
	content, err := k.content(entries, config)
	if err != nil {
		return err
	}
	oci := catalog.OCIManifest{
		SchemaVersion: 2,
		MediaType:     catalog.TypeManifest,
		ArtifactType:  catalog.TypePlugin,
		Config:        k.add(catalog.TypePluginManifest, config),
		Layers:        []catalog.OCIDescriptor{content},
	}
	media, err := k.media()
	if err != nil {
		return err
	}
	oci.Layers = append(oci.Layers, media...)
	if k.pkg.raw, err = json.Marshal(oci); err != nil {
		return err
	}
	k.pkg.OCI = catalog.Descriptor{MediaType: catalog.TypeManifest, Digest: verify.DigestOf(k.pkg.raw), Size: int64(len(k.pkg.raw))}
	a, err := catalog.ParseArtifact(k.pkg.raw, k.pkg.Release(time.Time{}, ""))
	if err != nil {
		return err
	}
	k.pkg.Artifact = *a
	return nil
}

// add keeps a blob and returns its descriptor.
func (k *packer) add(mediaType string, b []byte) catalog.OCIDescriptor {
	d := catalog.OCIDescriptor{MediaType: mediaType, Digest: verify.DigestOf(b), Size: int64(len(b))}
	if _, known := k.pkg.data[d.Digest]; !known {
		k.pkg.data[d.Digest] = b
		k.pkg.Blobs = append(k.pkg.Blobs, catalog.Descriptor{MediaType: mediaType, Digest: d.Digest, Size: d.Size})
	}
	return d
}

func (k *packer) walk(manifestSize int64) ([]entry, error) {
	w := walker{o: k.o, m: k.m, manifestSize: manifestSize, fault: func(_, _ string, err error) error { return err }}
	return w.walk(k.ctx, k.fsys)
}

// checkNamed checks that every file which the manifest names is there.
func (k *packer) checkNamed(entries []entry) error {
	var missing []error
	for _, n := range missingFiles(k.m, entries) {
		missing = append(missing, fmt.Errorf("plugin.json: %s: there is no file %q", n.field, n.file))
	}
	return errors.Join(missing...)
}

// content packs all entries into the content layer.
func (k *packer) content(entries []entry, config []byte) (catalog.OCIDescriptor, error) {
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithWindowSize(8<<20))
	if err != nil {
		return catalog.OCIDescriptor{}, err
	}
	diff := sha256.New()
	w := tar.NewWriter(io.MultiWriter(diff, z))
	var unpacked int64
	for _, e := range entries {
		if err := k.ctx.Err(); err != nil {
			return catalog.OCIDescriptor{}, err
		}
		if err := k.write(w, e, config); err != nil {
			return catalog.OCIDescriptor{}, err
		}
		unpacked += e.size
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		return catalog.OCIDescriptor{}, err
	}
	d := k.add(catalog.TypePluginContent, out.Bytes())
	d.Annotations = map[string]string{
		catalog.AnnotationDiffID:   string(verify.DigestFromHash(diff)),
		catalog.AnnotationUnpacked: strconv.FormatInt(unpacked, 10),
		catalog.AnnotationEntries:  strconv.Itoa(len(entries)),
	}
	return d, nil
}

func (k *packer) write(w *tar.Writer, e entry, config []byte) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Mode: 0o644, Size: e.size}
	switch {
	case e.dir:
		h.Typeflag, h.Name, h.Mode = tar.TypeDir, e.name+"/", 0o755
	case e.exec:
		h.Mode = 0o755
	}
	if err := w.WriteHeader(h); err != nil || e.dir {
		return err
	}
	if e.name == ManifestFile {
		_, err := w.Write(config)
		return err
	}
	f, err := k.fsys.Open(e.name)
	if err != nil {
		return err
	}
	n, err := io.Copy(w, io.LimitReader(f, e.size+1))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if errors.Is(err, tar.ErrWriteTooLong) || err == nil && n != e.size {
		return fmt.Errorf("%q changed while it was packed", e.name)
	}
	return err
}

// media returns the layers of the detail page, each file once.
func (k *packer) media() ([]catalog.OCIDescriptor, error) {
	var out []catalog.OCIDescriptor
	for _, n := range mediaFiles(k.m) {
		name := n.file
		b, err := readFile(k.fsys, name, catalog.MaxMedia)
		if err != nil {
			return nil, err
		}
		mediaType, err := checkMedia(name, b)
		if err != nil {
			return nil, err
		}
		d := k.add(mediaType, b)
		d.Annotations = map[string]string{catalog.AnnotationTitle: name}
		out = append(out, d)
	}
	return out, nil
}

// checkMedia returns the media type of a file of the detail page.
func checkMedia(name string, b []byte) (string, error) {
	if path.Ext(name) == ".md" {
		return "text/markdown", nil
	}
	c, format, err := image.DecodeConfig(bytes.NewReader(b))
	want := map[string]string{".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}[path.Ext(name)]
	switch {
	case err != nil || format != want:
		return "", fmt.Errorf("%q is not a picture of the kind its name says", name)
	case c.Width > MaxPixels || c.Height > MaxPixels:
		return "", fmt.Errorf("%q has %d x %d pixels, more than %d each way", name, c.Width, c.Height, MaxPixels)
	}
	return "image/" + format, nil
}

// readFile reads a regular file of at most limit bytes.
func readFile(fsys fs.FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	switch {
	case err != nil:
		return nil, err
	case int64(len(b)) > limit:
		return nil, &tooLongError{name, limit}
	}
	return b, nil
}

// tooLongError says that a file is longer than the reader wants to hold.
type tooLongError struct {
	name  string
	limit int64
}

func (e *tooLongError) Error() string {
	return fmt.Sprintf("%s has more than %d bytes", e.name, e.limit)
}
