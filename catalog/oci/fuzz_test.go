package oci_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/verify"
)

func mustURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}

func many(n int) []catalog.OCIDescriptor {
	out := make([]catalog.OCIDescriptor, n)
	for i := range out {
		out[i] = catalog.OCIDescriptor{MediaType: catalog.TypeManifest, Digest: verify.DigestOf([]byte{byte(i)}), Size: 1}
	}
	return out
}

func TestParseContentRange(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]oci.ContentRange{
		"bytes 0-0/1":  {First: 0, Last: 0, Size: 1},
		"bytes 5-9/10": {First: 5, Last: 9, Size: 10},
		"bytes 5-9/*":  {First: 5, Last: 9, Size: -1},
		"bytes 0-9223372036854775806/9223372036854775807": {First: 0, Last: 1<<63 - 2, Size: 1<<63 - 1},
	} {
		got, err := oci.ParseContentRange(s)
		require.NoError(t, err, s)
		assert.Equal(t, want, got, s)
	}
	for _, s := range []string{"", "bytes", "bytes ", "bytes 5-4/10", "bytes 5-10/10", "bytes -5/10", "bytes 5-/10", "bytes +5-9/10", "bytes 5-9",
		"bytes 5-9/", "bytes */10", "Bytes 5-9/10", "bytes=5-9/10", "bytes 5-9/10 ", "bytes 0-9223372036854775808/*", "bytes 0x1-9/10"} {
		_, err := oci.ParseContentRange(s)
		assert.Error(t, err, "%q", s)
	}
}

func TestNextLink(t *testing.T) {
	t.Parallel()
	base := mustURL("https://registry.example.org/v2/a/referrers/x")
	for header, want := range map[string]string{
		`</v2/next>; rel="next"`:                                   "https://registry.example.org/v2/next",
		`<https://registry.example.org/n>; rel=next`:               "https://registry.example.org/n",
		`<?last=1>;rel="next"`:                                     "https://registry.example.org/v2/a/referrers/x?last=1",
		`</prev>; rel="prev", </next>; title="a, <b>"; REL="next"`: "https://registry.example.org/next",
		`</a>; rel="prev next"`:                                    "https://registry.example.org/a",
		`</a>; rel="prev"`:                                         "",
		`</a>`:                                                     "",
		`nonsense`:                                                 "",
		`</a; rel="next"`:                                          "",
		``:                                                         "",
	} {
		got, err := oci.NextLink(base, []string{header})
		require.NoError(t, err, header)
		if want == "" {
			assert.Nil(t, got, header)
		} else if assert.NotNil(t, got, header) {
			assert.Equal(t, want, got.String(), header)
		}
	}
	for _, header := range []string{`<http://registry.example.org/n>; rel=next`, `<https://evil.example.net/n>; rel=next`, `<//evil.example.net/n>; rel=next`,
		`<https://registry.example.org:8443/n>; rel=next`, `<https://a@registry.example.org/n>; rel=next`, `<file:///etc/passwd>; rel=next`, "<\x7f>; rel=next"} {
		_, err := oci.NextLink(base, []string{`</prev>; rel="prev"`, header})
		assert.Error(t, err, header)
	}
}

func FuzzParseContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-0/1", "bytes 5-9/*", "bytes 5-4/10", "", "bytes -/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := oci.ParseContentRange(s)
		if err != nil {
			assert.Equal(t, oci.ContentRange{}, r)
			return
		}
		assert.GreaterOrEqual(t, r.First, int64(0))
		assert.GreaterOrEqual(t, r.Last, r.First)
		assert.True(t, r.Size == -1 || r.Last < r.Size)
	})
}

func FuzzNextLink(f *testing.F) {
	for _, s := range []string{`</v2/next>; rel="next"`, `</a>;rel=prev,<b>;rel=next`, `<//evil>; rel="next"`, `<a>; x="\",`, ""} {
		f.Add(s)
	}
	base := mustURL("https://registry.example.org/v2/a/referrers/x")
	f.Fuzz(func(t *testing.T, s string) {
		u, err := oci.NextLink(base, []string{s})
		if err == nil && u != nil {
			assert.Equal(t, base.Scheme, u.Scheme)
			assert.Equal(t, base.Host, u.Host)
			assert.Nil(t, u.User)
		}
	})
}

func FuzzParseReferrers(f *testing.F) {
	for _, s := range []string{`{"schemaVersion":2,"manifests":[]}`, `{"schemaVersion":2,"mediaType":"` + catalog.TypeIndex + `","manifests":[{"digest":"sha256:x","size":1}]}`,
		`{"schemaVersion":2,"config":{},"layers":[]}`, `[]`, `null`, `{"schemaVersion":2,"manifests":[null,1]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := oci.ParseReferrers(b)
		if err != nil {
			assert.Nil(t, r)
			return
		}
		assert.Equal(t, 2, r.SchemaVersion)
		if list, err := r.Descriptors(); err == nil {
			assert.LessOrEqual(t, len(list), verify.MaxBundles)
		}
	})
}

// FuzzChallenge: whatever a registry asks for, credentials go to no host that is
// not the registry's.
func FuzzChallenge(f *testing.F) {
	for _, s := range []string{
		`Bearer realm="https://registry.example.org/token",service="x"`, `Bearer realm="https://evil.example.net/token"`,
		`Bearer realm=https://registry.example.org@evil.example.net/`, `Basic realm="x"`, `Bearer realm="`, `Bearer ,,=,`, `Negotiate`, ``,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, challenge string) {
		o := as(oci.Credential{Username: "ann", Password: "secret"})
		o.Transport = transport(func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("Authorization") != "" && r.URL.Host != "registry.example.org" && r.URL.Host != "example.org" && r.URL.Host != "registry.example.org:443" && r.URL.Host != "example.org:443" {
				t.Errorf("credentials were sent to %q", r.URL.Host)
			}
			if r.URL.Scheme != "https" {
				t.Errorf("asked by %q", r.URL.Scheme)
			}
			return answer(r, http.StatusUnauthorized, http.Header{"Www-Authenticate": {challenge}}), nil
		})
		_, err := newSource(t, "registry.example.org/p/catalog", o).Snapshot(t.Context(), 0)
		assert.ErrorIs(t, err, catalog.ErrUnavailable)
	})
}

// FuzzNew: a ref is refused, or it leads to one host and one repository.
func FuzzNew(f *testing.F) {
	for _, s := range []string{"registry.example.org/plugins/catalog", "localhost:5000/catalog", "[::1]/a", "https://r.org/c", "r.org/../c", "r.org:x/c", "a@r.org/c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		var asked *url.URL
		o := quick
		o.Transport = transport(func(r *http.Request) (*http.Response, error) {
			asked = r.URL
			return answer(r, http.StatusNotFound, nil), nil
		})
		s, err := oci.New(ref, o)
		if err != nil {
			return
		}
		_, err = s.Snapshot(t.Context(), 0)
		if !errors.Is(err, catalog.ErrNotFound) {
			assert.ErrorIs(t, err, catalog.ErrUnavailable) // a host that is not one
			return
		}
		_, path, _ := strings.Cut(strings.TrimPrefix(ref, "https://"), "/")
		assert.Equal(t, "/v2/"+path+"/manifests/timestamp.json", asked.Path)
		assert.Nil(t, asked.User)
	})
}
