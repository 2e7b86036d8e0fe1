package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/sandbox/wasm"
)

// pluginVerbs are those about a plugin's project on the disk.
func pluginVerbs() []verb {
	return []verb{{
		name: "init", args: "<dir>", min: 1, max: 1,
		short: "make a plugin that builds and runs",
		long: `
Makes the project of a plugin in <dir>, which must be absent or empty:

  package/    what is published, and nothing else: plugin.json, README.md,
              CHANGELOG.md, LICENSE, icon.png and later plugin.wasm
  main.go     the plugin, for the runtime wasm
  guest.go    its side of the interface, without any dependency
  BUILD.md    how to build, and the way to a catalog

The plugin shows a card on the dashboard. It builds with Go alone, offline. With
--runtime static there is no code: what is in package/assets is served.`,
		flags: func(fs *flag.FlagSet) action {
			var o initOptions
			fs.StringVar(&o.id, "id", "", "`publisher/name` of the plugin; required")
			fs.StringVar(&o.runtime, "runtime", catalog.RuntimeWASM, "`kind` of plugin: wasm or static")
			fs.StringVar(&o.license, "license", "MIT", "SPDX `licence`; the text is written for MIT alone")
			return func(_ context.Context, a *app, args []string) error { return a.init(args[0], o) }
		},
	}, {
		name: "build", args: "[dir]", max: 1,
		short: "compile a plugin written in Go to WebAssembly",
		long: `
Compiles the Go program in <dir> (default: here) into the entry that plugin.json
names. It is this, and needs nothing but Go:

  GOOS=wasip1 GOARCH=wasm CGO_ENABLED=0 go build -trimpath -buildvcs=false \
    -ldflags='-s -w -buildid=' -buildmode=c-shared -o package/plugin.wasm .

The same sources and the same Go give the same bytes. It then says which host
functions the module imports: what it can reach is these and nothing else.`,
		flags: func(fs *flag.FlagSet) action {
			asJSON := jsonFlag(fs)
			return func(ctx context.Context, a *app, args []string) error { return a.build(ctx, first(args, "."), *asJSON) }
		},
	}, checkVerb(), {
		name: "pack", args: "[dir]", max: 1,
		short: "check a plugin and pack it as an OCI image layout",
		long: `
Checks the plugin in <dir> (default: here) as ` + "`souk check`" + ` does, and when there are no
errors writes it as an OCI image layout, a directory that oras, crane and cosign read
too. Same files, same digest. An older layout in the same place is replaced, with
its signatures; anything else is not.`,
		flags: func(fs *flag.FlagSet) action {
			out := fs.String("o", "", "`directory` to write; default: <name>-<version>.oci here")
			asJSON := jsonFlag(fs)
			var o checkOptions
			o.flags(fs)
			return func(ctx context.Context, a *app, args []string) error {
				return a.pack(ctx, first(args, "."), *out, *asJSON, o)
			}
		},
	}}
}

func first(args []string, otherwise string) string {
	if len(args) == 0 {
		return otherwise
	}
	return args[0]
}

// buildArgs are those of go, but for the output and the package.
func buildArgs() []string {
	return []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-buildmode=c-shared"}
}

