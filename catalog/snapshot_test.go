package catalog_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

func listing(id string) catalog.Listing {
	return catalog.Listing{ID: catalog.PluginID(id), Name: "Plugin", Summary: "A plugin.", License: "MIT", Updated: issued}
}

func rel(id, version string) catalog.Release {
	return catalog.Release{Ref: catalog.Ref{Plugin: catalog.PluginID(id), Version: version}, Digest: verify.DigestOf([]byte(id + version))}
}

func TestSnapshot(t *testing.T) {
	t.Parallel()
	s, err := catalog.NewSnapshot(catalog.Contents{
		Source: "main", Serial: 9, Expires: issued.Add(time.Hour), Synced: issued,
		Listings:   []catalog.Listing{listing("bolt/clock"), listing("acme/backup")},
		Releases:   []catalog.Release{rel("acme/backup", "1.2.0"), rel("acme/backup", "1.10.0"), rel("acme/backup", "1.10.0-rc.1"), rel("bolt/clock", "1.0.0"), rel("bolt/clock", "1.0.0+b2")},
		Stats:      []catalog.Stats{{ID: "acme/backup", Downloads: 5}},
		Publishers: []catalog.Publisher{{Namespace: "acme", Name: "Acme"}},
		Advisories: []catalog.Advisory{
			{ID: "A-1", Plugin: "acme/backup", Range: "<1"}, {ID: "A-2", Publisher: "bolt"},
			{ID: "A-3", Digests: []verify.Digest{verify.DigestOf([]byte("acme/backup1.2.0"))}}, {ID: "A-4", Signer: "key:00"},
		},
	})
	require.NoError(t, err)
	assert.Equal(t, "main", s.Source())
	assert.EqualValues(t, 9, s.Serial())
	assert.Equal(t, 2, s.Len())
	var order []string
	for l := range s.Listings() {
		order = append(order, string(l.ID))
	}
	assert.Equal(t, []string{"acme/backup", "bolt/clock"}, order)
	for range s.Listings() {
		break // may be left early
	}
	var versions []string
	for _, r := range append(s.Releases("acme/backup"), s.Releases("bolt/clock")...) {
		versions = append(versions, r.Version)
		assert.Equal(t, "main", r.Source)
	}
	assert.Equal(t, []string{"1.10.0", "1.10.0-rc.1", "1.2.0", "1.0.0+b2", "1.0.0"}, versions, "newest first, in a total order")

	r, err := s.Release(catalog.Ref{Plugin: "acme/backup", Version: "1.2.0"})
	require.NoError(t, err)
	assert.Equal(t, verify.DigestOf([]byte("acme/backup1.2.0")), r.Digest)
	_, err = s.Release(catalog.Ref{Plugin: "acme/backup", Version: "3.0.0"})
	require.ErrorIs(t, err, catalog.ErrNotFound)
	require.EqualError(t, err, "look up acme/backup@3.0.0: not found")

	p, err := s.Plugin("acme/backup")
	require.NoError(t, err)
	assert.Equal(t, "Acme", p.Publisher.Name)
	assert.EqualValues(t, 5, p.Stats.Downloads)
	assert.Len(t, p.Advisories, 2, "about the plugin and about a digest of it")
	_, err = s.Plugin("acme/none")
	require.ErrorIs(t, err, catalog.ErrNotFound)
	_, known := s.Publisher("bolt")
	assert.False(t, known)
	assert.Len(t, s.Advisories(), 4)

	later := s.At(issued.Add(time.Minute), issued.Add(2*time.Hour))
	assert.Equal(t, issued.Add(time.Minute), later.Synced())
	assert.Equal(t, issued.Add(2*time.Hour), later.Expires())
	assert.Equal(t, issued, s.Synced(), "the one before is as it was")
}

