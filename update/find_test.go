package update_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/update"
	"github.com/souk-dev/souk/verify"
)

// offered finds what is offered to who has the first release, as "version verdict".
func offered(t testing.TB, change func(*update.FindInput), has catalog.Release, catalogs ...*catalog.Snapshot) []string {
	t.Helper()
	in := update.FindInput{
		Facts:  update.Facts{Generation: generation(1, installed(has)), Snapshots: catalogs, Panel: "3.0.0", Platform: "linux/amd64"},
		Policy: auto, Now: now,
	}
	if change != nil {
		change(&in)
	}
	got := []string{}
	for _, o := range update.Find(in) {
		got = append(got, fmt.Sprintf("%s %s", o.To.Version, o.Decision.Verdict))
		assert.NotEmpty(t, o.Decision.Why, "a decision says why")
		assert.Positive(t, catalog.CompareVersions(o.To.Version, o.From.Version), "an offer never goes down")
	}
	return got
}

func TestFindWhatIsOffered(t *testing.T) {
	t.Parallel()
	fix := catalog.Advisory{ID: "A-1", Action: catalog.ActionWarn, Plugin: "acme/one", Range: "<1.2.0", FixedIn: "1.2.0"}
	block := catalog.Advisory{ID: "A-2", Action: catalog.ActionBlock, Plugin: "acme/one", Range: "1.3.0"}
	has := rel("acme/one@1.0.0")
	for _, tt := range []struct {
		name   string
		list   []catalog.Release
		advise []catalog.Advisory
		change func(*update.FindInput)
		want   string
	}{
		{"nothing newer", []catalog.Release{rel("acme/one@0.9.0"), has}, nil, nil, ""},
		{"newest of several", []catalog.Release{rel("acme/one@1.1.0"), rel("acme/one@1.10.0"), rel("acme/one@1.9.0")}, nil, nil, "1.10.0 auto"},
		{"yanked newest: the one before", []catalog.Release{rel("acme/one@1.2.0", state(catalog.Yanked)), rel("acme/one@1.1.0")}, nil, nil, "1.1.0 auto"},
		{"withdrawn newest", []catalog.Release{rel("acme/one@1.2.0", state(catalog.Withdrawn))}, nil, nil, ""},
		{"blocked newest", []catalog.Release{rel("acme/one@1.3.0"), rel("acme/one@1.2.0")}, []catalog.Advisory{block}, nil, "1.2.0 auto"},
		{"block was rescinded", []catalog.Release{rel("acme/one@1.3.0")},
			[]catalog.Advisory{{ID: "A-2", Action: catalog.ActionBlock, Plugin: "acme/one", Rescinded: now.Add(-time.Hour)}}, nil, "1.3.0 auto"},
		{"major asks, a fix of the old one comes", []catalog.Release{rel("acme/one@2.0.0"), rel("acme/one@1.0.1")}, nil, nil, "2.0.0 ask, 1.0.1 auto"},
		{"too young waits, an older one comes", []catalog.Release{rel("acme/one@1.2.0", out(time.Hour)), rel("acme/one@1.1.0")}, nil, nil, "1.2.0 wait, 1.1.0 auto"},
		{"major asks, a young one waits", []catalog.Release{rel("acme/one@2.0.0"), rel("acme/one@1.2.0", out(time.Hour)), rel("acme/one@1.1.0", out(time.Hour))}, nil, nil, "2.0.0 ask, 1.2.0 wait"},
		{"young fix comes at once", []catalog.Release{rel("acme/one@1.2.0", out(time.Hour))}, []catalog.Advisory{fix}, nil, "1.2.0 auto"},
		{"what is above a fix waits its time", []catalog.Release{rel("acme/one@1.2.1", out(time.Minute)), rel("acme/one@1.2.0", out(time.Hour))}, []catalog.Advisory{fix}, nil, "1.2.1 wait, 1.2.0 auto"},
		{"not yet a fix", []catalog.Release{rel("acme/one@1.1.0", out(time.Hour))}, []catalog.Advisory{fix}, nil, "1.1.0 ask"},
		{"warned of", []catalog.Release{rel("acme/one@1.3.0")},
			[]catalog.Advisory{{ID: "A-3", Action: catalog.ActionWarn, Plugin: "acme/one", Range: ">=1.3"}}, nil, "1.3.0 ask"},
		{"pre-release of no interest", []catalog.Release{rel("acme/one@1.1.0-rc.1")}, nil, nil, ""},
		{"pre-release followed", []catalog.Release{rel("acme/one@1.1.0-rc.1")}, nil,
			func(in *update.FindInput) { in.Policy.Prerelease = []catalog.PluginID{"acme/one"} }, "1.1.0-rc.1 auto"},
		{"other source", []catalog.Release{rel("acme/one@1.1.0")}, nil,
			func(in *update.FindInput) {
				p := in.Generation.Plugins["acme/one"]
				p.Source = "elsewhere"
				in.Generation.Plugins["acme/one"] = p
			}, ""},
		{"for a newer panel", []catalog.Release{rel("acme/one@1.2.0", panelAPI(">=4")), rel("acme/one@1.1.0", panelAPI("^3"))}, nil, nil, "1.1.0 auto"},
		{"panel range that cannot be read", []catalog.Release{rel("acme/one@1.2.0", panelAPI("four"))}, nil, nil, ""},
		{"other platform", []catalog.Release{rel("acme/one@1.2.0", platform("linux/arm64"))}, nil, nil, ""},
		{"this platform", []catalog.Release{rel("acme/one@1.2.0", platform("linux/arm64", "linux/amd64"))}, nil, nil, "1.2.0 auto"},
		{"only asks", []catalog.Release{rel("acme/one@1.2.0"), rel("acme/one@1.1.0")}, nil,
			func(in *update.FindInput) { in.Policy = update.Manual() }, "1.2.0 ask"},
		{"security only, no advisory", []catalog.Release{rel("acme/one@1.1.0")}, nil,
			func(in *update.FindInput) { in.Policy = update.SecurityOnly() }, "1.1.0 ask"},
		{"security only, a fix", []catalog.Release{rel("acme/one@2.0.0"), rel("acme/one@1.2.0", out(time.Hour))}, []catalog.Advisory{fix},
			func(in *update.FindInput) { in.Policy = update.SecurityOnly() }, "2.0.0 ask, 1.2.0 auto"},
		{"held", []catalog.Release{rel("acme/one@1.1.0")}, nil, hold(update.Hold{By: "admin"}), "1.1.0 held"},
		{"hold is over", []catalog.Release{rel("acme/one@1.1.0")}, nil, hold(update.Hold{Until: now}), "1.1.0 auto"},
		{"version rolled back from", []catalog.Release{rel("acme/one@1.1.0")}, nil, hold(update.Hold{Version: "1.1.0"}), "1.1.0 held"},
		{"newer than rolled back from", []catalog.Release{rel("acme/one@1.1.0"), rel("acme/one@1.1.1")}, nil, hold(update.Hold{Version: "1.1.0"}), "1.1.1 auto"},
		{"frozen", []catalog.Release{rel("acme/one@1.1.0")}, nil, func(in *update.FindInput) { in.State.Frozen = true }, "1.1.0 held"},
		{"poisoned, the one before comes", []catalog.Release{rel("acme/one@1.2.0"), rel("acme/one@1.1.0")}, nil, func(in *update.FindInput) {
			in.State.Failures = []update.Failure{{Digest: verify.DigestOf([]byte("acme/one@1.2.0")), Count: 2, Next: now.Add(time.Hour), Error: "it crashed"}}
		}, "1.2.0 wait, 1.1.0 auto"},
		{"too much went wrong", []catalog.Release{rel("acme/one@1.1.0")}, nil, func(in *update.FindInput) {
			in.State.Rollbacks = []time.Time{now.Add(-20 * time.Hour), now.Add(-time.Hour)}
		}, "1.1.0 wait"},
		{"catalog expired", []catalog.Release{rel("acme/one@1.1.0")}, nil,
			func(in *update.FindInput) { in.Now = now.AddDate(0, 2, 0) }, "1.1.0 wait"},
		{"not possible for now", []catalog.Release{rel("acme/one@1.1.0")}, nil, func(in *update.FindInput) {
			in.Problems = map[verify.Digest]string{verify.DigestOf([]byte("acme/one@1.1.0")): "two needs one <1.1"}
		}, "1.1.0 wait"},
		{"rollout at nobody", []catalog.Release{rel("acme/one@1.1.0", rollout(0, false))}, nil, nil, "1.1.0 wait"},
		{"rollout at all", []catalog.Release{rel("acme/one@1.1.0", rollout(100, false))}, nil, nil, "1.1.0 auto"},
		{"rollout paused, the one before comes", []catalog.Release{rel("acme/one@1.2.0", rollout(100, true)), rel("acme/one@1.1.0")}, nil, nil, "1.2.0 wait, 1.1.0 auto"},
	} {
		got := offered(t, tt.change, has, snap(t, append(tt.list, rel("zeta/other@9.0.0")), tt.advise...))
		assert.Equal(t, tt.want, strings.Join(got, ", "), tt.name)
	}
}

