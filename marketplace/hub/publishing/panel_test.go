package publishing_test

import (
	"encoding/json"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/mirror"
	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
	"github.com/souk-dev/souk/sandbox/safefs"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/sigstore"
	"github.com/souk-dev/souk/verify/tuf"
)

// panel is a panel that pins the root and syncs.
type panel struct {
	w      *world
	mirror *mirror.Mirror
	source *oci.Source
}

func (w *world) panel() *panel {
	w.t.Helper()
	rootJSON, err := w.service.Root(w.t.Context())
	require.NoError(w.t, err)
	trust, err := tuf.New(rootJSON, tuf.Options{})
	require.NoError(w.t, err)
	source, err := oci.New(w.registry.Host+"/"+prefix+"/catalog", oci.Options{Credentials: oci.Anonymous, RetryWait: time.Millisecond})
	require.NoError(w.t, err)
	dir, err := safefs.Open(w.t.TempDir(), safefs.Options{})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = dir.Close() })
	m, err := mirror.Open(w.t.Context(), dir, []mirror.Source{{Name: "hub", Source: source, Trust: trust}}, mirror.Options{Now: w.clock.now})
	require.NoError(w.t, err)
	return &panel{w, m, source}
}

func (p *panel) sync() *catalog.Snapshot {
	p.w.t.Helper()
	s, err := p.mirror.Sync(p.w.t.Context(), "hub")
	require.NoError(p.w.t, err)
	return s
}

// proves checks that a listed release can be installed: signed by its publisher, and
// reviewed by the hub exactly once.
func (p *panel) proves(s *catalog.Snapshot, r catalog.Release) {
	t, ctx := p.w.t, p.w.t.Context()
	t.Helper()
	evidence, err := p.source.Evidence(ctx, r)
	require.NoError(t, err)
	owner, ok := s.Publisher(r.Plugin.Publisher())
	require.True(t, ok)
	var who []verify.Identity
	for _, one := range owner.Signers {
		if one.Revoked.IsZero() {
			who = append(who, one.Identity)
		}
	}
	verifier, err := sigstore.New(sigstore.Options{})
	require.NoError(t, err)
	_, err = verifier.Verify(ctx, verify.Subject{Name: r.Ref.String(), Digest: r.Digest, Signers: who}, evidence)
	require.NoError(t, err, "signature of %s", r.Ref)
	hubSays := verify.Subject{Name: r.Ref.String(), Digest: r.Digest, Signers: []verify.Identity{p.w.attester.Identity()}}
	reviews := 0
	for _, b := range evidence.Bundles {
		one := verify.Evidence{Manifest: evidence.Manifest, Bundles: [][]byte{b}}
		a, _, err := verifier.Attested(ctx, hubSays, one, publishing.ReviewType)
		if err != nil {
			continue
		}
		reviews++
		var says publishing.ReviewPredicate
		require.NoError(t, json.Unmarshal(a.Predicate, &says))
		require.Equal(t, r.Digest, says.Digest)
		require.NotEmpty(t, says.Reviews)
	}
	require.Equal(t, 1, reviews, "reviews of %s", r.Ref)
	content, err := p.source.Open(ctx, r)
	require.NoError(t, err)
	require.NoError(t, content.Close())
}
