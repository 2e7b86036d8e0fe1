package main

import (
	"context"
	"encoding/json"
	"io/fs"
	"testing/fstest"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/examples/plugins"
	"github.com/souk-dev/souk/sandbox"
)

// waves are the releases in the order in which their publishers bring them out: the
// first when the demo starts, each further one when the lab asks for news.
var waves = [][]catalog.Ref{
	{
		{Plugin: "acme/charts", Version: "1.2.0"},
		{Plugin: "acme/uptime", Version: "1.0.0"},
		{Plugin: "acme/disk-report", Version: "1.0.0"},
		{Plugin: "northwind/notes", Version: "1.0.0"},
		{Plugin: "northwind/alerts", Version: "1.0.0"},
		{Plugin: "northwind/quiet", Version: "1.0.0"},
		{Plugin: "northwind/theme-dusk", Version: "1.0.0"},
		{Plugin: "acme/forged", Version: "1.0.0"},
		{Plugin: "northwind/shell", Version: "1.0.0"},
	},
	{
		{Plugin: "acme/uptime", Version: "1.1.0"},
		{Plugin: "acme/disk-report", Version: "1.1.0"},
		{Plugin: "northwind/notes", Version: "1.1.0"},
	},
	{
		{Plugin: "northwind/notes", Version: "1.2.0"},
	},
}

// sample is a release to be published.
type sample struct {
	signer    string // whose key signs it
	published time.Time
	notes     string
	pack      func(ctx context.Context, dir string) (fs.FS, error)
}

// samples are the sample plugins, and two that must not be installed.
func samples() (map[catalog.Ref]sample, error) {
	all := map[catalog.Ref]sample{}
	releases, err := plugins.Releases()
	if err != nil {
		return nil, err
	}
	for _, r := range releases {
		all[r.Ref] = sample{r.Plugin.Publisher(), r.Published, r.Notes, r.Pack}
	}
	published := time.Date(2025, 11, 3, 9, 0, 0, 0, time.UTC)
	all[catalog.Ref{Plugin: "acme/forged", Version: "1.0.0"}] = sample{"mallory", published, "", small(catalog.Manifest{
		ID: "acme/forged", Name: "Forged", Summary: "Says it is from Acme, but somebody else signed it. It cannot be installed.",
		Categories: []string{"developer-tools"}, Tags: []string{"lab"},
	})}
	all[catalog.Ref{Plugin: "northwind/shell", Version: "1.0.0"}] = sample{"northwind", published, "", small(catalog.Manifest{
		ID: "northwind/shell", Name: "Shell", Summary: "Wants to run programs on your server, which the policy of this panel forbids.",
		Categories: []string{"developer-tools"}, Tags: []string{"lab"},
		Permissions: []catalog.PermissionRequest{{Kind: sandbox.KindExec, Target: "/bin/sh", Reason: "Runs the commands you type."}},
	})}
	return all, nil
}

// small packs a plugin that has nothing but its manifest and a README.
func small(m catalog.Manifest) func(context.Context, string) (fs.FS, error) {
	m.Format, m.Version, m.License = catalog.ManifestFormat, "1.0.0", "MIT"
	m.Runtime.Kind, m.Docs = catalog.RuntimeStatic, "README.md"
	return func(context.Context, string) (fs.FS, error) {
		b, err := json.Marshal(m)
		return fstest.MapFS{
			publish.ManifestFile: {Data: b},
			"README.md":          {Data: []byte("# " + m.Name + "\n\n" + m.Summary + "\n")},
		}, err
	}
}
