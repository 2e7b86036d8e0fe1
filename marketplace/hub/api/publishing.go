package api

import (
	"context"
	"net/http"
	"time"

	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
)

// OfPublisher names a publisher in a path.
type OfPublisher struct {
	Publisher string `path:"publisher" maxLength:"40" doc:"Namespace."`
}

// OfMember names a part of a publisher in a path.
type OfMember struct {
	OfPublisher
	ID string `path:"id" maxLength:"700"`
}

func (h *Handler) publisherRoutes() {
	p := h.o.Publishing
	route(h, op{method: http.MethodGet, path: "/publishers", id: "listPublishers", tag: "publishers", public: true, summary: "Publishers by namespace"},
		func(ctx context.Context, _ hub.Actor, in *struct {
			Paged
			Find     string `query:"find" maxLength:"40" doc:"Stands in the namespace."`
			Verified bool   `query:"verified"`
		}) (*reply[hub.Page[hub.Publisher]], error) {
			return body(p.Publishers(ctx, publishing.PublisherQuery{Find: in.Find, Verified: in.Verified, Cursor: in.Cursor, Limit: in.Limit}))
		})
	route(h, op{method: http.MethodPost, path: "/publishers", id: "createPublisher", tag: "publishers", status: http.StatusCreated, summary: "Take a namespace"},
		func(ctx context.Context, a hub.Actor, in *struct{ Body publishing.PublisherEdit }) (*reply[hub.Publisher], error) {
			return body(p.CreatePublisher(ctx, a, in.Body))
		})
	route(h, op{method: http.MethodGet, path: "/publishers/mine", id: "listMyPublishers", tag: "publishers", summary: "Publishers one is a member of"},
		func(ctx context.Context, a hub.Actor, _ *struct{}) (*reply[[]hub.Publisher], error) {
			list, err := p.Mine(ctx, a)
			return body(notNil(list), err)
		})
	// PublicPublisher is what everybody may know.
	type PublicPublisher struct {
		hub.Publisher
		Proofs  []hub.Proof  `json:"proofs"`
		Signers []hub.Signer `json:"signers"`
	}
	route(h, op{method: http.MethodGet, path: "/publishers/{publisher}", id: "getPublisher", tag: "publishers", public: true,
		summary: "A publisher, what it proved and who signs for it"},
		func(ctx context.Context, _ hub.Actor, in *OfPublisher) (*reply[PublicPublisher], error) {
			one, err := p.Publisher(ctx, in.Publisher)
			if err != nil {
				return nil, err
			}
			proofs, err := p.Proofs(ctx, in.Publisher)
			if err != nil {
				return nil, err
			}
			signers, err := p.Signers(ctx, in.Publisher)
			return body(PublicPublisher{one, notNil(proofs), notNil(signers)}, err)
		})
	route(h, op{method: http.MethodGet, path: "/publishers/{publisher}/inside", id: "getPublisherInside", tag: "publishers",
		summary: "A publisher as its members see it"},
		func(ctx context.Context, a hub.Actor, in *OfPublisher) (*reply[publishing.Inside], error) {
			return body(p.Inside(ctx, a, in.Publisher))
		})
	route(h, op{method: http.MethodPut, path: "/publishers/{publisher}", id: "editPublisher", tag: "publishers", summary: "Change what is said of a publisher"},
		func(ctx context.Context, a hub.Actor, in *struct {
			OfPublisher
			Body struct {
				Rev int64 `json:"rev,omitempty" doc:"The revision that was read; 0: any."`
				publishing.PublisherEdit
			}
		}) (*reply[hub.Publisher], error) {
			return body(p.EditPublisher(ctx, a, in.Publisher, in.Body.Rev, in.Body.PublisherEdit))
		})
	route(h, op{method: http.MethodPut, path: "/publishers/{publisher}/members/{id}", id: "setMember", tag: "publishers", summary: "Add a member, or change a role"},
		func(ctx context.Context, a hub.Actor, in *struct {
			OfMember
			Body struct {
				Role hub.MemberRole `json:"role" enum:"owner,maintainer"`
			}
		}) (*none, error) {
			return empty(p.SetMember(ctx, a, in.Publisher, in.ID, in.Body.Role))
		})
	route(h, op{method: http.MethodDelete, path: "/publishers/{publisher}/members/{id}", id: "removeMember", tag: "publishers", summary: "Remove a member, or leave"},
		func(ctx context.Context, a hub.Actor, in *OfMember) (*none, error) {
			return empty(p.RemoveMember(ctx, a, in.Publisher, in.ID))
		})
	h.signerRoutes(p)
	h.proofRoutes(p)
	h.transferRoutes(p)
}