func hold(h update.Hold) func(*update.FindInput) {
	return func(in *update.FindInput) { in.State.Holds = map[catalog.PluginID]update.Hold{"acme/one": h} }
}

// A peer announces "a different version" as an update, so that who has a newest that
// was yanked is offered the one before it.
func TestYankedNewestIsNoDowngrade(t *testing.T) {
	t.Parallel()
	has := rel("acme/one@2.0.0", state(catalog.Yanked))
	all := []catalog.Release{rel("acme/one@1.0.0"), rel("acme/one@1.9.0"), has}
	assert.Empty(t, offered(t, nil, has, snap(t, all)))
	assert.Empty(t, offered(t, nil, has, snap(t, all[:2])), "gone from the catalog altogether")
	assert.Empty(t, offered(t, nil, rel("acme/one@2.0.0+b2"), snap(t, append(all, rel("acme/one@2.0.0+b1")))), "another build, below")
}

func TestPrereleaseThatIsInstalled(t *testing.T) {
	t.Parallel()
	has := rel("acme/one@1.1.0-rc.1")
	list := []catalog.Release{rel("acme/one@1.1.0-rc.2"), rel("acme/one@1.2.0-alpha.1")}
	assert.Equal(t, []string{"1.1.0-rc.2 auto"}, offered(t, nil, has, snap(t, list)))
	assert.Equal(t, []string{"1.1.0 auto"}, offered(t, nil, has, snap(t, append(list, rel("acme/one@1.1.0")))))
}

