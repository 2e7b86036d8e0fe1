package publishing

import (
	"context"
	"errors"
	"net/http"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/verify/tuf"
)

var errNotYet = errors.New("not written yet")

// Web fetches a file of a publisher's domain; *http.Client is one.
type Web interface {
	Do(*http.Request) (*http.Response, error)
}

func (s *Service) withDefaults() error { return nil }

func openTransfer(ctx context.Context, tx hub.Tx, namespace string) (hub.Transfer, error) {
	return hub.Transfer{}, hub.ErrNotFound
}

// AddProof begins a proof: of a domain ("acme.example") by DNS or by a file, whose
// Challenge the publisher then shows; or of a repository ("github.com/acme/backup"),
// which is proved when a CI job of it asks for a token. The first check is made at once.
//
//	dns:        a TXT record of the domain: souk-verify=<challenge>
//	well-known: https://<domain>/.well-known/souk-verify.txt with the line souk-verify=<challenge>
func (s *Service) AddProof(ctx context.Context, a hub.Actor, namespace string, kind hub.ProofKind, subject string) (hub.Proof, error) {
	return hub.Proof{}, errNotYet
}

// CheckProof has a proof checked now. It is done by a job; the proof's Checked tells.
func (s *Service) CheckProof(ctx context.Context, a hub.Actor, namespace, id string) error {
	return errNotYet
}

// RemoveProof forgets a proof.
func (s *Service) RemoveProof(ctx context.Context, a hub.Actor, namespace, id string) error {
	return errNotYet
}

// Proofs returns what a publisher has shown and holds, for everybody: without challenges.
func (s *Service) Proofs(ctx context.Context, namespace string) ([]hub.Proof, error) {
	return nil, errNotYet
}

// ProveRepository notes that a CI job of the repository ("github.com/acme/backup") acted
// for the publisher. The caller verified the job's identity.
func (s *Service) ProveRepository(ctx context.Context, namespace, repository string) error {
	return errNotYet
}

// TransferStatement returns the text that a signer of the publisher signs to hand the
// namespace over to another account, see [Service.ProposeTransfer]. It is good for a day.
func (s *Service) TransferStatement(ctx context.Context, a hub.Actor, namespace, to string) (string, error) {
	return "", errNotYet
}

// ProposeTransfer proposes to hand a namespace over. statement is what
// [Service.TransferStatement] returned, bundle the signature over its SHA-256 as
// `souk sign` makes it.
func (s *Service) ProposeTransfer(ctx context.Context, a hub.Actor, statement, bundle string) (hub.Transfer, error) {
	return hub.Transfer{}, errNotYet
}

// AcceptTransfer accepts a hand-over, as the account it is to. It takes place after the
// cooldown of the policy, until when an owner can call it off.
func (s *Service) AcceptTransfer(ctx context.Context, a hub.Actor, id string) (hub.Transfer, error) {
	return hub.Transfer{}, errNotYet
}

// CancelTransfer calls a hand-over off: an owner, who it is to, or a moderator.
func (s *Service) CancelTransfer(ctx context.Context, a hub.Actor, id, reason string) (hub.Transfer, error) {
	return hub.Transfer{}, errNotYet
}

// Transfers returns the hand-overs to and from the account that asks, newest first.
func (s *Service) Transfers(ctx context.Context, a hub.Actor) ([]hub.Transfer, error) {
	return nil, errNotYet
}

// CreateSubmission names a version of a plugin, as a draft. There is at most one open
// submission of a version ([hub.ErrExists]), and none of a published one.
func (s *Service) CreateSubmission(ctx context.Context, a hub.Actor, in NewSubmission) (hub.Submission, error) {
	return hub.Submission{}, errNotYet
}

// Revise changes a draft, or what needs changes. rev is the revision that was read; 0
// overwrites whatever is there.
func (s *Service) Revise(ctx context.Context, a hub.Actor, id string, rev int64, in Revision) (hub.Submission, error) {
	return hub.Submission{}, errNotYet
}

// Submit hands in what was pushed to staging under this digest: a draft, or again what
// needed changes, as the next round.
func (s *Service) Submit(ctx context.Context, a hub.Actor, id, digest string) (hub.Submission, error) {
	return hub.Submission{}, errNotYet
}

// Withdraw gives a submission up that is not published yet.
func (s *Service) Withdraw(ctx context.Context, a hub.Actor, id, reason string) (hub.Submission, error) {
	return hub.Submission{}, errNotYet
}

// Submission returns a submission with all that belongs to it, for its publisher's
// members and the hub's staff; for others it is not there.
func (s *Service) Submission(ctx context.Context, a hub.Actor, id string) (Detail, error) {
	return Detail{}, errNotYet
}

// Submissions lists submissions, newest first.
func (s *Service) Submissions(ctx context.Context, a hub.Actor, f SubmissionFilter) (hub.Page[hub.Submission], error) {
	return hub.Page[hub.Submission]{}, errNotYet
}

