package hub

import (
	"fmt"
	"slices"
)

// Verb is what a token's scope can hold.
type Verb string

// The verbs. A session has all of them.
const (
	VerbRead    Verb = "read"    // what the account may see
	VerbPush    Verb = "push"    // push to staging
	VerbSubmit  Verb = "submit"  // submit and withdraw submissions, comment
	VerbRelease Verb = "release" // notes, rollout, yank, deprecate
	VerbManage  Verb = "manage"  // publisher: profile, members, signers, proofs, hooks
	VerbRate    Verb = "rate"    // rate, vote, report
	VerbPanel   Verb = "panel"   // a linked panel: receipts and numbers
	VerbReview  Verb = "review"  // review queue
	VerbDecide  Verb = "decide"  // moderation
	VerbAdmin   Verb = "admin"   // administration
)

// Verbs returns all verbs.
func Verbs() []Verb {
	return []Verb{VerbRead, VerbPush, VerbSubmit, VerbRelease, VerbManage, VerbRate, VerbPanel, VerbReview, VerbDecide, VerbAdmin}
}

// Standing is where somebody stands towards an object. One has several at a time.
type Standing string

// The standings.
const (
	Anyone     Standing = "anyone"     // nobody signed in
	User       Standing = "user"       // an active account
	Self       Standing = "self"       // the object is their own
	Maintainer Standing = "maintainer" // of the publisher that the object belongs to
	Owner      Standing = "owner"      // likewise
	Reviewer   Standing = "reviewer"
	Moderator  Standing = "moderator"
	Admin      Standing = "admin"
	Suspended  Standing = "suspended" // a suspended account: instead of all others but Self
)

// Standings returns all standings.
func Standings() []Standing {
	return []Standing{Anyone, User, Self, Maintainer, Owner, Reviewer, Moderator, Admin, Suspended}
}

// Action is something that can be done, named as the audit log has it.
type Action string

// The actions.
const (
	ActAccountRead    Action = "account.read"
	ActAccountEdit    Action = "account.edit" // name, passkeys, identities, sessions
	ActAccountExport  Action = "account.export"
	ActAccountDelete  Action = "account.delete"
	ActAccountList    Action = "account.list"
	ActAccountRoles   Action = "account.roles"
	ActAccountSuspend Action = "account.suspend"
	ActTokenManage    Action = "token.manage"
	ActPanelManage    Action = "panel.manage" // approve, list and unlink
	ActNoticeRead     Action = "notice.read"

	ActPublisherCreate  Action = "publisher.create"
	ActPublisherEdit    Action = "publisher.edit"
	ActPublisherMembers Action = "publisher.members"
	ActPublisherSigners Action = "publisher.signers" // signers and trusted workloads
	ActPublisherProofs  Action = "publisher.proofs"
	ActTransferPropose  Action = "transfer.propose"
	ActTransferAccept   Action = "transfer.accept"
	ActTransferCancel   Action = "transfer.cancel"
	ActHookManage       Action = "hook.manage"
	ActNumbersRead      Action = "numbers.read"

	ActStagingPush        Action = "staging.push"
	ActSubmissionCreate   Action = "submission.create"
	ActSubmissionRead     Action = "submission.read"
	ActSubmissionSubmit   Action = "submission.submit"
	ActSubmissionWithdraw Action = "submission.withdraw"
	ActSubmissionComment  Action = "submission.comment"
	ActReleaseEdit        Action = "release.edit" // rollout
	ActReleaseYank        Action = "release.yank" // and take back
	ActPluginDeprecate    Action = "plugin.deprecate"

	ActReviewQueue    Action = "review.queue"
	ActReviewDecide   Action = "review.decide"
	ActReviewInternal Action = "review.internal" // read and write remarks among reviewers
	ActScanRetry      Action = "scan.retry"

	ActRatingWrite  Action = "rating.write"
	ActRatingAnswer Action = "rating.answer"
	ActRatingVote   Action = "rating.vote"
	ActReportCreate Action = "report.create"
	ActAppealCreate Action = "appeal.create"

	ActReportQueue     Action = "report.queue"
	ActReportDecide    Action = "report.decide"
	ActAppealDecide    Action = "appeal.decide"
	ActAdvisoryIssue   Action = "advisory.issue"
	ActReleaseWithdraw Action = "release.withdraw"
	ActPluginFeature   Action = "plugin.feature"

	ActPanelReport Action = "panel.report" // numbers of a linked panel
	ActAuditRead   Action = "audit.read"
	ActPolicyEdit  Action = "policy.edit" // policy, categories, reserved names
	ActSystemRead  Action = "system.read" // jobs, keys and renewals due
)

