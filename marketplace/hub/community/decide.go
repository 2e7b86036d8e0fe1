package community

import (
	"context"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

// MaxReports is how many reports one decision closes.
const MaxReports = 100

// NewDecision is what a moderator decides about a subject.
type NewDecision struct {
	Kind    hub.DecisionKind `json:"kind"`
	Subject hub.SubjectKind  `json:"subject"` // kind of what it is about
	About   string           `json:"about"`   // as [hub.SubjectKind] says
	Text    string           `json:"text"`    // why; shown to those concerned; needed, at most [MaxReason]
	// Reports are the open reports that it answers: each about the subject, or about
	// the same publisher. None: the moderator acts without a report; a dismissal needs
	// one.
	Reports []string `json:"reports,omitempty"`
	// Advisory goes with a withdrawal, which needs one: Action, Title, Detail, URL and
	// FixedIn are read, the rest is the withdrawn release.
	Advisory *catalog.Advisory `json:"advisory,omitempty"`
}

// Decide carries out a decision, closes the reports, and tells who reported, whose thing
// it is about and the publisher's members, all in one transaction. What can be decided
// about what:
//
//	dismiss   anything that was reported
//	hide      a rating or a plugin
//	show      a held or hidden rating, a hidden plugin
//	warn      anything
//	suspend   a publisher or an account
//	restore   a suspended publisher or account
//	withdraw  a release, with an advisory
//
// Anything else is an [*hub.InvalidError]; what is so already is [hub.ErrState]. Nobody
// decides about their own thing or that of a publisher they are a member of. A suspension
// of an account needs [hub.ActAccountSuspend] too, a withdrawal [hub.ActReleaseWithdraw]
// and [hub.ActAdvisoryIssue].
func (s *Service) Decide(ctx context.Context, a hub.Actor, n NewDecision) (hub.Decision, error) {
	return hub.Decision{}, errNotBuilt
}

// Reverse takes a decision back: what was hidden is shown, who was suspended is restored,
// a withdrawn release is what it was before and its advisory rescinded. Warnings and
// dismissals did nothing that could be taken back ([hub.ErrState]), as is a decision that
// was reversed before. The decision that reverses is returned.
func (s *Service) Reverse(ctx context.Context, a hub.Actor, id, text string) (hub.Decision, error) {
	return hub.Decision{}, errNotBuilt
}

// DecisionQuery asks for decisions.
type DecisionQuery struct {
	Subject   hub.SubjectKind // empty: any
	About     string          // empty: any
	Publisher string          // empty: any
	Cursor    string
	Limit     int // 0: [hub.DefaultPage]; at most [hub.MaxPage]
}

// Decisions returns decisions, newest first: all of them to who may see the queue, those
// about a Publisher to its members.
func (s *Service) Decisions(ctx context.Context, a hub.Actor, q DecisionQuery) (hub.Page[hub.Decision], error) {
	return hub.Page[hub.Decision]{}, errNotBuilt
}

// Decision returns a decision to who may see the queue, whom it concerns, and who
// reported what it answers.
func (s *Service) Decision(ctx context.Context, a hub.Actor, id string) (hub.Decision, error) {
	return hub.Decision{}, errNotBuilt
}
