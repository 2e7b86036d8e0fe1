package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/verify"
)

// Account says whose token this is.
type Account struct {
	hub.Account
	Memberships []hub.Member `json:"memberships"`
}

// Account returns whose token this is.
func (c *Client) Account(ctx context.Context) (Account, error) {
	return get[Account](ctx, c, "/account", nil)
}

// NewSubmission names a version that is to be published.
type NewSubmission struct {
	Plugin  catalog.PluginID `json:"plugin"`
	Version string           `json:"version"`
	Channel string           `json:"channel,omitempty"`
	Notes   publish.Notes    `json:"notes"`
	Percent int              `json:"percent,omitempty"` // rollout, 1 to 100; 0: 100
}

// Submission is a submission with what its publisher has to know.
type Submission struct {
	hub.Submission
	Scans     []hub.Scan        `json:"scans"`
	Reviews   []hub.Review      `json:"reviews"`
	Comments  []hub.Comment     `json:"comments"`
	Problems  []publish.Problem `json:"problems"`
	Diff      json.RawMessage   `json:"diff"`
	Approvals int               `json:"approvals"`
}

// CreateSubmission names a version that is to be published, as a draft.
func (c *Client) CreateSubmission(ctx context.Context, n NewSubmission) (hub.Submission, error) {
	return send[hub.Submission](ctx, c, http.MethodPost, "/submissions", n)
}

// Revise changes notes and rollout of a draft, or of what needs changes.
func (c *Client) Revise(ctx context.Context, id string, notes publish.Notes, percent int) (hub.Submission, error) {
	body := map[string]any{"notes": notes}
	if percent > 0 {
		body["percent"] = percent
	}
	return send[hub.Submission](ctx, c, http.MethodPatch, "/submissions/"+id, body)
}

// Submit hands in what was pushed to staging under this digest.
func (c *Client) Submit(ctx context.Context, id string, digest verify.Digest) (hub.Submission, error) {
	return send[hub.Submission](ctx, c, http.MethodPost, "/submissions/"+id+"/submit", map[string]any{"digest": digest})
}

// Withdraw gives a submission up.
func (c *Client) Withdraw(ctx context.Context, id, reason string) (hub.Submission, error) {
	return send[hub.Submission](ctx, c, http.MethodPost, "/submissions/"+id+"/withdraw", map[string]any{"reason": reason})
}

// Submission returns a submission with all that belongs to it.
func (c *Client) Submission(ctx context.Context, id string) (Submission, error) {
	return get[Submission](ctx, c, "/submissions/"+id, nil)
}

// Submissions lists submissions of a plugin, newest first; of all one may see when plugin
// is empty.
func (c *Client) Submissions(ctx context.Context, id catalog.PluginID, cursor string) (hub.Page[hub.Submission], error) {
	v := url.Values{}
	if id != "" {
		v.Set("plugin", string(id))
	}
	if cursor != "" {
		v.Set("cursor", cursor)
	}
	return get[hub.Page[hub.Submission]](ctx, c, "/submissions", v)
}

// Comment adds a remark to a submission.
func (c *Client) Comment(ctx context.Context, id, text string) (hub.Comment, error) {
	return send[hub.Comment](ctx, c, http.MethodPost, "/submissions/"+id+"/comments", map[string]any{"text": text})
}

// Releases returns a plugin's releases, newest version first.
func (c *Client) Releases(ctx context.Context, id catalog.PluginID) ([]hub.Release, error) {
	path, err := plugin(id, "/releases")
	if err != nil {
		return nil, err
	}
	return get[[]hub.Release](ctx, c, path, nil)
}

// release is the path of a release.
func release(ref catalog.Ref, rest string) (string, error) {
	if _, err := catalog.ParseRef(ref.String()); err != nil {
		return "", err
	}
	return plugin(ref.Plugin, "/releases/"+ref.Version+rest)
}

// SetRollout says to how many of a hundred panels a release is offered, and pauses that.
func (c *Client) SetRollout(ctx context.Context, ref catalog.Ref, percent int, paused bool) (hub.Release, error) {
	path, err := release(ref, "/rollout")
	if err != nil {
		return hub.Release{}, err
	}
	return send[hub.Release](ctx, c, http.MethodPut, path, map[string]any{"percent": percent, "paused": paused})
}

// Yank keeps a release from new installs.
func (c *Client) Yank(ctx context.Context, ref catalog.Ref, reason string) (hub.Release, error) {
	path, err := release(ref, "/yank")
	if err != nil {
		return hub.Release{}, err
	}
	return send[hub.Release](ctx, c, http.MethodPost, path, map[string]any{"reason": reason})
}

// Unyank takes a yank back.
func (c *Client) Unyank(ctx context.Context, ref catalog.Ref) (hub.Release, error) {
	path, err := release(ref, "/yank")
	if err != nil {
		return hub.Release{}, err
	}
	return send[hub.Release](ctx, c, http.MethodDelete, path, nil)
}

// Numbers returns a plugin's days as JSON, for who may see them.
func (c *Client) Numbers(ctx context.Context, id catalog.PluginID) (json.RawMessage, error) {
	path, err := plugin(id, "/numbers")
	if err != nil {
		return nil, err
	}
	return get[json.RawMessage](ctx, c, path, nil)
}

// ExchangeCI exchanges a CI job's identity token for one to push and submit with. want is
// the publisher or plugin, needed when several rules allow the job.
func (c *Client) ExchangeCI(ctx context.Context, token, want string) (raw string, expires time.Time, err error) {
	body := map[string]any{"token": token}
	if want != "" {
		body["for"] = want
	}
	out, err := send[struct {
		Token   string    `json:"token"`
		Expires time.Time `json:"expires"`
	}](ctx, c, http.MethodPost, "/ci/token", body)
	return out.Token, out.Expires, err
}

// Issuer is a CI system whose jobs can publish.
type Issuer struct {
	URL      string `json:"url"`
	Audience string `json:"audience"` // what a job asks its token for
	Kind     string `json:"kind"`
}

// Issuers returns the CI systems whose jobs can publish.
func (c *Client) Issuers(ctx context.Context) ([]Issuer, error) {
	return get[[]Issuer](ctx, c, "/ci/issuers", nil)
}

// Decision is what a reviewer decides about exactly one round and digest.
type Decision struct {
	Round   int         `json:"round"`
	Digest  string      `json:"digest"`
	Verdict hub.Verdict `json:"verdict"`
	Text    string      `json:"text"`
}

// Decide decides about a submission, for a reviewer.
func (c *Client) Decide(ctx context.Context, id string, d Decision) (hub.Submission, error) {
	return send[hub.Submission](ctx, c, http.MethodPost, "/submissions/"+id+"/decision", d)
}
