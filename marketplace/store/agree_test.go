package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/install/installtest"
	"github.com/souk-dev/souk/marketplace/markettest"
	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/sandbox"
)

// room is a real market, a host that does as it is told, and the pages.
type room struct {
	*markettest.World
	t       *testing.T
	refuse  atomic.Bool // to start anything
	stuck   atomic.Bool // in starting, until it is false again
	ill     atomic.Value
	later   atomic.Int64
	handler http.Handler
}

// mood is what every plugin says of its health.
type mood struct{ err error }

func newRoom(t *testing.T, policy sandbox.Policy, plugins ...markettest.Plugin) *room {
	r := &room{t: t}
	r.ill.Store(mood{})
	host := &installtest.Host{
		OnActivate: func(ctx context.Context, _ install.Installed) error {
			for r.stuck.Load() && ctx.Err() == nil {
				time.Sleep(time.Millisecond)
			}
			if r.refuse.Load() {
				return errors.New("address already in use")
			}
			return nil
		},
		OnHealth: func(context.Context, install.Installed) error { return r.ill.Load().(mood).err },
	}
	r.World = markettest.New(t, markettest.Options{Host: host, Policy: policy}, plugins...)
	r.open()
	return r
}

func (r *room) open() {
	h, err := store.New(r.Market, store.Options{
		Actor: func(*http.Request) (store.Actor, error) { return admin, nil },
		Now:   func() time.Time { return time.Now().Add(time.Duration(r.later.Load())) },
	})
	require.NoError(r.t, err)
	r.handler = h
}

// restart is a panel that stops and starts again.
func (r *room) restart() {
	r.t.Helper()
	require.NoError(r.t, r.Market.Close())
	r.Open()
	r.open()
}

// agree asks two clients, by card, page and JSON, and holds all of them to one state.
func (r *room) agree(id, state string, words ...string) {
	r.t.Helper()
	for tab := range 2 {
		r.later.Add(int64(time.Minute)) // what was said about health is too old
		var one struct{ State string }
		require.NoError(r.t, json.Unmarshal(get(r.handler, "/plugins/api/v1/plugins/"+id).Body.Bytes(), &one))
		assert.Equal(r.t, state, one.State, "tab %d", tab)
		for _, page := range []string{"?q=backup", "p/" + id} {
			body := get(r.handler, "/plugins/"+page).Body.String()
			wellFormed(r.t, body)
			for _, s := range words {
				assert.Contains(r.t, body, s, "%s in tab %d", page, tab)
			}
		}
	}
}

// apply confirms the plan that an answer leads to, and returns the operation.
func (r *room) apply(answer interface{ Header() http.Header }) string {
	r.t.Helper()
	at := answer.Header().Get("Location")
	require.Contains(r.t, at, "/plans/")
	w := post(r.handler, at+"/apply", nil)
	require.Equal(r.t, http.StatusSeeOther, w.Code, w.Body)
	return strings.TrimPrefix(w.Header().Get("Location"), "/plugins/operations/")
}

func (r *room) plan(do string, id catalog.PluginID) interface{ Header() http.Header } {
	return post(r.handler, "/plugins/plans", url.Values{"do": {do}, "plugin": {string(id)}})
}

