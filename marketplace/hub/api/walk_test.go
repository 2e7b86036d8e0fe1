package api_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/client"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/hub/server"
	"github.com/souk-dev/souk/marketplace/hub/signin"
	"github.com/souk-dev/souk/marketplace/hub/signin/signintest"
)

// walk asks a hub as people do, each answer held to the document.
type walk struct {
	t     *testing.T
	w     *hubtest.World
	d     *document
	http  *http.Client
	seen  *checking
	clamd string // address at which nobody listens yet
}

func newWalk(t *testing.T, o hubtest.Options) *walk {
	t.Helper()
	w := hubtest.New(t, o)
	d := load(t, w)
	seen := &checking{d: d, next: http.DefaultTransport}
	return &walk{t: t, w: w, d: d, http: &http.Client{Transport: seen, Timeout: 30 * time.Second}, seen: seen}
}

// send asks as a person's session; nil is nobody.
func (k *walk) send(who *hubtest.Person, method, path, body string, header ...string) (int, []byte, http.Header) {
	k.t.Helper()
	req, err := http.NewRequestWithContext(k.t.Context(), method, k.w.URL+"/api/v1"+path, strings.NewReader(body))
	require.NoError(k.t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if who != nil {
		req.AddCookie(&http.Cookie{Name: "souk_session", Value: who.Cookie})
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := k.http.Do(req)
	require.NoError(k.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(k.t, err)
	return resp.StatusCode, b, resp.Header
}

// ok sends, wants success, and returns the answer's fields.
func (k *walk) ok(who *hubtest.Person, method, path string, body any) map[string]any {
	k.t.Helper()
	raw := ""
	if body != nil {
		b, err := json.Marshal(body)
		require.NoError(k.t, err)
		raw = string(b)
	}
	status, b, _ := k.send(who, method, path, raw)
	require.Less(k.t, status, 300, "%s %s: %s", method, path, b)
	var out map[string]any
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) {
		require.NoError(k.t, json.Unmarshal(b, &out))
	}
	return out
}

type fields = map[string]any

// TestEveryOperation calls every operation with success at least once, and holds every
// answer to the document.
func TestEveryOperation(t *testing.T) {
	issuer := signintest.NewIssuer(signintest.IssuerOptions{})
	t.Cleanup(issuer.Close)
	const audience = "https://hub.example.org"
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	k := newWalk(t, hubtest.Options{Policy: hub.Policy{ScanAttempts: 1}, Server: server.Options{
		CI: []signin.Issuer{{URL: issuer.URL, Audience: audience, Kind: signin.GitHub}}, Clamd: l.Addr().String(),
	}})
	k.clamd = l.Addr().String()
	w := k.w
	olga, mira, noor := w.Person("Olga Owner"), w.Person("Mira Meier"), w.Person("Noor Novak")
	rosa, mo, ada := w.Person("Rosa Reviewer", hub.RoleReviewer), w.Person("Mo Moderator", hub.RoleModerator), w.Person("Ada Admin", hub.RoleAdmin)
	acme := w.Publisher(olga, "acme")
	w.Publish(acme, hubtest.Plugin{Manifest: hubtest.Manifest("acme/backup", "1.0.0")})

	k.publicPart()
	k.accountPart(mira, ada, mo, noor)
	k.publisherPart(olga, noor, issuer, audience)
	k.submissionPart(acme, olga, rosa)
	k.releasePart(olga, mo)
	k.communityPart(olga, mira, noor, mo)
	k.panelPart(mira)
	k.hookPart(mira)
	k.adminPart(ada)

	for _, err := range k.seen.errs {
		assert.NoError(t, err)
	}
	for id := range k.d.ops {
		assert.Positive(t, k.d.called[id], "%s was never called with success", id)
	}
}

func (k *walk) publicPart() {
	for _, path := range []string{
		"/about", "/categories", "/policy", "/reserved", "/rules", "/numbers", "/ci/issuers", "/plugins?find=back", "/plugins/acme/backup",
		"/plugins/acme/backup/releases", "/plugins/acme/backup/releases/1.0.0", "/plugins/acme/backup/ratings", "/plugins/acme/backup/ratings/summary",
		"/publishers", "/publishers/acme", "/advisories",
	} {
		k.ok(nil, "GET", path, nil)
	}
	k.ok(nil, "POST", "/recommendations", fields{"have": []string{"acme/backup"}})
}

func (k *walk) accountPart(mira, ada, mo, noor *hubtest.Person) {
	me := k.ok(mira, "GET", "/account", nil)
	k.ok(mira, "PATCH", "/account", fields{"rev": me["rev"], "name": "Mira M.", "email": "mira.meier@example.org"})
	for _, path := range []string{"/account/export", "/account/sessions", "/account/passkeys", "/tokens", "/panels", "/notices"} {
		k.ok(mira, "GET", path, nil)
	}
	token := k.ok(mira, "POST", "/tokens", fields{"name": "laptop", "verbs": []string{"read", "rate"}})
	status, b, _ := k.send(nil, "GET", "/account", "", "Authorization", "Bearer "+token["text"].(string))
	require.Equal(k.t, 200, status, "%s", b)
	k.ok(mira, "DELETE", "/tokens/"+token["id"].(string), nil)
	k.ok(mira, "POST", "/notices/read", fields{})

	k.ok(ada, "GET", "/accounts?text=Mira", nil)
	k.ok(ada, "GET", "/accounts/"+noor.Account, nil)
	k.ok(ada, "PUT", "/accounts/"+noor.Account+"/roles", fields{"roles": []string{"reviewer"}})
	k.ok(ada, "PUT", "/accounts/"+noor.Account+"/roles", fields{"roles": []string{}})
	k.ok(mo, "POST", "/accounts/"+noor.Account+"/suspend", fields{"reason": "A try."})
	k.ok(mo, "POST", "/accounts/"+noor.Account+"/unsuspend", nil)
	*noor = *k.w.Person("Noor Novak") // the suspension ended the session

	gone := k.w.Person("Gone Soon")
	again := k.w.Person("Gone Soon") // a second browser
	_, raw, _ := k.send(again, "GET", "/account/sessions", "")
	var sessions []struct {
		ID      string `json:"id"`
		Current bool   `json:"current"`
	}
	require.NoError(k.t, json.Unmarshal(raw, &sessions))
	for _, s := range sessions {
		if !s.Current {
			k.ok(again, "DELETE", "/account/sessions/"+s.ID, nil)
		}
	}
	status, _, _ = k.send(gone, "GET", "/account", "")
	assert.Equal(k.t, 401, status, "its session was ended")
	k.ok(again, "DELETE", "/account", nil)
}

func (k *walk) publisherPart(olga, noor *hubtest.Person, issuer *signintest.Issuer, audience string) {
	made := k.ok(olga, "POST", "/publishers", fields{"namespace": "harbour", "name": "Harbour"})
	k.ok(olga, "PUT", "/publishers/harbour", fields{"rev": made["rev"], "name": "Harbour Works", "homepage": "https://harbour.example", "contact": "mail@harbour.example"})
	k.ok(olga, "GET", "/publishers/mine", nil)
	k.ok(olga, "GET", "/publishers/harbour/inside", nil)
	k.ok(olga, "PUT", "/publishers/harbour/members/"+noor.Account, fields{"role": "maintainer"})
	k.ok(olga, "DELETE", "/publishers/harbour/members/"+noor.Account, nil)
	signer := k.ok(olga, "POST", "/publishers/harbour/signers", fields{"issuer": "https://id.example", "subject": "release@harbour.example"})
	k.ok(olga, "POST", "/publishers/harbour/signers/limit", fields{"id": signer["id"], "until": time.Now().AddDate(1, 0, 0)})
	k.ok(olga, "POST", "/publishers/harbour/signers/revoke", fields{"id": signer["id"], "reason": "Lost."})
	proof := k.ok(olga, "POST", "/publishers/harbour/proofs", fields{"kind": "dns", "subject": "harbour.example"})
	k.ok(olga, "POST", "/publishers/harbour/proofs/"+proof["id"].(string)+"/check", nil)
	k.ok(olga, "DELETE", "/publishers/harbour/proofs/"+proof["id"].(string), nil)

	rule := k.ok(olga, "POST", "/publishers/harbour/trusted", fields{"issuer": issuer.URL, "repository": "harbour/backup", "workflow": "release.yml"})
	token := issuer.Token(signintest.GitHubClaims(audience, "harbour/backup", "release.yml", "refs/tags/v1"))
	k.ok(nil, "POST", "/ci/token", fields{"token": token})
	status, _, _ := k.send(nil, "POST", "/ci/token", `{"token":"`+token+`"}`)
	assert.Equal(k.t, 401, status, "a token is exchanged once")
	k.ok(olga, "DELETE", "/trusted/"+rule["id"].(string), nil)
}

func (k *walk) submissionPart(acme *hubtest.Publisher, olga, rosa *hubtest.Person) {
	t, w := k.t, k.w
	pkg, err := hubtest.Pack(t.Context(), hubtest.Plugin{Manifest: hubtest.Manifest("acme/backup", "1.1.0")})
	require.NoError(t, err)
	digest, err := w.Push(t.Context(), acme, pkg)
	require.NoError(t, err)
	sub := k.ok(olga, "POST", "/submissions", fields{"plugin": "acme/backup", "version": "1.1.0", "notes": fields{"added": []string{"More."}}})
	id := sub["id"].(string)
	k.ok(olga, "PATCH", "/submissions/"+id, fields{"rev": sub["rev"], "percent": 50})
	k.ok(olga, "POST", "/submissions/"+id+"/submit", fields{"digest": digest})
	d, err := w.Settle(t.Context(), olga, id)
	require.NoError(t, err)
	require.Equal(t, hub.StateInReview, d.State, "%s %v", d.Reason, d.Problems)
	k.ok(olga, "GET", "/submissions?plugin=acme/backup&state=in_review", nil)
	k.ok(olga, "POST", "/submissions/"+id+"/comments", fields{"text": "Please look at the notes."})
	k.ok(rosa, "GET", "/review/queue", nil)
	k.ok(rosa, "GET", "/submissions/"+id, nil)
	k.ok(rosa, "GET", "/submissions/"+id+"/timeline", nil)
	k.ok(rosa, "POST", "/submissions/"+id+"/decision", fields{"round": d.Round, "digest": d.Digest, "verdict": "changes", "text": "Say what is more."})
	k.ok(olga, "POST", "/submissions/"+id+"/withdraw", fields{"reason": "Later."})

	// One whose scan goes wrong: clamd is there now, and dies in the middle.
	clamd, err := net.Listen("tcp", k.clamd)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, clamd.Close()) })
	go func() {
		for {
			c, err := clamd.Accept()
			if err != nil {
				return
			}
			c.Close() //nolint:errcheck // that is the point
		}
	}()
	stuck := func(version string) string {
		sub, err := w.Town.Submit(t.Context(), acme, hubtest.Plugin{Manifest: hubtest.Manifest("acme/backup", version)})
		require.NoError(t, err)
		d, err := w.Settle(t.Context(), olga, sub.ID)
		require.NoError(t, err)
		require.Equal(t, hub.StateScanError, d.State, d.Reason)
		return sub.ID
	}
	k.ok(rosa, "POST", "/submissions/"+stuck("1.2.0")+"/review", fields{"reason": "Looked at it by hand."})
	k.ok(rosa, "POST", "/submissions/"+stuck("1.3.0")+"/scans/retry", nil)
}

