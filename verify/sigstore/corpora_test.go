package sigstore_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/sigstore"
)

// corpus returns the folder of test data with the given name, or skips loudly.
func corpus(t testing.TB, name string) string {
	t.Helper()
	base := os.Getenv("SOUK_CORPORA")
	if base == "" {
		base = filepath.Join("..", "..", "..", "shared", "corpora")
	}
	dir := filepath.Join(base, name)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("SOUK_TEST_REQUIRE") == "all" {
			t.Fatalf("test data %s is missing: set SOUK_CORPORA", dir)
		}
		t.Skipf("NOT TESTED: test data %s is missing, set SOUK_CORPORA", dir)
	}
	return dir
}

func read(t testing.TB, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	return b
}

// readOr returns what a file of a case overrides, or the default.
func readOr(t testing.TB, path, otherwise string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return []byte(otherwise)
	}
	require.NoError(t, err)
	return b
}

// TestConformance runs the cases of sigstore-conformance: a directory ending
// _fail must be refused, the others accepted.
func TestConformance(t *testing.T) {
	t.Parallel()
	dir := corpus(t, "sigstore-conformance")
	cases := filepath.Join(dir, "test", "assets", "bundle-verify")
	entries, err := os.ReadDir(cases)
	require.NoError(t, err)
	publicGood := string(read(t, dir, "trusted-root-public-good.json"))
	ran := 0
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		ran++
		t.Run(e.Name(), func(t *testing.T) {
			t.Parallel()
			at := filepath.Join(cases, e.Name())
			err := func() error {
				v, err := sigstore.New(sigstore.Options{
					TrustedRoot: readOr(t, filepath.Join(at, "trusted_root.json"), publicGood),
				})
				if err != nil {
					return err
				}
				who := verify.Identity{
					Issuer: strings.TrimSpace(string(readOr(t, filepath.Join(at, "issuer"), "https://token.actions.githubusercontent.com"))),
					Subject: strings.TrimSpace(string(readOr(t, filepath.Join(at, "identity"),
						"https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"))),
				}
				if key := readOr(t, filepath.Join(at, "key.pub"), ""); len(key) > 0 {
					if who, err = sigstore.KeyIdentity(key); err != nil {
						return err
					}
				}
				artifact := readOr(t, filepath.Join(at, "artifact"), string(read(t, cases, "a.txt")))
				return v.Proves(read(t, at, "bundle.sigstore.json"), who, verify.DigestOf(artifact))
			}()
			if strings.HasSuffix(e.Name(), "_fail") {
				require.Error(t, err)
				t.Log(err)
				return
			}
			require.NoError(t, err)
		})
	}
	assert.Equal(t, 70, ran, "cases of the corpus")
}

// TestCosign verifies what stock cosign wrote into a registry.
func TestCosign(t *testing.T) {
	t.Parallel()
	dir := corpus(t, "cosign")
	v, err := sigstore.New(sigstore.Options{})
	require.NoError(t, err)
	acme, err := sigstore.KeyIdentity(read(t, dir, "cosign.pub"))
	require.NoError(t, err)
	other, err := sigstore.KeyIdentity(read(t, dir, "other.pub"))
	require.NoError(t, err)

	manifest := read(t, dir, "subject-manifest.json")
	byOther, byAcme, provenance := read(t, dir, "signature-1.bundle.json"), read(t, dir, "signature-2.bundle.json"), read(t, dir, "provenance-1.bundle.json")
	check := func(who verify.Identity, manifest []byte, bundles ...[]byte) (*verify.Report, error) {
		s := verify.Subject{Name: "acme/backup@1.4.2", Digest: verify.DigestOf(manifest), Signers: []verify.Identity{who}}
		return v.Verify(t.Context(), s, verify.Evidence{Manifest: manifest, Bundles: bundles})
	}

	report, err := check(acme, manifest, byAcme)
	require.NoError(t, err)
	assert.Equal(t, acme, report.Signer())
	_, err = check(other, manifest, byOther)
	require.NoError(t, err)
	report, err = check(acme, manifest, provenance, byOther, byAcme)
	require.NoError(t, err, "in any company")
	assert.Len(t, report.Considered, 3)

	_, err = check(acme, manifest, byOther)
	require.ErrorIs(t, err, verify.ErrUntrusted)
	require.ErrorContains(t, err, "signed by somebody who may not sign for acme")
	_, err = check(acme, manifest, provenance)
	require.ErrorIs(t, err, verify.ErrUntrusted)
	require.ErrorContains(t, err, "no signature: it states")
	_, err = check(acme, append(manifest, '\n'), byAcme)
	require.ErrorIs(t, err, verify.ErrUntrusted)
	require.ErrorContains(t, err, "no signature of this release: it is about")

	found, _, err := v.Attested(t.Context(),
		verify.Subject{Name: "acme/backup@1.4.2", Digest: verify.DigestOf(manifest), Signers: []verify.Identity{acme}},
		verify.Evidence{Manifest: manifest, Bundles: [][]byte{byAcme, byOther, provenance}}, "https://slsa.dev/provenance/v1")
	require.NoError(t, err, "the provenance is an attestation, asked for as one")
	assert.Contains(t, string(found.Predicate), "https://example.org/builder")
}

// TestWrittenAsCosignWrites compares our bundle with cosign's over the same
// subject, byte for byte but for key and signature.
func TestWrittenAsCosignWrites(t *testing.T) {
	t.Parallel()
	dir := corpus(t, "cosign")
	manifest, theirs := read(t, dir, "subject-manifest.json"), string(read(t, dir, "signature-2.bundle.json"))
	s := newSigner(t)
	ours, err := s.Sign(t.Context(), verify.DigestOf(manifest))
	require.NoError(t, err)

	mask := func(bundle, field string) string {
		before, rest, ok := strings.Cut(bundle, `"`+field+`":"`)
		require.True(t, ok, field)
		_, after, ok := strings.Cut(rest, `"`)
		require.True(t, ok, field)
		return before + field + after
	}
	assert.Equal(t, mask(mask(theirs, "hint"), "sig"), mask(mask(string(ours), "hint"), "sig"))
}
