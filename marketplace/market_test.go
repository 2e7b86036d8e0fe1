package marketplace_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/catalog/mirror"
	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/catalog/search"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/install/installtest"
	"github.com/souk-dev/souk/marketplace"
	"github.com/souk-dev/souk/marketplace/markettest"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/update"
	"github.com/souk-dev/souk/verify"
)

// plugin is a release of acme's with these dependencies.
func plugin(id catalog.PluginID, version string, deps ...catalog.Dependency) markettest.Plugin {
	m := markettest.Manifest(id, version)
	m.Dependencies = deps
	return markettest.Plugin{Manifest: m}
}

func asking(p markettest.Plugin, perms ...catalog.PermissionRequest) markettest.Plugin {
	p.Manifest.Permissions = perms
	return p
}

func want(id catalog.PluginID) install.Change {
	return install.Change{Install: []resolve.Want{{Plugin: id}}}
}

var (
	charts  = plugin("acme/charts", "1.0.0")
	uptime  = plugin("acme/uptime", "1.0.0", catalog.Dependency{ID: "acme/charts", Range: "^1"})
	uptime2 = asking(plugin("acme/uptime", "1.1.0", catalog.Dependency{ID: "acme/charts", Range: "^1"}),
		catalog.PermissionRequest{Kind: sandbox.KindNetOut, Target: "api.example.com:443", Reason: "to ask for the weather"})
)

func TestWholeWay(t *testing.T) {
	w := markettest.New(t, markettest.Options{}, charts, uptime)
	m := w.Market
	found := m.Search(search.Query{Text: "upt"})
	require.Equal(t, 1, found.Total)
	assert.Equal(t, catalog.PluginID("acme/uptime"), found.Hits[0].ID)

	w.Install("acme/uptime")
	assert.Equal(t, []string{"acme/charts@1.0.0", "acme/uptime@1.0.0"}, w.Versions())
	assert.Equal(t, w.Versions(), w.Host.Versions(), "what is installed runs")

	w.Publish(uptime2)
	offers, err := m.Offers(t.Context())
	require.NoError(t, err)
	require.Len(t, offers, 1)
	assert.Equal(t, "1.1.0", offers[0].To.Version)
	assert.True(t, offers[0].Risk.Wider)

	p, err := m.Plan(t.Context(), install.Change{Update: []catalog.PluginID{"acme/uptime"}})
	require.NoError(t, err)
	require.Len(t, p.Consents, 1, "the wider permission is asked for")
	assert.True(t, p.Consents[0].New)
	op, err := m.Apply(t.Context(), p.ID(), install.Approval{Actor: "test"})
	if err == nil {
		op = w.Wait(op.ID)
		err = op.Err
	}
	require.ErrorIs(t, err, install.ErrConsent, "nothing is granted that nobody agreed to")
	assert.Equal(t, []string{"acme/charts@1.0.0", "acme/uptime@1.0.0"}, w.Versions())

	w.Update("acme/uptime")
	assert.Equal(t, []string{"acme/charts@1.0.0", "acme/uptime@1.1.0"}, w.Versions())
	gens, err := m.Generations()
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(gens), 2)
	op, err = w.Do(install.Change{Rollback: gens[1].N})
	require.NoError(t, err)
	require.NoError(t, op.Err)
	assert.Equal(t, []string{"acme/charts@1.0.0", "acme/uptime@1.0.0"}, w.Versions())
	require.Eventually(t, func() bool { return m.UpdateState().Holds["acme/uptime"].Version == "1.1.0" },
		10*time.Second, 5*time.Millisecond, "a version that a person went back from does not come back by itself")

	w.Remove("acme/uptime")
	assert.Empty(t, w.Versions(), "what nothing needs any more goes too")
	assert.Empty(t, w.Host.Versions())
}

func TestStartsAgain(t *testing.T) {
	w := markettest.New(t, markettest.Options{}, charts, uptime)
	w.Install("acme/uptime")
	require.NoError(t, w.Market.Close())
	w.Registry.Inject(catalogtest.Fault{Effect: catalogtest.Drop()})
	w.Host.Calls()
	w.Open()
	assert.Equal(t, []string{"acme/charts@1.0.0", "acme/uptime@1.0.0"}, w.Versions(), "without a network")
	assert.Equal(t, []string{"activate acme/charts@1.0.0", "activate acme/uptime@1.0.0"}, w.Host.Calls(), "dependencies first")
	assert.Equal(t, 2, w.Market.Search(search.Query{}).Total, "the last good catalog is there")
}

func TestUnhealthyUpdateIsUndone(t *testing.T) {
	w := markettest.New(t, markettest.Options{}, charts)
	w.Host.OnHealth = func(_ context.Context, p install.Installed) error {
		if p.Version == "1.1.0" {
			return errors.New("the charts are crooked")
		}
		return nil
	}
	w.Install("acme/charts")
	w.Publish(plugin("acme/charts", "1.1.0"))
	op, err := w.Do(install.Change{Update: []catalog.PluginID{"acme/charts"}})
	require.NoError(t, err)
	require.ErrorIs(t, op.Err, install.ErrUnhealthy)
	assert.ErrorContains(t, op.Err, "crooked")
	assert.True(t, op.Restored)
	assert.Equal(t, []string{"acme/charts@1.0.0"}, w.Versions())
	assert.Equal(t, []string{"acme/charts@1.0.0"}, w.Host.Versions())
}

func TestForgedReleaseIsRefused(t *testing.T) {
	forged := charts
	w := markettest.New(t, markettest.Options{})
	forged.Signer = w.Signer("mallory")
	w.Publish(forged)
	op, err := w.Do(want("acme/charts"))
	require.NoError(t, err)
	require.ErrorIs(t, op.Err, verify.ErrUntrusted)
	assert.Empty(t, w.Versions())
	assert.Empty(t, w.Host.Calls())
}

