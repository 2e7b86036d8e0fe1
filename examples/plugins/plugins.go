// Package plugins has the sample plugins of the examples: their sources stand in
// <publisher>/<name>/<version>, beside what all versions share.
//
// They show what a panel's plugins look like, from a theme without any code to a
// plugin that keeps data and one that talks to the internet, and what a marketplace
// has to deal with: shared dependencies, an update that wants a new permission
// (acme/disk-report 1.1.0), one that fails its health check (northwind/notes 1.1.0)
// and two plugins that exclude each other (northwind/alerts and northwind/quiet).
//
// [Releases] lists them; [Release.Pack] compiles one and returns its package, ready
// for catalog/publish. Icons and screenshots are drawn when they are asked for.
// Package panelapi has the host functions that the plugins use.
package plugins

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing/fstest"
	"time"

	"github.com/souk-dev/souk/catalog"
)

//go:embed acme northwind
var sources embed.FS

const module = "github.com/souk-dev/souk/examples/plugins"

// Release is one release of a sample plugin.
type Release struct {
	catalog.Ref
	Manifest  catalog.Manifest
	GoPackage string    // import path of the command to compile; empty for a plugin without code
	Published time.Time // midnight UTC
	Notes     string    // Markdown, from the changelog
}

// Releases returns all releases, by plugin, older versions first.
func Releases() ([]Release, error) {
	dirs, err := fs.Glob(sources, "*/*/*/plugin.json")
	if err != nil {
		return nil, err
	}
	var list []Release
	for _, file := range dirs {
		r, err := read(path.Dir(file))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b Release) int {
		if c := strings.Compare(string(a.Plugin), string(b.Plugin)); c != 0 {
			return c
		}
		return catalog.CompareVersions(a.Version, b.Version)
	})
	return list, nil
}

func read(dir string) (Release, error) {
	b, err := sources.ReadFile(dir + "/plugin.json")
	if err != nil {
		return Release{}, err
	}
	m, err := catalog.ParseManifest(b)
	if err != nil {
		return Release{}, err
	}
	r := Release{Ref: catalog.Ref{Plugin: m.ID, Version: m.Version}, Manifest: m}
	if want := r.dir(); want != dir {
		return Release{}, fmt.Errorf("is the manifest of %s", want)
	}
	if m.Runtime.Kind == catalog.RuntimeWASM {
		r.GoPackage = module + "/" + dir
	}
	log, err := sources.ReadFile(path.Dir(dir) + "/CHANGELOG.md")
	if err != nil {
		return Release{}, err
	}
	r.Published, r.Notes, err = entry(string(log), m.Version)
	return r, err
}

// entry finds "## 1.2.0 - 2026-01-20" and what stands under it.
func entry(log, version string) (published time.Time, notes string, err error) {
	_, rest, ok := strings.Cut(log, "\n## "+version+" - ")
	if !ok {
		return time.Time{}, "", fmt.Errorf("the changelog has no entry for %s", version)
	}
	date, rest, _ := strings.Cut(rest, "\n")
	if published, err = time.Parse(time.DateOnly, date); err != nil {
		return time.Time{}, "", fmt.Errorf("changelog of %s: %w", version, err)
	}
	notes, _, _ = strings.Cut(rest, "\n## ")
	return published, strings.TrimSpace(notes), nil
}

func (r Release) dir() string { return string(r.Plugin) + "/" + r.Version }

// Files returns the files of the package but for the compiled module: plugin.json,
// README, changelog, assets and pictures.
func (r Release) Files() (fs.FS, error) {
	files := fstest.MapFS{}
	for _, dir := range []string{string(r.Plugin), r.dir()} {
		err := fs.WalkDir(sources, dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel := strings.TrimPrefix(strings.TrimPrefix(name, dir), "/")
			if d.IsDir() {
				if dir == string(r.Plugin) && rel != "" {
					return fs.SkipDir // a version; ours comes next
				}
				return nil
			}
			if path.Ext(name) == ".go" {
				return nil
			}
			b, err := sources.ReadFile(name)
			files[rel] = &fstest.MapFile{Data: b, Mode: 0o644}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	pictures, err := Pictures(r.Plugin)
	if err != nil {
		return nil, err
	}
	for name, b := range pictures {
		files[name] = &fstest.MapFile{Data: b, Mode: 0o644}
	}
	return files, nil
}

// Compile compiles the plugin with the go command, which has to be run in a
// directory of this module; empty is the current one. It is offline and takes a
// second or two. A plugin without code is an error.
func (r Release) Compile(ctx context.Context, dir string) (code []byte, err error) {
	if r.GoPackage == "" {
		return nil, fmt.Errorf("%s has no code to compile", r.Ref)
	}
	tmp, err := os.MkdirTemp("", "souk-plugin-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := os.RemoveAll(tmp); err == nil {
			err = e
		}
	}()
	out := filepath.Join(tmp, "plugin.wasm")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-buildmode=c-shared", "-o", out, r.GoPackage)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("compile %s: %w\n%s", r.Ref, err, bytes.TrimSpace(b))
	}
	return os.ReadFile(out)
}

// Pack returns the whole package, with the compiled module if it has one. See
// Compile for dir.
func (r Release) Pack(ctx context.Context, dir string) (fs.FS, error) {
	files, err := r.Files()
	if err != nil || r.GoPackage == "" {
		return files, err
	}
	code, err := r.Compile(ctx, dir)
	if err != nil {
		return nil, err
	}
	all := maps.Clone(files.(fstest.MapFS))
	all[r.Manifest.Runtime.Entry] = &fstest.MapFile{Data: code, Mode: 0o644}
	return all, nil
}
