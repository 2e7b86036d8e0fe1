package portal_test

import (
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
	"github.com/souk-dev/souk/marketplace/hub/server"
	"github.com/souk-dev/souk/marketplace/hub/signin"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/sigstore"
)

func (w *town) inside(namespace string, who *hubtest.Person) publishing.Inside {
	w.t.Helper()
	in, err := w.Hub.Publishing.Inside(w.t.Context(), w.Actor(who), namespace)
	require.NoError(w.t, err)
	return in
}

func TestPublisherSettings(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{})
	assert.Equal(t, "/publish/uma", w.posted(w.uma, "/publish", "namespace", "uma", "name", "Uma’s").To())
	assert.Contains(t, words(w.page(w.uma, "/publish/uma")), "Nobody may sign for it yet")
	assert.Equal(t, http.StatusConflict, w.post(w.uma, "/publish", "namespace", "acme", "name", "x").Status)
	assert.Equal(t, http.StatusUnprocessableEntity, w.post(w.uma, "/publish", "namespace", "Not a name", "name", "x").Status)

	at := "/publish/acme/settings"
	w.posted(w.olga, at, "rev", rev(t, w.page(w.olga, at)), "name", "Acme Labs", "homepage", "https://acme.example", "about", "We back up.\n\nSince 2019.", "contact", "olga@acme.example")
	assert.Equal(t, http.StatusPreconditionFailed, w.post(w.olga, at, "rev", "1", "name", "Stale").Status)
	public := w.page(nil, "/publishers/acme")
	for _, want := range []string{"Acme Labs", "https://acme.example", "Since 2019."} {
		assert.Contains(t, public, want)
	}
	assert.NotContains(t, public, "olga@acme.example", "moderators see it, nobody else")
	assert.Contains(t, w.page(w.olga, at), "olga@acme.example")

	at = "/publish/acme/members"
	w.posted(w.olga, at, "account", w.uma.Account, "role", "maintainer")
	assert.Contains(t, w.page(w.uma, at), "Uma User")
	w.posted(w.olga, at, "account", w.uma.Account, "role", "owner")
	assert.Equal(t, hub.MemberOwner, w.inside("acme", w.uma).Role)
	w.posted(w.olga, at+"/remove", "account", w.mona.Account)
	assert.Equal(t, http.StatusNotFound, w.get(w.mona, at).Status)
	assert.Equal(t, "/publish", w.posted(w.uma, at+"/remove", "account", w.uma.Account).To(), "whoever wants to may leave")
	assert.Equal(t, http.StatusConflict, w.post(w.olga, at+"/remove", "account", w.olga.Account).Status, "the last owner stays")
}

func TestSigners(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{})
	key, err := sigstore.GenerateKey()
	require.NoError(t, err)
	signer, err := sigstore.ParseKeySigner(key)
	require.NoError(t, err)
	at := "/publish/acme/signers"
	w.posted(w.olga, at, "key", signer.Identity().Key)
	w.posted(w.olga, at, "issuer", "https://id.example.org", "subject", "build@acme.example", "until", "2031-05-01")
	assert.Equal(t, http.StatusUnprocessableEntity, w.post(w.olga, at, "key", string(key)).Status, "a private key")
	assert.Equal(t, http.StatusUnprocessableEntity, w.post(w.olga, at, "issuer", "https://a.example", "subject", "x", "until", "soon").Status)
	page := w.page(w.olga, at)
	assert.Contains(t, page, "build@acme.example, vouched for by id.example.org")
	assert.Contains(t, page, "panels will refuse to install every release that this key alone has signed")
	assert.NotContains(t, w.page(w.mona, at), "/signers/revoke", "owners only")

	var added hub.Signer
	for _, s := range w.inside("acme", w.olga).Signers {
		if s.Key == signer.Identity().Key {
			added = s
		}
	}
	require.NotEmpty(t, added.ID)
	w.posted(w.olga, at+"/limit", "id", added.ID, "until", "2032-01-31")
	assert.Contains(t, w.page(w.olga, at), `value="2032-01-31"`)
	w.posted(w.olga, at+"/limit", "id", added.ID, "until", "")
	assert.NotContains(t, w.page(w.olga, at), "2032-01-31")
	assert.Equal(t, http.StatusUnprocessableEntity, w.post(w.olga, at+"/revoke", "id", added.ID, "reason", "Lost.").Status, "without a tick")
	w.posted(w.olga, at+"/revoke", "id", added.ID, "reason", "It was on a laptop that is gone.", "sure", "1")
	assert.Contains(t, w.page(nil, "/publishers/acme"), "It was on a laptop that is gone.")
}