func (k *walk) releasePart(olga, mo *hubtest.Person) {
	const at = "/plugins/acme/backup/releases/1.0.0"
	k.ok(olga, "PUT", at+"/rollout", fields{"percent": 10, "paused": true})
	k.ok(olga, "POST", at+"/yank", fields{"reason": "Eats data."})
	k.ok(olga, "DELETE", at+"/yank", nil)
	k.ok(olga, "PUT", "/plugins/acme/backup/deprecated", fields{"text": "Use another."})
	k.ok(olga, "PUT", "/plugins/acme/backup/deprecated", fields{"text": ""})
	k.ok(mo, "PUT", "/plugins/acme/backup/featured", fields{"featured": true})
	k.ok(olga, "GET", "/plugins/acme/backup/numbers", nil)
	k.ok(olga, "GET", "/plugins/acme/backup/numbers.csv", nil)
}

func (k *walk) communityPart(olga, mira, noor, mo *hubtest.Person) {
	const at = "/plugins/acme/backup/ratings"
	k.ok(mira, "PUT", at+"/mine", fields{"stars": 4, "text": "Good."})
	k.ok(mira, "GET", at+"/mine", nil)
	k.ok(noor, "PUT", at+"/"+mira.Account+"/helpful", nil)
	k.ok(noor, "DELETE", at+"/"+mira.Account+"/helpful", nil)
	k.ok(olga, "PUT", at+"/"+mira.Account+"/answer", fields{"text": "Thank you."})
	k.ok(noor, "PUT", at+"/mine", fields{"stars": 2})
	k.ok(noor, "DELETE", at+"/mine", nil)

	report := k.ok(noor, "POST", "/reports", fields{"kind": "rating", "subject": "acme/backup#" + mira.Account, "reason": "spam", "text": "Is one word."})
	k.ok(noor, "GET", "/reports/mine", nil)
	k.ok(mo, "GET", "/reports", nil)
	k.ok(mo, "GET", "/reports/"+report["id"].(string), nil)
	k.ok(mo, "GET", "/ratings/held", nil)
	decision := k.ok(mo, "POST", "/decisions", fields{"kind": "hide", "subject": "rating", "about": "acme/backup#" + mira.Account, "text": "Says nothing.", "reports": []any{report["id"]}})
	id := decision["id"].(string)
	k.ok(mo, "GET", "/decisions", nil)
	k.ok(mira, "GET", "/decisions/"+id, nil)
	appeal := k.ok(mira, "POST", "/appeals", fields{"decision": id, "text": "It says what I think."})
	k.ok(mira, "GET", "/appeals?mine=true", nil)
	k.ok(mira, "GET", "/appeals/"+appeal["id"].(string), nil)
	other := k.w.Person("Max Moderator", hub.RoleModerator)
	k.ok(other, "POST", "/appeals/"+appeal["id"].(string)+"/decision", fields{"grant": false, "answer": "It stays hidden."})
	k.ok(mo, "POST", "/decisions/"+id+"/reverse", fields{"text": "Seen again."})

	advisory := k.ok(mo, "POST", "/advisories", fields{"action": "warn", "title": "Careful", "plugin": "acme/backup", "range": "=1.0.0"})
	k.ok(nil, "GET", "/advisories/"+advisory["id"].(string), nil)
	k.ok(mo, "POST", "/advisories/"+advisory["id"].(string)+"/rescind", fields{"why": "Fixed."})
}

