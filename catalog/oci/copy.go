package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

// MaxPlatforms is how many manifests an index that is copied may have: more than
// there are platforms a plugin is built for.
const MaxPlatforms = 32

// Mount makes a blob of repository from appear in repo, without its bytes going over
// the wire where the registry can do that. Where it cannot, or will not, the blob is
// uploaded from open, as [Pusher.PushBlob] does it. What repo has already is success. A
// registry with token login is asked for one token that allows both; a RegistryToken
// must allow pull and push on repo and pull on from.
func (p *Pusher) Mount(ctx context.Context, repo, from string, d catalog.Descriptor, open func() (io.ReadCloser, error)) error {
	if !d.Digest.Valid() || d.Size < 0 {
		return fmt.Errorf("mount blob: %w: %.80q of %d bytes is not a valid descriptor", verify.ErrDigest, d.Digest, d.Size)
	}
	to, err := p.repository(repo)
	if err != nil {
		return err
	}
	source, err := p.repository(from)
	if err != nil {
		return err
	}
	return p.mount(ctx, to, source, d, open)
}

func (p *Pusher) mount(ctx context.Context, to, from string, d catalog.Descriptor, open func() (io.ReadCloser, error)) error {
	what := "mount blob " + to + "@" + d.Digest.Short() + " from " + from
	there, err := p.has(ctx, what, to, d)
	if err != nil || there {
		return err
	}
	u := p.c.url(to, "blobs", "uploads/")
	u.RawQuery = url.Values{"mount": {string(d.Digest)}, "from": {from}}.Encode()
	resp, err := p.c.send(ctx, request{what: what, method: http.MethodPost, url: u, repo: to, push: true, from: from})
	if err != nil {
		return err
	}
	switch resp.StatusCode {
	case http.StatusCreated:
		drain(resp)
		there, err := p.has(ctx, what, to, d)
		if err == nil && !there {
			err = fmt.Errorf("%s: %w: the registry says it did, but has no such blob of %d bytes", what, verify.ErrDigest, d.Size)
		}
		return err
	case http.StatusAccepted:
		drain(resp)
		return p.upload(ctx, what, to, resp, d, open)
	}
	return answered(what, resp)
}

// Copy makes the release d of repository from appear in repository to, with the same
// digest: the blobs by [Pusher.Mount], the manifest, or the index and the manifests in it,
// everything that refers to them (signatures, attestations, patches), found by the
// referrers API and by the referrers tag schema, and last the tag, unless it is empty.
//
// Every step can be repeated, so that after a crash between any two the same call
// finishes; until the tag is there, not everything may be. What is copied is asked for by
// digest and checked: manifests of at most verify.MaxManifest bytes, at most
// catalog.MaxLayers layers and MaxPlatforms manifests in an index, at most
// verify.MaxBundles referrers. As in [Source.Evidence] a referrer that is about something
// else, is gone, or has a bundle larger than verify.MaxBundle is no proof and is
// passed over. What refers to a referrer is not copied.
//
// Nothing is verified beyond digests, and nothing of from is changed.
func (p *Pusher) Copy(ctx context.Context, to, from, tag string, d verify.Digest) error {
	target, err := p.repository(to)
	if err != nil {
		return err
	}
	source, err := p.repository(from)
	if err != nil {
		return err
	}
	c := copying{p, target, source}
	raw, mediaType, err := c.whole(ctx, d, true)
	if err != nil || tag == "" {
		return err
	}
	_, _, err = p.putManifest(ctx, target, tag, mediaType, raw)
	return err
}

// copying is one Copy.
type copying struct {
	p        *Pusher
	to, from string
}

// parts is what a manifest or an index names.
type parts struct {
	MediaType string                  `json:"mediaType"`
	Config    *catalog.OCIDescriptor  `json:"config"`
	Layers    []catalog.OCIDescriptor `json:"layers"`
	Manifests []catalog.OCIDescriptor `json:"manifests"`
	Subject   *catalog.OCIDescriptor  `json:"subject"`
}

// kind is the media type, which a manifest may leave out; empty when it is neither an
// image manifest nor an image index.
func (m *parts) kind() string {
	switch {
	case m.Config != nil && m.Manifests == nil && (m.MediaType == "" || m.MediaType == catalog.TypeManifest):
		return catalog.TypeManifest
	case m.Config == nil && m.Layers == nil && m.Manifests != nil && (m.MediaType == "" || m.MediaType == catalog.TypeIndex):
		return catalog.TypeIndex
	}
	return ""
}

func (c *copying) read(ctx context.Context, d verify.Digest) ([]byte, *parts, error) {
	raw, err := c.p.c.manifest(ctx, c.from, d)
	if err != nil {
		return nil, nil, err
	}
	m := &parts{}
	what := "copy " + c.from + "@" + d.Short()
	switch err := json.Unmarshal(raw, m); {
	case err != nil:
		return nil, nil, fmt.Errorf("%s: it is not a manifest", what)
	case m.kind() == "":
		return nil, nil, fmt.Errorf("%s: %.100q is neither an image manifest nor an image index", what, m.MediaType)
	case len(m.Manifests) > MaxPlatforms:
		return nil, nil, fmt.Errorf("%s: %d manifests in an index are more than %d", what, len(m.Manifests), MaxPlatforms)
	case len(m.Layers) > catalog.MaxLayers:
		return nil, nil, fmt.Errorf("%s: %d layers are more than %d", what, len(m.Layers), catalog.MaxLayers)
	}
	return raw, m, nil
}

