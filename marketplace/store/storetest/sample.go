package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/mirror"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/sandbox/phrase"
	"github.com/souk-dev/souk/update"
	"github.com/souk-dev/souk/verify"
)

// Picture returns a PNG that looks a little like a screenshot.
func Picture(w, h int, hue uint8) []byte {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{244, 246, 249, 255}
			switch {
			case y < h/12:
				c = color.RGBA{hue, 72, 160, 255}
			case x < w/5:
				c = color.RGBA{30, 36, 48, 255}
			case (y/(h/8))%2 == 0 && x > w/4 && x < w-w/20 && y%(h/8) > h/40:
				c = color.RGBA{255, 255, 255, 255}
			}
			img.Set(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// Readme is the documentation of the sample plugins.
const Readme = `# Backup

Backs up **servers**, databases and settings to any S3 store or a folder, every night, encrypted.

![The dashboard](shots/1.png) ![far away](https://tracker.example/x.png)

## What you get

- Restore of single files in two clicks
- Retention by days, weeks and months
- A [guide](https://docs.example.org/backup) and [local](docs/more.md) pages

| Store | Speed |
|---|---:|
| S3 | 80 MB/s |
| Folder | 210 MB/s |

` + "```sh\nsouk backup run --Now\n```\n"

func descriptor(title string, b []byte) catalog.Descriptor {
	return catalog.Descriptor{Title: title, MediaType: "image/png", Digest: verify.DigestOf(b), Size: int64(len(b))}
}

// Ask returns what a manifest asks for.
func Ask(kind sandbox.Kind, target, reason string, optional bool) catalog.PermissionRequest {
	return catalog.PermissionRequest{Kind: kind, Target: target, Reason: reason, Optional: optional}
}

// NewMarket returns a market with a dozen plugins, three of them installed, an
// update that asks for more, and one that was tried and taken back.
func NewMarket() *Market {
	m := &Market{
		Listed: map[catalog.PluginID]catalog.Plugin{}, More: make(chan install.Event), Blobs: map[string][]byte{},
		Sick: map[catalog.PluginID]error{"north/metrics": install.ErrHealthUnknown, "acme/mailer": errors.New("connection refused by 10.0.0.5:25")},
		Rules: sandbox.Policy{
			Allow: sandbox.MustSet("net.out:hooks.example.org:443"), Deny: sandbox.MustSet("exec:/"),
			Scopes: []sandbox.Scope{{Kind: sandbox.KindAPI, Target: "servers:read", Risk: sandbox.RiskLow, Sentence: "Can see the list of your servers."}},
		},
		Catalogs: []mirror.Status{{Name: "main", State: "fresh", Serial: 42, Synced: Now.Add(-20 * time.Minute), Expires: Now.Add(20 * time.Hour), Plugins: 12}},
	}
	m.Blobs["README.md"] = []byte(Readme)
	m.Blobs["shots/1.png"], m.Blobs["shots/2.png"] = Picture(640, 400, 40), Picture(640, 400, 140)
	words := []struct {
		id, name, summary, category string
		rank                        float64
		risk                        sandbox.Risk
		rating                      float64
		downloads                   int64
		featured                    bool
	}{
		{"acme/backup", "Backup", "Backs up servers, databases and settings to any S3 store or a folder, every night, encrypted.", "backup", 99, sandbox.RiskMedium, 4.8, 128_400, true},
		{"acme/mailer", "Mailer", "Sends the panel's notices by SMTP, with templates.", "communication", 80, sandbox.RiskMedium, 4.2, 31_200, false},
		{"north/metrics", "Metrics", "Charts for processor, memory, disk and network of every server.", "monitoring", 90, sandbox.RiskLow, 4.6, 84_000, true},
		{"north/alerts", "Alerts", "Tells you by mail, chat or phone when something is wrong.", "monitoring", 85, sandbox.RiskMedium, 4.4, 40_100, false},
		{"harbor/dns", "DNS Manager", "Zones and records of eleven providers in one place.", "network", 70, sandbox.RiskMedium, 4.1, 22_800, true},
		{"harbor/firewall", "Firewall", "Rules for nftables with a preview of what they block.", "security", 75, sandbox.RiskHigh, 4.5, 51_000, false},
		{"kiln/postgres", "PostgreSQL", "Databases, users, extensions and slow queries.", "databases", 88, sandbox.RiskHigh, 4.7, 66_000, true},
		{"kiln/redis", "Redis", "Keys, memory and replication at a glance.", "databases", 50, sandbox.RiskMedium, 0, 9_400, false},
		{"lumen/theme-dusk", "Dusk Theme", "A calm dark theme with high contrast.", "themes", 40, sandbox.RiskLow, 4.9, 17_000, false},
		{"orbit/deploy", "Deploy", "From a push to a running site, with a way back.", "development", 82, sandbox.RiskHigh, 4.3, 37_300, false},
		{"orbit/cron", "Scheduler", "Jobs with logs, retries and a calendar.", "automation", 60, sandbox.RiskMedium, 4.0, 12_000, false},
		{"acme/storage", "Object Storage", "Shared library for plugins that speak S3.", "storage", 20, sandbox.RiskLow, 0, 140_000, false},
	}
	for i, w := range words {
		id := catalog.PluginID(w.id)
		man := catalog.Manifest{
			Format: 1, ID: id, Name: w.name, Summary: w.summary, License: "Apache-2.0", Homepage: "https://example.org/" + w.id, Source: "https://git.example.org/" + w.id,
			Categories: []string{w.category}, Tags: []string{"official"}, Runtime: catalog.Runtime{Kind: catalog.RuntimeWASM, Entry: "plugin.wasm"}, Docs: "README.md", Platforms: []string{"linux/amd64", "linux/arm64"}, Panel: ">=3.0",
		}
		p := catalog.Plugin{Source: "main", Stats: catalog.Stats{ID: id, Downloads: w.downloads, Rating: w.rating, Ratings: int(w.downloads / 400), Rank: w.rank}}
		p.Publisher = catalog.Publisher{Namespace: id.Publisher(), Name: strings.ToUpper(id.Publisher()[:1]) + id.Publisher()[1:] + " Labs", Signers: []catalog.Signer{{Identity: verify.Identity{Issuer: "https://token.actions.githubusercontent.com", Subject: "https://github.com/" + w.id + "/.github/workflows/release.yml@refs/heads/main"}}}}
		for n, v := range []string{"2.1.0", "2.0.3", "1.9.0"} {
			r := catalog.Release{Ref: catalog.Ref{Plugin: id, Version: v}, Source: "main", Digest: verify.DigestOf([]byte(w.id + v)), Size: 1_420_000 + int64(i)*310_000, Published: Now.Add(-time.Duration(n*20+i) * 24 * time.Hour), Manifest: man, Media: []catalog.Descriptor{descriptor("README.md", m.Blobs["README.md"])}}
			r.Manifest.Version = v
			r.Notes = "- Faster by a third\n- **Fixes** a rare crash"
			if id == "acme/backup" {
				r.Manifest.Permissions = []catalog.PermissionRequest{Ask(sandbox.KindNetOut, "*.amazonaws.com:443", "To store your backups.", false), Ask(sandbox.KindAPI, "servers:read", "To know what to back up.", false), Ask(sandbox.KindFSRead, "/srv", "To read what is backed up.", false), Ask(sandbox.KindNetOut, "hooks.example.org:443", "", true)}
				r.Manifest.Dependencies = []catalog.Dependency{{ID: "acme/storage", Range: "^2.0"}, {ID: "north/alerts", Optional: true}}
				r.Manifest.Screenshots = []catalog.Screenshot{{File: "shots/1.png", Alt: "The dashboard with last night's backups", Caption: "Last night at a glance"}, {File: "shots/2.png", Alt: "Restore of single files", Caption: "Restore single files"}}
				r.Media = append(r.Media, descriptor("shots/1.png", m.Blobs["shots/1.png"]), descriptor("shots/2.png", m.Blobs["shots/2.png"]))
			}
			p.Releases = append(p.Releases, r)
		}
		p.Releases[2].State, p.Releases[2].Reason = catalog.Yanked, "data loss on upgrade"
		p.Listing = catalog.Listing{ID: id, Name: w.name, Summary: w.summary, Categories: man.Categories, Tags: man.Tags, License: man.License, Latest: "2.1.0", Updated: p.Releases[0].Published, Featured: w.featured, Risk: w.risk}
		m.Listed[id] = p
	}
	for _, w := range []struct {
		id, version string
		root        bool
	}{{"north/metrics", "2.1.0", true}, {"acme/mailer", "2.0.3", true}, {"acme/storage", "2.1.0", false}} {
		p := m.Listed[catalog.PluginID(w.id)]
		i := install.Installed{Ref: catalog.Ref{Plugin: p.ID, Version: w.version}, Source: "main", Digest: verify.DigestOf([]byte(w.id + w.version)), Root: w.root, Enabled: true, Since: Now.Add(-9 * 24 * time.Hour), Manifest: p.Releases[0].Manifest, Signer: p.Publisher.Signers[0].ID(), Data: "data/" + w.id + "/4"}
		if w.id == "acme/mailer" {
			i.Grants = sandbox.MustSet("net.out:smtp.example.org:587")
			i.Consent = sandbox.Consent{Set: i.Grants, By: "ada", At: Now.Add(-30 * 24 * time.Hour)}
		}
		m.Here = append(m.Here, i)
	}
	mailer := m.Listed["acme/mailer"]
	m.Offered = []update.Offer{{
		Plugin: "acme/mailer", Name: "Mailer", Source: "main", From: m.Here[1], To: mailer.Releases[0],
		Notes: []update.Note{{Version: "2.1.0", Published: mailer.Releases[0].Published, Text: "- New: **any** mail server\n- Templates in 12 languages"}},
		Risk:  update.RiskDiff{Wider: true, Permissions: sandbox.Diff{Added: []sandbox.Change{{Permission: "fs.read:/etc/ssl"}}, Widened: []sandbox.Change{{Permission: "net.out:*:*", Was: "net.out:smtp.example.org:587"}}}}, Decision: Decided(update.Ask, time.Time{}, phrase.Of("update.wider", "It asks for more permissions than were granted.")),
	}}
	m.Entries = []install.Entry{
		{Transaction: install.Transaction{ID: "t3", From: 4, To: 4, Title: UpdateMailer().String(), Says: UpdateMailer(), Actor: update.Actor, Started: Now.Add(-3 * time.Hour), Ended: Now.Add(-3*time.Hour + time.Minute)}, State: install.StateFailed, Error: "health check failed: connection refused by 10.0.0.5:25", Changes: []install.HistoryStep{{Action: install.ActUpdate, Plugin: "acme/mailer", From: "2.0.3", To: "2.1.0"}}},
		{Transaction: install.Transaction{ID: "t2", From: 3, To: 4, Title: InstallMetrics().String(), Says: InstallMetrics(), Actor: "ada", Started: Now.Add(-9 * 24 * time.Hour), Ended: Now.Add(-9 * 24 * time.Hour)}, State: install.StateDone, Changes: []install.HistoryStep{{Action: install.ActInstall, Plugin: "north/metrics", To: "2.1.0"}}},
	}
	m.Updating = update.State{LastRun: Now.Add(-3 * time.Hour), NextRun: Now.Add(3 * time.Hour), Failures: []update.Failure{{Ref: catalog.Ref{Plugin: "acme/mailer", Version: "2.1.0"}, Digest: mailer.Releases[0].Digest, Count: 1, Last: Now.Add(-3 * time.Hour), Next: Now.Add(5 * time.Hour), Error: "health check failed: connection refused"}}}
	set := func(list ...install.Installed) map[catalog.PluginID]install.Installed {
		out := map[catalog.PluginID]install.Installed{}
		for _, i := range list {
			out[i.Plugin] = i
		}
		return out
	}
	old := m.Here[1]
	old.Version, old.Digest, old.Data = "1.9.0", verify.DigestOf([]byte("acme/mailer1.9.0")), "data/acme/mailer/2"
	m.Points = []install.Generation{{N: 4, Parent: 3, Plugins: set(m.Here...), Reason: InstallMetrics().String(), Says: InstallMetrics(), Actor: "ada", Time: Now.Add(-9 * 24 * time.Hour)}, {N: 3, Parent: 2, Plugins: set(old, m.Here[2]), Reason: InstallMailer().String(), Says: InstallMailer(), Actor: "ada", Time: Now.Add(-40 * 24 * time.Hour)}}
	m.Next = BackupPlan(m)
	m.Running = []install.Operation{
		{ID: "t3", Title: UpdateMailer().String(), Says: UpdateMailer(), Actor: update.Actor, State: install.StateFailed, Failing: string(install.StateChecking), Plugins: []catalog.PluginID{"acme/mailer"}, Started: Now.Add(-3 * time.Hour), Ended: Now.Add(-3*time.Hour + time.Minute), Restored: true, Err: &install.Error{Op: "update", Phase: install.StateChecking, Ref: catalog.Ref{Plugin: "acme/mailer", Version: "2.1.0"}, Restored: true, Err: fmt.Errorf("%w: connection refused by 10.0.0.5:25", install.ErrUnhealthy)}, Log: []string{"acme/mailer 2.1.0 started", "health: connection refused by 10.0.0.5:25", "went back to 2.0.3"}},
	}
	return m
}

// BackupPlan installs acme/backup, with a dependency, and needs consents of each kind.
func BackupPlan(m *Market) *install.Plan {
	b, s := m.Listed["acme/backup"].Releases[0], m.Listed["north/alerts"].Releases[0]
	all, _, err := b.Manifest.Wants()
	if err != nil {
		panic(err)
	}
	p := Titled(&install.Plan{Base: 4, Download: b.Size + s.Size}, InstallBackup())
	d := m.Rules.Decide(all, sandbox.Consent{})
	p.Steps = []install.Step{
		Because(install.Step{Action: install.ActInstall, Release: s, Source: "main"}, Needed("acme/backup 2.1.0", ">=2.0")),
		Because(install.Step{Action: install.ActInstall, Release: b, Source: "main", Root: true, Decision: d}, Asked()),
	}
	for _, r := range d.Needs() {
		p.Consents = append(p.Consents, install.Need{ID: "acme/backup permission " + string(r.Permission), Plugin: "acme/backup", Kind: install.NeedPermission, Ruling: r, Risk: r.Risk, Sentence: r.Sentence, Says: r.Says, New: false})
	}
	return p
}

// MailerPlan updates acme/mailer, which asks for more than before.
func MailerPlan(m *Market) *install.Plan {
	rel := m.Listed["acme/mailer"].Releases[0]
	from := m.Here[1]
	wide := sandbox.MustSet("net.out:*:*", "secret:smtp-password")
	d := m.Rules.Decide(wide, from.Consent)
	p := Titled(&install.Plan{Base: 4, Download: rel.Size}, UpdateMailer())
	p.Steps = []install.Step{Because(install.Step{Action: install.ActUpdate, Release: rel, Source: "main", Root: true, From: &from, Decision: d, Diff: m.Offered[0].Risk.Permissions}, Asked())}
	for _, r := range d.Needs() {
		p.Consents = append(p.Consents, install.Need{ID: "acme/mailer permission " + string(r.Permission), Plugin: "acme/mailer", Kind: install.NeedPermission, Ruling: r, Risk: r.Risk, Sentence: r.Sentence, Says: r.Says, New: r.Risk == sandbox.RiskHigh, Optional: strings.HasPrefix(string(r.Permission), "secret")})
	}
	return p
}
