package client

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/verify"
)

// About says what hub this is.
type About struct {
	Name     string          `json:"name"`
	Registry string          `json:"registry"` // where publishers push to, below staging/
	Catalog  string          `json:"catalog"`  // the catalog's reference
	Root     []byte          `json:"root"`     // its root of trust
	Reviews  verify.Identity `json:"reviews"`  // who signs the attestations of reviews
}

// About asks the hub what it is.
func (c *Client) About(ctx context.Context) (About, error) { return get[About](ctx, c, "/about", nil) }

// Link is a panel that waits for a person (RFC 8628).
type Link struct {
	DeviceCode string `json:"device_code"`               // secret
	UserCode   string `json:"user_code"`                 // "BCDF-GHJK", for the person to type
	URI        string `json:"verification_uri"`          // where
	Complete   string `json:"verification_uri_complete"` // the same with the code
	ExpiresIn  int    `json:"expires_in"`                // seconds
	Interval   int    `json:"interval"`                  // seconds between two polls
}

// LinkError says how linking stands or why it ended, in the words of RFC 8628.
type LinkError struct {
	Code        string // "authorization_pending", "slow_down", "access_denied", "expired_token"
	Description string
}

func (e *LinkError) Error() string {
	switch e.Code {
	case "access_denied":
		return "the person refused to link this panel"
	case "expired_token":
		return "nobody typed the code in time: begin again"
	case "authorization_pending", "slow_down":
		return "nobody has typed the code yet"
	}
	if e.Description != "" {
		return e.Code + ": " + e.Description
	}
	return e.Code
}

// StartLink begins to link a panel to an account. name is what the person will see; key
// signs the panel's receipts.
func (c *Client) StartLink(ctx context.Context, name string, key ed25519.PublicKey) (Link, error) {
	var l Link
	err := c.do(ctx, call{method: http.MethodPost, path: "/device/code", form: url.Values{
		"client_name": {name}, "public_key": {base64.StdEncoding.EncodeToString(key)},
	}}, &l)
	return l, err
}

// PollLink asks once whether the person has approved, and returns the panel's token. Not
// yet is a [*LinkError].
func (c *Client) PollLink(ctx context.Context, l Link) (token string, err error) {
	var t struct {
		AccessToken string `json:"access_token"`
	}
	err = c.do(ctx, call{method: http.MethodPost, path: "/device/token", form: url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {l.DeviceCode},
	}}, &t)
	return t.AccessToken, err
}

// FinishLink polls until the person has decided or the code has expired.
func (c *Client) FinishLink(ctx context.Context, l Link) (token string, err error) {
	every := time.Duration(max(l.Interval, 1)) * time.Second
	for {
		if err := c.sleep(ctx, every); err != nil {
			return "", err
		}
		token, err = c.PollLink(ctx, l)
		var e *LinkError
		switch {
		case err == nil:
			return token, nil
		case errors.As(err, &e) && e.Code == "slow_down":
			every += 5 * time.Second
		case errors.As(err, &e) && e.Code == "authorization_pending", errors.Is(err, hub.ErrUnavailable):
		default:
			return "", err
		}
	}
}

// Panel returns the panel whose token asks.
func (c *Client) Panel(ctx context.Context) (hub.Panel, error) {
	return get[hub.Panel](ctx, c, "/panel", nil)
}

// Unlink ends the link of the panel with this id, and its token.
func (c *Client) Unlink(ctx context.Context, id string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: "/panels/" + id}, nil)
}

// SetTelemetry says whether the panel with this id shares numbers; see [Client.ReportInstalls].
func (c *Client) SetTelemetry(ctx context.Context, id string, on bool) error {
	return c.do(ctx, call{method: http.MethodPut, path: "/panels/" + id + "/telemetry", body: map[string]bool{"on": on}}, nil)
}

// RatingSummary is what a plugin's ratings add up to.
type RatingSummary struct {
	Plugin    string   `json:"plugin"`
	Count     int64    `json:"count"`
	Histogram [5]int64 `json:"histogram"` // ratings with one star first
	Mean      float64  `json:"mean"`      // 0: too few to say
	Bayesian  float64  `json:"bayesian"`  // what an order goes by
}

// Rating is a rating as people see it.
type Rating struct {
	hub.Rating
	Author string `json:"author"` // name
	Mine   bool   `json:"mine"`
	Voted  bool   `json:"voted"` // who asks found it helpful
}

// plugin is the path of a plugin.
func plugin(id catalog.PluginID, rest string) (string, error) {
	if _, err := catalog.ParsePluginID(string(id)); err != nil {
		return "", err
	}
	return "/plugins/" + string(id) + rest, nil
}

// RatingSummary returns what a plugin's ratings add up to.
func (c *Client) RatingSummary(ctx context.Context, id catalog.PluginID) (RatingSummary, error) {
	path, err := plugin(id, "/ratings/summary")
	if err != nil {
		return RatingSummary{}, err
	}
	return get[RatingSummary](ctx, c, path, nil)
}

// RatingsQuery chooses ratings.
type RatingsQuery struct {
	Sort   string // "newest", "helpful", "stars"; empty: newest
	Stars  int    // only these; 0: all
	Cursor string
	Limit  int // 0: 20; at most 100
}

// Ratings returns the shown ratings of a plugin.
func (c *Client) Ratings(ctx context.Context, id catalog.PluginID, q RatingsQuery) (hub.Page[Rating], error) {
	path, err := plugin(id, "/ratings")
	if err != nil {
		return hub.Page[Rating]{}, err
	}
	v := url.Values{}
	for name, value := range map[string]string{"sort": q.Sort, "cursor": q.Cursor} {
		if value != "" {
			v.Set(name, value)
		}
	}
	for name, value := range map[string]int{"stars": q.Stars, "limit": q.Limit} {
		if value != 0 {
			v.Set(name, strconv.Itoa(value))
		}
	}
	return get[hub.Page[Rating]](ctx, c, path, v)
}

