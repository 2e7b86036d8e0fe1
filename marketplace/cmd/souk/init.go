package main

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"path"
	"strings"
	"text/template"

	"github.com/souk-dev/souk/catalog"
)

//go:embed template
var templates embed.FS

type initOptions struct{ id, runtime, license string }

// initData is what the templates are filled with.
type initData struct {
	ID, Publisher, Name, Title, License string
	Date                                string // 2026-05-18
	Year                                int
	WASM                                bool
}

func (a *app) init(dir string, o initOptions) error {
	id, err := catalog.ParsePluginID(o.id)
	switch {
	case o.id == "":
		return usage("--id is missing: publisher/name of the plugin, such as acme/hello")
	case err != nil:
		return usage("--id: %v", err)
	case o.runtime != catalog.RuntimeWASM && o.runtime != catalog.RuntimeStatic:
		return usage("--runtime is %.40q, must be wasm or static", o.runtime)
	}
	now := a.now()
	files, err := project(initData{
		ID: string(id), Publisher: id.Publisher(), Name: id.Name(), Title: title(id.Name()), License: o.license,
		Date: now.Format("2006-01-02"), Year: now.Year(), WASM: o.runtime == catalog.RuntimeWASM,
	})
	if err != nil {
		return err
	}
	if err := writeTree(dir, files); err != nil {
		return err
	}
	a.say("made %s in %s; %s/BUILD.md says how to go on", id, dir, dir)
	return nil
}

// project returns the files of a new project.
func project(d initData) (map[string][]byte, error) {
	files := make(map[string][]byte)
	from := []string{"common", "static"}
	if d.WASM {
		from[1] = "wasm"
	}
	for _, set := range from {
		t, err := template.ParseFS(templates, "template/"+set+"/*")
		if err != nil {
			return nil, err
		}
		for _, t := range t.Templates() {
			var b bytes.Buffer
			if err := t.Execute(&b, d); err != nil {
				return nil, err
			}
			// Embedded names have __ for a slash: package__README.md.tmpl.
			name := strings.ReplaceAll(strings.TrimSuffix(t.Name(), ".tmpl"), "__", "/")
			if name == "gitignore" {
				name = ".gitignore"
			}
			files[name] = b.Bytes()
		}
	}
	if d.License != "MIT" {
		delete(files, "package/LICENSE")
	}
	picture, err := icon(d.ID)
	if err != nil {
		return nil, err
	}
	files["package/icon.png"] = picture
	m, err := initManifest(d)
	if err != nil {
		return nil, err
	}
	files["package/plugin.json"] = m
	return files, nil
}

func initManifest(d initData) ([]byte, error) {
	m := catalog.Manifest{
		Format: catalog.ManifestFormat, ID: catalog.PluginID(d.ID), Version: "0.1.0", Name: d.Title,
		Summary: "Shows a card that says hello.", License: d.License,
		Runtime: catalog.Runtime{Kind: catalog.RuntimeWASM, Entry: "plugin.wasm"},
		Permissions: []catalog.PermissionRequest{
			{Kind: "ui", Target: "dashboard.card", Reason: "Shows its card on the dashboard."},
		},
		Health: &catalog.Health{Export: "souk_health"},
		Docs:   "README.md", Changelog: "CHANGELOG.md", Icon: "icon.png",
	}
	if !d.WASM {
		m.Summary = "Adds its own colours."
		m.Runtime = catalog.Runtime{Kind: catalog.RuntimeStatic, Entry: "assets"}
		m.Permissions, m.Health = nil, nil
	}
	if err := m.Check(); err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	b, err := json.MarshalIndent(m, "", "  ")
	return append(b, '\n'), err
}

// title makes "Disk report" of disk-report.
func title(name string) string {
	words := strings.ReplaceAll(path.Base(name), "-", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}

// icon draws a square with round corners and a ring, in a colour of the plugin's own.
func icon(id string) ([]byte, error) {
	const size, corner = 128, 28
	sum := sha256.Sum256([]byte(id))
	back := color.NRGBA{60 + sum[0]%120, 60 + sum[1]%120, 60 + sum[2]%120, 255}
	fore := color.NRGBA{255, 255, 255, 255}
	img := image.NewNRGBA(image.Rect(0, 0, size, size))
	square := func(x int) int { return x * x }
	for y := range size {
		for x := range size {
			dx, dy := max(corner-x, x-(size-1-corner), 0), max(corner-y, y-(size-1-corner), 0)
			if square(dx)+square(dy) > square(corner) {
				continue
			}
			img.SetNRGBA(x, y, back)
			if r := square(2*x-size+1) + square(2*y-size+1); r < square(72) && r > square(44) {
				img.SetNRGBA(x, y, fore)
			}
		}
	}
	var b bytes.Buffer
	err := png.Encode(&b, img)
	return b.Bytes(), err
}