func TestSourcesAreNotMixed(t *testing.T) {
	t.Parallel()
	other, err := catalog.NewSnapshot(catalog.Contents{
		Source: "other", Listings: []catalog.Listing{{ID: "acme/one"}}, Releases: []catalog.Release{rel("acme/one@9.0.0")},
	})
	require.NoError(t, err)
	got := offered(t, nil, rel("acme/one@1.0.0"), other, snap(t, []catalog.Release{rel("acme/one@1.0.1")}))
	assert.Equal(t, []string{"1.0.1 auto"}, got)
}

func TestRiskDiff(t *testing.T) {
	t.Parallel()
	risk := func(from, to catalog.Release, more ...catalog.Release) update.RiskDiff {
		offers := update.Find(update.FindInput{
			Facts:  update.Facts{Generation: generation(1, installed(from), installed(rel("acme/lib@1.0.0"))), Snapshots: []*catalog.Snapshot{snap(t, append(more, from, to))}},
			Policy: auto, Now: now,
		})
		require.NotEmpty(t, offers)
		return offers[0].Risk
	}
	plain := rel("acme/one@1.0.0")
	r := risk(plain, rel("acme/one@1.0.1", size(2500)))
	assert.Equal(t, update.RiskDiff{SizeFactor: 2.5, Age: 240 * time.Hour}, r, "nothing but size and age")

	assert.True(t, risk(plain, rel("acme/one@1.0.1", native)).Native)
	assert.False(t, risk(rel("acme/one@1.0.0", native), rel("acme/one@1.0.1", native)).Native)
	assert.True(t, risk(plain, rel("acme/one@1.1.0", schema(2))).Data)
	assert.True(t, risk(plain, rel("acme/one@2.0.0")).Major)
	assert.True(t, risk(rel("acme/one@0.1.0"), rel("acme/one@0.2.0")).Major, "before 1.0 a minor version may break")
	assert.False(t, risk(rel("acme/one@0.1.0"), rel("acme/one@0.1.9")).Major)
	assert.True(t, risk(plain, rel("acme/one@1.1.0", breaking("<1.0.5"))).Breaking)
	assert.False(t, risk(plain, rel("acme/one@1.1.0", breaking("<1.0.0"))).Breaking)
	assert.True(t, risk(plain, rel("acme/one@1.2.0"), rel("acme/one@1.1.0", breaking("<1.1"))).Breaking, "the way goes over it")
	assert.True(t, risk(plain, rel("acme/one@1.1.0", breaking("what?"))).Breaking, "cannot be read")
	assert.Equal(t, []catalog.PluginID{"acme/new"}, risk(rel("acme/one@1.0.0", deps("acme/gone")), rel("acme/one@1.0.1", deps("acme/gone", "acme/lib", "acme/new"))).Dependencies)

	r = risk(rel("acme/one@1.0.0", asks("net.out", "a.example:443", false)), rel("acme/one@1.0.1", asks("net.out", "*.example:443", false)))
	assert.True(t, r.Wider)
	assert.Len(t, r.Permissions.Widened, 1)
	r = risk(rel("acme/one@1.0.0", asks("net.out", "*.example:443", false)), rel("acme/one@1.0.1", asks("net.out", "a.example:443", false)))
	assert.False(t, r.Wider)
	assert.Len(t, r.Permissions.Narrowed, 1)
	assert.True(t, risk(plain, rel("acme/one@1.0.1", asks("net.out", "not canonical", false))).Wider, "cannot be read")
}

