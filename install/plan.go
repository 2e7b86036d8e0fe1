package install

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/sandbox/phrase"
)

// Change is what somebody asks for, before it is planned. Exactly one of the
// fields is used, except that Install may come with Source, and Rollback with Override.
type Change struct {
	Install   []resolve.Want     `json:"install,omitempty"`
	Source    string             `json:"source,omitempty"` // of Install; empty: the first source that lists the plugin
	Update    []catalog.PluginID `json:"update,omitempty"`
	UpdateAll bool               `json:"updateAll,omitempty"`
	Remove    []catalog.PluginID `json:"remove,omitempty"`
	Rollback  uint64             `json:"rollback,omitempty"` // number of the generation to go back to
	Override  bool               `json:"override,omitempty"` // of Rollback: also to a release that may not be installed any more, which a person then has to agree to
}

// Action is what a Step does.
type Action string

// The actions of a Step.
const (
	ActInstall   Action = "install"
	ActUpdate    Action = "update"
	ActDowngrade Action = "downgrade"
	ActReplace   Action = "replace" // same version, other content or source; only by rollback
	ActRemove    Action = "remove"
	ActKeep      Action = "keep" // stays as it is, from now on because a person asked for it
)

// Step is one change of a Plan.
type Step struct {
	Action   Action           `json:"action"`
	Release  catalog.Release  `json:"release"`        // what is installed; for ActRemove what goes
	Source   string           `json:"source"`         // Release.Source, which the wire form of a Release leaves out
	From     *Installed       `json:"from,omitempty"` // what it replaces
	Root     bool             `json:"root"`           // asked for, not a dependency
	Why      string           `json:"why"`
	Because  phrase.Phrase    `json:"-"`        // Why for any language
	Decision sandbox.Decision `json:"decision"` // of all permissions the release asks for
	Diff     sandbox.Diff     `json:"diff"`     // against what From was granted
}

// Need is something a person has to agree to before a Plan is applied.
type Need struct {
	ID       string           `json:"id"` // stable within the plan: "acme/backup permission net.out:*:443"
	Plugin   catalog.PluginID `json:"plugin"`
	Kind     NeedKind         `json:"kind"`
	Ruling   sandbox.Ruling   `json:"ruling,omitzero"` // of a permission
	Optional bool             `json:"optional"`        // the plugin runs without it
	Risk     sandbox.Risk     `json:"risk"`
	Sentence string           `json:"sentence"` // what is agreed to, for people
	New      bool             `json:"new"`      // was not agreed to for the installed version
	Says     phrase.Phrase    `json:"-"`        // Sentence for any language
}

// NeedKind is what a Need is about.
type NeedKind string

// The kinds of Need.
const (
	NeedPermission NeedKind = "permission"
	NeedSigner     NeedKind = "signer"  // somebody else signs than before
	NeedRevoked    NeedKind = "revoked" // it may not be installed any more; see Change.Override
)

// Plan is what would change and why. It is immutable once made, and safe to share.
type Plan struct {
	Base     uint64    `json:"base"`  // the generation it starts from
	Title    string    `json:"title"` // "Install Backup 1.4.2 and 1 dependency"
	Steps    []Step    `json:"steps"` // dependencies before dependants, removals last
	Consents []Need    `json:"consents"`
	Warnings []string  `json:"warnings,omitempty"`
	Rollback uint64    `json:"rollback,omitempty"` // the generation it goes back to
	Download int64     `json:"download"`           // bytes
	Made     time.Time `json:"-"`                  // when; not part of the identity

	Says     phrase.Phrase   `json:"-"` // Title for any language
	Cautions []phrase.Phrase `json:"-"` // Warnings for any language
}

// ID is a hash of all of the plan, so that what a person confirmed is what is applied.
func (p *Plan) ID() string {
	b, err := json.Marshal(p)
	if err != nil { // a Plan has no value that JSON cannot hold
		panic(err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// Approval is who wants a Plan applied and which of its Consents they agree to.
type Approval struct {
	Actor    string
	Consents []string // Need.ID; agreeing to what the plan does not ask is an error
}