func (k *walk) panelPart(mira *hubtest.Person) {
	t := k.t
	c, err := client.New(k.w.URL, client.Options{HTTPClient: k.http})
	require.NoError(t, err)
	key, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	link, err := c.StartLink(t.Context(), "web1", key)
	require.NoError(t, err)
	_, err = c.PollLink(t.Context(), link)
	var waiting *client.LinkError
	require.ErrorAs(t, err, &waiting)
	assert.Equal(t, "authorization_pending", waiting.Code)
	require.NoError(t, k.w.Hub.Identity.ApproveDevice(t.Context(), k.w.Actor(mira), link.UserCode))
	token, err := c.FinishLink(t.Context(), link)
	require.NoError(t, err)
	c = c.WithToken(token)
	panel, err := c.Panel(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "web1", panel.Name)
	k.ok(mira, "PUT", "/panels/"+panel.ID+"/telemetry", fields{"on": true})
	n, err := c.ReportInstalls(t.Context(), client.InstallReport{Day: hub.Day(time.Now()), PanelVersion: "3.0.0", Installed: []client.Installed{{Plugin: "acme/backup", Version: "1.0.0"}}})
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	_, err = c.Rate(t.Context(), "acme/backup", client.NewRating{Stars: 5})
	require.NoError(t, err)
	_, err = c.Recommend(t.Context(), []catalog.PluginID{"acme/backup"}, 3)
	require.NoError(t, err)
	k.ok(mira, "DELETE", "/panels/"+panel.ID, nil)
	_, err = c.Panel(t.Context())
	assert.ErrorIs(t, err, hub.ErrUnauthenticated, "its token ended with the link")
}

