package store_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/markettest"
	"github.com/souk-dev/souk/marketplace/store/storetest"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/update"
)

// published returns a release with dependencies on acme/lib and with permissions.
func published(id catalog.PluginID, version, lib string, asks ...catalog.PermissionRequest) markettest.Plugin {
	m := markettest.Manifest(id, version)
	if lib != "" {
		m.Dependencies = []catalog.Dependency{{ID: "acme/lib", Range: lib}}
	}
	m.Permissions = asks
	return markettest.Plugin{Manifest: m}
}

// busyPanel is a panel with six plugins of which five have an update: two share a
// dependency, one asks for more, one for what is forbidden, and one is held.
func busyPanel(t *testing.T) *room {
	r := newRoom(t, sandbox.Policy{Deny: sandbox.MustSet("exec:/")},
		published("acme/lib", "1.0.0", ""), published("acme/one", "1.0.0", "^1"), published("acme/two", "1.0.0", "^1"),
		published("acme/wider", "1.0.0", ""), published("acme/bad", "1.0.0", ""), published("acme/kept", "1.0.0", ""))
	r.Install("acme/one", "acme/two", "acme/wider", "acme/bad", "acme/kept")
	r.Publish(published("acme/lib", "1.1.0", ""), published("acme/one", "1.1.0", "^1.1"), published("acme/two", "1.1.0", "^1.1"),
		published("acme/wider", "1.1.0", "", storetest.Ask(sandbox.KindNetOut, "api.example.com:443", "To ask for the weather.", false)),
		published("acme/bad", "1.1.0", "", storetest.Ask(sandbox.KindExec, "/bin/sh", "To run it.", false)), published("acme/kept", "1.1.0", ""))
	require.NoError(t, r.Market.Hold(t.Context(), "acme/kept", update.Hold{By: "bob", Why: "fair week"}))
	return r
}

// TestUpdateAll: one plan says the order, what is shared, what is left out and why and what
// is restarted; each new permission is agreed to by itself; it is one operation, and going
// back from it is one as well.
func TestUpdateAll(t *testing.T) {
	t.Parallel()
	r := busyPanel(t)
	w := post(r.handler, "/plugins/plans", url.Values{"do": {"update-all"}})
	require.Equal(t, http.StatusSeeOther, w.Code, w.Body)
	where := w.Header().Get("Location")
	page := get(r.handler, where).Body.String()
	wellFormed(t, page)
	for _, s := range []string{
		"Update all plugins", "4 changes, as one", "These ask for more than before", "New in 1.1.0", "To ask for the weather.", "Leave it out: acme/wider",
		"Not updated: 2 plugins", "Held by bob: fair week", "Forbidden on this panel", "Stopped and started again:", "Needed by", "acme/one, acme/two", "1.0.0",
	} {
		assert.Contains(t, page, s)
	}
	assert.Less(t, strings.Index(page, "<strong>acme/lib</strong>"), strings.Index(page, "<strong>acme/one</strong>"), "dependencies first")
	assert.Equal(t, http.StatusUnprocessableEntity, post(r.handler, where+"/apply", nil).Code, "nothing is agreed to beforehand")
	assert.Contains(t, post(r.handler, where+"/apply", nil).Body.String(), "Update all plugins", "and the plan stays")

	button := regexp.MustCompile(`<input type="checkbox" name="consent" value="([^"]+)"`).FindStringSubmatch(page)
	require.Len(t, button, 2)
	op := post(r.handler, where+"/apply", url.Values{"do": {"update-all"}, "consent": {button[1]}})
	require.Equal(t, http.StatusSeeOther, op.Code, op.Body)
	id := strings.TrimPrefix(op.Header().Get("Location"), "/plugins/operations/")
	done := r.Wait(id)
	assert.Equal(t, install.StateDone, done.State)
	assert.Equal(t, []string{"acme/bad@1.0.0", "acme/kept@1.0.0", "acme/lib@1.1.0", "acme/one@1.1.0", "acme/two@1.1.0", "acme/wider@1.1.0"}, r.Versions())
	var json1 struct {
		Items []struct{ Plugin, From, To, Status string }
	}
	require.NoError(t, json.Unmarshal(get(r.handler, "/plugins/api/v1/operations/"+id).Body.Bytes(), &json1))
	require.Len(t, json1.Items, 4)
	for _, i := range json1.Items {
		assert.Equal(t, "done", i.Status)
		assert.Equal(t, "1.0.0", i.From)
	}
	points, err := r.Market.Generations()
	require.NoError(t, err)
	back := r.apply(post(r.handler, "/plugins/plans", url.Values{"do": {"rollback"}, "generation": {strconv.FormatUint(points[1].N, 10)}}))
	assert.Equal(t, install.StateDone, r.Wait(back).State)
	assert.Contains(t, r.Versions(), "acme/one@1.0.0")
	assert.Contains(t, r.Versions(), "acme/lib@1.0.0", "all of it by one way back")
}