// Rule says who may do something: whoever has one of the standings, and a token that
// has the verb.
type Rule struct {
	Verb  Verb
	Who   []Standing
	Never []Standing // who has one of these may not, whatever else they have
	Fresh bool       // a session whose person proved themselves in the last minutes; no token
}

// Rules is the table of who may do what. What is not in it nobody may.
func Rules() map[Action]Rule {
	members := []Standing{Maintainer, Owner}
	return map[Action]Rule{
		ActAccountRead:    {Verb: VerbRead, Who: []Standing{Self, Admin}},
		ActAccountEdit:    {Verb: VerbAdmin, Who: []Standing{Self}},
		ActAccountExport:  {Verb: VerbAdmin, Who: []Standing{Self}},
		ActAccountDelete:  {Verb: VerbAdmin, Who: []Standing{Self}, Fresh: true},
		ActAccountList:    {Verb: VerbAdmin, Who: []Standing{Admin, Moderator}},
		ActAccountRoles:   {Verb: VerbAdmin, Who: []Standing{Admin}, Never: []Standing{Self}, Fresh: true},
		ActAccountSuspend: {Verb: VerbDecide, Who: []Standing{Admin, Moderator}, Never: []Standing{Self}},
		ActTokenManage:    {Verb: VerbAdmin, Who: []Standing{Self}, Never: []Standing{Suspended}, Fresh: true},
		ActPanelManage:    {Verb: VerbAdmin, Who: []Standing{Self}, Never: []Standing{Suspended}},
		ActNoticeRead:     {Verb: VerbRead, Who: []Standing{Self}},

		ActPublisherCreate:  {Verb: VerbManage, Who: []Standing{User}},
		ActPublisherEdit:    {Verb: VerbManage, Who: []Standing{Owner}},
		ActPublisherMembers: {Verb: VerbManage, Who: []Standing{Owner}, Fresh: true},
		ActPublisherSigners: {Verb: VerbManage, Who: []Standing{Owner}, Fresh: true},
		ActPublisherProofs:  {Verb: VerbManage, Who: []Standing{Owner}},
		ActTransferPropose:  {Verb: VerbManage, Who: []Standing{Owner}, Fresh: true},
		ActTransferAccept:   {Verb: VerbManage, Who: []Standing{Self}, Never: []Standing{Suspended}},
		ActTransferCancel:   {Verb: VerbManage, Who: []Standing{Owner, Self, Moderator}, Never: []Standing{Suspended}},
		ActHookManage:       {Verb: VerbManage, Who: []Standing{Self, Owner}, Never: []Standing{Suspended}},
		ActNumbersRead:      {Verb: VerbRead, Who: []Standing{Maintainer, Owner, Admin}},

		ActStagingPush:        {Verb: VerbPush, Who: members},
		ActSubmissionCreate:   {Verb: VerbSubmit, Who: members},
		ActSubmissionRead:     {Verb: VerbRead, Who: []Standing{Maintainer, Owner, Reviewer, Moderator, Admin}},
		ActSubmissionSubmit:   {Verb: VerbSubmit, Who: members},
		ActSubmissionWithdraw: {Verb: VerbSubmit, Who: members},
		ActSubmissionComment:  {Verb: VerbSubmit, Who: []Standing{Maintainer, Owner, Reviewer}},
		ActReleaseEdit:        {Verb: VerbRelease, Who: members},
		ActReleaseYank:        {Verb: VerbRelease, Who: members},
		ActPluginDeprecate:    {Verb: VerbRelease, Who: members},

		ActReviewQueue:    {Verb: VerbReview, Who: []Standing{Reviewer, Moderator, Admin}},
		ActReviewDecide:   {Verb: VerbReview, Who: []Standing{Reviewer}, Never: []Standing{Maintainer, Owner}},
		ActReviewInternal: {Verb: VerbReview, Who: []Standing{Reviewer, Moderator, Admin}, Never: []Standing{Maintainer, Owner}},
		ActScanRetry:      {Verb: VerbReview, Who: []Standing{Reviewer, Admin}, Never: []Standing{Maintainer, Owner}},

		ActRatingWrite:  {Verb: VerbRate, Who: []Standing{User}, Never: []Standing{Maintainer, Owner}},
		ActRatingAnswer: {Verb: VerbRelease, Who: members},
		ActRatingVote:   {Verb: VerbRate, Who: []Standing{User}, Never: []Standing{Self}},
		ActReportCreate: {Verb: VerbRate, Who: []Standing{User}},
		ActAppealCreate: {Verb: VerbSubmit, Who: []Standing{Self, Maintainer, Owner}},

		ActReportQueue:     {Verb: VerbDecide, Who: []Standing{Moderator, Admin}},
		ActReportDecide:    {Verb: VerbDecide, Who: []Standing{Moderator}, Never: []Standing{Maintainer, Owner, Self}},
		ActAppealDecide:    {Verb: VerbDecide, Who: []Standing{Moderator}, Never: []Standing{Maintainer, Owner, Self}},
		ActAdvisoryIssue:   {Verb: VerbDecide, Who: []Standing{Moderator}},
		ActReleaseWithdraw: {Verb: VerbDecide, Who: []Standing{Moderator}, Never: []Standing{Maintainer, Owner}},
		ActPluginFeature:   {Verb: VerbDecide, Who: []Standing{Moderator, Admin}, Never: []Standing{Maintainer, Owner}},

		ActPanelReport: {Verb: VerbPanel, Who: []Standing{User}},
		ActAuditRead:   {Verb: VerbAdmin, Who: []Standing{Admin}},
		ActPolicyEdit:  {Verb: VerbAdmin, Who: []Standing{Admin}, Fresh: true},
		ActSystemRead:  {Verb: VerbAdmin, Who: []Standing{Admin}},
	}
}

