package update_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/update"
	"github.com/souk-dev/souk/verify"
)

// now is where the tests without a virtual clock stand: a Wednesday at noon.
var now = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

var (
	acmeKey  = verify.Identity{Key: "acme's key"}
	otherKey = verify.Identity{Key: "somebody else's key"}
)

type edit func(*catalog.Release)

// rel is a release that has been out for ten days, with a digest of its own.
func rel(ref string, edits ...edit) catalog.Release {
	r, err := catalog.ParseRef(ref)
	if err != nil {
		panic(err)
	}
	out := catalog.Release{
		Ref: r, Digest: verify.DigestOf([]byte(ref)), Size: 1000, Published: now.AddDate(0, 0, -10),
		Notes:    "notes of " + r.Version,
		Manifest: catalog.Manifest{Format: 1, ID: r.Plugin, Version: r.Version, Name: r.Plugin.Name(), Runtime: catalog.Runtime{Kind: catalog.RuntimeWASM}},
	}
	for _, e := range edits {
		e(&out)
	}
	return out
}

func state(s catalog.State) edit { return func(r *catalog.Release) { r.State = s } }
func out(d time.Duration) edit   { return func(r *catalog.Release) { r.Published = now.Add(-d) } }
func native(r *catalog.Release)  { r.Manifest.Runtime.Kind = catalog.RuntimeProcess }
func schema(n int) edit          { return func(r *catalog.Release) { r.Manifest.DataSchema = n } }
func breaking(s string) edit     { return func(r *catalog.Release) { r.Manifest.Breaking = s } }
func panelAPI(s string) edit     { return func(r *catalog.Release) { r.Manifest.Panel = s } }
func platform(s ...string) edit  { return func(r *catalog.Release) { r.Manifest.Platforms = s } }
func size(n int64) edit          { return func(r *catalog.Release) { r.Size = n } }
func rollout(percent int, paused bool) edit {
	return func(r *catalog.Release) { r.Rollout = &catalog.Rollout{Percent: percent, Paused: paused} }
}

func deps(ids ...catalog.PluginID) edit {
	return func(r *catalog.Release) {
		for _, id := range ids {
			r.Manifest.Dependencies = append(r.Manifest.Dependencies, catalog.Dependency{ID: id})
		}
	}
}

func asks(kind sandbox.Kind, target string, optional bool) edit {
	return func(r *catalog.Release) {
		r.Manifest.Permissions = append(r.Manifest.Permissions, catalog.PermissionRequest{Kind: kind, Target: target, Optional: optional})
	}
}

// installed is a release as it is after an install by acme's key with all it asks for.
func installed(r catalog.Release) install.Installed {
	all, _, err := r.Manifest.Wants()
	if err != nil {
		panic(err)
	}
	return install.Installed{
		Ref: r.Ref, Source: "main", Digest: r.Digest, Grants: all, Signer: acmeKey.ID(), Root: true, Enabled: true, Manifest: r.Manifest, Published: r.Published,
	}
}

// snap is a catalog of these releases, whose publishers all sign with acme's key.
func snap(t testing.TB, releases []catalog.Release, advisories ...catalog.Advisory) *catalog.Snapshot {
	t.Helper()
	c := catalog.Contents{Source: "main", Serial: 1, Expires: now.AddDate(0, 1, 0), Releases: releases, Advisories: advisories}
	listed, owned := map[catalog.PluginID]bool{}, map[string]bool{}
	for _, r := range releases {
		if !listed[r.Plugin] {
			listed[r.Plugin] = true
			c.Listings = append(c.Listings, catalog.Listing{ID: r.Plugin})
		}
		if p := r.Plugin.Publisher(); !owned[p] {
			owned[p] = true
			c.Publishers = append(c.Publishers, catalog.Publisher{Namespace: p, Signers: []catalog.Signer{{Identity: acmeKey}}})
		}
	}
	s, err := catalog.NewSnapshot(c)
	require.NoError(t, err)
	return s
}

func generation(n uint64, plugins ...install.Installed) install.Generation {
	g := install.Generation{N: n, Plugins: map[catalog.PluginID]install.Installed{}}
	for _, p := range plugins {
		g.Plugins[p.Plugin] = p
	}
	return g
}

// auto applies all within the rules, at any time.
var auto = update.Policy{Mode: update.ModeAuto}
