package hub

import (
	"encoding/json"
	"time"

	"github.com/souk-dev/souk/catalog"
)

// PluginState says whether the catalog lists a plugin.
type PluginState string

// The states of a plugin.
const (
	PluginNew    PluginState = "new"    // nothing of it is published yet
	PluginListed PluginState = "listed" //
	PluginHidden PluginState = "hidden" // by a moderator: not in the catalog
)

// Plugin is a plugin as the hub knows it; what people read of it is its latest release's.
type Plugin struct {
	ID         string      `db:"id,key" json:"id"` // "acme/backup"
	Rev        int64       `db:"rev,rev" json:"rev"`
	Publisher  string      `db:"publisher" json:"publisher"`
	Name       string      `db:"name" json:"name"`
	Summary    string      `db:"summary" json:"summary"`
	Categories []string    `db:"categories" json:"categories,omitempty"`
	Latest     string      `db:"latest" json:"latest,omitempty"` // version; empty while nothing is published
	State      PluginState `db:"state" json:"state"`
	Reason     string      `db:"reason" json:"reason,omitempty"`         // why hidden
	Deprecated string      `db:"deprecated" json:"deprecated,omitempty"` // why, and what instead
	Featured   bool        `db:"featured" json:"featured,omitempty"`
	Created    time.Time   `db:"created" json:"created"`
	Updated    time.Time   `db:"updated" json:"updated"` // latest release
}

// Release is a published version. Digest, manifest and notes never change; what may
// be done with it does.
type Release struct {
	Plugin     string               `db:"plugin,key" json:"plugin"`
	Version    string               `db:"version,key" json:"version"`
	Rev        int64                `db:"rev,rev" json:"rev"`
	Publisher  string               `db:"publisher" json:"publisher"`
	Digest     string               `db:"digest" json:"digest"`   // of the OCI manifest
	Content    string               `db:"content" json:"content"` // digest of the content layer, by which downloads are counted
	Size       int64                `db:"size" json:"size"`
	Manifest   json.RawMessage      `db:"manifest" json:"manifest"` // plugin.json, canonical
	Media      []catalog.Descriptor `db:"media" json:"media,omitempty"`
	Channel    string               `db:"channel" json:"channel"` // "stable" or a pre-release's word
	Notes      json.RawMessage      `db:"notes" json:"notes"`     // typed: catalog/publish.Notes
	NotesText  string               `db:"notes_text" json:"notesText"`
	State      catalog.State        `db:"state" json:"state"`
	Reason     string               `db:"reason" json:"reason,omitempty"`
	Percent    int                  `db:"percent" json:"percent"` // of panels that are offered it, 0 to 100
	Paused     bool                 `db:"paused" json:"paused,omitempty"`
	Signer     string               `db:"signer" json:"signer"` // verify.Identity.ID
	Submission string               `db:"submission" json:"submission"`
	Serial     int64                `db:"serial" json:"serial"` // of the catalog it first stood in; 0: not yet visible
	Published  time.Time            `db:"published" json:"published"`
}

// Ref returns "acme/backup@1.4.2".
func (r Release) Ref() string { return r.Plugin + "@" + r.Version }

// Change is a plugin whose catalog records are to be written anew.
type Change struct {
	Seq    int64  `db:"seq,auto"` // rises
	Plugin string `db:"plugin"`   // empty: publishers or advisories alone
}

// CatalogState is the publishing side's state of the catalog, see publish.Open. Rev
// keeps two processes from publishing over each other.
type CatalogState struct {
	ID     string `db:"id,key"` // "main"
	Rev    int64  `db:"rev,rev"`
	State  string `db:"state"` // JSON
	Serial int64  `db:"serial"`
}
