package hub

import (
	"time"

	"github.com/souk-dev/souk/catalog"
)

// Visibility says whether something that somebody wrote is shown.
type Visibility string

// The visibilities.
const (
	Shown  Visibility = "shown"
	Held   Visibility = "held"   // waits for a moderator; seen by its author
	Hidden Visibility = "hidden" // by a moderator; seen by its author, with the reason
)

// Rating is what an account thinks of a plugin: one each.
type Rating struct {
	Plugin   string     `db:"plugin,key" json:"plugin"`
	Account  string     `db:"account,key" json:"account"`
	Rev      int64      `db:"rev,rev" json:"rev"`
	Stars    int        `db:"stars" json:"stars"` // 1 to 5
	Text     string     `db:"text" json:"text"`
	Version  string     `db:"version" json:"version"` // that was installed
	Proved   bool       `db:"proved" json:"proved"`   // by a panel's receipt
	State    Visibility `db:"state" json:"state"`
	Reason   string     `db:"reason" json:"reason,omitempty"`
	Helpful  int        `db:"helpful" json:"helpful"` // votes
	Answer   string     `db:"answer" json:"answer,omitempty"`
	AnswerBy string     `db:"answer_by" json:"answerBy,omitempty"`
	Answered time.Time  `db:"answered" json:"answered,omitzero"`
	Created  time.Time  `db:"created" json:"created"`
	Updated  time.Time  `db:"updated" json:"updated"`
}

// Vote says that somebody found a rating helpful.
type Vote struct {
	Plugin  string    `db:"plugin,key"`
	Author  string    `db:"author,key"` // of the rating
	Voter   string    `db:"voter,key"`
	Created time.Time `db:"created"`
}

// Score is what a plugin's shown ratings add up to; it changes in the transaction that
// changes a rating.
type Score struct {
	Plugin string `db:"plugin,key" json:"plugin"`
	S1     int64  `db:"s1" json:"s1"` // ratings with one star, and so on
	S2     int64  `db:"s2" json:"s2"`
	S3     int64  `db:"s3" json:"s3"`
	S4     int64  `db:"s4" json:"s4"`
	S5     int64  `db:"s5" json:"s5"`
}

// Count returns how many ratings there are.
func (s Score) Count() int64 { return s.S1 + s.S2 + s.S3 + s.S4 + s.S5 }

// Sum returns all stars.
func (s Score) Sum() int64 { return s.S1 + 2*s.S2 + 3*s.S3 + 4*s.S4 + 5*s.S5 }

// Mean returns the average, 0 without ratings.
func (s Score) Mean() float64 {
	if s.Count() == 0 {
		return 0
	}
	return float64(s.Sum()) / float64(s.Count())
}

// Bayesian returns the mean as if there were weight more ratings of the prior, which is
// the mean of all plugins: what an order goes by, so that one rating of five stars does
// not stand before a thousand of four and a half.
func (s Score) Bayesian(prior, weight float64) float64 {
	return (prior*weight + float64(s.Sum())) / (weight + float64(s.Count()))
}

// SubjectKind says what a report, a decision or an appeal is about.
type SubjectKind string

// The kinds of subject.
const (
	SubjectPlugin     SubjectKind = "plugin"     // "acme/backup"
	SubjectRelease    SubjectKind = "release"    // "acme/backup@1.4.2"
	SubjectRating     SubjectKind = "rating"     // "acme/backup#acc_..."
	SubjectPublisher  SubjectKind = "publisher"  // "acme"
	SubjectSubmission SubjectKind = "submission" // its id
	SubjectAccount    SubjectKind = "account"    // its id
)

// ReportState is how far a report has come.
type ReportState string

// The states of a report.
const (
	ReportOpen    ReportState = "open"
	ReportDecided ReportState = "decided"
)