// An optional permission that a person refused does not hold every update back.
func TestRefusedPermissionIsNothingNew(t *testing.T) {
	t.Parallel()
	from := rel("acme/one@1.0.0", asks("net.out", "a.example:443", true))
	p := installed(from)
	p.Grants = sandbox.Set{}
	find := func(to catalog.Release) update.Offer {
		return update.Find(update.FindInput{
			Facts:  update.Facts{Generation: generation(1, p), Snapshots: []*catalog.Snapshot{snap(t, []catalog.Release{from, to})}},
			Policy: auto, Now: now,
		})[0]
	}
	assert.Equal(t, update.Auto, find(rel("acme/one@1.0.1", asks("net.out", "a.example:443", true))).Decision.Verdict)
	assert.Equal(t, update.Ask, find(rel("acme/one@1.0.1", asks("net.out", "a.example:443", false))).Decision.Verdict, "now it must have it")
	assert.Equal(t, update.Ask, find(rel("acme/one@1.0.1", asks("net.out", "b.example:443", true))).Decision.Verdict, "another one")
}

func TestSignerContinuity(t *testing.T) {
	t.Parallel()
	verdict := func(change func(*install.Installed, *catalog.Contents)) update.Verdict {
		p := installed(rel("acme/one@1.0.0"))
		c := catalog.Contents{
			Source: "main", Expires: now.AddDate(1, 0, 0), Listings: []catalog.Listing{{ID: "acme/one"}}, Releases: []catalog.Release{rel("acme/one@1.0.1")},
			Publishers: []catalog.Publisher{{Namespace: "acme", Signers: []catalog.Signer{{Identity: acmeKey}, {Identity: otherKey}}}},
		}
		change(&p, &c)
		s, err := catalog.NewSnapshot(c)
		require.NoError(t, err)
		return update.Find(update.FindInput{Facts: update.Facts{Generation: generation(1, p), Snapshots: []*catalog.Snapshot{s}}, Policy: auto, Now: now})[0].Decision.Verdict
	}
	signer := func(c *catalog.Contents) *catalog.Signer { return &c.Publishers[0].Signers[0] }
	assert.Equal(t, update.Auto, verdict(func(*install.Installed, *catalog.Contents) {}))
	for name, change := range map[string]func(*install.Installed, *catalog.Contents){
		"another owner":   func(_ *install.Installed, c *catalog.Contents) { signer(c).Identity = verify.Identity{Key: "x"} },
		"nobody may sign": func(_ *install.Installed, c *catalog.Contents) { c.Publishers = nil },
		"revoked":         func(_ *install.Installed, c *catalog.Contents) { signer(c).Revoked = now.Add(-time.Hour) },
		"past its time":   func(_ *install.Installed, c *catalog.Contents) { signer(c).Until = now },
		"not yet":         func(_ *install.Installed, c *catalog.Contents) { signer(c).From = now.Add(time.Hour) },
		"blocked by advisory": func(_ *install.Installed, c *catalog.Contents) {
			c.Advisories = []catalog.Advisory{{ID: "A", Action: catalog.ActionBlock, Signer: acmeKey.ID()}}
		},
	} {
		assert.Equal(t, update.Ask, verdict(change), name)
	}
}

