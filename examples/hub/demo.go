package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing/fstest"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/examples/plugins"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/sandbox/safefs"
	"github.com/souk-dev/souk/verify/sigstore"
)

const day = 24 * time.Hour

// ages are how long ago the demo says that a release was published: within the 90 days of
// traffic, so that one sees updates being taken.
var ages = map[catalog.Ref]time.Duration{
	{Plugin: "acme/uptime", Version: "1.1.0"}:     40 * day,
	{Plugin: "northwind/notes", Version: "1.1.0"}: 33 * day,
	{Plugin: "northwind/notes", Version: "1.2.0"}: 26 * day,
	{Plugin: "northwind/quiet", Version: "1.0.0"}: 60 * day,
}

// first is the age of all others.
const first = 120 * day

// fill makes up everything, once. What was cut off begins anew at the next start.
func fill(ctx context.Context, o options, town *hubtest.Town, out io.Writer) (err error) {
	start := time.Now()
	root, err := safefs.Open(o.dir, safefs.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	if err := root.WriteFile(stateFile, []byte(filling), 0o600); err != nil {
		return err
	}
	fmt.Fprintln(out, "First start: building the sample plugins, and making up a hub around them.")
	show, err := demoShow(ctx, out)
	if err != nil {
		return err
	}
	// Two reviewers, whether or not something in the past needed both.
	for name, role := range map[string]hub.Role{"Rosa Reviewer": hub.RoleReviewer, "Rick Reviewer": hub.RoleReviewer, "Ada Admin": hub.RoleAdmin} {
		if _, err := town.Enrol(ctx, name, role); err != nil {
			return err
		}
	}
	if err := town.Seed(ctx, show, func(line string) { fmt.Fprintln(out, "  "+line) }); err != nil {
		return fmt.Errorf("making up the demo: %w", err)
	}
	if err := root.WriteFile(stateFile, []byte(full), 0o600); err != nil {
		return err
	}
	fmt.Fprintf(out, "Made up in %s; the next start has it at once.\n", time.Since(start).Round(100*time.Millisecond))
	return nil
}

// demoShow builds the sample plugins and says what becomes of each.
func demoShow(ctx context.Context, out io.Writer) (hubtest.Show, error) {
	show := hubtest.Show{
		Raters: 48, Days: 90, Reports: true, OneTry: true, Verified: []string{"acme"}, Since: 400 * day,
		Categories: []hub.Category{
			{Slug: "monitoring", Name: "Monitoring", Position: 1}, {Slug: "storage", Name: "Storage", Position: 2},
			{Slug: "productivity", Name: "Productivity", Position: 3}, {Slug: "appearance", Name: "Appearance", Position: 4},
			{Slug: "developer-tools", Name: "Developer tools", Position: 5},
		},
	}
	dir, err := sources(ctx)
	if err != nil {
		return show, err
	}
	releases, err := plugins.Releases()
	if err != nil {
		return show, err
	}
	known := map[string]bool{}
	for _, c := range show.Categories {
		known[c.Slug] = true
	}
	latest := map[catalog.PluginID]hubtest.Plugin{}
	for i, r := range releases {
		start := time.Now()
		files, err := r.Pack(ctx, dir)
		if err != nil {
			return show, err
		}
		notes, err := publish.ParseNotes(r.Notes)
		if err != nil {
			return show, fmt.Errorf("%s: %w", r.Ref, err)
		}
		x := hubtest.Plugin{Manifest: r.Manifest, Files: files, Notes: notes, Age: ages[r.Ref]}
		for _, c := range r.Manifest.Categories {
			if !known[c] {
				known[c] = true
				show.Categories = append(show.Categories, hub.Category{Slug: c, Name: strings.ToUpper(c[:1]) + strings.ReplaceAll(c[1:], "-", " "), Position: 10})
			}
		}
		if x.Age == 0 {
			x.Age = first
		}
		if (r.Ref == catalog.Ref{Plugin: "acme/disk-report", Version: "1.1.0"}) {
			x.Age = 3 * day
			show.Queue = append(show.Queue, x) // it asks for the internet, which 1.0.0 did not
		} else {
			show.Plugins = append(show.Plugins, x)
			latest[r.Plugin] = x
		}
		fmt.Fprintf(out, "  %2d/%d  %-28s built  %5.1f s\n", i+1, len(releases), r.Ref, time.Since(start).Seconds())
	}
	return show, addQueue(&show, latest)
}

// addQueue submits what is built on the plugins there are, each with a risk of its own.
func addQueue(show *hubtest.Show, latest map[catalog.PluginID]hubtest.Plugin) error {
	key, err := sigstore.GenerateKey() // nobody has signed anything with it
	if err != nil {
		return err
	}
	data, err := unreadable()
	if err != nil {
		return err
	}
	for _, n := range []struct {
		plugin  catalog.PluginID
		version string
		note    string
		age     time.Duration
		extra   map[string][]byte
	}{
		{"northwind/theme-dusk", "1.0.1", "Links can be told from text again.", 26 * time.Hour, nil},
		{"northwind/alerts", "1.1.0", "Alerts can be sent by a relay.", 5 * time.Hour, map[string][]byte{"relay/id.pem": key}},
		{"acme/charts", "1.3.0", "Sample data to try charts with.", 50 * time.Minute, map[string][]byte{"samples.zip": data}},
	} {
		x, err := another(latest[n.plugin], n.version, n.note, n.extra)
		if err != nil {
			return fmt.Errorf("%s@%s: %w", n.plugin, n.version, err)
		}
		x.Age = n.age
		show.Queue = append(show.Queue, x)
	}
	return nil
}

// another is the next version of a plugin, with some files more.
func another(x hubtest.Plugin, version, note string, extra map[string][]byte) (hubtest.Plugin, error) {
	files := fstest.MapFS{}
	err := fs.WalkDir(x.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(x.Files, name)
		files[name] = &fstest.MapFile{Data: b, Mode: 0o644}
		return err
	})
	if err != nil {
		return x, err
	}
	for name, b := range extra {
		files[name] = &fstest.MapFile{Data: b, Mode: 0o644}
	}
	log := files[x.Manifest.Changelog]
	if log == nil {
		return x, errors.New("it has no changelog")
	}
	entry := fmt.Sprintf("# Changelog\n\n## %s - %s\n\n### Changed\n\n- %s\n", version, time.Now().Format(time.DateOnly), note)
	log.Data = append([]byte(entry), bytes.TrimPrefix(log.Data, []byte("# Changelog\n"))...)
	x.Manifest.Version, x.Files = version, fs.FS(maps.Clone(files))
	x.Notes = publish.Notes{Changed: []string{note}}
	return x, nil
}

// unreadable is an archive with another one in it that is too large for the scanner to look
// into: that is an error and no pass, and a person decides.
func unreadable() ([]byte, error) {
	const mebibytes, noise = 65, 30 << 10 // of each, so that it is no bomb either
	random := rand.NewChaCha8([32]byte{1})
	block := make([]byte, 1<<20)
	var inner, outer bytes.Buffer
	z := zip.NewWriter(&inner)
	f, err := z.CreateHeader(&zip.FileHeader{Name: "samples.bin", Method: zip.Store})
	if err != nil {
		return nil, err
	}
	for range mebibytes {
		if _, err := random.Read(block[:noise]); err != nil {
			return nil, err
		}
		if _, err := f.Write(block); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	z = zip.NewWriter(&outer)
	if f, err = z.Create("samples.zip"); err != nil {
		return nil, err
	}
	if _, err := f.Write(inner.Bytes()); err != nil {
		return nil, err
	}
	err = z.Close()
	return outer.Bytes(), err
}

// sources finds the module, which the go command needs to build the plugins.
func sources(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/souk-dev/souk").Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		return "", fmt.Errorf("the sample plugins are built from source: run this with Go installed and inside a checkout of Souk (go list: %w)", err)
	}
	return filepath.Clean(dir), nil
}
