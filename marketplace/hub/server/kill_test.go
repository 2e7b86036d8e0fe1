package server_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/mirror"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/client"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/hub/server"
	"github.com/souk-dev/souk/sandbox/safefs"
	"github.com/souk-dev/souk/verify/tuf"
)

// listed returns what a panel sees in the catalog, after it has verified it.
func listed(t *testing.T, w *hubtest.Town, src catalog.Source) map[string]int {
	t.Helper()
	root, err := w.Hub.Root(t.Context())
	require.NoError(t, err)
	trust, err := tuf.New(root, tuf.Options{})
	require.NoError(t, err)
	dir, err := safefs.Open(t.TempDir(), safefs.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, dir.Close()) }()
	m, err := mirror.Open(t.Context(), dir, []mirror.Source{{Name: "hub", Source: src, Trust: trust}}, mirror.Options{})
	require.NoError(t, err)
	s, err := m.Sync(t.Context(), "hub")
	require.NoError(t, err)
	out := map[string]int{}
	for l := range s.Listings() {
		for _, r := range s.Releases(l.ID) {
			out[r.Ref.String()]++
		}
	}
	return out
}

// TestKilledHub kills a hub, SQLite and registry on disk and all, at random moments while
// releases are submitted, scanned, reviewed and published, and starts it again. What was
// confirmed is there, nothing is there twice, and what was under way goes on. That no
// moment is left out is for the tests of package publishing, which cut before and after
// every request and transaction.
func TestKilledHub(t *testing.T) {
	dir := t.TempDir()
	addr := free(t)
	c := child{Dir: filepath.Join(dir, "hub"), BaseURL: "http://localhost:" + port(addr), Listen: addr}
	require.NoError(t, os.MkdirAll(c.Dir, 0o700))

	// People and their tokens, made before: afterwards everything goes over HTTP.
	w := openTown(t, c)
	olga, err := w.Enrol(t.Context(), "Olga Owner")
	require.NoError(t, err)
	acme, err := w.Found(t.Context(), olga, "acme")
	require.NoError(t, err)
	owner := clientOf(t, w, olga)
	var reviewers []*client.Client
	for _, name := range []string{"Rosa Reviewer", "Rick Reviewer"} {
		p, err := w.Enrol(t.Context(), name, hub.RoleReviewer)
		require.NoError(t, err)
		reviewers = append(reviewers, clientOf(t, w, p))
	}
	require.NoError(t, w.Hub.Close())

	random := rand.New(rand.NewPCG(5, 6))
	p := start(t, c)
	var subs []hub.Submission
	for i := range 8 {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		x := hubtest.Plugin{Manifest: hubtest.Manifest(catalog.PluginID(fmt.Sprintf("acme/plugin-%d", i)), "1.0.0")}
		pkg, err := hubtest.Pack(ctx, x)
		require.NoError(t, err)
		digest, err := w.Push(ctx, acme, pkg)
		require.NoError(t, err)
		sub, err := owner.CreateSubmission(ctx, client.NewSubmission{Plugin: x.Manifest.ID, Version: "1.0.0", Notes: publish.Notes{Added: []string{"It."}}})
		require.NoError(t, err)
		_, err = owner.Submit(ctx, sub.ID, pkg.OCI.Digest)
		require.NoError(t, err)
		require.Equal(t, string(pkg.OCI.Digest), digest)
		subs = append(subs, sub)

		// Killed somewhere on the way to review or to the catalog, and started again.
		time.AfterFunc(time.Duration(random.IntN(400))*time.Millisecond, p.kill)
		approved := false
		within(t, 2*time.Minute, func() bool {
			d, err := owner.Submission(ctx, sub.ID)
			if err != nil { // it was killed
				select {
				case <-p.ended:
					p = start(t, c)
				default:
				}
				return false
			}
			if d.State == hub.StateInReview && !approved {
				approved = approve(ctx, reviewers, d)
			}
			return d.State == hub.StatePublished
		}, "published in the end")
		cancel()
	}
	p.kill()
	p = start(t, c)
	p.stop(t)
	w = openTown(t, c)
	web := &http.Server{Handler: w.Hub, ReadHeaderTimeout: time.Second, Addr: addr}
	go web.ListenAndServe() //nolint:errcheck // closed below
	defer func() { require.NoError(t, w.Hub.Close()) }()
	defer func() { require.NoError(t, web.Close()) }()
	within(t, 10*time.Second, func() bool {
		resp, err := http.Get(c.BaseURL + "/healthz")
		return err == nil && resp.Body.Close() == nil
	}, "serving")
	checkPublishedOnce(t, w, subs)
}

func openTown(t *testing.T, c child) *hubtest.Town {
	t.Helper()
	s, err := server.Open(t.Context(), c.options())
	require.NoError(t, err)
	return hubtest.NewTown(s, c.BaseURL)
}

func clientOf(t *testing.T, w *hubtest.Town, p *hubtest.Person) *client.Client {
	t.Helper()
	c, err := w.ClientOf(t.Context(), p)
	require.NoError(t, err)
	return c
}

// approve has reviewers approve over HTTP; false when the hub was killed meanwhile.
func approve(ctx context.Context, reviewers []*client.Client, d client.Submission) bool {
	for _, r := range reviewers[:max(1, min(d.Needs, len(reviewers)))] {
		if _, err := r.Decide(ctx, d.ID, client.Decision{Round: d.Round, Digest: d.Digest, Verdict: hub.VerdictApprove, Text: "Right."}); err != nil {
			return false
		}
	}
	return true
}

// TestStart: a hub with things in it starts in less than a second, and says who is to
// become its administrator until there is one.
func TestStart(t *testing.T) {
	c := child{Dir: filepath.Join(t.TempDir(), "hub"), BaseURL: "http://localhost:1"}
	require.NoError(t, os.MkdirAll(c.Dir, 0o700))
	w := openTown(t, c)
	assert.NotEmpty(t, w.Hub.SetupCode())
	before, err := w.Hub.Root(t.Context())
	require.NoError(t, err)
	_, err = server.Open(t.Context(), c.options())
	assert.ErrorContains(t, err, "in use by another hub")
	require.NoError(t, w.Hub.Close())
	for _, name := range []string{"catalog-root-1", "catalog-targets", "reviews", "registry-tokens"} {
		info, err := os.Stat(filepath.Join(c.Dir, "keys", name+".pem"))
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
	}
	// Without the root keys, which were moved offline.
	for i := range 3 {
		require.NoError(t, os.Remove(filepath.Join(c.Dir, "keys", fmt.Sprintf("catalog-root-%d.pem", i+1))))
	}
	w = openTown(t, c)
	after, err := w.Hub.Root(t.Context())
	require.NoError(t, err)
	assert.Equal(t, before, after)
	require.NoError(t, w.Hub.Close())
	for _, base := range []string{"", "hub.example.org", "http://hub.example.org"} {
		_, err := server.Open(t.Context(), server.Options{Dir: t.TempDir(), BaseURL: base})
		assert.Error(t, err, base)
	}
}