func TestProofs(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{})
	at := "/publish/acme/proofs"
	w.posted(w.olga, at, "kind", "repository", "subject", "github.com/acme/backup")
	w.posted(w.olga, at, "kind", "well-known", "subject", "acme.invalid")
	assert.Equal(t, http.StatusUnprocessableEntity, w.post(w.olga, at, "kind", "dns", "subject", "no domain").Status)
	page := w.page(w.olga, at)
	var file hub.Proof
	for _, p := range w.inside("acme", w.olga).Proofs {
		if p.Kind == hub.ProofWellKnown {
			file = p
		}
	}
	assert.Contains(t, page, "https://acme.invalid/.well-known/souk-verify.txt")
	assert.Contains(t, page, "souk-verify="+file.Challenge)
	assert.NotContains(t, w.page(nil, "/publishers/acme"), file.Challenge)
	require.NoError(t, w.Hub.Publishing.ProveRepository(t.Context(), "acme", "github.com/acme/backup"))
	assert.Contains(t, words(w.page(nil, "/publishers/acme")), "github.com/acme/backup A build of this source repository")
	assert.Contains(t, words(w.page(w.olga, at+"?done=proved")), "The proof is being checked.")
	a := w.post(w.olga, at+"/check", "id", file.ID)
	assert.Contains(t, []int{http.StatusSeeOther, http.StatusTooManyRequests}, a.Status, "the first look may be just over, and one a minute is enough")
	assert.Equal(t, http.StatusNotFound, w.post(w.erin, "/publish/evil/proofs/remove", "id", file.ID).Status, "another publisher's")
	w.posted(w.olga, at+"/remove", "id", file.ID)
	assert.NotContains(t, w.page(w.olga, at), file.Challenge)
}

func TestTrustedBuilds(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{CI: []signin.Issuer{{URL: signin.GitHubIssuer, Kind: signin.GitHub, Audience: "https://hub.example.org"}}})
	at := "/publish/acme/trusted"
	form := []string{"issuer", signin.GitHubIssuer, "repository", "acme/backup", "workflow", "release.yml", "plugin", "backup", "ref", "refs/tags/v*"}
	w.posted(w.olga, at, form...)
	assert.Equal(t, http.StatusUnprocessableEntity, w.post(w.olga, at, "issuer", "https://evil.example", "repository", "a/b", "workflow", "x.yml").Status, "an issuer that nobody chose")
	assert.GreaterOrEqual(t, w.post(w.mona, at, form...).Status, 400, "owners only")
	rules := w.inside("acme", w.olga).Trusted
	require.Len(t, rules, 1)
	assert.Equal(t, "acme/backup", rules[0].Plugin)
	page := html.UnescapeString(w.page(w.olga, at))
	for _, want := range []string{"GitHub Actions", ".github/workflows/release.yml", "id-token: write", "souk submit . --hub " + w.URL, "acts for", "Olga Owner"} {
		assert.Contains(t, page, want)
	}
	for _, who := range []*hubtest.Person{w.erin, w.uma} {
		assert.Equal(t, http.StatusNotFound, w.post(who, at+"/remove", "id", rules[0].ID).Status)
	}
	assert.Equal(t, http.StatusNotFound, w.post(w.erin, "/publish/evil/trusted/remove", "id", rules[0].ID).Status)
	w.posted(w.olga, at+"/remove", "id", rules[0].ID)
	assert.Contains(t, words(w.page(w.olga, at)), "No build is trusted")
}

func TestHandOver(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{})
	at := "/publish/acme/transfer"
	a := w.post(w.olga, at+"/statement", "to", w.uma.Account)
	require.Equal(t, http.StatusOK, a.Status, words(a.Body))
	inOrder(t, at, a)
	statement := html.UnescapeString(regexp.MustCompile(`name="statement" value="([^"]+)"`).FindStringSubmatch(a.Body)[1])
	assert.Contains(t, words(a.Body), "To be handed over to Uma User")
	bundle, err := w.acme.Signer.Sign(t.Context(), verify.DigestOf([]byte(statement)))
	require.NoError(t, err)
	wrong, err := w.evil.Signer.Sign(t.Context(), verify.DigestOf([]byte(statement)))
	require.NoError(t, err)
	assert.Equal(t, http.StatusUnprocessableEntity, w.post(w.olga, at, "statement", statement, "bundle", string(wrong)).Status, "another's key")
	assert.GreaterOrEqual(t, w.post(w.mona, at, "statement", statement, "bundle", string(bundle)).Status, 400, "owners only")
	w.posted(w.olga, at, "statement", statement, "bundle", string(bundle))
	id := w.inside("acme", w.olga).Transfer.ID
	assert.Contains(t, words(w.page(w.olga, at)), "A hand-over is under way")
	assert.Contains(t, words(w.page(w.uma, "/publish")), "acme is to be handed over to you")
	assert.Equal(t, http.StatusNotFound, w.post(w.erin, "/transfers/accept", "id", id).Status)
	assert.Equal(t, http.StatusNotFound, w.post(w.erin, "/transfers/cancel", "id", id).Status)
	w.posted(w.uma, "/transfers/accept", "id", id)
	assert.Equal(t, hub.TransferAccepted, w.inside("acme", w.olga).Transfer.State)
	assert.Equal(t, at, w.posted(w.olga, "/transfers/cancel", "id", id, "reason", "A mistake.").To())
	assert.Nil(t, w.inside("acme", w.olga).Transfer)
}