// TestUpdateAllFailsAsOne: when one of the plugins does not start, none is updated, the
// operation says which, and trying again plans again.
func TestUpdateAllFailsAsOne(t *testing.T) {
	t.Parallel()
	r := busyPanel(t)
	w := post(r.handler, "/plugins/plans", url.Values{"do": {"update-all"}, "without": {"acme/wider"}})
	require.Equal(t, http.StatusSeeOther, w.Code)
	page := get(r.handler, w.Header().Get("Location")).Body.String()
	assert.Contains(t, page, "You left it out.")
	assert.Contains(t, page, "Take everything in again")
	assert.NotContains(t, page, `name="consent"`)
	r.refuse.Store(true)
	id := r.apply(w)
	assert.Equal(t, install.StateFailed, r.Wait(id).State)
	r.refuse.Store(false)
	for _, v := range r.Versions() {
		assert.Contains(t, v, "@1.0.0")
	}
	page = get(r.handler, "/plugins/operations/"+id).Body.String()
	wellFormed(t, page)
	for _, s := range []string{"souk-item-failed", "As it was before", "address already in use", ">Try again", "/operations/" + id + "/retry"} {
		assert.Contains(t, page, s)
	}
	again := post(r.handler, "/plugins/operations/"+id+"/retry", nil)
	require.Equal(t, http.StatusSeeOther, again.Code)
	assert.Equal(t, install.StateDone, r.Wait(r.apply(again)).State)
	assert.Equal(t, http.StatusBadRequest, post(r.handler, "/plugins/operations/"+r.Market.Operations()[0].ID+"/retry", nil).Code, "what succeeded is not tried again")
}

func TestUpdateAllByJSON(t *testing.T) {
	t.Parallel()
	r := busyPanel(t)
	w := do(r.handler, http.MethodPost, "/plugins/api/v1/plans", `{"updateAll":true,"without":["acme/one"]}`, "Content-Type", asJSON)
	require.Equal(t, http.StatusCreated, w.Code, w.Body)
	var plan struct {
		ID       string
		Restarts []string
		Skipped  []struct{ Plugin, Version, Why string }
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &plan))
	assert.ElementsMatch(t, []string{"acme/lib", "acme/two", "acme/wider"}, plan.Restarts)
	require.Len(t, plan.Skipped, 3)
	for i, want := range []string{"acme/bad", "acme/kept", "acme/one"} {
		assert.Equal(t, want, plan.Skipped[i].Plugin)
		assert.NotEmpty(t, plan.Skipped[i].Why)
	}
	for _, bad := range []string{`{"update":["acme/one"],"without":["acme/two"]}`, `{"updateAll":true,"without":["../x"]}`} {
		assert.GreaterOrEqual(t, do(r.handler, http.MethodPost, "/plugins/api/v1/plans", bad, "Content-Type", asJSON).Code, 400, bad)
	}
	look := shop(t, newMarket(), viewer)
	assert.Equal(t, http.StatusForbidden, do(look, http.MethodPost, "/plugins/api/v1/plans", `{"updateAll":true}`, "Content-Type", asJSON).Code)
	assert.Equal(t, http.StatusForbidden, do(look, http.MethodPost, "/plugins/api/v1/operations/t3/retry", "").Code)
}

// TestThePlanThatWasReadIsTheOneThatIsApplied: a plan is named by what is in it, so that
// what somebody agreed to for one plan is worth nothing for another.
func TestThePlanThatWasReadIsTheOneThatIsApplied(t *testing.T) {
	t.Parallel()
	r := busyPanel(t)
	first := post(r.handler, "/plugins/plans", url.Values{"do": {"update"}, "plugin": {"acme/wider"}}).Header().Get("Location")
	r.Publish(published("acme/wider", "1.2.0", "", storetest.Ask(sandbox.KindNetOut, "evil.example.com:443", "To.", false)))
	second := post(r.handler, "/plugins/plans", url.Values{"do": {"update"}, "plugin": {"acme/wider"}}).Header().Get("Location")
	require.NotEqual(t, first, second, "another release is another plan")
	old := url.Values{"consent": {"acme/wider permission net.out:api.example.com:443"}}
	assert.Equal(t, http.StatusBadRequest, post(r.handler, second+"/apply", old).Code, "the old agreement is not one to the new plan")
	assert.Equal(t, http.StatusNotFound, post(r.handler, "/plugins/plans/"+strings.Repeat("0", 32)+"/apply", old).Code)
	w := post(r.handler, first+"/apply", old) // the control: what was read is what is done
	require.Equal(t, http.StatusSeeOther, w.Code, w.Body)
	assert.Equal(t, install.StateDone, r.Wait(strings.TrimPrefix(w.Header().Get("Location"), "/plugins/operations/")).State)
	assert.Contains(t, r.Versions(), "acme/wider@1.1.0")
}
