package oci_test

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/catalogtest"
)

const benchSize = 64 << 20 // bytes of the blob that is pulled

// BenchmarkPull reads a blob with digest, resume and all that.
func BenchmarkPull(b *testing.B) {
	_, e, d := served(b, make([]byte, benchSize))
	b.SetBytes(benchSize)
	b.ReportAllocs()
	for b.Loop() {
		r, err := e.Blob(b.Context(), d, benchSize)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, r); err != nil || n != benchSize {
			b.Fatal(n, err)
		}
		r.Close()
	}
}

// BenchmarkPullPlain reads the same blob with http.Get, unchecked: what the line can do.
func BenchmarkPullPlain(b *testing.B) {
	reg, _, d := served(b, make([]byte, benchSize))
	b.SetBytes(benchSize)
	b.ReportAllocs()
	for b.Loop() {
		resp, err := http.Get(reg.URL + "/v2/plugins/catalog/blobs/" + string(d))
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != benchSize {
			b.Fatal(n, err)
		}
		resp.Body.Close()
	}
}

// BenchmarkPoll asks for a catalog that did not change.
func BenchmarkPoll(b *testing.B) {
	reg := catalogtest.NewRegistry(b, catalogtest.RegistryOptions{})
	if err := reg.PutMetadata(b.Context(), "plugins/catalog", "timestamp.json", []byte("{}")); err != nil {
		b.Fatal(err)
	}
	s := newSource(b, reg.Host+"/plugins/catalog", quick)
	e, err := s.Snapshot(b.Context(), 0)
	if err != nil {
		b.Fatal(err)
	}
	e.Accept(1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Snapshot(b.Context(), 1); !errors.Is(err, catalog.ErrNotModified) {
			b.Fatal(err)
		}
	}
}
