package publish

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

// Pusher writes to a registry; catalog/oci has one. All of it is idempotent:
// writing what is there already is success.
type Pusher interface {
	// PushBlob stores a blob in repo. It opens it only when the registry does not
	// have it yet, possibly more than once.
	PushBlob(ctx context.Context, repo string, d catalog.Descriptor, open func() (io.ReadCloser, error)) error
	// PushManifest stores a manifest in repo, whose blobs are there, under a tag or
	// under its digest only when tag is empty, and returns its digest.
	PushManifest(ctx context.Context, repo, tag string, mediaType string, raw []byte) (verify.Digest, error)
}

// Attacher writes evidence to a registry, as cosign v3 does it: a manifest with the
// subject and the artifactType whose one layer is the blob, found by the referrers
// API or, where there is none, by the tag that stands for it.
type Attacher interface {
	Attach(ctx context.Context, repo string, subject catalog.Descriptor, artifactType string, blob []byte, annotations map[string]string) error
}

// Registry is a Pusher that is an Attacher too.
type Registry interface {
	Pusher
	Attacher
}

// TypeBundle is the media type of a signature bundle, and the artifactType of the
// manifest that attaches it.
const TypeBundle = "application/vnd.dev.sigstore.bundle.v0.3+json"

// Tag returns the tag of a version: registries do not allow +, so it is written _.
func Tag(version string) string { return strings.ReplaceAll(version, "+", "_") }

// Repo returns the repository of a plugin below prefix, which may be empty.
func Repo(prefix string, id catalog.PluginID) string {
	return strings.TrimPrefix(strings.TrimSuffix(prefix, "/")+"/"+string(id), "/")
}

// Push signs a package and pushes it with its signature to <prefix>/<publisher>/<name>,
// tagged by its version. It signs first, so that nothing is pushed which could not
// be signed, and can be repeated after an error. A nil signer is an error.
func Push(ctx context.Context, r Registry, prefix string, p *Package, signer verify.Signer) error {
	repo := Repo(prefix, p.Manifest.ID)
	wrap := func(err error) error {
		return &catalog.RefError{Op: "push", Ref: catalog.Ref{Plugin: p.Manifest.ID, Version: p.Manifest.Version}, Err: err}
	}
	if signer == nil {
		return wrap(fmt.Errorf("%w: a signer is needed", verify.ErrUntrusted))
	}
	bundle, err := signer.Sign(ctx, p.OCI.Digest)
	if err != nil {
		return wrap(err)
	}
	if err := pushPackage(ctx, r, repo, p, [][]byte{bundle}); err != nil {
		return wrap(err)
	}
	return nil
}

// pushPackage pushes a package under the tag of its version, and what proves it.
func pushPackage(ctx context.Context, r Registry, repo string, p *Package, bundles [][]byte) error {
	for _, d := range p.Blobs {
		if err := r.PushBlob(ctx, repo, d, func() (io.ReadCloser, error) { return p.Open(d.Digest) }); err != nil {
			return err
		}
	}
	got, err := r.PushManifest(ctx, repo, Tag(p.Manifest.Version), catalog.TypeManifest, p.raw)
	if err == nil && got != p.OCI.Digest {
		err = fmt.Errorf("%w: the registry stored the manifest as %s, not %s", verify.ErrDigest, got, p.OCI.Digest)
	}
	if err != nil {
		return err
	}
	for _, b := range bundles {
		if err := r.Attach(ctx, repo, p.OCI, TypeBundle, b, bundleAnnotations()); err != nil {
			return err
		}
	}
	return nil
}

// bundleAnnotations are those that cosign v3 writes.
func bundleAnnotations() map[string]string {
	return map[string]string{
		"dev.sigstore.bundle.content":       "dsse-envelope",
		"dev.sigstore.bundle.predicateType": "https://sigstore.dev/cosign/sign/v1",
	}
}

// pushBytes pushes a small blob.
func pushBytes(ctx context.Context, p Pusher, repo, mediaType string, b []byte) (catalog.OCIDescriptor, error) {
	d := catalog.Descriptor{MediaType: mediaType, Digest: verify.DigestOf(b), Size: int64(len(b))}
	err := p.PushBlob(ctx, repo, d, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(b))), nil })
	return catalog.OCIDescriptor{MediaType: mediaType, Digest: d.Digest, Size: d.Size}, err
}

// pushOne stores b as the one layer of a manifest under a tag.
func pushOne(ctx context.Context, p Pusher, repo, tag, mediaType string, b []byte) error {
	layer, err := pushBytes(ctx, p, repo, mediaType, b)
	if err != nil {
		return err
	}
	config, err := pushBytes(ctx, p, repo, catalog.TypeEmpty, []byte("{}"))
	if err != nil {
		return err
	}
	raw, err := json.Marshal(catalog.OCIManifest{
		SchemaVersion: 2,
		MediaType:     catalog.TypeManifest,
		ArtifactType:  mediaType,
		Config:        config,
		Layers:        []catalog.OCIDescriptor{layer},
	})
	if err != nil {
		return err
	}
	_, err = p.PushManifest(ctx, repo, tag, catalog.TypeManifest, raw)
	return err
}