func (k *walk) hookPart(mira *hubtest.Person) {
	h := k.ok(mira, "POST", "/hooks", fields{"url": "https://hooks.example/souk", "kinds": []string{"release.published"}})
	id := h["id"].(string)
	assert.True(k.t, strings.HasPrefix(h["secret"].(string), "whsec_"))
	k.ok(mira, "GET", "/hooks", nil)
	k.ok(mira, "GET", "/hooks/"+id, nil)
	k.ok(mira, "PATCH", "/hooks/"+id, fields{"enabled": false})
	k.ok(mira, "PATCH", "/hooks/"+id, fields{"enabled": true})
	k.ok(mira, "POST", "/hooks/"+id+"/secret", nil)
	k.ok(mira, "GET", "/hooks/"+id+"/deliveries", nil)
	require.NoError(k.t, k.w.Hub.Store.Update(k.t.Context(), func(tx hub.Tx) error {
		return tx.Deliveries().Insert(k.t.Context(), &hub.Delivery{
			ID: "dlv_1", Hook: id, Event: "evt_1", Kind: hub.EventReleasePublished, Body: "{}", State: hub.DeliveryFailed, Created: time.Now(),
		})
	}))
	k.ok(mira, "POST", "/deliveries/dlv_1/redeliver", nil)
	k.ok(mira, "DELETE", "/hooks/"+id, nil)
}