// TestTwoTabsAndARestartAgree walks a plugin through its states on a real market: two
// clients see the same at every moment, and so they do after the panel started again.
func TestTwoTabsAndARestartAgree(t *testing.T) {
	t.Parallel()
	r := newRoom(t, sandbox.Policy{}, markettest.Plugin{Manifest: markettest.Manifest("acme/backup", "1.0.0")})
	r.agree("acme/backup", "available", ">Install<")

	r.refuse.Store(true)
	failed := r.apply(r.plan("install", "acme/backup"))
	r.Wait(failed)
	r.agree("acme/backup", "failed", "The install of 1.0.0 did not work", ">Try again")
	r.restart()
	r.agree("acme/backup", "failed", "The install of 1.0.0 did not work", ">Try again")
	page := get(r.handler, "/plugins/operations/"+failed).Body.String()
	for _, s := range []string{"everything is as it was before", "address already in use", "/operations/" + failed + "/retry", "before the panel last restarted"} {
		assert.Contains(t, page, s)
	}
	wellFormed(t, page)

	r.refuse.Store(false)
	r.stuck.Store(true)
	again := r.apply(post(r.handler, "/plugins/operations/"+failed+"/retry", nil)) // plans again, from what the history knows
	require.Eventually(t, func() bool {
		op, err := r.Market.Operation(again)
		return err == nil && op.State == install.StateStarting
	}, 10*time.Second, time.Millisecond)
	r.agree("acme/backup", "starting", "Starting", "/operations/"+again)
	assert.Equal(t, http.StatusConflict, post(r.handler, "/plugins/operations/"+again+"/cancel", nil).Code, "too late")
	r.stuck.Store(false)
	assert.Equal(t, install.StateDone, r.Wait(again).State)
	r.agree("acme/backup", "installed", "Installed")

	r.ill.Store(mood{errors.New("exit status 3")})
	r.agree("acme/backup", "crashed", "Not healthy", "/p/acme/backup/health")
	assert.Contains(t, get(r.handler, "/plugins/p/acme/backup/health").Body.String(), "exit status 3")
	r.restart()
	r.agree("acme/backup", "crashed", "Not healthy")
	r.ill.Store(mood{fmt.Errorf("this panel loads plugins when it starts: %w", install.ErrNeedsRestart)})
	r.Publish(markettest.Plugin{Manifest: markettest.Manifest("acme/backup", "1.1.0")})
	op := r.Wait(r.apply(r.plan("update", "acme/backup")))
	assert.Equal(t, install.StateDone, op.State, "what needs a restart is kept")
	r.agree("acme/backup", "needs restart", "Needs a restart")
	r.ill.Store(mood{})
	r.restart()
	r.agree("acme/backup", "installed", "Installed")

	r.refuse.Store(true)
	r.Publish(markettest.Plugin{Manifest: markettest.Manifest("acme/backup", "1.2.0")})
	r.agree("acme/backup", "update", "Update to 1.2.0")
	op = r.Wait(r.apply(r.plan("update", "acme/backup")))
	assert.Equal(t, install.StateFailed, op.State)
	r.refuse.Store(false)
	r.agree("acme/backup", "failed", "The update to 1.2.0 was undone")
	r.restart()
	r.agree("acme/backup", "failed", "The update to 1.2.0 was undone")

	r.Advise(catalog.Advisory{ID: "ADV-7", Title: "It leaks", Plugin: "acme/backup", Range: "<1.2.0", FixedIn: "1.2.0", Action: catalog.ActionDisable, Issued: time.Now().Add(-time.Hour)})
	r.agree("acme/backup", "revoked", "Stopped by advisory ADV-7", "Update to 1.2.0")
	r.restart()
	r.agree("acme/backup", "revoked", "Stopped by advisory ADV-7", "Update to 1.2.0")
	assert.Equal(t, install.StateDone, r.Wait(r.apply(r.plan("update", "acme/backup"))).State)
	r.agree("acme/backup", "installed", "Installed")

	history := get(r.handler, "/plugins/history").Body.String()
	wellFormed(t, history)
	assert.Contains(t, history, "acme/backup 1.1.0 is blocked by advisory ADV-7: It leaks", "nobody goes back there")
	points, err := r.Market.Generations()
	require.NoError(t, err)
	require.Len(t, points, 3)
	for _, g := range points[1:] {
		w := post(r.handler, "/plugins/plans", url.Values{"do": {"rollback"}, "generation": {strconv.FormatUint(g.N, 10)}})
		assert.Equal(t, http.StatusUnprocessableEntity, w.Code, "and the market refuses it: %d", g.N)
	}
}