func (h *Handler) signerRoutes(p *publishing.Service) {
	route(h, op{method: http.MethodPost, path: "/publishers/{publisher}/signers", id: "addSigner", tag: "publishers", status: http.StatusCreated,
		summary: "Let a key or identity sign releases"},
		func(ctx context.Context, a hub.Actor, in *struct {
			OfPublisher
			Body publishing.NewSigner
		}) (*reply[hub.Signer], error) {
			return body(p.AddSigner(ctx, a, in.Publisher, in.Body))
		})
	// The id of a signer may hold slashes, so it stands in the body.
	route(h, op{method: http.MethodPost, path: "/publishers/{publisher}/signers/limit", id: "limitSigner", tag: "publishers",
		summary: "Set until when a signer may sign"},
		func(ctx context.Context, a hub.Actor, in *struct {
			OfPublisher
			Body struct {
				ID    string    `json:"id" maxLength:"700"`
				Until time.Time `json:"until,omitempty" doc:"Left out: no end."`
			}
		}) (*reply[hub.Signer], error) {
			return body(p.LimitSigner(ctx, a, in.Publisher, in.Body.ID, in.Body.Until))
		})
	route(h, op{method: http.MethodPost, path: "/publishers/{publisher}/signers/revoke", id: "revokeSigner", tag: "publishers",
		summary: "End a signer for good; what a revoked key signed is not installed any more"},
		func(ctx context.Context, a hub.Actor, in *struct {
			OfPublisher
			Body struct {
				ID     string `json:"id" maxLength:"700"`
				Reason string `json:"reason" minLength:"1" maxLength:"500"`
			}
		}) (*reply[hub.Signer], error) {
			return body(p.RevokeSigner(ctx, a, in.Publisher, in.Body.ID, in.Body.Reason))
		})
	route(h, op{method: http.MethodPost, path: "/publishers/{publisher}/trusted", id: "addTrusted", tag: "publishers", status: http.StatusCreated,
		summary: "Let a CI workflow publish without a stored secret"},
		func(ctx context.Context, a hub.Actor, in *struct {
			OfPublisher
			Body struct {
				Plugin      string `json:"plugin,omitempty" maxLength:"90"`
				Issuer      string `json:"issuer" maxLength:"300"`
				Repository  string `json:"repository" maxLength:"300"`
				Workflow    string `json:"workflow" maxLength:"300" doc:"File name, or * for any."`
				Environment string `json:"environment,omitempty" maxLength:"100"`
				Ref         string `json:"ref,omitempty" maxLength:"300"`
			}
		}) (*reply[hub.Trusted], error) {
			if !h.knows(in.Body.Issuer) {
				return nil, hub.Invalid("issuer", "is not one that this hub takes tokens of")
			}
			return body(h.o.Identity.AddTrusted(ctx, a, hub.Trusted{
				Publisher: in.Publisher, Plugin: in.Body.Plugin, Issuer: in.Body.Issuer, Repository: in.Body.Repository,
				Workflow: in.Body.Workflow, Environment: in.Body.Environment, Ref: in.Body.Ref,
			}))
		})
	route(h, op{method: http.MethodDelete, path: "/trusted/{id}", id: "removeTrusted", tag: "publishers", summary: "Take that back"},
		func(ctx context.Context, a hub.Actor, in *ByID) (*none, error) {
			return empty(h.o.Identity.RemoveTrusted(ctx, a, in.ID))
		})
}

func (h *Handler) proofRoutes(p *publishing.Service) {
	route(h, op{method: http.MethodPost, path: "/publishers/{publisher}/proofs", id: "addProof", tag: "publishers", status: http.StatusCreated,
		summary: "Begin to prove a domain or repository"},
		func(ctx context.Context, a hub.Actor, in *struct {
			OfPublisher
			Body struct {
				Kind    hub.ProofKind `json:"kind" enum:"dns,well-known,repository"`
				Subject string        `json:"subject" minLength:"1" maxLength:"300"`
			}
		}) (*reply[hub.Proof], error) {
			return body(p.AddProof(ctx, a, in.Publisher, in.Body.Kind, in.Body.Subject))
		})
	route(h, op{method: http.MethodPost, path: "/publishers/{publisher}/proofs/{id}/check", id: "checkProof", tag: "publishers", status: http.StatusAccepted,
		summary: "Have a proof checked now"},
		func(ctx context.Context, a hub.Actor, in *OfMember) (*none, error) {
			return empty(p.CheckProof(ctx, a, in.Publisher, in.ID))
		})
	route(h, op{method: http.MethodDelete, path: "/publishers/{publisher}/proofs/{id}", id: "removeProof", tag: "publishers", summary: "Forget a proof"},
		func(ctx context.Context, a hub.Actor, in *OfMember) (*none, error) {
			return empty(p.RemoveProof(ctx, a, in.Publisher, in.ID))
		})
}

