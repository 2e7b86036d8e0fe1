package publishing

import (
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/tuf"
)

// NewSubmission names a version that is to be published.
type NewSubmission struct {
	Plugin  string        `json:"plugin"`            // "acme/backup"
	Version string        `json:"version"`           // SemVer 2
	Channel string        `json:"channel,omitempty"` // empty: "stable", or the first word of the version's pre-release
	Notes   publish.Notes `json:"notes"`             // may be empty until it is submitted
	Percent int           `json:"percent,omitempty"` // of panels that are offered it at first, 1 to 100; 0: 100
}

// Revision changes a draft, or a submission that needs changes. nil leaves a field as it is.
type Revision struct {
	Notes   *publish.Notes `json:"notes,omitempty"`
	Percent *int           `json:"percent,omitempty"`
}

// SubmissionFilter chooses submissions. The zero value is all that who asks may see.
type SubmissionFilter struct {
	Publisher string      // empty: of any publisher that who asks may see
	Plugin    string      // likewise
	States    []hub.State // empty: any
	Cursor    string      // of the page before
	Limit     int         // 0: [hub.DefaultPage]; at most [hub.MaxPage]
}

// Detail is a submission with all that belongs to it.
type Detail struct {
	hub.Submission
	Scans    []hub.Scan        `json:"scans"`          // of this round
	Reviews  []hub.Review      `json:"reviews"`        // of this round
	Comments []hub.Comment     `json:"comments"`       // of all rounds, without internal ones for a publisher
	Problems []publish.Problem `json:"problems"`       // of validation
	Diff     *Diff             `json:"diff,omitempty"` // nil until it was scanned
	Approved int               `json:"approvals"`      // of Submission.Needs
	// May says what who asks can do now, so that a face shows no button that is refused.
	May Actions `json:"may"`
}

// Actions says what an actor can do with a submission in its state.
type Actions struct {
	Revise   bool `json:"revise"`
	Submit   bool `json:"submit"`
	Withdraw bool `json:"withdraw"`
	Comment  bool `json:"comment"`
	Internal bool `json:"internal"` // see and write remarks among reviewers
	Decide   bool `json:"decide"`
	Retry    bool `json:"retry"` // scans
	Appeal   bool `json:"appeal"`
}

// Step is one line of what happened to a submission.
type Step struct {
	At       time.Time     `json:"at"`
	Kind     string        `json:"kind"`            // "state", "comment", "review", "scan"
	Actor    string        `json:"actor,omitempty"` // account; empty: the hub itself
	Round    int           `json:"round"`
	State    hub.State     `json:"state,omitempty"`   // of a "state"
	Verdict  hub.Verdict   `json:"verdict,omitempty"` // of a "review"
	Scanner  string        `json:"scanner,omitempty"`
	Scan     hub.ScanState `json:"scan,omitempty"`
	File     string        `json:"file,omitempty"` // of a "comment"
	Line     int           `json:"line,omitempty"`
	Text     string        `json:"text"`
	Internal bool          `json:"internal,omitempty"`
}

// NewComment is a remark on a submission.
type NewComment struct {
	Text     string `json:"text"`           // plain text of several lines, at most 5000 characters
	File     string `json:"file,omitempty"` // in the package
	Line     int    `json:"line,omitempty"` // from 1
	Internal bool   `json:"internal,omitempty"`
}

// Decision is what a reviewer decides. Round and Digest say what was looked at: when
// the submission is another by now, the decision is refused with [hub.ErrMoved].
type Decision struct {
	Round   int         `json:"round"`
	Digest  string      `json:"digest"`
	Verdict hub.Verdict `json:"verdict"`
	Text    string      `json:"text"` // why; may be empty for an approval
}

// Diff is how a submission differs from the release before it, and what of that is risky.
type Diff struct {
	Base         string               `json:"base,omitempty"` // version; empty: this is the first release
	Files        []publish.FileChange `json:"files,omitempty"`
	MoreFiles    int                  `json:"moreFiles,omitempty"` // that differ too and are not in Files
	Permissions  sandbox.Diff         `json:"permissions"`
	Imports      Names                `json:"imports"`      // of WebAssembly modules: "souk.net.fetch"
	Dependencies Names                `json:"dependencies"` // plugins, with their ranges
	Components   Names                `json:"components"`   // what scanners found to be built in
	Signer       Was                  `json:"signer"`       // [verify.Identity.ID]
	Runtime      Was                  `json:"runtime"`      // "wasm", "process" or "static"
	Size         Sizes                `json:"size"`         // bytes of the package, packed
	Notes        publish.Notes        `json:"notes"`
	Risk         []Reason             `json:"risk,omitempty"` // what Submission.Risk is made of
}