// Queue lists what waits for a reviewer: in review or with a scan that went wrong, the
// highest risk first and of the same the oldest; at most limit (0: [hub.DefaultPage], at most [hub.MaxPage]). The
// number is of all that wait.
func (s *Service) Queue(ctx context.Context, a hub.Actor, limit int) ([]hub.Submission, int, error) {
	return nil, 0, errNotYet
}

// Timeline returns all that happened to a submission, oldest first.
func (s *Service) Timeline(ctx context.Context, a hub.Actor, id string) ([]Step, error) {
	return nil, errNotYet
}

// Comment adds a remark. An internal one is for reviewers.
func (s *Service) Comment(ctx context.Context, a hub.Actor, id string, in NewComment) (hub.Comment, error) {
	return hub.Comment{}, errNotYet
}

// Decide is a reviewer's decision. Who submitted it or belongs to its publisher cannot.
// An approval counts once a reviewer; when enough approved it is published, in a moment.
func (s *Service) Decide(ctx context.Context, a hub.Actor, id string, d Decision) (hub.Submission, error) {
	return hub.Submission{}, errNotYet
}

// RetryScans lets the scanners that went wrong try again.
func (s *Service) RetryScans(ctx context.Context, a hub.Actor, id string) (hub.Submission, error) {
	return hub.Submission{}, errNotYet
}

// TakeToReview takes a submission whose scan went wrong into review without it, with a
// reason that stands in its history. The failed scan stays shown, and is no pass.
func (s *Service) TakeToReview(ctx context.Context, a hub.Actor, id, reason string) (hub.Submission, error) {
	return hub.Submission{}, errNotYet
}

// Release returns a published release.
func (s *Service) Release(ctx context.Context, plugin, version string) (hub.Release, error) {
	return hub.Release{}, errNotYet
}

// Releases returns a plugin's releases, newest version first.
func (s *Service) Releases(ctx context.Context, plugin string) ([]hub.Release, error) {
	return nil, errNotYet
}

// Plugin returns a plugin.
func (s *Service) Plugin(ctx context.Context, id string) (hub.Plugin, error) {
	return hub.Plugin{}, errNotYet
}

// SetRollout says to how many of a hundred panels a release is offered as an update, and
// pauses or resumes that.
func (s *Service) SetRollout(ctx context.Context, a hub.Actor, plugin, version string, percent int, paused bool) (hub.Release, error) {
	return hub.Release{}, errNotYet
}

// Yank keeps a release from new installs; who has it keeps it.
func (s *Service) Yank(ctx context.Context, a hub.Actor, plugin, version, reason string) (hub.Release, error) {
	return hub.Release{}, errNotYet
}

// Unyank takes a yank back.
func (s *Service) Unyank(ctx context.Context, a hub.Actor, plugin, version string) (hub.Release, error) {
	return hub.Release{}, errNotYet
}

// Deprecate says that a plugin is not worked on any more, why, and what instead; an
// empty text takes that back.
func (s *Service) Deprecate(ctx context.Context, a hub.Actor, plugin, text string) (hub.Plugin, error) {
	return hub.Plugin{}, errNotYet
}

// Feature puts a plugin on the front page, or takes it off.
func (s *Service) Feature(ctx context.Context, a hub.Actor, plugin string, featured bool) (hub.Plugin, error) {
	return hub.Plugin{}, errNotYet
}

// InitCatalog makes the catalog, once: its root of trust, and a first publish of what
// the store has. It returns the root that panels pin, of an existing catalog too.
func (s *Service) InitCatalog(ctx context.Context, o InitOptions) (root []byte, err error) {
	return nil, errNotYet
}

// Root returns the newest root of the catalog, which panels pin; [hub.ErrNotFound]
// before [Service.InitCatalog].
func (s *Service) Root(ctx context.Context) ([]byte, error) { return nil, errNotYet }

// Rotate replaces the keys of the catalog by next, in a new root that is signed by root
// keys so far. With the same keys it gives the root another year.
func (s *Service) Rotate(ctx context.Context, a hub.Actor, root []tuf.Key, next tuf.Keys) ([]byte, error) {
	return nil, errNotYet
}

// Status says how the catalog and its keys are, for administrators.
func (s *Service) Status(ctx context.Context, a hub.Actor) (Status, error) {
	return Status{}, errNotYet
}

func (s *Service) validateJob(ctx context.Context, j hub.Job) error { return errNotYet }
func (s *Service) scanJob(ctx context.Context, j hub.Job) error     { return errNotYet }
func (s *Service) publishJob(ctx context.Context, j hub.Job) error  { return errNotYet }
func (s *Service) catalogJob(ctx context.Context, j hub.Job) error  { return errNotYet }
func (s *Service) renewJob(ctx context.Context, j hub.Job) error    { return errNotYet }
func (s *Service) proofJob(ctx context.Context, j hub.Job) error    { return errNotYet }
func (s *Service) transferJob(ctx context.Context, j hub.Job) error { return errNotYet }