func TestNewSnapshotRefuses(t *testing.T) {
	t.Parallel()
	noDigest := rel("acme/backup", "1.0.0")
	noDigest.Digest = ""
	for name, c := range map[string]struct {
		c    catalog.Contents
		says string
	}{
		"listing twice":   {catalog.Contents{Listings: []catalog.Listing{listing("acme/backup"), listing("acme/backup")}}, "lists acme/backup twice"},
		"bad id":          {catalog.Contents{Listings: []catalog.Listing{listing("Acme/backup")}}, "is not publisher/name"},
		"no listing":      {catalog.Contents{Releases: []catalog.Release{rel("acme/backup", "1.0.0")}}, "without a listing"},
		"version":         {catalog.Contents{Listings: []catalog.Listing{listing("acme/backup")}, Releases: []catalog.Release{rel("acme/backup", "1.0")}}, "release of acme/backup"},
		"digest":          {catalog.Contents{Listings: []catalog.Listing{listing("acme/backup")}, Releases: []catalog.Release{noDigest}}, "no valid digest"},
		"release twice":   {catalog.Contents{Listings: []catalog.Listing{listing("acme/backup")}, Releases: []catalog.Release{rel("acme/backup", "1.0.0"), rel("acme/backup", "1.0.0")}}, "lists acme/backup@1.0.0 twice"},
		"publisher twice": {catalog.Contents{Publishers: []catalog.Publisher{{Namespace: "acme"}, {Namespace: "acme"}}}, "lists publisher acme twice"},
	} {
		_, err := catalog.NewSnapshot(c.c)
		assert.ErrorContains(t, err, c.says, name)
	}
}

func TestRefs(t *testing.T) {
	t.Parallel()
	r, err := catalog.ParseRef("acme/backup@1.4.2-rc.1")
	require.NoError(t, err)
	assert.Equal(t, "acme/backup@1.4.2-rc.1", r.String())
	assert.Equal(t, "acme", r.Plugin.Publisher())
	assert.Equal(t, "backup", r.Plugin.Name())
	for _, bad := range []string{"", "acme/backup", "acme@1.0.0", "a/b@1.0.0", "acme/back--up@1.0.0", "acme/-b@1.0.0", "acme/b-@1.0.0", "9acme/backup@1.0.0", "acme/backup@v1.0.0", "acme/backup@1.0.0 ", "acme/backup/x@1.0.0", "acme/backup@1.0.0+" + strings.Repeat("x", 60)} {
		_, err := catalog.ParseRef(bad)
		assert.Error(t, err, bad)
	}
}

func TestCheckPath(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"README.md", "a/b/c", "ünïcode.txt", "con1", "communicate.txt", ".hidden", "a b"} {
		assert.NoError(t, catalog.CheckPath(good), good)
	}
	for _, bad := range []string{"", ".", "/a", "a/", "a//b", "../a", "a/../b", "a\\b", "a:b", "a?", "CON", "nul.txt", "x/LPT1.log", "com¹", "a.", "a ", "b./c", "a\x00", "a\u202eb", "u\u0308",
		strings.Repeat("a", 101), strings.Repeat("a/", 20) + "a", strings.Repeat("abcdefgh/", 15) + strings.Repeat("x", 100) + "/" + "y"} {
		if len(bad) > 200 && len(bad) <= catalog.MaxPath {
			continue
		}
		assert.Error(t, catalog.CheckPath(bad), "%q", bad)
	}
	assert.Equal(t, catalog.PathKey("README.MD"), catalog.PathKey("readme.md"))
	assert.Equal(t, catalog.PathKey("ﬁle"), catalog.PathKey("FILE"))
	assert.NotEqual(t, catalog.PathKey("a"), catalog.PathKey("b"))
}

// big returns the contents of a catalog of n plugins with three releases each.
func big(n int) catalog.Contents {
	c := catalog.Contents{Source: "main", Serial: 1}
	for i := range n {
		id := catalog.PluginID(fmt.Sprintf("publisher%d/plugin-%d", i/10, i))
		l := listing(string(id))
		l.Summary = fmt.Sprintf("Plugin number %d does something useful for your servers.", i)
		l.Tags = []string{"tag" + fmt.Sprint(i%50)}
		c.Listings = append(c.Listings, l)
		for v := range 3 {
			r := rel(string(id), fmt.Sprintf("1.%d.0", 2-v))
			r.Manifest = catalog.Manifest{Format: 1, ID: id, Version: r.Version, Name: l.Name, Summary: l.Summary, License: "MIT", Tags: l.Tags,
				Runtime: catalog.Runtime{Kind: catalog.RuntimeWASM, Entry: "plugin.wasm"}, Panel: ">=3", Dependencies: []catalog.Dependency{{ID: "acme/base", Range: "^1.2"}},
				Permissions: []catalog.PermissionRequest{{Kind: "net.out", Target: "api.example.org:443", Reason: "talks to its service"}}}
			c.Releases = append(c.Releases, r)
		}
	}
	return c
}