// whole copies a manifest or an index, what it names and what refers to it.
func (c *copying) whole(ctx context.Context, d verify.Digest, mayBeIndex bool) (raw []byte, mediaType string, err error) {
	raw, m, err := c.read(ctx, d)
	if err != nil {
		return nil, "", err
	}
	if m.kind() == catalog.TypeIndex && !mayBeIndex {
		return nil, "", fmt.Errorf("copy %s@%s: an index in an index", c.from, d.Short())
	}
	for _, child := range m.Manifests {
		if _, _, err := c.whole(ctx, child.Digest, false); err != nil {
			return nil, "", err
		}
	}
	if err := c.blobs(ctx, m); err != nil {
		return nil, "", err
	}
	if _, _, err := c.p.putManifest(ctx, c.to, "", m.kind(), raw); err != nil {
		return nil, "", err
	}
	return raw, m.kind(), c.referrers(ctx, d)
}

// blobs copies the config and the layers of a manifest.
func (c *copying) blobs(ctx context.Context, m *parts) error {
	all := m.Layers
	if m.Config != nil {
		all = append([]catalog.OCIDescriptor{*m.Config}, all...)
	}
	for _, b := range all {
		if !b.Digest.Valid() || b.Size < 0 || b.Size > catalog.MaxContentSize {
			return fmt.Errorf("copy from %s: %w: blob %.80q of %d bytes is not a valid descriptor", c.from, verify.ErrDigest, b.Digest, b.Size)
		}
		d := catalog.Descriptor{MediaType: b.MediaType, Digest: b.Digest, Size: b.Size}
		open := func() (io.ReadCloser, error) { return c.p.c.blob(ctx, c.from, d.Digest, d.Size) }
		if err := c.p.mount(ctx, c.to, c.from, d, open); err != nil {
			return err
		}
	}
	return nil
}

// referrers copies what refers to subject.
func (c *copying) referrers(ctx context.Context, subject verify.Digest) error {
	list, err := c.p.c.allReferrers(ctx, c.from, subject)
	if err != nil {
		return err
	}
	for _, d := range list {
		if err := c.referrer(ctx, subject, d); err != nil {
			return err
		}
	}
	return nil
}

func (c *copying) referrer(ctx context.Context, subject verify.Digest, d catalog.OCIDescriptor) error {
	skip := func(why string) error {
		c.p.c.log.WarnContext(ctx, "referrer is not copied", "repository", c.from, "subject", subject, "referrer", string(d.Digest), "why", why)
		return nil
	}
	if !d.Digest.Valid() || d.Size > verify.MaxManifest {
		return skip("its descriptor is not valid")
	}
	raw, err := c.p.c.manifest(ctx, c.from, d.Digest)
	if errors.Is(err, catalog.ErrNotFound) {
		return skip("it is listed, but gone")
	}
	if err != nil {
		return err
	}
	var m parts
	switch {
	case json.Unmarshal(raw, &m) != nil || m.kind() != catalog.TypeManifest:
		return skip("it is not a manifest")
	case m.Subject == nil || m.Subject.Digest != subject:
		return skip("it is about something else")
	case len(m.Layers) > catalog.MaxLayers:
		return skip("it has too many layers")
	}
	for _, l := range slices.Concat(m.Layers, []catalog.OCIDescriptor{*m.Config}) {
		if !l.Digest.Valid() || l.Size < 0 || l.Size > catalog.MaxContentSize || l.Size > verify.MaxBundle && strings.HasPrefix(l.MediaType, bundleType) {
			return skip(fmt.Sprintf("a blob of %d bytes is not one", l.Size))
		}
	}
	if err := c.blobs(ctx, &m); errors.Is(err, catalog.ErrNotFound) {
		return skip("a blob of it is gone")
	} else if err != nil {
		return err
	}
	d.MediaType, d.Size = m.kind(), int64(len(raw))
	_, header, err := c.p.putManifest(ctx, c.to, "", m.kind(), raw)
	if err != nil || header.Get("OCI-Subject") == string(subject) {
		return err
	}
	return c.p.addReferrer(ctx, c.to, subject, d)
}

// allReferrers lists what refers to subject by the API and by the tag, each once: a
// registry that learned the API late has some here and some there.
func (c *client) allReferrers(ctx context.Context, repo string, subject verify.Digest) ([]catalog.OCIDescriptor, error) {
	list, err := c.referrersAPI(ctx, repo, subject)
	if err != nil {
		return nil, err
	}
	index, err := c.referrersTag(ctx, repo, subject)
	if err != nil || index == nil {
		return list, err
	}
	tagged, err := index.Descriptors()
	if err != nil {
		return nil, err
	}
	seen := make(map[verify.Digest]bool)
	for _, d := range list {
		seen[d.Digest] = true
	}
	for _, d := range tagged {
		if !seen[d.Digest] {
			seen[d.Digest] = true
			list = append(list, d)
		}
	}
	if len(list) > verify.MaxBundles {
		return nil, fmt.Errorf("list referrers of %s@%s: %w", repo, subject.Short(), ErrTooManyReferrers)
	}
	return list, nil
}