func (k *walk) adminPart(ada *hubtest.Person) {
	at := k.ok(ada, "GET", "/policy", nil)
	k.ok(ada, "PUT", "/policy", at)
	k.ok(ada, "PUT", "/categories/storage", fields{"name": "Storage"})
	k.ok(ada, "DELETE", "/categories/storage", nil)
	k.ok(ada, "POST", "/reserved", fields{"name": "souk", "reason": "Is ours."})
	k.ok(ada, "POST", "/reserved/remove", fields{"name": "souk"})
	k.ok(ada, "GET", "/system", nil)
	k.ok(ada, "GET", "/audit?limit=5", nil)

	// The rest of a hand-over, whose first half needs a signature.
	list := k.ok(ada, "GET", "/transfers", nil)
	assert.Nil(k.t, list)
	k.transferPart()
}

func (k *walk) transferPart() {
	t := k.t
	from, to := k.w.Person("Fritz From"), k.w.Person("Tina To")
	p := k.w.Publisher(from, "ferry")
	s := k.ok(from, "POST", "/publishers/ferry/transfer-statement", fields{"to": to.Account})
	bundle := sign(t, p, s["statement"].(string))
	propose := fields{"statement": s["statement"], "bundle": bundle}
	one := k.ok(from, "POST", "/transfers", propose)
	k.ok(to, "POST", "/transfers/"+one["id"].(string)+"/accept", nil)
	k.ok(from, "POST", "/transfers/"+one["id"].(string)+"/cancel", fields{"reason": "Not yet."})
}

// TestFormsOfRFC8628: a client that knows nothing but the RFC.
func TestFormsOfRFC8628(t *testing.T) {
	k := newWalk(t, hubtest.Options{})
	post := func(path string, form url.Values, contentType string) (int, map[string]any) {
		resp, err := k.http.Post(k.w.URL+"/api/v1/device/"+path, contentType, strings.NewReader(form.Encode()))
		require.NoError(t, err)
		defer resp.Body.Close()
		assert.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
		var out map[string]any
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&out))
		return resp.StatusCode, out
	}
	const formType = "application/x-www-form-urlencoded"
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	status, out := post("code", url.Values{"client_name": {"web1"}, "public_key": {key}}, formType)
	require.Equal(t, 200, status)
	for _, field := range []string{"device_code", "user_code", "verification_uri", "expires_in", "interval"} {
		assert.NotEmpty(t, out[field], field)
	}
	status, _ = post("code", nil, "application/json")
	assert.Equal(t, 400, status)
	for grant, want := range map[string]string{"password": "unsupported_grant_type", "urn:ietf:params:oauth:grant-type:device_code": "invalid_grant"} {
		status, out = post("token", url.Values{"grant_type": {grant}, "device_code": {"nonsense"}}, formType)
		assert.Equal(t, 400, status)
		assert.Equal(t, want, out["error"])
	}
	for _, err := range k.seen.errs {
		assert.NoError(t, err)
	}
}
