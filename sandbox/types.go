package sandbox

import (
	"errors"
	"time"

	"github.com/souk-dev/souk/sandbox/phrase"
)

// ErrDenied means that a plugin asked for something it may not have.
var ErrDenied = errors.New("permission denied")

// Kind is the first half of a permission. The kinds are closed: an unknown one is
// an error when parsed and contained in nothing.
type Kind string

// The kinds of permission, with the form of their targets.
const (
	KindAPI       Kind = "api"        // <scope>:<verb>, the panel's own interface
	KindNetOut    Kind = "net.out"    // <host>:<port>
	KindNetListen Kind = "net.listen" // <port>
	KindFSRead    Kind = "fs.read"    // <path>
	KindFSWrite   Kind = "fs.write"   // <path>; does not imply reading it
	KindExec      Kind = "exec"       // <path>
	KindEnv       Kind = "env"        // <name>
	KindSecret    Kind = "secret"     // <name>
	KindEvent     Kind = "event"      // <topic>
	KindUI        Kind = "ui"         // <slot>
	KindJob       Kind = "job"        // <schedule>
	KindDB        Kind = "db"         // <name>:<verb>
)

// Permission is one thing a plugin asks for, "kind:target" in canonical form, as
// [Parse] returns it. It is comparable. The zero value permits nothing.
type Permission string

// Risk says how much harm a permission can do in the wrong hands.
type Risk uint8

// The risks, in rising order. The zero value is the highest, so that what nobody
// judged is treated with most care.
const (
	RiskHigh Risk = iota
	RiskMedium
	RiskLow
)

// Verdict is what a Policy says of one permission. The zero value is Denied.
type Verdict uint8

// The verdicts of a policy.
const (
	Denied       Verdict = iota
	NeedsConsent         // a person has to agree first
	Granted
)

// Ruling is a Policy's word on one permission, with the sentence a person reads.
type Ruling struct {
	Permission Permission `json:"permission"`
	Verdict    Verdict    `json:"verdict"`
	Risk       Risk       `json:"risk"`
	Sentence   string     `json:"sentence"` // "Can send data to any server on the internet."
	Why        string     `json:"why"`      // why this verdict: "agreed to by admin on 3 May 2026"

	Says    phrase.Phrase `json:"-"` // Sentence for any language; what a Scope says is the same in all
	Because phrase.Phrase `json:"-"` // Why for any language
}

// Decision is a Policy's word on a whole set, in the order of the set.
type Decision struct {
	Rulings []Ruling `json:"rulings"`
}

// Consent is what a person agreed to, who and when. The zero value agrees to nothing.
type Consent struct {
	Set Set       `json:"set"`
	By  string    `json:"by,omitempty"`
	At  time.Time `json:"at,omitzero"`
}

// Scope is something of the panel's own that plugins may ask for: an interface
// (api), an event topic (event) or a place in its pages (ui). What a panel does
// not register is denied, since it does not exist there.
type Scope struct {
	Kind     Kind   // KindAPI, KindEvent or KindUI
	Target   string // "servers:read", "backup.done", "dashboard.card"
	Risk     Risk
	Sentence string // "Can see the list of your servers."
}

// Policy is what a panel allows. The zero value grants nothing without consent and
// denies what the panel does not have. Deny wins over Allow. A Policy is read-only
// once in use; then it is safe for concurrent use.
type Policy struct {
	Allow  Set     // granted without asking anybody
	Deny   Set     // never granted, whoever agrees; a wanted permission is denied when it overlaps one of these
	Scopes []Scope // what the panel offers to plugins
}

// Change is one difference between two sets.
type Change struct {
	Permission Permission `json:"permission"`
	Was        Permission `json:"was,omitempty"` // for widened and narrowed: what it replaces
}

// Diff is how a set of permissions changed.
type Diff struct {
	Added    []Change `json:"added,omitempty"`
	Removed  []Change `json:"removed,omitempty"`
	Widened  []Change `json:"widened,omitempty"`
	Narrowed []Change `json:"narrowed,omitempty"`
}
