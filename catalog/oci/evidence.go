package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

// bundleType begins the media type of a layer that is a sigstore bundle.
const bundleType = "application/vnd.dev.sigstore.bundle"

// Evidence implements [catalog.EvidenceSource]. It lists every referrer, by the
// referrers API or the referrers tag schema, and looks inside each, because some
// registries report the config's media type as its artifactType. A referrer that
// is about something else, is gone, or is too large to be a bundle cannot be proof
// and is passed over; that the registry could not say is an error.
func (s *Source) Evidence(ctx context.Context, r catalog.Release) (verify.Evidence, error) {
	e, err := s.evidence(ctx, r)
	if err != nil {
		return verify.Evidence{}, about("read evidence of", r.Ref, err)
	}
	return e, nil
}

func (s *Source) evidence(ctx context.Context, r catalog.Release) (verify.Evidence, error) {
	repo, err := s.repository(r.Plugin)
	if err != nil {
		return verify.Evidence{}, err
	}
	return s.c.evidence(ctx, repo, r.Digest)
}

// evidence reads a manifest and the bundles about it.
func (c *client) evidence(ctx context.Context, repo string, subject verify.Digest) (verify.Evidence, error) {
	raw, err := c.manifest(ctx, repo, subject)
	if err != nil {
		return verify.Evidence{}, err
	}
	e := verify.Evidence{Manifest: raw}
	list, err := c.referrers(ctx, repo, subject)
	if err != nil {
		return verify.Evidence{}, err
	}
	for _, d := range list {
		found, err := c.bundles(ctx, repo, subject, d)
		if err != nil {
			return verify.Evidence{}, err
		}
		if e.Bundles = append(e.Bundles, found...); len(e.Bundles) > verify.MaxBundles {
			return verify.Evidence{}, fmt.Errorf("%s: signature bundles: %w", subject.Short(), ErrTooManyReferrers)
		}
	}
	return e, nil
}

// bundles reads the bundles of one referrer of subject.
func (c *client) bundles(ctx context.Context, repo string, subject verify.Digest, d catalog.OCIDescriptor) ([][]byte, error) {
	skip := func(why string) ([][]byte, error) {
		c.log.WarnContext(ctx, "referrer is no proof", "repository", repo, "subject", subject, "referrer", string(d.Digest), "why", why)
		return nil, nil
	}
	if !d.Digest.Valid() || d.Size > verify.MaxManifest {
		return skip("its descriptor is not valid")
	}
	raw, err := c.manifest(ctx, repo, d.Digest)
	if errors.Is(err, catalog.ErrNotFound) {
		return skip("it is listed, but gone")
	}
	if err != nil {
		return nil, err
	}
	var m catalog.OCIManifest
	if json.Unmarshal(raw, &m) != nil {
		return skip("it is not a manifest")
	}
	if m.Subject == nil || m.Subject.Digest != subject {
		return skip("it is about something else")
	}
	var out [][]byte
	for _, l := range m.Layers {
		if !strings.HasPrefix(l.MediaType, bundleType) {
			continue
		}
		if len(out) == verify.MaxBundles {
			return nil, fmt.Errorf("a referrer of %s has more than %d bundles", subject.Short(), verify.MaxBundles)
		}
		if l.Size > verify.MaxBundle || !l.Digest.Valid() {
			return skip(fmt.Sprintf("a bundle of %d bytes is not one", l.Size))
		}
		b, err := c.wholeBlob(ctx, repo, l.Digest, l.Size)
		if errors.Is(err, catalog.ErrNotFound) {
			return skip("its bundle is gone")
		}
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// referrers lists what refers to subject. An API that is not there or knows of none
// is followed by the referrers tag, so that what was pushed before a registry
// learned the API is found.
func (c *client) referrers(ctx context.Context, repo string, subject verify.Digest) ([]catalog.OCIDescriptor, error) {
	list, err := c.referrersAPI(ctx, repo, subject)
	if err != nil || len(list) > 0 {
		return list, err
	}
	index, err := c.referrersTag(ctx, repo, subject)
	if err != nil || index == nil {
		return nil, err
	}
	return index.Descriptors()
}

// noAPI are the answers of registries that do not know the referrers API.
func noAPI() []int {
	return []int{http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusNotImplemented}
}

func (c *client) referrersAPI(ctx context.Context, repo string, subject verify.Digest) ([]catalog.OCIDescriptor, error) {
	r := request{
		what: "list referrers of " + repo + "@" + subject.Short(), method: http.MethodGet,
		url: c.url(repo, "referrers", string(subject)), repo: repo,
		header: http.Header{"Accept": {catalog.TypeIndex}},
	}
	var all []catalog.OCIDescriptor
	visited := make(map[string]bool)
	seen := make(map[verify.Digest]bool)
	for range MaxPages {
		visited[r.url.String()] = true
		also := noAPI()
		if len(visited) > 1 {
			also = nil // the first page was there
		}
		doc, err := c.read(ctx, r, verify.MaxManifest, also...)
		if err != nil {
			return nil, err
		}
		if doc.status != http.StatusOK {
			return nil, nil
		}
		index, err := ParseReferrers(doc.body)
		if err != nil {
			if len(visited) == 1 {
				return nil, nil // a page for people, or the subject: not the API
			}
			return nil, unreachable(ctx, r.what, err)
		}
		page, err := index.Descriptors()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.what, err)
		}
		for _, d := range page {
			if !seen[d.Digest] {
				seen[d.Digest] = true
				all = append(all, d)
			}
		}
		if len(all) > verify.MaxBundles {
			return nil, fmt.Errorf("%s: %w", r.what, ErrTooManyReferrers)
		}
		next, err := NextLink(r.url, doc.header.Values("Link"))
		if err != nil {
			return nil, unreachable(ctx, r.what, err)
		}
		if next == nil {
			return all, nil
		}
		if visited[next.String()] {
			return nil, unreachable(ctx, r.what, fmt.Errorf("%w: the pages go round in a circle", errRefused))
		}
		r.url = next
	}
	return nil, unreachable(ctx, r.what, fmt.Errorf("%w: more than %d pages", errRefused, MaxPages))
}

// referrersTag reads the index under the tag "sha256-<hex>". It returns nil when
// there is none.
func (c *client) referrersTag(ctx context.Context, repo string, subject verify.Digest) (*Referrers, error) {
	r := c.manifestRequest(repo, referrersTag(subject))
	doc, err := c.read(ctx, r, verify.MaxManifest, http.StatusNotFound)
	if err != nil {
		return nil, err
	}
	if doc.status == http.StatusNotFound || verify.DigestOf(doc.body) == subject {
		return nil, nil // GitLab takes the tag for a digest and answers with the subject itself
	}
	index, err := ParseReferrers(doc.body)
	if err != nil {
		return nil, unreachable(ctx, r.what, err)
	}
	return index, nil
}

func referrersTag(subject verify.Digest) string {
	return strings.Replace(string(subject), ":", "-", 1)
}
