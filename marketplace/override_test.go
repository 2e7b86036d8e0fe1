package marketplace_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/markettest"
	"github.com/souk-dev/souk/sandbox"
)

// updated is a panel with acme/charts 1.1.0, and a generation with 1.0.0.
func updated(t *testing.T) *markettest.World {
	w := markettest.New(t, markettest.Options{}, plugin("acme/charts", "1.0.0"))
	w.Install("acme/charts")
	w.Publish(plugin("acme/charts", "1.1.0"))
	w.Update("acme/charts")
	return w
}

func below110(action catalog.Action) catalog.Advisory {
	return catalog.Advisory{ID: "ADV-1", Title: "It leaks", Plugin: "acme/charts", Range: "<1.1.0", FixedIn: "1.1.0", Action: action, Issued: time.Now().Add(-time.Hour)}
}

// TestBackToABlockedReleaseNeedsAnAgreement: without an override nobody goes back to what an
// advisory blocks, with one only who agrees to it in so many words.
func TestBackToABlockedReleaseNeedsAnAgreement(t *testing.T) {
	w := updated(t)
	w.Advise(below110(catalog.ActionBlock))
	_, err := w.Market.Plan(t.Context(), install.Change{Rollback: 1})
	require.ErrorIs(t, err, catalog.ErrBlocked)

	p, err := w.Market.Plan(t.Context(), install.Change{Rollback: 1, Override: true})
	require.NoError(t, err)
	require.Len(t, p.Consents, 1)
	need := p.Consents[0]
	assert.Equal(t, install.NeedRevoked, need.Kind)
	assert.Equal(t, sandbox.RiskHigh, need.Risk)
	assert.False(t, need.Optional)
	assert.Contains(t, need.Sentence, "blocked by advisory ADV-1: It leaks")
	_, err = w.Market.Apply(t.Context(), p.ID(), install.Approval{Actor: "ada"})
	require.ErrorIs(t, err, install.ErrConsent)
	assert.Equal(t, []string{"acme/charts@1.1.0"}, w.Versions())

	op, err := w.Market.Apply(t.Context(), p.ID(), install.Approval{Actor: "ada", Consents: []string{need.ID}})
	require.NoError(t, err)
	assert.Equal(t, install.StateDone, w.Wait(op.ID).State)
	assert.Equal(t, []string{"acme/charts@1.0.0"}, w.Versions())
	assert.Zero(t, w.Market.Installed()[0].Grants.Len(), "the agreement grants nothing")
}

// TestNobodyOverridesWhatWouldBeStopped: an advisory that stops a release stands.
func TestNobodyOverridesWhatWouldBeStopped(t *testing.T) {
	w := updated(t)
	p, err := w.Market.Plan(t.Context(), install.Change{Rollback: 1, Override: true})
	require.NoError(t, err)
	assert.Empty(t, p.Consents, "there is nothing to override yet")
	w.Advise(below110(catalog.ActionDisable))
	_, err = w.Market.Plan(t.Context(), install.Change{Rollback: 1, Override: true})
	require.ErrorIs(t, err, catalog.ErrBlocked)
	_, err = w.Market.Apply(t.Context(), p.ID(), install.Approval{Actor: "ada"})
	require.ErrorIs(t, err, catalog.ErrBlocked, "an advisory that came after the plan")
	assert.Equal(t, []string{"acme/charts@1.1.0"}, w.Versions())
}

// TestHistoryIsFreshAfterEachOperation: it is kept in memory, and never older than what the
// operations say; the list that somebody got is theirs to change.
func TestHistoryIsFreshAfterEachOperation(t *testing.T) {
	w := markettest.New(t, markettest.Options{}, plugin("acme/charts", "1.0.0"), plugin("acme/other", "1.0.0"))
	for n, id := range []catalog.PluginID{"acme/charts", "acme/other"} {
		w.Install(id)
		list, err := w.Market.History()
		require.NoError(t, err)
		require.Len(t, list, n+1)
		assert.Equal(t, id, list[0].Changes[0].Plugin)
		list[0].Title = "mine"
	}
	again, err := w.Market.History()
	require.NoError(t, err)
	assert.NotEqual(t, "mine", again[0].Title)
}