func TestHooks(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{})
	a := w.post(w.olga, "/hooks", "publisher", "acme", "url", "https://hooks.example.org/souk", "kind", "release.published", "kind", "rating.added")
	require.Equal(t, http.StatusOK, a.Status, words(a.Body))
	inOrder(t, "/hooks", a)
	secret := regexp.MustCompile(`whsec_[0-9A-Za-z+/=]+`).FindString(html.UnescapeString(a.Body))
	_, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	require.NoError(t, err)
	list, err := w.Hub.Insight.Hooks(t.Context(), w.Actor(w.olga), "acme")
	require.NoError(t, err)
	require.Len(t, list, 1)
	at := "/hooks/" + list[0].ID
	assert.NotContains(t, html.UnescapeString(w.page(w.olga, at)), secret, "it is shown once")
	assert.Contains(t, w.page(w.olga, "/publish/acme/hooks"), "https://hooks.example.org/souk")
	assert.NotContains(t, w.page(w.mona, "/publish/acme/hooks"), "hooks.example.org", "owners only")

	w.posted(w.olga, at, "rev", rev(t, w.page(w.olga, at)), "url", "https://hooks.example.org/two", "kind", "release.yanked")
	one, err := w.Hub.Insight.Hook(t.Context(), w.Actor(w.olga), list[0].ID)
	require.NoError(t, err)
	assert.Equal(t, []hub.EventKind{hub.EventReleaseYanked}, one.Kinds)
	assert.False(t, one.Enabled, "the box was not ticked")
	assert.Contains(t, words(w.page(w.olga, at)), "It is switched off")
	assert.Equal(t, http.StatusPreconditionFailed, w.post(w.olga, at, "rev", "1", "url", "https://x.example", "kind", "release.yanked").Status)
	assert.Equal(t, http.StatusUnprocessableEntity, w.post(w.olga, at, "rev", fmt.Sprint(one.Rev), "url", "https://x.example").Status, "told of nothing")
	assert.Equal(t, http.StatusUnprocessableEntity, w.post(w.olga, at, "rev", fmt.Sprint(one.Rev), "url", "http://127.0.0.1/", "kind", "release.yanked").Status)
	for _, who := range []*hubtest.Person{w.mona, w.erin, w.uma} {
		for _, do := range []string{"", "/rotate", "/delete"} {
			assert.Equal(t, http.StatusNotFound, w.post(who, at+do, "rev", "0", "url", "https://evil.example", "kind", "release.yanked").Status, do)
		}
	}
	a = w.post(w.olga, at+"/rotate")
	require.Equal(t, http.StatusOK, a.Status)
	fresh := regexp.MustCompile(`whsec_[0-9A-Za-z+/=]+`).FindString(html.UnescapeString(a.Body))
	assert.NotEmpty(t, fresh)
	assert.NotEqual(t, secret, fresh)

	// A delivery that was given up is sent again.
	w.write(func(tx hub.Tx) error {
		h, err := tx.Hooks().Get(t.Context(), one.ID)
		if err != nil {
			return err
		}
		h.Enabled = true
		if err := tx.Hooks().Update(t.Context(), &h); err != nil {
			return err
		}
		d := hub.Delivery{ID: "dlv_1", Hook: one.ID, Event: "evt_1", Kind: hub.EventReleaseYanked, Body: "{}", State: hub.DeliveryFailed, Attempts: 8, Status: 500, Detail: "<b>oops</b>", Created: time.Now()}
		return tx.Deliveries().Insert(t.Context(), &d)
	})
	page := w.page(w.olga, at)
	assert.Contains(t, page, "&lt;b&gt;oops")
	assert.Contains(t, page, "Send again")
	assert.Equal(t, http.StatusNotFound, w.post(w.erin, at+"/redeliver", "delivery", "dlv_1").Status)
	w.posted(w.olga, at+"/redeliver", "delivery", "dlv_1")
	assert.Equal(t, "/publish/acme/hooks", w.posted(w.olga, at+"/delete").To())
	assert.Equal(t, http.StatusNotFound, w.get(w.olga, at).Status)

	own := "/hooks/" + w.hook("", w.uma)
	assert.Contains(t, w.page(w.uma, "/account/hooks"), own)
	assert.Equal(t, http.StatusNotFound, w.get(w.olga, own).Status)
}