func TestExpiredCatalogInstallsNothing(t *testing.T) {
	w := markettest.New(t, markettest.Options{}, charts, uptime)
	w.Install("acme/charts")
	w.Advance(72 * time.Hour)
	require.ErrorIs(t, w.Market.Sync(t.Context()), catalog.ErrExpired)
	_, err := w.Do(want("acme/uptime"))
	require.ErrorIs(t, err, catalog.ErrExpired)
	assert.Equal(t, 2, w.Market.Search(search.Query{}).Total, "it stays searchable")
	assert.Equal(t, mirror.Expired, w.Market.Sources()[0].State)
	w.Renew()
	w.Sync()
	w.Install("acme/uptime")
}

func TestRegistryDown(t *testing.T) {
	w := markettest.New(t, markettest.Options{}, charts)
	w.Registry.Inject(catalogtest.Fault{Effect: catalogtest.Status(http.StatusBadGateway)})
	require.ErrorIs(t, w.Market.Sync(t.Context()), catalog.ErrUnavailable)
	assert.Equal(t, 1, w.Market.Search(search.Query{}).Total, "an outage is not an empty store")
	assert.Equal(t, mirror.Stale, w.Market.Sources()[0].State)
	op, err := w.Do(want("acme/charts"))
	require.NoError(t, err)
	require.ErrorIs(t, op.Err, catalog.ErrUnavailable)
	w.Registry.Heal()
	w.Install("acme/charts")
}

func TestPolicyDenies(t *testing.T) {
	w := markettest.New(t, markettest.Options{Policy: sandbox.Policy{Deny: sandbox.MustSet("exec:/")}},
		asking(charts, catalog.PermissionRequest{Kind: sandbox.KindExec, Target: "/bin/sh", Reason: "why not"}))
	_, err := w.Market.Plan(t.Context(), want("acme/charts"))
	require.ErrorIs(t, err, sandbox.ErrDenied)
}

func TestConflictExplains(t *testing.T) {
	loud := plugin("acme/loud", "1.0.0")
	quiet := plugin("acme/quiet", "1.0.0")
	quiet.Manifest.Conflicts = []catalog.Relation{{ID: "acme/loud"}}
	w := markettest.New(t, markettest.Options{}, loud, quiet)
	w.Install("acme/loud")
	_, err := w.Market.Plan(t.Context(), want("acme/quiet"))
	var conflict *resolve.Conflict
	require.ErrorAs(t, err, &conflict)
	assert.Contains(t, conflict.Error(), "acme/loud")
	assert.NotEmpty(t, conflict.Suggestions)
}

func TestAdvisoryStopsAndIsRescinded(t *testing.T) {
	w := markettest.New(t, markettest.Options{}, charts)
	w.Install("acme/charts")
	now := time.Now().Add(-time.Minute)
	bad := catalog.Advisory{ID: "DEMO-1", Action: catalog.ActionDisable, Title: "sends data home", Issued: now, Plugin: "acme/charts"}
	w.Advise(bad)
	assert.Empty(t, w.Host.Versions(), "it was stopped")
	assert.Equal(t, []string{"acme/charts@1.0.0"}, w.Versions(), "and is kept")
	require.ErrorIs(t, w.Market.Health(t.Context(), "acme/charts"), catalog.ErrBlocked)

	require.NoError(t, w.Market.Close())
	w.Registry.Inject(catalogtest.Fault{Effect: catalogtest.Drop()})
	w.Open()
	assert.Empty(t, w.Host.Versions(), "obeyed at the next start too, without a network")
	w.Registry.Heal()

	bad.Rescinded = now
	w.Advise(bad)
	assert.Equal(t, []string{"acme/charts@1.0.0"}, w.Host.Versions(), "it runs again")
}

func TestStalePlan(t *testing.T) {
	w := markettest.New(t, markettest.Options{}, charts, uptime)
	p, err := w.Market.Plan(t.Context(), want("acme/uptime"))
	require.NoError(t, err)
	w.Install("acme/charts")
	op, err := w.Market.Apply(t.Context(), p.ID(), install.Approval{Actor: "test"})
	if err == nil {
		err = w.Wait(op.ID).Err
	}
	require.ErrorIs(t, err, install.ErrStalePlan)
	_, err = w.Market.PlanByID("0000")
	require.ErrorIs(t, err, catalog.ErrNotFound)
}

func TestAutomaticUpdate(t *testing.T) {
	w := markettest.New(t, markettest.Options{Update: update.Policy{Mode: update.ModeAuto}}, charts)
	w.Install("acme/charts")
	w.Publish(plugin("acme/charts", "1.1.0"), plugin("acme/charts", "2.0.0"))
	require.NoError(t, w.Market.CheckUpdates(t.Context()))
	assert.Equal(t, []string{"acme/charts@1.1.0"}, w.Versions(), "by itself, but not over a major version")
	h, err := w.Market.History()
	require.NoError(t, err)
	assert.Equal(t, update.Actor, h[0].Actor)
}

func TestOpenRefusesWhatIsUnderspecified(t *testing.T) {
	for _, o := range []marketplace.Options{{}, {Verifier: noVerifier{}}, {Verifier: noVerifier{}, Host: &installtest.Host{}, Sources: []marketplace.Source{{Name: "x"}}}} {
		_, err := marketplace.Open(t.TempDir(), o)
		require.Error(t, err)
	}
}

type noVerifier struct{}

func (noVerifier) Verify(context.Context, verify.Subject, verify.Evidence) (*verify.Report, error) {
	return nil, verify.ErrUntrusted
}
