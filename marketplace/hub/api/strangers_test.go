package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/hub/identity"
	"github.com/souk-dev/souk/marketplace/hub/insight"
	"github.com/souk-dev/souk/marketplace/hub/server"
	"github.com/souk-dev/souk/marketplace/hub/signin"
)

// victim owns one of everything that has an id.
type victim struct {
	ids    map[string]string // by the first part of the path
	bodies map[string]string // a valid body by operation
}

func newVictim(t *testing.T, w *hubtest.World) victim {
	t.Helper()
	ctx := t.Context()
	olga, rater, mo := w.Person("Olga Owner"), w.Person("Rae Rater"), w.Person("Mo Moderator", hub.RoleModerator)
	acme := w.Publisher(olga, "acme")
	w.Publish(acme, hubtest.Plugin{Manifest: hubtest.Manifest("acme/backup", "1.0.0")})
	sub := w.Submit(acme, hubtest.Plugin{Manifest: hubtest.Manifest("acme/backup", "1.1.0")})
	a := w.Actor(olga)
	_, token, err := w.Hub.Identity.CreateToken(ctx, a, identity.NewToken{Name: "x", Verbs: []hub.Verb{hub.VerbRead}})
	require.NoError(t, err)
	hook, err := w.Hub.Insight.CreateHook(ctx, a, insight.NewHook{URL: "https://hooks.example/x", Kinds: hub.EventKinds()[:1]})
	require.NoError(t, err)
	rule, err := w.Hub.Identity.AddTrusted(ctx, a, hub.Trusted{Publisher: "acme", Issuer: "https://ci.example", Repository: "acme/backup", Workflow: "release.yml"})
	require.NoError(t, err)
	proof, err := w.Hub.Publishing.AddProof(ctx, a, "acme", hub.ProofDNS, "acme.example")
	require.NoError(t, err)
	r := w.Actor(rater)
	_, err = w.Hub.Community.Rate(ctx, r, community.NewRating{Plugin: "acme/backup", Stars: 1, Text: "No."})
	require.NoError(t, err)
	report, err := w.Hub.Community.CreateReport(ctx, r, community.NewReport{Kind: hub.SubjectPlugin, Subject: "acme/backup", Reason: "spam", Text: "Is."})
	require.NoError(t, err)
	decision, err := w.Hub.Community.Decide(ctx, w.Actor(mo), community.NewDecision{Kind: hub.DecisionHide, Subject: hub.SubjectRating, About: "acme/backup#" + rater.Account, Text: "No."})
	require.NoError(t, err)
	appeal, err := w.Hub.Community.Appeal(ctx, r, community.NewAppeal{Decision: decision.ID, Text: "Yes."})
	require.NoError(t, err)
	sessions, err := w.Hub.Identity.Sessions(ctx, a, "")
	require.NoError(t, err)
	statement, err := w.Hub.Publishing.TransferStatement(ctx, a, "acme", rater.Account)
	require.NoError(t, err)
	transfer, err := w.Hub.Publishing.ProposeTransfer(ctx, a, statement, sign(t, acme, statement))
	require.NoError(t, err)
	require.NoError(t, w.Hub.Store.Update(ctx, func(tx hub.Tx) error {
		if err := tx.Panels().Insert(ctx, &hub.Panel{ID: "pnl_olga", Account: olga.Account, Token: "tok_x", Name: "web1", Linked: time.Now()}); err != nil {
			return err
		}
		return tx.Deliveries().Insert(ctx, &hub.Delivery{ID: "dlv_olga", Hook: hook.ID, Event: "evt_1", Kind: hub.EventReleasePublished, Body: "{}", State: hub.DeliveryFailed, Created: time.Now()})
	}))
	reason := `{"reason":"Because."}`
	return victim{
		ids: map[string]string{
			"submissions": sub.ID, "tokens": token.ID, "hooks": hook.ID, "trusted": rule.ID, "proofs": proof.ID, "reports": report.ID,
			"decisions": decision.ID, "appeals": appeal.ID, "sessions": sessions[0].ID, "transfers": transfer.ID, "panels": "pnl_olga",
			"deliveries": "dlv_olga", "accounts": olga.Account, "members": rater.Account, "ratings": rater.Account, "advisories": "adv_nothing",
		},
		bodies: map[string]string{
			"editPublisher": `{"name":"Mine now"}`, "setMember": `{"role":"owner"}`, "addSigner": `{"issuer":"https://id.example","subject":"me"}`,
			"limitSigner": `{"id":"x"}`, "revokeSigner": `{"id":"x","reason":"Because."}`, "addProof": `{"kind":"dns","subject":"evil.example"}`,
			"addTrusted": `{"issuer":"https://ci.example","repository":"evil/x","workflow":"x.yml"}`, "getTransferStatement": `{"to":"acc_x"}`,
			"proposeTransfer": `{"statement":` + quote(statement) + `,"bundle":"{}"}`, "cancelTransfer": reason,
			"createSubmission": `{"plugin":"acme/backup","version":"6.6.6","notes":{}}`, "reviseSubmission": `{"percent":1}`,
			"submit": `{"digest":"` + sub.Digest + `"}`, "withdrawSubmission": reason, "comment": `{"text":"Hello."}`,
			"decideSubmission": `{"round":1,"digest":"` + sub.Digest + `","verdict":"approve","text":"Fine."}`, "takeToReview": reason,
			"setRollout": `{"percent":1}`, "yank": reason, "deprecate": `{"text":"Bye."}`, "feature": `{"featured":true}`,
			"answerRating": `{"text":"Thanks."}`, "decide": `{"kind":"hide","subject":"plugin","about":"acme/backup","text":"No."}`,
			"reverseDecision": `{"text":"No."}`, "decideAppeal": `{"grant":true,"answer":"Yes."}`, "createAppeal": `{"decision":"` + decision.ID + `","text":"Mine."}`,
			"issueAdvisory": `{"action":"disable","title":"Bad","plugin":"acme/backup"}`, "rescindAdvisory": `{"why":"Fixed."}`,
			"updateHook": `{"enabled":false}`, "setTelemetry": `{"on":true}`, "setRoles": `{"roles":["admin"]}`, "suspendAccount": reason,
			"setCategory": `{"name":"Mine"}`, "reserve": `{"name":"mine","reason":"Mine."}`, "unreserve": `{"name":"mine"}`,
			"reportInstalls": `{"day":1,"panelVersion":"","installed":[]}`,
		},
	}
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// path fills an operation's path with what is the victim's.
func (v victim) path(op *operation) string {
	parts := slices.Clone(op.parts[3:])
	for i, p := range parts {
		switch p {
		case "{publisher}":
			parts[i] = "acme"
		case "{name}":
			parts[i] = "backup"
		case "{version}":
			parts[i] = "1.0.0"
		case "{slug}":
			parts[i] = "storage"
		case "{id}", "{author}":
			parts[i] = v.ids[parts[i-1]]
		}
	}
	return "/" + strings.Join(parts, "/")
}

// everybodys are operations that anybody with an account can do, because they are about
// themselves or about what is everybody's.
var everybodys = []string{
	"getAccount", "editAccount", "exportAccount", "deleteAccount", "listSessions", "listPasskeys", "listTokens", "createToken", "listPanels",
	"listNotices", "markRead", "createPublisher", "listMyPublishers", "listTransfers", "listSubmissions", "rate", "getMyRating", "deleteMyRating",
	"voteHelpful", "unvoteHelpful", "createReport", "listMyReports", "listHooks", "createHook", "listAppeals",
}

// TestStrangers asks for everything that is somebody else's, as everybody who must not
// have it: nobody is told more than that it is not there or not for them, and nothing
// changes. The control is TestEveryOperation, where the same requests work for those who may.
func TestStrangers(t *testing.T) {
	k := newWalk(t, hubtest.Options{Server: server.Options{
		CI: []signin.Issuer{{URL: "https://ci.example", Audience: "https://hub.example.org", Kind: signin.GitHub}},
	}})
	v := newVictim(t, k.w)
	mira, sam := k.w.Person("Mira Meier"), k.w.Person("Sam Suspended")
	rival := k.w.Person("Rita Rival")
	k.w.Publisher(rival, "rival") // an owner, of another publisher
	require.NoError(t, k.w.Hub.Identity.Suspend(t.Context(), k.w.Actor(k.w.Person("Max Moderator", hub.RoleModerator)), sam.Account, "Spam."))
	*sam = *k.w.Person("Sam Suspended")
	_, policy, _ := k.send(nil, "GET", "/policy", "")
	v.bodies["setPolicy"] = string(policy)
	before := k.audit()
	for _, id := range sorted(k.d.ops) {
		op := k.d.ops[id]
		if op.public {
			continue
		}
		path := v.path(op)
		require.NotContains(t, path, "//", "%s: the victim has no %s", id, path)
		status, b, header := k.send(nil, op.method, path, v.bodies[id])
		assert.Equal(t, http.StatusUnauthorized, status, "%s by nobody: %s", id, b)
		assert.NotEmpty(t, header.Get("WWW-Authenticate"), id)
		if slices.Contains(everybodys, id) {
			continue
		}
		for name, who := range map[string]*hubtest.Person{"a user": mira, "another publisher": rival, "a suspended user": sam} {
			status, b, _ = k.send(who, op.method, path, v.bodies[id])
			assert.Contains(t, []int{http.StatusForbidden, http.StatusNotFound}, status, "%s %s by %s: %s", id, path, name, b)
		}
	}
	assert.Equal(t, before, k.audit(), "nothing was done")
	for _, err := range k.seen.errs {
		assert.NoError(t, err)
	}
}

// audit counts the lines of the audit log that say something was done.
func (k *walk) audit() int64 {
	var n int64
	require.NoError(k.t, k.w.Hub.Store.View(k.t.Context(), func(tx hub.Tx) error {
		var err error
		n, err = tx.Audit().Count(k.t.Context(), hub.Ne("action", "account.sign_in"))
		return err
	}))
	return n
}

func sorted(ops map[string]*operation) []string {
	var ids []string
	for id := range ops {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// TestTokensDoOnlyWhatTheyAreFor: a token of an owner with one verb, and one that is bound
// to a plugin.
func TestTokensDoOnlyWhatTheyAreFor(t *testing.T) {
	k := newWalk(t, hubtest.Options{})
	olga := k.w.Person("Olga Owner")
	acme := k.w.Publisher(olga, "acme")
	k.w.Publish(acme, hubtest.Plugin{Manifest: hubtest.Manifest("acme/backup", "1.0.0")})
	k.w.Publish(acme, hubtest.Plugin{Manifest: hubtest.Manifest("acme/other", "1.0.0")})
	token := func(n identity.NewToken) []string {
		n.Name = "t"
		raw, _, err := k.w.Hub.Identity.CreateToken(t.Context(), k.w.Actor(olga), n)
		require.NoError(t, err)
		return []string{"Authorization", "Bearer " + raw}
	}
	read := token(identity.NewToken{Verbs: []hub.Verb{hub.VerbRead}})
	release := token(identity.NewToken{Verbs: []hub.Verb{hub.VerbRelease}, Publisher: "acme", Plugin: "acme/backup"})
	rollout := func(plugin string) string { return "/plugins/" + plugin + "/releases/1.0.0/rollout" }
	for name, c := range map[string]struct {
		method, path, body string
		token              []string
		status             int
	}{
		"reading":                {"GET", "/account", "", read, 200},
		"reading with release":   {"GET", "/account", "", release, 403},
		"rollout with read":      {"PUT", rollout("acme/backup"), `{"percent":5}`, read, 403},
		"rollout":                {"PUT", rollout("acme/backup"), `{"percent":5}`, release, 200},
		"rollout of another":     {"PUT", rollout("acme/other"), `{"percent":5}`, release, 403},
		"a token makes no token": {"POST", "/tokens", `{"name":"x","verbs":["read"]}`, token(identity.NewToken{Verbs: []hub.Verb{hub.VerbAdmin}}), 403},
		"no token":               {"GET", "/account", "", []string{"Authorization", "Bearer souk_a" + strings.Repeat("x", 36)}, 401},
	} {
		status, b, _ := k.send(nil, c.method, c.path, c.body, c.token...)
		assert.Equal(t, c.status, status, "%s: %s", name, b)
		assert.NotContains(t, string(b), strings.TrimPrefix(c.token[1], "Bearer "), name)
	}
}

// TestHeld: what the conventions of the package documentation promise.
func TestHeld(t *testing.T) {
	k := newWalk(t, hubtest.Options{})
	mira := k.w.Person("Mira Meier")

	t.Run("a POST with an idempotency key is done once", func(t *testing.T) {
		key := []string{"Idempotency-Key", "k-1"}
		body := `{"namespace":"once","name":"Once"}`
		status, first, _ := k.send(mira, "POST", "/publishers", body, key...)
		require.Equal(t, 201, status, "%s", first)
		status, second, header := k.send(mira, "POST", "/publishers", body, key...)
		assert.Equal(t, 201, status)
		assert.Equal(t, string(first), string(second))
		assert.Equal(t, "true", header.Get("Idempotency-Replayed"))
		status, b, _ := k.send(mira, "POST", "/publishers", `{"namespace":"other","name":"Other"}`, key...)
		assert.Equal(t, 422, status, "the key belongs to another request: %s", b)
		status, _, _ = k.send(mira, "POST", "/publishers", body)
		assert.Equal(t, 409, status, "without a key it is a second request")
		status, _, _ = k.send(k.w.Person("Noor Novak"), "POST", "/publishers", body, key...)
		assert.Equal(t, 409, status, "somebody else's key is another key")
	})
	t.Run("an answer with a secret is not kept", func(t *testing.T) {
		key := []string{"Idempotency-Key", "k-2"}
		body := `{"name":"x","verbs":["read"]}`
		status, b, header := k.send(mira, "POST", "/tokens", body, key...)
		require.Equal(t, 201, status, "%s", b)
		assert.Equal(t, "no-store", header.Get("Cache-Control"))
		status, b, _ = k.send(mira, "POST", "/tokens", body, key...)
		assert.Equal(t, 204, status)
		assert.Empty(t, b)
		_, list, _ := k.send(mira, "GET", "/tokens", "")
		assert.Equal(t, 1, strings.Count(string(list), `"id"`), "one token was made")
	})
	t.Run("a token for less learns no answers of one for more", func(t *testing.T) {
		raw, _, err := k.w.Hub.Identity.CreateToken(t.Context(), k.w.Actor(mira), identity.NewToken{Name: "x", Verbs: []hub.Verb{hub.VerbRead}})
		require.NoError(t, err)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, k.w.URL+"/api/v1/publishers", strings.NewReader(`{"namespace":"once","name":"Once"}`))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", "k-1")
		r.Header.Set("Authorization", "Bearer "+raw)
		res, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		assert.Equal(t, 403, res.StatusCode)
		assert.Empty(t, res.Header.Get("Idempotency-Replayed"))
	})
	t.Run("GET has an ETag", func(t *testing.T) {
		status, b, header := k.send(nil, "GET", "/policy", "")
		require.Equal(t, 200, status)
		require.NotEmpty(t, b)
		status, b, _ = k.send(nil, "GET", "/policy", "", "If-None-Match", header.Get("ETag"))
		assert.Equal(t, 304, status)
		assert.Empty(t, b)
		_, _, header = k.send(mira, "GET", "/account", "")
		assert.Contains(t, header.Get("Cache-Control"), "private")
		assert.Contains(t, header.Get("Vary"), "Cookie")
	})
	t.Run("every answer names its request and its limits", func(t *testing.T) {
		_, _, header := k.send(nil, "GET", "/policy", "")
		for _, h := range []string{"X-Request-Id", "RateLimit", "RateLimit-Policy", "X-Content-Type-Options", "Referrer-Policy"} {
			assert.NotEmpty(t, header.Get(h), h)
		}
	})
	t.Run("lists go on behind a cursor", func(t *testing.T) {
		for i := range 3 {
			k.ok(mira, "POST", "/publishers", fields{"namespace": fmt.Sprintf("pub%c", 'a'+i), "name": "P"})
		}
		seen, cursor := map[string]bool{}, ""
		for range 10 {
			page := k.ok(nil, "GET", "/publishers?limit=2&cursor="+cursor, nil)
			for _, p := range page["items"].([]any) {
				name := p.(map[string]any)["namespace"].(string)
				assert.False(t, seen[name], "%s came twice", name)
				seen[name] = true
			}
			cursor, _ = page["next"].(string)
			if cursor == "" {
				break
			}
		}
		assert.Len(t, seen, 4)
		status, _, _ := k.send(nil, "GET", "/publishers?cursor=nonsense", "")
		assert.Equal(t, 422, status)
	})
	t.Run("a stale revision changes nothing", func(t *testing.T) {
		status, b, _ := k.send(mira, "PUT", "/publishers/once", `{"rev":99,"name":"New"}`)
		assert.Equal(t, 412, status, "%s", b)
	})
	t.Run("bad requests are problems that name the place", func(t *testing.T) {
		for body, place := range map[string]string{
			`{"namespace":"x1","name":"X","colour":"red"}`: "body", `{"namespace":5,"name":"X"}`: "body.namespace", `{`: "", `[]`: "",
		} {
			status, b, header := k.send(mira, "POST", "/publishers", body)
			assert.Contains(t, []int{400, 422}, status, body)
			assert.Equal(t, "application/problem+json", header.Get("Content-Type"))
			assert.Contains(t, string(b), place)
			assert.Contains(t, string(b), "urn:souk:request:")
		}
		status, _, _ := k.send(mira, "POST", "/publishers", `{"name":"`+strings.Repeat("x", 300<<10)+`"}`)
		assert.Contains(t, []int{413, 422}, status, "too much")
		status, _, header := k.send(nil, "PATCH", "/policy", "")
		assert.Equal(t, 405, status)
		assert.NotEmpty(t, header.Get("Allow"))
		status, _, _ = k.send(nil, "GET", "/policy?colour=red", "")
		assert.Equal(t, 422, status)
	})
	t.Run("another site's page does nothing", func(t *testing.T) {
		status, _, _ := k.send(mira, "POST", "/publishers", `{"namespace":"evil","name":"Evil"}`, "Sec-Fetch-Site", "cross-site")
		assert.Equal(t, 403, status)
		status, _, _ = k.send(nil, "GET", "/publishers/evil", "")
		assert.Equal(t, 404, status)
	})
}