// TestGoingBackAllTheSame: the way to a blocked release is offered only to who may agree to
// high risks, and asks for it in so many words with the focus on Cancel.
func TestGoingBackAllTheSame(t *testing.T) {
	t.Parallel()
	r := newRoom(t, sandbox.Policy{}, markettest.Plugin{Manifest: markettest.Manifest("acme/backup", "1.0.0")})
	r.Install("acme/backup")
	r.Publish(markettest.Plugin{Manifest: markettest.Manifest("acme/backup", "1.1.0")})
	r.Update("acme/backup")
	r.Advise(catalog.Advisory{ID: "ADV-7", Title: "It leaks", Plugin: "acme/backup", Range: "<1.1.0", FixedIn: "1.1.0", Action: catalog.ActionBlock, Issued: time.Now().Add(-time.Hour)})
	page := get(r.handler, "/plugins/history").Body.String()
	wellFormed(t, page)
	for _, s := range []string{"Not safe to go back to:", "1.0.0 is blocked by advisory ADV-7: It leaks", "Go back all the same", `name="override"`} {
		assert.Contains(t, page, s)
	}
	careful, err := store.New(r.Market, store.Options{Actor: func(*http.Request) (store.Actor, error) {
		return store.Actor{Name: "ivy", View: true, Install: true}, nil
	}})
	require.NoError(t, err)
	page = get(careful, "/plugins/history").Body.String()
	assert.NotContains(t, page, `name="override"`)
	assert.Contains(t, page, "Only somebody who may agree to high risks can.")

	form := url.Values{"do": {"rollback"}, "generation": {"1"}, "override": {"1"}}
	where := post(careful, "/plugins/plans", form).Header().Get("Location")
	page = get(r.handler, where).Body.String()
	wellFormed(t, page)
	for _, s := range []string{"although it is not safe", "ADV-7: It leaks", `type="checkbox" name="consent"`, "data-close autofocus"} {
		assert.Contains(t, page, s)
	}
	agreed := url.Values{"consent": {"acme/backup revoked 1.0.0"}}
	assert.Equal(t, http.StatusForbidden, post(careful, where+"/apply", agreed).Code, "who may not agree to it")
	assert.Equal(t, http.StatusUnprocessableEntity, post(r.handler, where+"/apply", nil).Code, "who does not agree to it")
	assert.Equal(t, []string{"acme/backup@1.1.0"}, r.Versions())
	w := post(r.handler, where+"/apply", agreed)
	require.Equal(t, http.StatusSeeOther, w.Code, w.Body)
	assert.Equal(t, install.StateDone, r.Wait(strings.TrimPrefix(w.Header().Get("Location"), "/plugins/operations/")).State)
	assert.Equal(t, []string{"acme/backup@1.0.0"}, r.Versions())
	assert.Equal(t, http.StatusBadRequest, do(r.handler, http.MethodPost, "/plugins/api/v1/plans", `{"update":["acme/backup"],"override":true}`, "Content-Type", asJSON).Code)
}

// TestSettingsSurviveARestart: a policy, a hold and a pause are what they were when the
// panel starts again, and a second client reads the same.
func TestSettingsSurviveARestart(t *testing.T) {
	t.Parallel()
	r := newRoom(t, sandbox.Policy{}, markettest.Plugin{Manifest: markettest.Manifest("acme/backup", "1.0.0")})
	r.Install("acme/backup")
	const at = "/plugins/api/v1/settings/updates"
	tag := get(r.handler, at).Header().Get("ETag")
	body := `{"mode":"auto","minAge":7200,"windows":[{"days":["sat","sun"],"from":"22:00","to":"02:30","zone":"UTC"}],"data":true,"rollbackData":true,"prerelease":["acme/backup"],"frozen":true}`
	w := do(r.handler, http.MethodPut, at, body, "Content-Type", asJSON, "If-Match", tag)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.Equal(t, http.StatusSeeOther, post(r.handler, "/plugins/hold", url.Values{"plugin": {"acme/backup"}, "why": {"fair week"}}).Code)
	before := get(r.handler, "/plugins/api/v1/settings").Body.String()
	for _, s := range []string{`"zone":""`, `"minAge":7200`, `"from":"22:00","to":"02:30"`, `"frozen":true`, `"why":"fair week"`, `"preset":"custom"`} {
		assert.Contains(t, before, s)
	}
	r.restart()
	var was, is struct{ Updates, Holds any }
	require.NoError(t, json.Unmarshal([]byte(before), &was))
	require.NoError(t, json.Unmarshal(get(r.handler, "/plugins/api/v1/settings").Body.Bytes(), &is))
	assert.Equal(t, was, is)
	assert.Equal(t, w.Header().Get("ETag"), get(r.handler, at).Header().Get("ETag"), "what was read before the restart may still be changed")
}

// slowMarket has plugins that do not answer.
type slowMarket struct{ *market }

func (m slowMarket) Health(ctx context.Context, _ catalog.PluginID) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestPluginsThatDoNotAnswerHoldNothingUp: a page with cards waits a moment, and then not
// again for a while; the page that is about health waits two seconds.
func TestPluginsThatDoNotAnswerHoldNothingUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, err := store.New(slowMarket{newMarket()}, store.Options{Actor: func(*http.Request) (store.Actor, error) { return admin, nil }})
		require.NoError(t, err)
		took := func(page string) time.Duration {
			began := time.Now()
			require.Equal(t, http.StatusOK, get(h, "/plugins/"+page).Code)
			return time.Since(began)
		}
		assert.Equal(t, 40*time.Millisecond, took(""))
		assert.Zero(t, took(""))
		assert.Zero(t, took("p/acme/mailer"))
		assert.Equal(t, 2*time.Second, took("installed"))
		time.Sleep(6 * time.Second)
		assert.Equal(t, 40*time.Millisecond, took(""))
		assert.Contains(t, get(h, "/plugins/installed").Body.String(), "Not known")
	})
}
