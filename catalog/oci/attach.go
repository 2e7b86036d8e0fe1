package oci

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

// maxAttach is how often a referrers tag is written before another writer, who
// seems to overwrite it each time, is given the field.
const maxAttach = 5

// Attach stores blob as evidence about subject, as cosign v3 does: a manifest with
// the subject and artifactType whose one layer, of that media type, is the blob.
//
// A registry that knows the referrers API says so in its answer (OCI-Subject). At
// any other, Attach adds the manifest to the index under the tag "sha256-<hex>",
// keeps every entry that is there, and reads it back. What cannot be read is never
// overwritten. Registries have no conditional write, so two processes that attach
// to the same subject in the same moment can lose one entry; Attach again then.
func (p *Pusher) Attach(ctx context.Context, repo string, subject catalog.Descriptor, artifactType string, blob []byte, annotations map[string]string) error {
	full, err := p.repository(repo)
	if err != nil {
		return err
	}
	config, err := p.pushBytes(ctx, repo, catalog.TypeEmpty, []byte("{}"))
	if err != nil {
		return err
	}
	layer, err := p.pushBytes(ctx, repo, artifactType, blob)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(catalog.OCIManifest{
		SchemaVersion: 2,
		MediaType:     catalog.TypeManifest,
		ArtifactType:  artifactType,
		Config:        config,
		Layers:        []catalog.OCIDescriptor{layer},
		Subject: &catalog.OCIDescriptor{
			MediaType: cmp.Or(subject.MediaType, catalog.TypeManifest), Digest: subject.Digest, Size: subject.Size,
		},
		Annotations: annotations,
	})
	if err != nil {
		return err
	}
	d, header, err := p.putManifest(ctx, full, "", catalog.TypeManifest, raw)
	if err != nil {
		return err
	}
	if header.Get("OCI-Subject") == string(subject.Digest) {
		return nil
	}
	return p.addReferrer(ctx, full, subject.Digest, catalog.OCIDescriptor{
		MediaType: catalog.TypeManifest, Digest: d, Size: int64(len(raw)), ArtifactType: artifactType, Annotations: annotations,
	})
}

// addReferrer is the read-modify-write of the referrers tag.
func (p *Pusher) addReferrer(ctx context.Context, repo string, subject verify.Digest, d catalog.OCIDescriptor) error {
	p.attaching.Lock()
	defer p.attaching.Unlock()
	for try := 0; ; try++ {
		index, err := p.c.referrersTag(ctx, repo, subject)
		if err != nil {
			return err
		}
		if index == nil {
			index = &Referrers{SchemaVersion: 2, MediaType: catalog.TypeIndex}
		}
		fresh, err := index.add(d)
		if err != nil {
			return fmt.Errorf("attach to %s@%s: %w", repo, subject.Short(), err)
		}
		if !fresh {
			return nil // it was there, or it was written and has now been read back
		}
		if try == maxAttach {
			return fmt.Errorf("attach to %s@%s: %w: the tag %s was overwritten %d times by somebody else",
				repo, subject.Short(), catalog.ErrUnavailable, referrersTag(subject), maxAttach)
		}
		index.MediaType = catalog.TypeIndex
		raw, err := json.Marshal(index)
		if err != nil {
			return err
		}
		if _, _, err := p.putManifest(ctx, repo, referrersTag(subject), catalog.TypeIndex, raw); err != nil {
			return err
		}
	}
}

// pushBytes stores a small blob.
func (p *Pusher) pushBytes(ctx context.Context, repo, mediaType string, b []byte) (catalog.OCIDescriptor, error) {
	d := catalog.Descriptor{MediaType: mediaType, Digest: verify.DigestOf(b), Size: int64(len(b))}
	err := p.PushBlob(ctx, repo, d, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil })
	return catalog.OCIDescriptor{MediaType: mediaType, Digest: d.Digest, Size: d.Size}, err
}