// MyRating returns one's own rating of a plugin, or [hub.ErrNotFound].
func (c *Client) MyRating(ctx context.Context, id catalog.PluginID) (hub.Rating, error) {
	path, err := plugin(id, "/ratings/mine")
	if err != nil {
		return hub.Rating{}, err
	}
	return get[hub.Rating](ctx, c, path, nil)
}

// NewRating is what somebody thinks of a plugin.
type NewRating struct {
	Stars   int    `json:"stars"` // 1 to 5
	Text    string `json:"text,omitempty"`
	Version string `json:"version,omitempty"`
	Receipt string `json:"receipt,omitempty"` // see hub.Receipt
}

// Rate rates a plugin, or changes one's rating.
func (c *Client) Rate(ctx context.Context, id catalog.PluginID, n NewRating) (hub.Rating, error) {
	path, err := plugin(id, "/ratings/mine")
	if err != nil {
		return hub.Rating{}, err
	}
	return send[hub.Rating](ctx, c, http.MethodPut, path, n)
}

// DeleteRating takes one's rating back.
func (c *Client) DeleteRating(ctx context.Context, id catalog.PluginID) error {
	path, err := plugin(id, "/ratings/mine")
	if err != nil {
		return err
	}
	return c.do(ctx, call{method: http.MethodDelete, path: path}, nil)
}

// Vote says that a rating was helpful, or takes that back.
func (c *Client) Vote(ctx context.Context, id catalog.PluginID, author string, helpful bool) (hub.Rating, error) {
	path, err := plugin(id, "/ratings/"+author+"/helpful")
	if err == nil && url.PathEscape(author) != author {
		err = fmt.Errorf("%.60q is no account", author)
	}
	if err != nil {
		return hub.Rating{}, err
	}
	method := http.MethodPut
	if !helpful {
		method = http.MethodDelete
	}
	return send[hub.Rating](ctx, c, method, path, nil)
}

// NewReport says what is wrong with something.
type NewReport struct {
	Kind     hub.SubjectKind `json:"kind"`
	Subject  string          `json:"subject"` // as hub.SubjectKind says
	Reason   string          `json:"reason"`  // one of hub.Reasons
	Text     string          `json:"text"`
	Evidence []string        `json:"evidence,omitempty"` // https addresses
}

// Report files a report.
func (c *Client) Report(ctx context.Context, n NewReport) (hub.Report, error) {
	return send[hub.Report](ctx, c, http.MethodPost, "/reports", n)
}

// Recommendation is a plugin for somebody who has others.
type Recommendation struct {
	Plugin  catalog.PluginID `json:"plugin"`
	Name    string           `json:"name"`
	Summary string           `json:"summary"`
	Because catalog.PluginID `json:"because"`     // one that they have
	Have    string           `json:"becauseName"` // its name: "because you have X"
	How     string           `json:"how"`         // "together" or "alike"
	Score   float64          `json:"score"`       // 0 to 1
}

// Recommend returns plugins for who has these; the hub keeps nothing of the question.
func (c *Client) Recommend(ctx context.Context, have []catalog.PluginID, limit int) ([]Recommendation, error) {
	if have == nil {
		have = []catalog.PluginID{}
	}
	return send[[]Recommendation](ctx, c, http.MethodPost, "/recommendations", struct {
		Have  []catalog.PluginID `json:"have"`
		Limit int                `json:"limit,omitempty"`
	}{have, limit})
}

// Installed is a release that is active in a panel.
type Installed struct {
	Plugin  string `json:"plugin"`
	Version string `json:"version"`
}

// Happened is how often something happened with a release.
type Happened struct {
	Plugin  string `json:"plugin"`
	Version string `json:"version"`
	N       int    `json:"n"`
}

// InstallReport is what a panel whose owner allows it says about a day.
type InstallReport struct {
	Day          int         `json:"day"` // hub.Day
	PanelVersion string      `json:"panelVersion"`
	Installed    []Installed `json:"installed"`
	Rollbacks    []Happened  `json:"rollbacks,omitempty"`
	Unhealthy    []Happened  `json:"unhealthy,omitempty"`
}

// ReportInstalls says what the panel runs; it returns how many of those the hub counted.
func (c *Client) ReportInstalls(ctx context.Context, r InstallReport) (int, error) {
	if r.Installed == nil {
		r.Installed = []Installed{}
	}
	out, err := send[struct {
		Counted int `json:"counted"`
	}](ctx, c, http.MethodPost, "/panel/report", r)
	return out.Counted, err
}

// Plugin returns a plugin as the hub knows it.
func (c *Client) Plugin(ctx context.Context, id catalog.PluginID) (hub.Plugin, error) {
	path, err := plugin(id, "")
	if err != nil {
		return hub.Plugin{}, err
	}
	return get[hub.Plugin](ctx, c, path, nil)
}

// Publisher is a publisher as everybody may see it.
type Publisher struct {
	hub.Publisher
	Proofs  []hub.Proof  `json:"proofs"`
	Signers []hub.Signer `json:"signers"`
}

// Publisher returns a publisher, what it proved and who signs for it.
func (c *Client) Publisher(ctx context.Context, namespace string) (Publisher, error) {
	if namespace == "" || url.PathEscape(namespace) != namespace {
		return Publisher{}, fmt.Errorf("%.60q is not a namespace", namespace)
	}
	return get[Publisher](ctx, c, "/publishers/"+namespace, nil)
}