func (h *Handler) transferRoutes(p *publishing.Service) {
	type statement struct {
		Statement string `json:"statement" maxLength:"2000" doc:"What a signer of the publisher signs."`
	}
	route(h, op{method: http.MethodPost, path: "/publishers/{publisher}/transfer-statement", id: "getTransferStatement", tag: "publishers",
		summary: "The text to sign for handing a namespace over"},
		func(ctx context.Context, a hub.Actor, in *struct {
			OfPublisher
			Body struct {
				To string `json:"to" maxLength:"60" doc:"Account."`
			}
		}) (*reply[statement], error) {
			s, err := p.TransferStatement(ctx, a, in.Publisher, in.Body.To)
			return body(statement{s}, err)
		})
	route(h, op{method: http.MethodPost, path: "/transfers", id: "proposeTransfer", tag: "publishers", status: http.StatusCreated, summary: "Propose a hand-over"},
		func(ctx context.Context, a hub.Actor, in *struct {
			Body struct {
				Statement string `json:"statement" maxLength:"2000"`
				Bundle    string `json:"bundle" maxLength:"131072" doc:"Sigstore bundle over its SHA-256."`
			}
		}) (*reply[hub.Transfer], error) {
			return body(p.ProposeTransfer(ctx, a, in.Body.Statement, in.Body.Bundle))
		})
	route(h, op{method: http.MethodGet, path: "/transfers", id: "listTransfers", tag: "publishers", summary: "Hand-overs to and from oneself"},
		func(ctx context.Context, a hub.Actor, _ *struct{}) (*reply[[]hub.Transfer], error) {
			list, err := p.Transfers(ctx, a)
			return body(notNil(list), err)
		})
	route(h, op{method: http.MethodPost, path: "/transfers/{id}/accept", id: "acceptTransfer", tag: "publishers", summary: "Accept a hand-over; the cooldown begins"},
		func(ctx context.Context, a hub.Actor, in *ByID) (*reply[hub.Transfer], error) {
			return body(p.AcceptTransfer(ctx, a, in.ID))
		})
	route(h, op{method: http.MethodPost, path: "/transfers/{id}/cancel", id: "cancelTransfer", tag: "publishers", summary: "Call a hand-over off"},
		func(ctx context.Context, a hub.Actor, in *struct {
			ByID
			Body struct {
				Reason string `json:"reason,omitempty" maxLength:"500"`
			}
		}) (*reply[hub.Transfer], error) {
			return body(p.CancelTransfer(ctx, a, in.ID, in.Body.Reason))
		})
}

