package oci

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

// ErrTooManyReferrers is wrapped when more refers to a manifest than is read,
// verify.MaxBundles. It does not pass by itself.
var ErrTooManyReferrers = fmt.Errorf("more than %d", verify.MaxBundles)

// Referrers is an image index that lists what refers to a manifest, as the
// referrers API and the referrers tag schema serve it. Entries are kept as they
// were, so that adding one loses nothing of the others.
type Referrers struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Manifests     []json.RawMessage `json:"manifests"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// ParseReferrers reads such an index. Anything else, above all an image manifest,
// is an error.
func ParseReferrers(b []byte) (*Referrers, error) {
	if len(b) > verify.MaxManifest {
		return nil, fmt.Errorf("an index of %d bytes is more than %d", len(b), verify.MaxManifest)
	}
	var fields struct {
		Referrers
		Config json.RawMessage `json:"config"`
		Layers json.RawMessage `json:"layers"`
	}
	if err := json.Unmarshal(b, &fields); err != nil {
		return nil, errors.New("the registry answered with something that is not an image index")
	}
	r := fields.Referrers
	if r.SchemaVersion != 2 || r.MediaType != "" && r.MediaType != catalog.TypeIndex || fields.Config != nil || fields.Layers != nil {
		return nil, fmt.Errorf("the registry answered with %.100q, not with an image index", r.MediaType)
	}
	return &r, nil
}

// Descriptors reads the entries, at most verify.MaxBundles.
func (r *Referrers) Descriptors() ([]catalog.OCIDescriptor, error) {
	if len(r.Manifests) > verify.MaxBundles {
		return nil, fmt.Errorf("%d referrers: %w", len(r.Manifests), ErrTooManyReferrers)
	}
	out := make([]catalog.OCIDescriptor, len(r.Manifests))
	for i, raw := range r.Manifests {
		if err := json.Unmarshal(raw, &out[i]); err != nil {
			return nil, fmt.Errorf("referrer %d is not a descriptor", i)
		}
	}
	return out, nil
}

// add puts d at the end. It reports false when it is there already.
func (r *Referrers) add(d catalog.OCIDescriptor) (bool, error) {
	list, err := r.Descriptors()
	if err != nil {
		return false, err
	}
	for _, have := range list {
		if have.Digest == d.Digest {
			return false, nil
		}
	}
	if len(list) == verify.MaxBundles {
		return false, fmt.Errorf("there are %d referrers already, and no more would be read", len(list))
	}
	raw, err := json.Marshal(d)
	if err != nil {
		return false, err
	}
	r.Manifests = append(r.Manifests, raw)
	return true, nil
}