func BenchmarkNewSnapshot10k(b *testing.B) {
	c := big(10_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := catalog.NewSnapshot(c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode10k(b *testing.B) {
	c := big(10_000)
	var listings, releases []catalog.Record
	for i, l := range c.Listings {
		rec, err := catalog.NewListingRecord(l)
		require.NoError(b, err)
		listings = append(listings, rec)
		rec, err = catalog.NewReleasesRecord(l.ID, c.Releases[3*i:3*i+3])
		require.NoError(b, err)
		releases = append(releases, rec)
	}
	type family struct {
		raw []byte
		s   catalog.Segment
	}
	var all []family
	for _, list := range [][]catalog.Record{listings, releases} {
		sortRecords(list)
		raw, s, err := catalog.WriteSegment(records(list...))
		require.NoError(b, err)
		all = append(all, family{raw, s})
	}
	b.ReportAllocs()
	var d catalog.RecordReader
	for b.Loop() {
		for r, err := range catalog.ReadSegment(bytes.NewReader(all[0].raw), all[0].s.Blob) {
			if err == nil {
				_, err = d.Listing(r)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		for r, err := range catalog.ReadSegment(bytes.NewReader(all[1].raw), all[1].s.Blob) {
			if err == nil {
				_, err = d.Releases(r)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(all[0].s.Size)/10_000, "listing-B/plugin")
	b.ReportMetric(float64(all[1].s.Size)/10_000, "releases-B/plugin")
}

// TestPluginHasTheAdvisoriesThatCanBeAboutIt holds the index of advisories to what it
// stands for: those of the plugin, of its publisher, and about a digest of its releases,
// in the order of the catalog and each once.
func TestPluginHasTheAdvisoriesThatCanBeAboutIt(t *testing.T) {
	t.Parallel()
	var c catalog.Contents
	c.Source = "main"
	for _, id := range []string{"acme/aa", "acme/bb", "bolt/cc"} {
		c.Listings = append(c.Listings, listing(id))
		for _, v := range []string{"1.0.0", "2.0.0"} {
			c.Releases = append(c.Releases, rel(id, v))
		}
	}
	for n, plugin := range []catalog.PluginID{"", "acme/aa", "bolt/cc", "none/none"} {
		for _, publisher := range []string{"", "acme", "bolt"} {
			for _, digest := range []string{"", "acme/aa1.0.0", "bolt/cc2.0.0", "nothing"} {
				a := catalog.Advisory{ID: fmt.Sprintf("A-%d-%s-%s", n, publisher, digest), Plugin: plugin, Publisher: publisher}
				if digest != "" {
					a.Digests = []verify.Digest{verify.DigestOf([]byte(digest))}
				}
				c.Advisories = append(c.Advisories, a)
			}
		}
	}
	s, err := catalog.NewSnapshot(c)
	require.NoError(t, err)
	for l := range s.Listings() {
		var want []string
		for _, a := range c.Advisories {
			about := a.Plugin == l.ID || a.Publisher == l.ID.Publisher()
			for _, r := range s.Releases(l.ID) {
				about = about || a.Concerns(r)
			}
			if about {
				want = append(want, a.ID)
			}
		}
		p, err := s.Plugin(l.ID)
		require.NoError(t, err)
		var got []string
		for _, a := range p.Advisories {
			got = append(got, a.ID)
		}
		assert.NotEmpty(t, want)
		assert.Equal(t, want, got, l.ID)
	}
}