func (h *Handler) submissionRoutes() {
	p := h.o.Publishing
	route(h, op{method: http.MethodPost, path: "/submissions", id: "createSubmission", tag: "submissions", status: http.StatusCreated,
		summary: "Name a version that is to be published, as a draft"},
		func(ctx context.Context, a hub.Actor, in *struct{ Body publishing.NewSubmission }) (*reply[hub.Submission], error) {
			return body(p.CreateSubmission(ctx, a, in.Body))
		})
	route(h, op{method: http.MethodGet, path: "/submissions", id: "listSubmissions", tag: "submissions", summary: "Submissions one may see, newest first"},
		func(ctx context.Context, a hub.Actor, in *struct {
			Paged
			Publisher string      `query:"publisher" maxLength:"40"`
			Plugin    string      `query:"plugin" maxLength:"90"`
			State     []hub.State `query:"state" maxItems:"12"`
		}) (*reply[hub.Page[hub.Submission]], error) {
			return body(p.Submissions(ctx, a, publishing.SubmissionFilter{
				Publisher: in.Publisher, Plugin: in.Plugin, States: in.State, Cursor: in.Cursor, Limit: in.Limit,
			}))
		})
	route(h, op{method: http.MethodGet, path: "/submissions/{id}", id: "getSubmission", tag: "submissions", summary: "A submission with all that belongs to it"},
		func(ctx context.Context, a hub.Actor, in *ByID) (*reply[publishing.Detail], error) {
			return body(p.Submission(ctx, a, in.ID))
		})
	route(h, op{method: http.MethodGet, path: "/submissions/{id}/timeline", id: "getTimeline", tag: "submissions", summary: "All that happened to a submission"},
		func(ctx context.Context, a hub.Actor, in *ByID) (*reply[[]publishing.Step], error) {
			list, err := p.Timeline(ctx, a, in.ID)
			return body(notNil(list), err)
		})
	route(h, op{method: http.MethodPatch, path: "/submissions/{id}", id: "reviseSubmission", tag: "submissions", summary: "Change a draft, or what needs changes"},
		func(ctx context.Context, a hub.Actor, in *struct {
			ByID
			Body struct {
				Rev int64 `json:"rev,omitempty" doc:"The revision that was read; 0: any."`
				publishing.Revision
			}
		}) (*reply[hub.Submission], error) {
			return body(p.Revise(ctx, a, in.ID, in.Body.Rev, in.Body.Revision))
		})
	route(h, op{method: http.MethodPost, path: "/submissions/{id}/submit", id: "submit", tag: "submissions", status: http.StatusAccepted,
		summary: "Hand in what was pushed to staging"},
		func(ctx context.Context, a hub.Actor, in *struct {
			ByID
			Body struct {
				Digest string `json:"digest" maxLength:"80" doc:"Of the OCI manifest."`
			}
		}) (*reply[hub.Submission], error) {
			return body(p.Submit(ctx, a, in.ID, in.Body.Digest))
		})
	type because struct {
		ByID
		Body struct {
			Reason string `json:"reason" minLength:"1" maxLength:"500"`
		}
	}
	route(h, op{method: http.MethodPost, path: "/submissions/{id}/withdraw", id: "withdrawSubmission", tag: "submissions", summary: "Give a submission up"},
		func(ctx context.Context, a hub.Actor, in *because) (*reply[hub.Submission], error) {
			return body(p.Withdraw(ctx, a, in.ID, in.Body.Reason))
		})
	route(h, op{method: http.MethodPost, path: "/submissions/{id}/comments", id: "comment", tag: "submissions", status: http.StatusCreated, summary: "Add a remark"},
		func(ctx context.Context, a hub.Actor, in *struct {
			ByID
			Body publishing.NewComment
		}) (*reply[hub.Comment], error) {
			return body(p.Comment(ctx, a, in.ID, in.Body))
		})
	h.reviewRoutes(p)
}

func (h *Handler) reviewRoutes(p *publishing.Service) {
	type because struct {
		ByID
		Body struct {
			Reason string `json:"reason" minLength:"1" maxLength:"500"`
		}
	}
	// Queue is what waits for reviewers.
	type Queue struct {
		Items []hub.Submission `json:"items"`
		Total int              `json:"total" doc:"Of all that wait."`
	}
	route(h, op{method: http.MethodGet, path: "/review/queue", id: "getReviewQueue", tag: "review", summary: "What waits for a reviewer, highest risk first"},
		func(ctx context.Context, a hub.Actor, in *struct {
			Limit int `query:"limit" minimum:"0" maximum:"200"`
		}) (*reply[Queue], error) {
			list, total, err := p.Queue(ctx, a, in.Limit)
			return body(Queue{notNil(list), total}, err)
		})
	route(h, op{method: http.MethodPost, path: "/submissions/{id}/decision", id: "decideSubmission", tag: "review",
		summary: "Approve, ask for changes, or reject; about exactly one round and digest"},
		func(ctx context.Context, a hub.Actor, in *struct {
			ByID
			Body publishing.Decision
		}) (*reply[hub.Submission], error) {
			return body(p.Decide(ctx, a, in.ID, in.Body))
		})
	route(h, op{method: http.MethodPost, path: "/submissions/{id}/scans/retry", id: "retryScans", tag: "review", summary: "Let scanners that went wrong try again"},
		func(ctx context.Context, a hub.Actor, in *ByID) (*reply[hub.Submission], error) {
			return body(p.RetryScans(ctx, a, in.ID))
		})
	route(h, op{method: http.MethodPost, path: "/submissions/{id}/review", id: "takeToReview", tag: "review",
		summary: "Review a submission although a scan went wrong, with a reason"},
		func(ctx context.Context, a hub.Actor, in *because) (*reply[hub.Submission], error) {
			return body(p.TakeToReview(ctx, a, in.ID, in.Body.Reason))
		})
}

