package oci_test

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/catalog/mirror"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/sandbox/safefs"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/sigstore"
	"github.com/souk-dev/souk/verify/tuf"
)

// pack makes release version of acme/backup.
func pack(t *testing.T, version string) *publish.Package {
	t.Helper()
	pkg, err := publish.Pack(t.Context(), fstest.MapFS{
		"plugin.json": {Data: []byte(`{"format":1,"id":"acme/backup","version":"` + version + `","name":"Backup","summary":"Backs up.","license":"MIT",
			"runtime":{"kind":"static"},"docs":"README.md"}`)},
		"README.md": {Data: []byte("# Backup " + version + "\n")},
	}, publish.PackOptions{})
	require.NoError(t, err)
	return pkg
}

// TestJourney: from a publisher's folder through every registry to a verified
// snapshot and a verified release.
func TestJourney(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(t *testing.T, front *catalogtest.Registry) {
		now := time.Now().UTC().Truncate(time.Second)
		pusher := newPusher(t, front.Host, quick)
		signer, err := sigstore.NewKeySigner(catalogtest.NewECDSAKey(t).Signer)
		require.NoError(t, err)

		key := func() []tuf.Key {
			k, err := tuf.GenerateKey()
			require.NoError(t, err)
			return []tuf.Key{k}
		}
		keys := tuf.Keys{Root: key(), Targets: key(), Snapshot: key(), Timestamp: key()}
		repository, _, err := tuf.Init(keys, now, tuf.Config{RootThreshold: 1})
		require.NoError(t, err)
		root, err := repository.Root()
		require.NoError(t, err)
		shop := publish.New(repository)
		require.NoError(t, shop.SetPublishers([]catalog.Publisher{{Namespace: "acme", Name: "Acme", Signers: []catalog.Signer{{Identity: signer.Identity()}}}}))
		release := func(version string) {
			pkg := pack(t, version)
			require.NoError(t, publish.Push(t.Context(), pusher, "plugins", pkg, signer))
			require.NoError(t, shop.AddRelease(pkg.Release(now, "")))
			_, err := shop.Publish(t.Context(), publish.Target{
				Registry: pusher, Repo: "plugins/catalog", Keys: keys, Now: now, Keep: func([]byte) error { return nil },
			})
			require.NoError(t, err)
		}
		release("1.0.0")

		trust, err := tuf.New(root, tuf.Options{})
		require.NoError(t, err)
		disk, err := safefs.Open(t.TempDir(), safefs.Options{})
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, disk.Close()) })
		source := newSource(t, front.Host+"/plugins/catalog", quick)
		m, err := mirror.Open(t.Context(), disk, []mirror.Source{{Name: "main", Source: source, Trust: trust}}, mirror.Options{})
		require.NoError(t, err)
		check := func(version string) {
			snap, err := m.Sync(t.Context(), "main")
			require.NoError(t, err)
			r, err := snap.Release(catalog.Ref{Plugin: "acme/backup", Version: version})
			require.NoError(t, err)
			proven(t, source, signer.Identity(), r)
		}
		check("1.0.0")
		front.Forget()
		_, err = m.Sync(t.Context(), "main")
		require.NoError(t, err)
		assert.Len(t, front.Requests(), 1, "nothing changed")
		release("1.1.0")
		check("1.1.0")
		check("1.0.0")
	})
}

// proven reads a release and its evidence and verifies them.
func proven(t *testing.T, source interface {
	catalog.Source
	catalog.EvidenceSource
	catalog.MediaSource
}, signer verify.Identity, r catalog.Release) {
	t.Helper()
	content, err := open(t.Context(), source, r)
	require.NoError(t, err)
	assert.EqualValues(t, r.Size, len(content))
	require.Len(t, r.Media, 1)
	readme, err := source.Media(t.Context(), r, r.Media[0])
	require.NoError(t, err)
	assert.Equal(t, "# Backup "+r.Version+"\n", string(readme))
	e, err := source.Evidence(t.Context(), r)
	require.NoError(t, err)
	verifier, err := sigstore.New(sigstore.Options{})
	require.NoError(t, err)
	_, err = verifier.Verify(t.Context(), verify.Subject{Name: r.Ref.String(), Digest: r.Digest, Signers: []verify.Identity{signer}}, e)
	assert.NoError(t, err)
}
