package hub

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// State is where a submission stands.
type State string

// The states of a submission.
const (
	StateDraft        State = "draft"         // named, nothing pushed or not submitted
	StateSubmitted    State = "submitted"     // waits for validation
	StateValidating   State = "validating"    //
	StateScanning     State = "scanning"      //
	StateScanError    State = "scan_error"    // a scanner failed after all tries: a person decides
	StateNeedsChanges State = "needs_changes" // by validation or a reviewer; the publisher submits again
	StateRejected     State = "rejected"      // can be appealed
	StateInReview     State = "in_review"     //
	StateApproved     State = "approved"      // is being published
	StatePublished    State = "published"     //
	StateYanked       State = "yanked"        // by its publisher
	StateWithdrawn    State = "withdrawn"     // by a moderator, or by its publisher before it was published
)

// Transitions says what a submission in a state can become. What is not here cannot happen.
func Transitions() map[State][]State {
	return map[State][]State{
		StateDraft:        {StateSubmitted, StateWithdrawn},
		StateSubmitted:    {StateValidating, StateWithdrawn},
		StateValidating:   {StateValidating, StateScanning, StateNeedsChanges, StateWithdrawn},
		StateScanning:     {StateScanning, StateScanError, StateInReview, StateApproved, StateNeedsChanges, StateWithdrawn},
		StateScanError:    {StateScanning, StateInReview, StateRejected, StateNeedsChanges, StateWithdrawn},
		StateNeedsChanges: {StateSubmitted, StateWithdrawn},
		StateRejected:     {StateInReview}, // an appeal was granted; what is rejected was scanned
		StateInReview:     {StateInReview, StateApproved, StateNeedsChanges, StateRejected, StateWithdrawn},
		StateApproved:     {StatePublished, StateRejected, StateInReview, StateNeedsChanges}, // approvals count no more; too much was pushed about it
		StatePublished:    {StateYanked, StateWithdrawn},
		StateYanked:       {StatePublished, StateWithdrawn},
		StateWithdrawn:    {},
	}
}

// Open reports whether somebody or something still has to act before the submission
// is published or given up.
func (s State) Open() bool {
	return slices.Contains([]State{StateDraft, StateSubmitted, StateValidating, StateScanning, StateScanError, StateNeedsChanges, StateInReview, StateApproved}, s)
}

// Submission is a version on its way to the catalog.
type Submission struct {
	ID        string          `db:"id,key" json:"id"`
	Rev       int64           `db:"rev,rev" json:"rev"`
	Plugin    string          `db:"plugin" json:"plugin"`
	Version   string          `db:"version" json:"version"`
	Publisher string          `db:"publisher" json:"publisher"`
	Digest    string          `db:"digest" json:"digest"` // of the OCI manifest in staging/<publisher>/<name>
	Channel   string          `db:"channel" json:"channel"`
	Notes     json.RawMessage `db:"notes" json:"notes"` // typed: catalog/publish.Notes
	NotesText string          `db:"notes_text" json:"notesText"`
	Manifest  json.RawMessage `db:"manifest" json:"manifest,omitempty"` // once read from the registry
	State     State           `db:"state" json:"state"`
	Reason    string          `db:"reason" json:"reason"`       // why it is in this state, a sentence
	Round     int             `db:"round" json:"round"`         // 1, then one more for each time it is submitted again
	By        string          `db:"created_by" json:"by"`       // account
	Via       string          `db:"via" json:"via,omitempty"`   // CI workload or token, for people
	Signer    string          `db:"signer" json:"signer"`       // verify.Identity.ID that validation saw
	Risk      int             `db:"risk" json:"risk"`           // 0 to 100, for the order of the queue
	Grew      bool            `db:"grew" json:"grew"`           // risk grew: more than one reviewer
	Needs     int             `db:"needs" json:"needs"`         // approvals needed
	Problems  json.RawMessage `db:"problems" json:"problems"`   // of validation: []publish.Problem
	Diff      json.RawMessage `db:"diff" json:"diff,omitempty"` // against the release before: publishing.Diff
	Percent   int             `db:"percent" json:"percent"`     // rollout asked for
	Bundle    string          `db:"bundle" json:"-"`            // the review's attestation, made once
	Serial    int64           `db:"serial" json:"serial"`       // of the catalog that has it
	Created   time.Time       `db:"created" json:"created"`     //
	Submitted time.Time       `db:"submitted" json:"submitted"` // in this round
	Updated   time.Time       `db:"updated" json:"updated"`     // last change of state
}

// Ref returns "acme/backup@1.4.2".
func (s *Submission) Ref() string { return s.Plugin + "@" + s.Version }

// Move puts the submission into another state, with a sentence that says why. It is an
// error that wraps [ErrState] when [Transitions] does not have it.
func (s *Submission) Move(to State, now time.Time, reason string) error {
	if !slices.Contains(Transitions()[s.State], to) {
		return fmt.Errorf("%s is %s and cannot become %s: %w", s.Ref(), s.State, to, ErrState)
	}
	s.State, s.Reason, s.Updated = to, reason, now
	return nil
}

// ScanState says what came of one scanner.
type ScanState string

// The states of a scan. Only clean is a pass.
const (
	ScanWaiting     ScanState = "waiting"
	ScanRunning     ScanState = "running"
	ScanClean       ScanState = "clean"
	ScanFound       ScanState = "found"       // something that blocks
	ScanError       ScanState = "error"       // it failed or took too long
	ScanUnavailable ScanState = "unavailable" // not configured or not there; shown, and never a pass
)

// Scan is the result of one scanner on one round of a submission.
type Scan struct {
	Submission string          `db:"submission,key" json:"submission"`
	Round      int             `db:"round,key" json:"round"`
	Scanner    string          `db:"scanner,key" json:"scanner"`
	State      ScanState       `db:"state" json:"state"`
	Report     json.RawMessage `db:"report" json:"report,omitempty"` // scan.Report
	Detail     string          `db:"detail" json:"detail"`           // a sentence
	Attempts   int             `db:"attempts" json:"attempts"`
	Started    time.Time       `db:"started" json:"started"`
	Finished   time.Time       `db:"finished" json:"finished,omitzero"`
}

// Verdict is what a reviewer decided.
type Verdict string

// The verdicts of a review.
const (
	VerdictApprove Verdict = "approve"
	VerdictChanges Verdict = "changes"
	VerdictReject  Verdict = "reject"
)

// Review is a decision of one reviewer about one round and digest of a submission.
type Review struct {
	ID         string    `db:"id,key" json:"id"`
	Submission string    `db:"submission" json:"submission"`
	Round      int       `db:"round" json:"round"`
	Digest     string    `db:"digest" json:"digest"`     // what was looked at
	Reviewer   string    `db:"reviewer" json:"reviewer"` // account; empty: by written policy
	Verdict    Verdict   `db:"verdict" json:"verdict"`
	Text       string    `db:"text" json:"text"`
	Created    time.Time `db:"created" json:"created"`
}

// Comment is a remark on a submission, about a file or the whole.
type Comment struct {
	ID         string    `db:"id,key" json:"id"`
	Submission string    `db:"submission" json:"submission"`
	Round      int       `db:"round" json:"round"`
	Author     string    `db:"author" json:"author"`
	File       string    `db:"file" json:"file,omitempty"`
	Line       int       `db:"line" json:"line,omitempty"`
	Text       string    `db:"text" json:"text"`
	Internal   bool      `db:"internal" json:"internal"` // for reviewers only
	Created    time.Time `db:"created" json:"created"`
}