func (h *Handler) pluginRoutes() {
	p := h.o.Publishing
	route(h, op{method: http.MethodGet, path: "/plugins", id: "listPlugins", tag: "plugins", public: true, summary: "Listed plugins, latest release first"},
		func(ctx context.Context, _ hub.Actor, in *struct {
			Paged
			Find      string `query:"find" maxLength:"60" doc:"Stands in the name."`
			Category  string `query:"category" maxLength:"40"`
			Publisher string `query:"publisher" maxLength:"40"`
			Featured  bool   `query:"featured"`
		}) (*reply[hub.Page[hub.Plugin]], error) {
			return body(p.Shelf(ctx, publishing.ShelfQuery{
				Find: in.Find, Category: in.Category, Publisher: in.Publisher, Featured: in.Featured, Cursor: in.Cursor, Limit: in.Limit,
			}))
		})
	route(h, op{method: http.MethodGet, path: "/plugins/{publisher}/{name}", id: "getPlugin", tag: "plugins", public: true, summary: "A plugin"},
		func(ctx context.Context, a hub.Actor, in *OfPlugin) (*reply[hub.Plugin], error) {
			if err := p.MayKnow(ctx, a, in.id()); err != nil {
				return nil, err
			}
			return body(p.Plugin(ctx, in.id()))
		})
	route(h, op{method: http.MethodGet, path: "/plugins/{publisher}/{name}/releases", id: "listReleases", tag: "plugins", public: true,
		summary: "A plugin's releases, newest version first"},
		func(ctx context.Context, a hub.Actor, in *OfPlugin) (*reply[[]hub.Release], error) {
			if err := p.MayKnow(ctx, a, in.id()); err != nil {
				return nil, err
			}
			list, err := p.Releases(ctx, in.id())
			return body(notNil(list), err)
		})
	type OfRelease struct {
		OfPlugin
		Version string `path:"version" maxLength:"64"`
	}
	route(h, op{method: http.MethodGet, path: "/plugins/{publisher}/{name}/releases/{version}", id: "getRelease", tag: "plugins", public: true, summary: "A release"},
		func(ctx context.Context, a hub.Actor, in *OfRelease) (*reply[hub.Release], error) {
			if err := p.MayKnow(ctx, a, in.id()); err != nil {
				return nil, err
			}
			return body(p.Release(ctx, in.id(), in.Version))
		})
	route(h, op{method: http.MethodPut, path: "/plugins/{publisher}/{name}/releases/{version}/rollout", id: "setRollout", tag: "releases",
		summary: "To how many of a hundred panels a release is offered; pause and resume"},
		func(ctx context.Context, a hub.Actor, in *struct {
			OfRelease
			Body struct {
				Percent int  `json:"percent" minimum:"0" maximum:"100"`
				Paused  bool `json:"paused,omitempty"`
			}
		}) (*reply[hub.Release], error) {
			return body(p.SetRollout(ctx, a, in.id(), in.Version, in.Body.Percent, in.Body.Paused))
		})
	route(h, op{method: http.MethodPost, path: "/plugins/{publisher}/{name}/releases/{version}/yank", id: "yank", tag: "releases",
		summary: "Keep a release from new installs"},
		func(ctx context.Context, a hub.Actor, in *struct {
			OfRelease
			Body struct {
				Reason string `json:"reason" minLength:"1" maxLength:"500"`
			}
		}) (*reply[hub.Release], error) {
			return body(p.Yank(ctx, a, in.id(), in.Version, in.Body.Reason))
		})
	route(h, op{method: http.MethodDelete, path: "/plugins/{publisher}/{name}/releases/{version}/yank", id: "unyank", tag: "releases", summary: "Take a yank back"},
		func(ctx context.Context, a hub.Actor, in *OfRelease) (*reply[hub.Release], error) {
			return body(p.Unyank(ctx, a, in.id(), in.Version))
		})
	route(h, op{method: http.MethodPut, path: "/plugins/{publisher}/{name}/deprecated", id: "deprecate", tag: "releases",
		summary: "Say that a plugin is not worked on any more; an empty text takes it back"},
		func(ctx context.Context, a hub.Actor, in *struct {
			OfPlugin
			Body struct {
				Text string `json:"text" maxLength:"500"`
			}
		}) (*reply[hub.Plugin], error) {
			return body(p.Deprecate(ctx, a, in.id(), in.Body.Text))
		})
	route(h, op{method: http.MethodPut, path: "/plugins/{publisher}/{name}/featured", id: "feature", tag: "moderation", summary: "Put a plugin on the front page, or take it off"},
		func(ctx context.Context, a hub.Actor, in *struct {
			OfPlugin
			Body struct {
				Featured bool `json:"featured"`
			}
		}) (*reply[hub.Plugin], error) {
			return body(p.Feature(ctx, a, in.id(), in.Body.Featured))
		})
	// Rules are what `souk check` and a submission are held to.
	route(h, op{method: http.MethodGet, path: "/rules", id: "listRules", tag: "submissions", public: true, summary: "The rules of validation"},
		func(context.Context, hub.Actor, *struct{}) (*reply[[]publish.Rule], error) {
			return body(publish.Rules(), nil)
		})
}