func TestReleases(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{})
	at := "/publish/acme/plugins/backup"
	is := func() hub.Release {
		r, err := w.Hub.Publishing.Release(t.Context(), "acme/backup", "1.0.0")
		require.NoError(t, err)
		return r
	}
	of := func(more ...string) []string {
		return append([]string{"version", "1.0.0", "rev", fmt.Sprint(is().Rev)}, more...)
	}
	stale := of("percent", "5", "paused", "0")
	w.posted(w.mona, at+"/rollout", of("percent", "10", "paused", "0")...)
	assert.Equal(t, 10, is().Percent)
	assert.Equal(t, http.StatusPreconditionFailed, w.post(w.mona, at+"/rollout", stale...).Status)
	assert.Contains(t, words(w.page(w.olga, at)), "Offered as an update to 10 of a hundred panels.")
	w.posted(w.mona, at+"/rollout", of("percent", "10", "paused", "1")...)
	assert.True(t, is().Paused)
	assert.Contains(t, words(w.page(w.olga, at)), "Resume")
	w.posted(w.mona, at+"/rollout", of("percent", "100", "paused", "0")...)
	assert.Equal(t, http.StatusUnprocessableEntity, w.post(w.mona, at+"/rollout", of("percent", "101", "paused", "0")...).Status)
	assert.Equal(t, http.StatusUnprocessableEntity, w.post(w.mona, at+"/rollout", of("percent", "many", "paused", "0")...).Status)

	w.posted(w.mona, at+"/yank", of("reason", "It loses data.")...)
	assert.Equal(t, catalog.Yanked, is().State)
	assert.Contains(t, w.page(nil, "/plugins/acme/backup/releases"), "It loses data.")
	w.posted(w.mona, at+"/unyank", of()...)
	assert.Equal(t, catalog.Active, is().State)
	w.posted(w.mona, at+"/deprecate", "text", "Use acme/vault instead.")
	assert.Contains(t, w.page(nil, "/plugins/acme/backup"), "Use acme/vault instead.")
	w.posted(w.mona, at+"/deprecate", "text", "")
	assert.NotContains(t, w.page(nil, "/plugins/acme/backup"), "No longer maintained")

	for _, who := range []*hubtest.Person{w.erin, w.uma} {
		for _, do := range []string{"/rollout", "/yank", "/unyank", "/deprecate"} {
			a := w.post(who, at+do, of("percent", "1", "reason", "x", "text", "x")...)
			assert.Contains(t, []int{http.StatusForbidden, http.StatusNotFound}, a.Status, do)
		}
	}
	assert.Equal(t, 100, is().Percent)
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{})
	at := "/publish/acme/plugins/backup/numbers"
	assert.Contains(t, words(w.page(w.olga, at)), "Nothing in this time.")
	today := hub.Day(time.Now())
	_, err := w.Hub.Store.Tally(t.Context(), []hub.Tally{
		{Day: today, Kind: hub.TallyDownload, Plugin: "acme/backup", Version: "1.0.0", N: 1234},
		{Day: today - 1, Kind: hub.TallyDownload, Plugin: "acme/backup", Version: "1.0.0", N: 56},
		{Day: today, Kind: hub.TallyActive, Plugin: "acme/backup", Version: "1.0.0", Detail: `3.0"><script>alert(1)</script>`, N: 40},
		{Day: today, Kind: hub.TallyRollback, Plugin: "acme/backup", Version: "1.0.0", N: 2},
	})
	require.NoError(t, err)
	page := w.page(w.olga, at)
	for _, want := range []string{"1,290", "<polyline", "100 %", "Rollbacks and failed health checks", "<th scope=\"row\">" + time.Now().UTC().Format(time.DateOnly)} {
		assert.Contains(t, page, want)
	}
	assert.NotContains(t, page, "<script>alert")
	csv := html.UnescapeString(regexp.MustCompile(`href="(/api/v1/plugins/acme/backup/numbers.csv[^"]*)"`).FindStringSubmatch(page)[1])
	a := w.get(w.olga, csv)
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	assert.Contains(t, a.Body, "1234")
	assert.GreaterOrEqual(t, w.get(w.erin, csv).Status, 400)
	assert.Contains(t, w.page(w.olga, "/publish/acme"), "1,290")
	assert.Contains(t, w.page(nil, "/plugins/acme/backup"), "1,290")
}