// Report is what somebody says is wrong with something.
type Report struct {
	ID        string      `db:"id,key" json:"id"`
	Rev       int64       `db:"rev,rev" json:"rev"`
	Kind      SubjectKind `db:"kind" json:"kind"`
	Subject   string      `db:"subject" json:"subject"`
	Publisher string      `db:"publisher" json:"publisher"` // concerned
	Reason    string      `db:"reason" json:"reason"`       // one of [Reasons]
	Text      string      `db:"text" json:"text"`
	Evidence  []string    `db:"evidence" json:"evidence,omitempty"` // https addresses
	By        string      `db:"created_by" json:"by"`               // account; empty: the hub itself
	State     ReportState `db:"state" json:"state"`
	Decision  string      `db:"decision" json:"decision,omitempty"` // id
	Created   time.Time   `db:"created" json:"created"`
}

// Reasons returns the reasons for a report.
func Reasons() []string {
	return []string{"malware", "vulnerability", "privacy", "impersonation", "copyright", "spam", "abuse", "broken", "other"}
}

// DecisionKind says what a moderator decided.
type DecisionKind string

// The kinds of decision.
const (
	DecisionDismiss  DecisionKind = "dismiss"
	DecisionHide     DecisionKind = "hide"     // a rating or a plugin
	DecisionShow     DecisionKind = "show"     // a held rating, or an earlier hide taken back
	DecisionWarn     DecisionKind = "warn"     // a notice to the publisher or author
	DecisionSuspend  DecisionKind = "suspend"  // a publisher or an account
	DecisionRestore  DecisionKind = "restore"  // takes a suspension back
	DecisionWithdraw DecisionKind = "withdraw" // a release, with an advisory
)

// Decision is what a moderator decided about a subject, and why.
type Decision struct {
	ID        string       `db:"id,key" json:"id"`
	Kind      DecisionKind `db:"kind" json:"kind"`
	Subject   SubjectKind  `db:"subject_kind" json:"subjectKind"`
	About     string       `db:"subject" json:"subject"`
	Publisher string       `db:"publisher" json:"publisher"`
	Text      string       `db:"text" json:"text"` // shown to those concerned
	By        string       `db:"decided_by" json:"by"`
	Advisory  string       `db:"advisory" json:"advisory,omitempty"`
	Reverses  string       `db:"reverses" json:"reverses,omitempty"` // id of the decision it takes back
	Created   time.Time    `db:"created" json:"created"`
}

// AppealState is how far an appeal has come.
type AppealState string

// The states of an appeal.
const (
	AppealOpen    AppealState = "open"
	AppealUpheld  AppealState = "upheld"  // the decision stands
	AppealGranted AppealState = "granted" // the decision was taken back
)

// Appeal asks for another person to look at a decision or a rejected submission. Who
// decided does not decide about the appeal.
type Appeal struct {
	ID        string      `db:"id,key" json:"id"`
	Rev       int64       `db:"rev,rev" json:"rev"`
	Kind      SubjectKind `db:"kind" json:"kind"`       // submission, or that of the decision
	Subject   string      `db:"subject" json:"subject"` // submission id or decision id
	Publisher string      `db:"publisher" json:"publisher"`
	By        string      `db:"created_by" json:"by"`
	Text      string      `db:"text" json:"text"`
	State     AppealState `db:"state" json:"state"`
	Answer    string      `db:"answer" json:"answer,omitempty"`
	AnswerBy  string      `db:"answer_by" json:"answerBy,omitempty"`
	Created   time.Time   `db:"created" json:"created"`
	Answered  time.Time   `db:"answered" json:"answered,omitzero"`
}

// Advisory is a signed statement of the catalog, and who issued it.
type Advisory struct {
	ID        string           `db:"id,key" json:"id"`
	Rev       int64            `db:"rev,rev" json:"rev"`
	Publisher string           `db:"publisher" json:"publisher"` // concerned
	Plugin    string           `db:"plugin" json:"plugin,omitempty"`
	Body      catalog.Advisory `db:"body" json:"body"`
	By        string           `db:"issued_by" json:"by"`
	Created   time.Time        `db:"created" json:"created"`
	Rescinded time.Time        `db:"rescinded" json:"rescinded,omitzero"`
}