var rules = Rules()

// Actor is who asks. The zero value is somebody who is not signed in.
type Actor struct {
	Account     string
	Name        string
	Roles       []Role
	Suspended   bool
	Memberships map[string]MemberRole // by namespace
	Via         string                // how, for the audit log: "session", "token tok_…", "job publish"
	Fresh       bool                  // proved themselves in the last minutes

	// Token limits what a token may do; nil is a session.
	Token *Token
	// System is the hub itself, in a job: the rules do not bind it. It is never made
	// from a request.
	System bool
}

// SystemActor returns the hub itself, doing a job.
func SystemActor(job string) Actor { return Actor{Via: "job " + job, System: true} }

// Object is what something is done to.
type Object struct {
	Publisher string // that it belongs to; empty: none
	Plugin    string // "acme/backup", when it is about one
	Account   string // whose it is; empty: nobody's
}

// Standings returns where the actor stands towards an object.
func (a Actor) Standings(o Object) []Standing {
	if a.Account == "" {
		return []Standing{Anyone}
	}
	s := []Standing{Anyone}
	if o.Account == a.Account {
		s = append(s, Self)
	}
	if a.Suspended {
		return append(s, Suspended)
	}
	s = append(s, User)
	switch a.Memberships[o.Publisher] {
	case MemberOwner:
		s = append(s, Owner)
	case MemberMaintainer:
		s = append(s, Maintainer)
	}
	for _, r := range a.Roles {
		switch r {
		case RoleReviewer:
			s = append(s, Reviewer)
		case RoleModerator:
			s = append(s, Moderator)
		case RoleAdmin:
			s = append(s, Admin)
		}
	}
	return s
}

// May returns nil when the actor may do this to the object; otherwise an error that
// wraps [ErrUnauthenticated] when signing in could help, else [ErrForbidden], and says
// what is missing.
func (a Actor) May(act Action, o Object) error {
	if a.System {
		return nil
	}
	r, known := rules[act]
	if !known {
		return fmt.Errorf("%s: %w", act, ErrForbidden)
	}
	if a.Account == "" && !slices.Contains(r.Who, Anyone) {
		return fmt.Errorf("%s: %w", act, ErrUnauthenticated)
	}
	has := a.Standings(o)
	for _, s := range has {
		if slices.Contains(r.Never, s) {
			return fmt.Errorf("%s: %w: not as %s", act, ErrForbidden, s)
		}
	}
	if !slices.ContainsFunc(has, func(s Standing) bool { return slices.Contains(r.Who, s) }) {
		return fmt.Errorf("%s: %w", act, ErrForbidden)
	}
	if t := a.Token; t != nil {
		switch {
		case r.Fresh:
			return fmt.Errorf("%s: %w: needs a person who is signed in, not a token", act, ErrForbidden)
		case !slices.Contains(t.Verbs, r.Verb):
			return fmt.Errorf("%s: %w: the token lacks the scope %q", act, ErrForbidden, r.Verb)
		case t.Publisher != "" && o.Publisher != t.Publisher:
			return fmt.Errorf("%s: %w: the token is for the publisher %s", act, ErrForbidden, t.Publisher)
		case t.Plugin != "" && o.Plugin != t.Plugin:
			return fmt.Errorf("%s: %w: the token is for the plugin %s", act, ErrForbidden, t.Plugin)
		}
		return nil
	}
	if r.Fresh && !a.Fresh {
		return fmt.Errorf("%s: %w", act, ErrNotFresh)
	}
	return nil
}