func (a *app) build(ctx context.Context, dir string, asJSON bool) error {
	pkg, err := packageDir(dir)
	if err != nil {
		return err
	}
	b, err := readFile(filepath.Join(pkg, publish.ManifestFile), catalog.MaxManifest)
	if err != nil {
		return err
	}
	m, err := catalog.ParseManifest(b)
	if err != nil {
		return advise(err, "`souk check %s` says all that is wrong", dir)
	}
	if m.Runtime.Kind != catalog.RuntimeWASM {
		return advise(fmt.Errorf("%s has the runtime %s, there is nothing to compile to WebAssembly", m.ID, m.Runtime.Kind), "go on with `souk check %s`", dir)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		return advise(fmt.Errorf("there is no Go module in %s", dir), "build the module yourself and put it at %s", filepath.Join(pkg, m.Runtime.Entry))
	}
	out, err := filepath.Abs(filepath.Join(pkg, filepath.FromSlash(m.Runtime.Entry)))
	if err != nil {
		return err
	}
	err = a.during(ctx, "compiling", func(ctx context.Context) error {
		cmd := exec.CommandContext(ctx, "go", append(buildArgs(), "-o", out, ".")...)
		cmd.Dir = dir
		cmd.Env = append(cmd.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOWORK=off")
		if said, err := cmd.CombinedOutput(); err != nil {
			return advise(fmt.Errorf("go build: %w\n%s", err, bytes.TrimSpace(said)), "it has to compile with Go 1.24 or newer")
		}
		return nil
	})
	if err != nil {
		return err
	}
	code, err := readFile(out, wasm.MaxModule)
	if err != nil {
		return err
	}
	im, err := wasm.Inspect(code)
	if err != nil {
		return fmt.Errorf("%s: %w", out, err)
	}
	if asJSON {
		return a.result(struct {
			File    string   `json:"file"`
			Size    int      `json:"size"`
			Imports []string `json:"imports"`
		}{out, len(code), im.Host})
	}
	a.say("built %s (%s); host functions it can reach: %s", filepath.Join(pkg, m.Runtime.Entry), bytesText(int64(len(code))), orNone(im.Host))
	return nil
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

func bytesText(n int64) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d bytes", n)
	case n < 10_000_000:
		return fmt.Sprintf("%d kB", n/1000)
	}
	return fmt.Sprintf("%d MB", n/1_000_000)
}

func (a *app) pack(ctx context.Context, dir, out string, asJSON bool, o checkOptions) error {
	pkg, err := packageDir(dir)
	if err != nil {
		return err
	}
	problems, err := a.problems(ctx, pkg, o)
	if err != nil {
		return err
	}
	for _, p := range problems {
		a.say("%s", place(pkg, p))
	}
	if o.failed(problems) {
		return advise(fmt.Errorf("%s was not packed: see the problems above", pkg), "`souk check %s` says more", dir)
	}
	var packed *publish.Package
	err = a.during(ctx, "packing", func(ctx context.Context) error {
		packed, err = publish.Pack(ctx, os.DirFS(pkg), publish.PackOptions{})
		return err
	})
	if err != nil {
		return err
	}
	m := packed.Manifest
	if out == "" {
		out = fmt.Sprintf("%s-%s.oci", m.ID.Name(), publish.Tag(m.Version))
	}
	if inside, err := isInside(out, pkg); err != nil || inside {
		if err == nil {
			err = advise(fmt.Errorf("%s lies in the package itself", out), "give -o another directory")
		}
		return err
	}
	if err := writeLayout(out, &publish.Layout{Package: packed}); err != nil {
		return err
	}
	if asJSON {
		return a.result(struct {
			Plugin  catalog.PluginID `json:"plugin"`
			Version string           `json:"version"`
			Digest  string           `json:"digest"`
			Size    int64            `json:"size"` // bytes to download
			Layout  string           `json:"layout"`
		}{m.ID, m.Version, string(packed.OCI.Digest), packed.Artifact.Content.Size, out})
	}
	a.say("packed %s@%s into %s: %d files and directories, %s to download", m.ID, m.Version, out, packed.Artifact.Entries, bytesText(packed.Artifact.Content.Size))
	return a.print("%s", packed.OCI.Digest)
}

// isInside reports whether a path lies in a directory, or is it.
func isInside(name, dir string) (bool, error) {
	n, err := filepath.Abs(name)
	if err != nil {
		return false, err
	}
	d, err := filepath.Abs(dir)
	if err != nil {
		return false, err
	}
	rel, err := filepath.Rel(d, n)
	if err != nil {
		return false, nil // on another volume
	}
	return fs.ValidPath(filepath.ToSlash(rel)), nil
}
