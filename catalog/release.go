package catalog

import (
	"time"

	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/verify"
)

// State says what may still be done with a release.
type State string

// The states of a release.
const (
	Active    State = ""          // may be installed
	Yanked    State = "yanked"    // not for new installs; existing ones stay
	Withdrawn State = "withdrawn" // gone, with an advisory
)

// Descriptor names a blob of a release.
type Descriptor struct {
	Title     string        `json:"title,omitempty"` // path in the package: "README.md"
	MediaType string        `json:"mediaType"`
	Digest    verify.Digest `json:"digest"`
	Size      int64         `json:"size"` // bytes
}

// Release is one immutable version of a plugin, as a catalog lists it.
type Release struct {
	Ref
	Source    string        `json:"-"`      // name of the source it came from; part of its identity
	Digest    verify.Digest `json:"digest"` // of the OCI manifest
	Size      int64         `json:"size"`   // bytes to download for an install
	Manifest  Manifest      `json:"manifest"`
	State     State         `json:"state,omitempty"`
	Reason    string        `json:"reason,omitempty"` // why yanked or withdrawn
	Published time.Time     `json:"published"`
	Notes     string        `json:"notes,omitempty"` // release notes, Markdown
	Media     []Descriptor  `json:"media,omitempty"` // README, changelog, icon, screenshots: each a blob of its own
	Rollout   *Rollout      `json:"rollout,omitempty"`
}

// Rollout limits an update to a part of all panels.
type Rollout struct {
	Percent int  `json:"percent"` // 0 to 100
	Paused  bool `json:"paused,omitempty"`
}

// Listing is what people read about a plugin, and what search sees.
type Listing struct {
	ID         PluginID             `json:"id"`
	Name       string               `json:"name"`
	Summary    string               `json:"summary"`
	Categories []string             `json:"categories,omitempty"`
	Tags       []string             `json:"tags,omitempty"`
	Keywords   []string             `json:"keywords,omitempty"`
	Localized  map[string]Localized `json:"localized,omitempty"`
	License    string               `json:"license"`
	Latest     string               `json:"latest"` // newest active stable version, else newest active
	Updated    time.Time            `json:"updated"`
	Deprecated string               `json:"deprecated,omitempty"` // why, and what instead
	Featured   bool                 `json:"featured,omitempty"`
	Risk       sandbox.Risk         `json:"risk"`           // highest of the latest release's permissions
	Icon       *Descriptor          `json:"icon,omitempty"` // of the latest release
}

// Stats are a plugin's numbers; without a hub there are none.
type Stats struct {
	ID        PluginID `json:"id"`
	Downloads int64    `json:"downloads"`
	Rating    float64  `json:"rating"` // 1 to 5; 0: not shown
	Ratings   int      `json:"ratings"`
	Rank      float64  `json:"rank"` // higher first
}

// Publisher is who owns a namespace, and who may sign in its name.
type Publisher struct {
	Namespace string   `json:"namespace"`
	Name      string   `json:"name"`
	Homepage  string   `json:"homepage,omitempty"`
	Signers   []Signer `json:"signers"`
}

// Signer is an identity with its validity. A key that was revoked signs nothing
// any more, not even what it signed before: a plain key's signature carries no
// trusted time.
type Signer struct {
	verify.Identity
	From    time.Time `json:"from,omitzero"`
	Until   time.Time `json:"until,omitzero"`
	Revoked time.Time `json:"revoked,omitzero"`
}

// Action is what an advisory asks for.
type Action string

// The actions of an advisory, from weak to strong.
const (
	ActionWarn    Action = "warn"    // say it
	ActionBlock   Action = "block"   // no install
	ActionDisable Action = "disable" // stop running it
)

// Advisory is a signed statement about releases of a plugin, a publisher or a signer.
type Advisory struct {
	ID        string          `json:"id"`
	Action    Action          `json:"action"`
	Title     string          `json:"title"`
	Detail    string          `json:"detail,omitempty"`
	URL       string          `json:"url,omitempty"`
	Issued    time.Time       `json:"issued"`
	Rescinded time.Time       `json:"rescinded,omitzero"`
	Plugin    PluginID        `json:"plugin,omitempty"`
	Range     string          `json:"range,omitempty"` // of versions of Plugin; empty: all
	Publisher string          `json:"publisher,omitempty"`
	Signer    string          `json:"signer,omitempty"` // verify.Identity.ID
	Digests   []verify.Digest `json:"digests,omitempty"`
	FixedIn   string          `json:"fixedIn,omitempty"` // version of Plugin
}

// Plugin is everything a snapshot knows of one plugin.
type Plugin struct {
	Listing
	Source     string     // name of the source
	Releases   []Release  // newest first
	Publisher  Publisher  // who owns the namespace
	Stats      Stats      // zero without a hub
	Advisories []Advisory // about this plugin, its publisher or any of its releases
}