func TestNotesAreJoined(t *testing.T) {
	t.Parallel()
	has := rel("acme/one@1.0.0")
	list := []catalog.Release{
		has, rel("acme/one@1.1.0"), rel("acme/one@1.2.0", state(catalog.Yanked)), rel("acme/one@1.3.0-rc.1"),
		rel("acme/one@1.4.0", state(catalog.Withdrawn)), rel("acme/one@1.5.0"), rel("acme/one@1.6.0", out(0)),
	}
	offers := update.Find(update.FindInput{
		Facts: update.Facts{Generation: generation(1, installed(has)), Snapshots: []*catalog.Snapshot{snap(t, list)}}, Policy: auto, Now: now,
	})
	require.Len(t, offers, 2)
	var got []string
	for _, n := range offers[1].Notes {
		got = append(got, n.Version+": "+n.Text)
	}
	assert.Equal(t, []string{"1.5.0: notes of 1.5.0", "1.2.0: notes of 1.2.0", "1.1.0: notes of 1.1.0"}, got)

	for i := range 300 {
		list = append(list, rel(fmt.Sprintf("acme/one@1.7.%d", i)))
	}
	offers = update.Find(update.FindInput{
		Facts: update.Facts{Generation: generation(1, installed(has)), Snapshots: []*catalog.Snapshot{snap(t, list)}}, Policy: auto, Now: now,
	})
	assert.Len(t, offers[0].Notes, update.MaxNotes)
	assert.Equal(t, "1.7.299", offers[0].Notes[0].Version)
}

// Find over 200 installed plugins with 50 releases each.
func BenchmarkFind(b *testing.B) {
	var releases []catalog.Release
	g := generation(1)
	for i := range 200 {
		id := fmt.Sprintf("acme/plugin%d", i)
		for v := range 50 {
			releases = append(releases, rel(fmt.Sprintf("%s@%d.%d.0", id, 1+v/25, v%25), asks("net.out", "a.example:443", false), asks("api", "servers:read", false), deps("acme/plugin0")))
		}
		p := installed(releases[len(releases)-30])
		g.Plugins[p.Plugin] = p
	}
	var advisories []catalog.Advisory
	for i := range 200 {
		advisories = append(advisories, catalog.Advisory{ID: fmt.Sprint(i), Action: catalog.ActionWarn, Plugin: catalog.PluginID(fmt.Sprintf("acme/plugin%d", i)), Range: "<1.2"})
	}
	s := snap(b, releases, advisories...)
	b.ReportAllocs()
	for b.Loop() {
		offers := update.Find(update.FindInput{Facts: update.Facts{Generation: g, Snapshots: []*catalog.Snapshot{s}, Panel: "3.0.0"}, Policy: auto, Now: now})
		if len(offers) != 400 {
			b.Fatalf("%d offers", len(offers))
		}
	}
}
