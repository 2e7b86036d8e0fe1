package catalog

import (
	"encoding/json"

	"github.com/souk-dev/souk/sandbox"
)

// ManifestFormat is the format number of plugin.json that this version reads and writes.
const ManifestFormat = 1

// Manifest is plugin.json: what a plugin says of itself. See [ParseManifest] for
// what is checked, and plugin.schema.json beside this file for the JSON Schema.
// The zero value is not valid.
type Manifest struct {
	Format       int                  `json:"format"`
	ID           PluginID             `json:"id"`
	Version      string               `json:"version"`
	Name         string               `json:"name"`
	Summary      string               `json:"summary"`
	License      string               `json:"license"`
	Homepage     string               `json:"homepage,omitempty"`
	Source       string               `json:"source,omitempty"`
	Support      string               `json:"support,omitempty"`
	Categories   []string             `json:"categories,omitempty"`
	Tags         []string             `json:"tags,omitempty"`
	Keywords     []string             `json:"keywords,omitempty"`
	Localized    map[string]Localized `json:"localized,omitempty"` // by BCP 47 language tag
	Panel        string               `json:"panel,omitempty"`     // range of the panel's plugin API; empty: any
	Platforms    []string             `json:"platforms,omitempty"` // "linux/amd64"; empty: any
	Runtime      Runtime              `json:"runtime"`
	Dependencies []Dependency         `json:"dependencies,omitempty"`
	Conflicts    []Relation           `json:"conflicts,omitempty"`
	Provides     []PluginID           `json:"provides,omitempty"`
	Replaces     []Relation           `json:"replaces,omitempty"`
	Permissions  []PermissionRequest  `json:"permissions,omitempty"`
	Settings     json.RawMessage      `json:"settings,omitempty"`   // JSON Schema of the plugin's settings
	DataSchema   int                  `json:"dataSchema,omitempty"` // unchanged: old and new code read the same data
	Breaking     string               `json:"breaking,omitempty"`   // range of versions this one breaks with
	Health       *Health              `json:"health,omitempty"`
	Docs         string               `json:"docs,omitempty"`      // file in the package: README.md
	Changelog    string               `json:"changelog,omitempty"` // file in the package
	Icon         string               `json:"icon,omitempty"`      // file in the package: PNG
	Screenshots  []Screenshot         `json:"screenshots,omitempty"`
}

// Localized is a plugin's name and summary in another language.
type Localized struct {
	Name    string `json:"name,omitempty"`
	Summary string `json:"summary,omitempty"`
}

// The kinds of Runtime.
const (
	RuntimeWASM    = "wasm"
	RuntimeProcess = "process"
	RuntimeStatic  = "static"
)

// Runtime says how a plugin runs: a WASM module, a process, or not at all (static).
type Runtime struct {
	Kind  string `json:"kind"`
	Entry string `json:"entry,omitempty"` // file in the package; for static a directory or file to serve, may be empty
}

// Dependency is another plugin this one needs, from the same source.
type Dependency struct {
	ID       PluginID `json:"id"`
	Range    string   `json:"range,omitempty"`
	Optional bool     `json:"optional,omitempty"` // when installed, then within Range
	Features []string `json:"features,omitempty"`
}

// Relation names versions of another plugin.
type Relation struct {
	ID    PluginID `json:"id"`
	Range string   `json:"range,omitempty"`
}

// PermissionRequest is one permission a plugin asks for. An optional one may be
// refused without refusing the plugin.
type PermissionRequest struct {
	Kind     sandbox.Kind `json:"kind"`
	Target   string       `json:"target"`
	Optional bool         `json:"optional,omitempty"`
	Reason   string       `json:"reason"`
}

// Permission returns the request as a permission, "kind:target".
func (p PermissionRequest) Permission() sandbox.Permission {
	return sandbox.Permission(string(p.Kind) + ":" + p.Target)
}

// Health says how a panel asks the plugin whether it is well.
type Health struct {
	Export string `json:"export,omitempty"` // for wasm: the exported function, 0 is healthy
}

// Screenshot is a picture for the detail page.
type Screenshot struct {
	File    string `json:"file"`
	Caption string `json:"caption,omitempty"`
	Alt     string `json:"alt"`
}

// Wants returns all permissions the plugin asks for, and those it can do without.
func (m *Manifest) Wants() (all, optional sandbox.Set, err error) {
	var a, o []sandbox.Permission
	for _, p := range m.Permissions {
		a = append(a, p.Permission())
		if p.Optional {
			o = append(o, p.Permission())
		}
	}
	if all, err = sandbox.NewSet(a...); err == nil {
		optional, err = sandbox.NewSet(o...)
	}
	return all, optional, err
}

// Canonical returns the one encoding of the manifest that is packed, signed and
// hashed: compact JSON in the order of the fields. The config blob of a release is
// exactly this, so a catalog's copy of a manifest is checked against what the
// publisher signed without a download.
func (m *Manifest) Canonical() ([]byte, error) { return json.Marshal(m) }
