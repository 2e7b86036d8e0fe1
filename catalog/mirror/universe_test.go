package mirror_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/mirror"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/sandbox/safefs"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/tuf"
)

var _ resolve.Universe = (*mirror.Universe)(nil)

// snapshot returns a catalog of these releases, as a source of that name has it.
func snapshot(t *testing.T, source string, releases ...catalog.Release) *catalog.Snapshot {
	t.Helper()
	c := catalog.Contents{Source: source, Serial: 1, Releases: releases}
	seen := map[catalog.PluginID]bool{}
	for _, r := range releases {
		if !seen[r.Plugin] {
			seen[r.Plugin] = true
			c.Listings = append(c.Listings, catalog.Listing{ID: r.Plugin, Name: "n", Summary: "s", License: "MIT"})
		}
	}
	s, err := catalog.NewSnapshot(c)
	require.NoError(t, err)
	return s
}

func versions(all []catalog.Release) (out []string) {
	for _, r := range all {
		out = append(out, r.Source+"/"+r.Version)
	}
	return out
}

// Regression of a peer: look-ups ignored the source, so that the highest version of
// any source won.
func TestHigherVersionElsewhereNeverWins(t *testing.T) {
	t.Parallel()
	private := snapshot(t, "private", release(t, "acme/backup@1.0.0"))
	public := snapshot(t, "public", release(t, "acme/backup@99.0.0"), release(t, "acme/notes@1.0.0"))
	u := mirror.NewUniverse([]*catalog.Snapshot{private, public}, nil)
	assert.Equal(t, []string{"private/1.0.0"}, versions(u.Releases("acme/backup")))
	assert.Equal(t, []string{"public/1.0.0"}, versions(u.Releases("acme/notes")))
	assert.Empty(t, u.Releases("acme/none"))
	_, err := u.Owner("acme/none")
	require.ErrorIs(t, err, catalog.ErrNotFound)

	bound := map[catalog.PluginID]string{"acme/backup": "public", "acme/notes": "private", "acme/old": "gone"}
	u = mirror.NewUniverse([]*catalog.Snapshot{private, public}, bound)
	bound["acme/backup"] = "private" // the Universe has its own copy
	assert.Equal(t, []string{"public/99.0.0"}, versions(u.Releases("acme/backup")), "it stays where it was installed from")
	assert.Empty(t, u.Releases("acme/notes"), "and is not taken from elsewhere when it is gone there")
	assert.Empty(t, u.Releases("acme/old"), "nor when the source itself is gone")
}

func TestProvidersStayInTheirSource(t *testing.T) {
	t.Parallel()
	provides := func(ref string, id catalog.PluginID) catalog.Release {
		r := release(t, ref)
		r.Manifest.Provides = []catalog.PluginID{id}
		return r
	}
	replaces := release(t, "acme/vault@1.0.0")
	replaces.Manifest.Replaces = []catalog.Relation{{ID: "acme/backup"}}
	private := snapshot(t, "private", release(t, "acme/backup@1.0.0"), replaces, provides("acme/pg@1.0.0", "acme/db"), provides("acme/pg@1.1.0", "acme/db"))
	public := snapshot(t, "public", provides("evil/backup@1.0.0", "acme/backup"), provides("evil/db@1.0.0", "acme/db"), release(t, "acme/db@9.0.0"), provides("bolt/mail@1.0.0", "bolt/smtp"), provides("acme/pg@5.0.0", "bolt/smtp"))
	u := mirror.NewUniverse([]*catalog.Snapshot{private, public}, nil)
	assert.Equal(t, []catalog.PluginID{"acme/vault"}, u.Providers("acme/backup"))
	assert.Equal(t, []catalog.PluginID{"acme/pg"}, u.Providers("acme/db"), "a virtual name belongs to who provides it first")
	assert.Empty(t, u.Releases("acme/db"), "so nobody takes it over elsewhere")
	assert.Equal(t, []catalog.PluginID{"bolt/mail"}, u.Providers("bolt/smtp"), "acme/pg belongs to private")
	assert.Empty(t, u.Providers("acme/none"))
}

// As long as nobody knows what belongs to the first source, the second one is not
// asked instead.
func TestUnknownSourceIsNotSkipped(t *testing.T) {
	t.Parallel()
	w, public := newWorld(t), newWorld(t)
	public.add("acme/backup@99.0.0")
	public.publish()
	w.add("acme/backup@1.0.0")
	w.publish()
	m := w.open(w.source("private"), public.source("public"))
	w.reg.snapshotErr = catalog.ErrUnavailable
	require.Error(t, m.SyncAll(t.Context()))
	u := m.Universe(nil)
	assert.Empty(t, u.Releases("acme/backup"))
	_, err := u.Owner("acme/backup")
	require.ErrorIs(t, err, catalog.ErrUnavailable)
	require.ErrorContains(t, err, "source private was never synced")
	assert.Equal(t, []string{"public/99.0.0"}, versions(m.Universe(map[catalog.PluginID]string{"acme/backup": "public"}).Releases("acme/backup")))

	w.reg.snapshotErr = nil
	require.NoError(t, m.SyncAll(t.Context()))
	assert.Equal(t, []string{"private/1.0.0"}, versions(m.Universe(nil).Releases("acme/backup")))
	assert.Empty(t, u.Releases("acme/backup"), "a Universe does not change")
}

func ExampleMirror() {
	// A publisher, with a registry in memory.
	ctx, now := context.Background(), time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)
	key, err := tuf.GenerateKey()
	check(err)
	keys := tuf.Keys{Root: []tuf.Key{key}, Targets: []tuf.Key{key}, Snapshot: []tuf.Key{key}, Timestamp: []tuf.Key{key}}
	repository, first, err := tuf.Init(keys, now, tuf.Config{RootThreshold: 1})
	check(err)
	reg, shop := newRegistry(), publish.New(repository)
	check(shop.AddRelease(catalog.Release{
		Ref: catalog.Ref{Plugin: "acme/backup", Version: "1.0.0"}, Digest: verify.DigestOf(nil), Published: now,
		Manifest: catalog.Manifest{Format: 1, ID: "acme/backup", Version: "1.0.0", Name: "Backup", Summary: "Backs up.", License: "MIT", Runtime: catalog.Runtime{Kind: "static"}},
	}))
	_, err = shop.Publish(ctx, publish.Target{Registry: reg, Repo: "catalog", Keys: keys, Now: now, Keep: func([]byte) error { return nil }})
	check(err)

	// A panel that pinned the root.
	trust, err := tuf.New(first.Files["1.root.json"], tuf.Options{})
	check(err)
	dir, err := safefs.Open(exampleDir(), safefs.Options{})
	check(err)
	defer func() { check(dir.Close()) }()
	m, err := mirror.Open(ctx, dir, []mirror.Source{{Name: "main", Source: reg, Trust: trust}}, mirror.Options{Now: func() time.Time { return now }})
	check(err)
	fmt.Println(m.StatusAll()[0].State)
	snap, err := m.Sync(ctx, "main")
	check(err)
	fmt.Println(m.StatusAll()[0].State, "serial", snap.Serial(), "with", snap.Len(), "plugin")
	fmt.Println(m.Universe(nil).Owner("acme/backup"))
	// Output:
	// empty
	// fresh serial 1 with 1 plugin
	// main <nil>
}