// Names are the members of a set that changed.
type Names struct {
	Added   []string `json:"added,omitempty"`
	Removed []string `json:"removed,omitempty"`
}

// Was is a value that may have changed.
type Was struct {
	Old string `json:"old,omitempty"`
	New string `json:"new"`
}

// Changed reports whether there was another value before.
func (w Was) Changed() bool { return w.Old != "" && w.Old != w.New }

// Sizes are the size before, 0 when there was none, and now.
type Sizes struct {
	Old int64 `json:"old,omitempty"`
	New int64 `json:"new"`
}

// Reason is one part of a risk.
type Reason struct {
	Rule   string `json:"rule"` // stable: "permissions-widened"
	Points int    `json:"points"`
	Text   string `json:"text"` // a sentence
	// Grew says that a second person has to look because of this.
	Grew bool `json:"grew,omitempty"`
}

// ReviewType is the predicate type of the attestation that the hub attaches to each
// release it publishes; see [ReviewPredicate].
const ReviewType = "https://souk.dev/review/v1"

// ReviewPredicate is what the hub says about a release: who or what approved it.
type ReviewPredicate struct {
	Plugin     string         `json:"plugin"`
	Version    string         `json:"version"`
	Digest     verify.Digest  `json:"digest"`
	Submission string         `json:"submission"`
	Round      int            `json:"round"`
	Policy     ReviewPolicy   `json:"policy"`
	Reviews    []ReviewedBy   `json:"reviews"`
	Scans      []ReviewedScan `json:"scans"`
	Signer     string         `json:"signer"` // [verify.Identity.ID]
	Time       time.Time      `json:"time"`
}

// ReviewPolicy is the rule by which a release was approved.
type ReviewPolicy struct {
	Needs     int  `json:"needs"`               // approvals
	Grew      bool `json:"grew"`                // risk grew, more approvals were needed
	Automatic bool `json:"automatic,omitempty"` // approved by written policy, without a person
	Risk      int  `json:"risk"`
}

// ReviewedBy is an approval.
type ReviewedBy struct {
	Reviewer string    `json:"reviewer"` // account id; empty: by written policy
	Time     time.Time `json:"time"`
	Text     string    `json:"text,omitempty"` // only of an automatic one
}

// ReviewedScan is what a scanner said.
type ReviewedScan struct {
	Scanner  string        `json:"scanner"`
	State    hub.ScanState `json:"state"`
	Version  string        `json:"version,omitempty"`
	Database string        `json:"database,omitempty"`
	Findings int           `json:"findings"`
	Time     time.Time     `json:"time"`
}

// InitOptions are what [Service.InitCatalog] needs beyond [Options].
type InitOptions struct {
	Root   []tuf.Key  // private keys of the root role
	Config tuf.Config // lifetimes and thresholds
}

// Status is what an administrator watches.
type Status struct {
	Initialized bool                `json:"initialized"`
	Serial      int64               `json:"serial"`  // of the catalog
	Waiting     int64               `json:"waiting"` // changes that are not in it yet
	Roles       []RoleStatus        `json:"roles"`
	Attester    string              `json:"attester"` // [verify.Identity.ID] of who signs reviews
	Published   time.Time           `json:"published,omitzero"`
	Checked     time.Time           `json:"checked,omitzero"` // read back from the registry and verified, as a panel would
	Error       string              `json:"error,omitempty"`  // of the last publish, renewal or check; empty: it went well
	Failed      time.Time           `json:"failed,omitzero"`
	Submissions map[hub.State]int64 `json:"submissions"` // that are open
}

// RoleStatus is a role of the catalog's trust.
type RoleStatus struct {
	Name    string    `json:"name"` // "root", "targets", "snapshot", "timestamp"
	Version int64     `json:"version"`
	Expires time.Time `json:"expires"`
	Keys    []string  `json:"keys"` // ids of the keys that this hub signs with
	// Due says that it has to be renewed by a person: less than a third of its life is
	// left and the hub cannot do it, as for root.
	Due  bool   `json:"due"`
	Note string `json:"note,omitempty"` // what to do
}

// ReleaseFilter chooses releases.
type ReleaseFilter struct {
	Plugin string
	State  *catalog.State // nil: any
}
