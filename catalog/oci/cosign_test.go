package oci_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/verify"
)

// cosign returns what stock cosign v3 wrote to a registry.
func cosign(t *testing.T) func(name string) []byte {
	t.Helper()
	dir := os.Getenv("SOUK_CORPORA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpora")
	}
	dir = filepath.Join(dir, "cosign")
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("SOUK_TEST_REQUIRE") == "all" {
			t.Fatal(err)
		}
		t.Skipf("NOT TESTED AGAINST COSIGN: %v", err)
	}
	return func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		return b
	}
}

// TestCosign: what cosign attached is found, whatever kind of bundle it is. Which
// of them is a signature is for the verifier to say.
func TestCosign(t *testing.T) {
	t.Parallel()
	file := cosign(t)
	for name, o := range map[string]catalogtest.RegistryOptions{"api": {}, "tag": {NoReferrers: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reg := catalogtest.NewRegistry(t, o)
			put := func(tag, mediaType string, raw []byte) verify.Digest {
				d, err := reg.PushManifest(t.Context(), "plugins/acme/backup", tag, mediaType, raw)
				require.NoError(t, err)
				return d
			}
			subject := put("1.0.0", catalog.TypeManifest, file("subject-manifest.json"))
			reg.PutBlob(catalog.TypeEmpty, []byte("{}"))
			var want []string
			for _, one := range []string{"signature-1", "signature-2", "provenance-1"} {
				reg.PutBlob("", file(one+".bundle.json"))
				want = append(want, string(file(one+".bundle.json")))
				put("", catalog.TypeManifest, file(one+".manifest.json"))
			}
			if o.NoReferrers {
				var list map[string]any
				require.NoError(t, json.Unmarshal(file("referrers-index.json"), &list))
				put("sha256-"+subject.Hex(), catalog.TypeIndex, file("referrers-index.json"))
			}
			e, err := newSource(t, reg.Host+"/plugins/catalog", quick).Evidence(t.Context(),
				catalog.Release{Ref: catalog.Ref{Plugin: "acme/backup", Version: "1.0.0"}, Digest: subject})
			require.NoError(t, err)
			var got []string
			for _, b := range e.Bundles {
				got = append(got, string(b))
			}
			assert.ElementsMatch(t, want, got)
		})
	}
}
