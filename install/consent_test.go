package install_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/install/installtest"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/verify"
)

func TestConsent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy = sandbox.Policy{
		Allow: sandbox.MustSet("env:LANG"), Deny: sandbox.MustSet("fs.read:/etc"),
		Scopes: []sandbox.Scope{{Kind: sandbox.KindUI, Target: "card", Risk: sandbox.RiskLow, Sentence: "Shows a card."}},
	}
	w.start()
	one := w.release(backup, "1.0.0",
		wants(sandbox.KindEnv, "LANG", false), wants(sandbox.KindNetOut, "api.example.org:443", false),
		wants(sandbox.KindSecret, "token", true), wants(sandbox.KindFSRead, "/etc/hosts", true))
	p := w.plan(one)
	require.Len(t, p.Consents, 2)
	assert.Equal(t, "acme/backup permission net.out:api.example.org:443", p.Consents[0].ID)
	assert.False(t, p.Consents[0].Optional)
	assert.True(t, p.Consents[1].Optional)
	assert.Len(t, p.Warnings, 1, "what is denied and optional is said")

	_, err := w.s.Apply(t.Context(), p, install.Approval{Actor: "admin"}, install.Events{})
	require.ErrorIs(t, err, install.ErrConsent)
	assert.Contains(t, err.Error(), p.Consents[0].Sentence)
	assert.NotContains(t, err.Error(), p.Consents[1].Sentence)
	_, err = w.s.Apply(t.Context(), p, install.Approval{Consents: []string{p.Consents[0].ID, "acme/backup permission exec:/bin/sh"}}, install.Events{})
	require.ErrorContains(t, err, "does not ask for")
	list, err := w.s.History()
	require.NoError(t, err)
	assert.Empty(t, list, "nothing began")

	_, err = w.s.Apply(t.Context(), p, install.Approval{Actor: "eve", Consents: []string{p.Consents[0].ID}}, install.Events{})
	require.NoError(t, err)
	in := w.host.Running()[backup]
	assert.True(t, in.Grants.Equal(sandbox.MustSet("env:LANG", "net.out:api.example.org:443")), "%v", in.Grants)
	assert.True(t, in.Consent.Set.Equal(sandbox.MustSet("net.out:api.example.org:443")))
	assert.Equal(t, "eve", in.Consent.By)

	// The same again is not asked again; more is.
	same := w.release(backup, "1.1.0", wants(sandbox.KindNetOut, "api.example.org:443", false))
	assert.Empty(t, w.plan(same).Consents)
	wider := w.release(backup, "1.2.0", wants(sandbox.KindNetOut, "*.example.org:443", false), wants(sandbox.KindNetOut, "api.example.org:443", false), wants(sandbox.KindSecret, "token", true))
	p = w.plan(wider)
	require.Len(t, p.Consents, 2)
	assert.True(t, p.Consents[0].New)
	assert.False(t, p.Consents[1].New, "it was asked for before, and refused")
	require.NoError(t, w.apply(wider))
	in = w.host.Running()[backup]
	assert.True(t, in.Consent.Set.Has("net.out:api.example.org:443"), "what was agreed to before stays")
	assert.True(t, in.Grants.Has("secret:token"))
	assert.Equal(t, "admin", in.Consent.By)
}

func TestDeniedRequiredPermission(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy.Deny = sandbox.MustSet("exec:/")
	w.start()
	r := w.release(backup, "1.0.0", wants(sandbox.KindExec, "/bin/sh", false))
	_, err := w.s.Plan(solution(w.s.Current(), r), install.PlanOptions{Policy: w.policy})
	require.ErrorIs(t, err, sandbox.ErrDenied)
	e, ok := errors.AsType[*catalog.RefError](err)
	require.True(t, ok)
	assert.Equal(t, r.Ref, e.Ref)
}

func TestSignerContinuity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	ada, bob := installtest.Signer("ada"), installtest.Signer("bob")
	add := func(v string, signers ...verify.Identity) catalog.Release {
		return w.supply.Add(installtest.Manifest(backup, v), installtest.Files{"V": v}, signers...)
	}
	require.NoError(t, w.apply(add("1.0.0", ada)))
	require.NoError(t, w.apply(add("1.1.0", ada, bob)))

	// Another signs, and the plan did not say so: refused, then asked about.
	two := add("2.0.0", bob, ada)
	p := w.plan(two)
	assert.Empty(t, p.Consents)
	_, err := w.s.Apply(t.Context(), p, all(p), install.Events{})
	require.ErrorIs(t, err, install.ErrSigner)
	assert.Equal(t, []string{"acme/backup@1.1.0"}, w.host.Versions())
	p = w.plan(two)
	require.Len(t, p.Consents, 1)
	assert.Equal(t, install.NeedSigner, p.Consents[0].Kind)
	assert.Contains(t, p.Consents[0].Sentence, bob.ID())
	_, err = w.s.Apply(t.Context(), p, install.Approval{}, install.Events{})
	require.ErrorIs(t, err, install.ErrConsent)
	_, err = w.s.Apply(t.Context(), p, all(p), install.Events{})
	require.NoError(t, err)
	assert.Equal(t, bob.ID(), w.s.Current().Plugins[backup].Signer)

	// The one who signed before may not any more: the plan asks at once.
	o := install.PlanOptions{Signers: func(catalog.Release) []verify.Identity { return []verify.Identity{ada} }}
	p, err = w.s.Plan(solution(w.s.Current(), add("3.0.0", ada)), o)
	require.NoError(t, err)
	require.Len(t, p.Consents, 1)
	_, err = w.s.Apply(t.Context(), p, all(p), install.Events{})
	require.NoError(t, err)
	assert.Equal(t, ada.ID(), w.s.Current().Plugins[backup].Signer)

	// Who may not sign is refused by the verifier, whatever was agreed to.
	four := add("4.0.0", ada)
	w.supply.Sign(four, bob, ada)
	require.ErrorIs(t, w.apply(four), verify.ErrUntrusted)
	assert.Equal(t, []string{"acme/backup@3.0.0"}, w.settled().Versions())
}

func TestPlanRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	one := w.release(backup, "1.0.0")
	require.NoError(t, w.apply(one))
	plan := func(res *resolve.Resolution) error {
		_, err := w.s.Plan(res, install.PlanOptions{})
		return err
	}
	changed := w.supply.Add(installtest.Manifest(backup, "1.0.0"), installtest.Files{"VERSION": "evil"})
	require.ErrorIs(t, plan(solution(w.s.Current(), changed)), verify.ErrUntrusted)
	other := w.release(backup, "9.0.0")
	other.Source = "elsewhere"
	require.ErrorContains(t, plan(solution(w.s.Current(), other)), "another plugin")
	gone := w.release(base, "1.0.0")
	gone.State, gone.Reason = catalog.Withdrawn, "stolen"
	require.ErrorContains(t, plan(solution(w.s.Current(), one, gone)), "stolen")
	require.ErrorContains(t, plan(&resolve.Resolution{}), "another set")
	p := w.plan(one)
	assert.Empty(t, p.Steps)
	assert.Equal(t, "Nothing to do", p.Title)
	_, err := w.s.Apply(t.Context(), p, install.Approval{}, install.Events{})
	require.Error(t, err)
}

func TestDependencyBecomesRoot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	lib := w.release(base, "1.0.0")
	res := &resolve.Resolution{Chosen: []resolve.Chosen{{Release: lib, Why: "acme/backup 1.0.0 needs it"}}}
	p, err := w.s.Plan(res, install.PlanOptions{})
	require.NoError(t, err)
	assert.Equal(t, "Install 1 dependency", p.Title)
	_, err = w.s.Apply(t.Context(), p, all(p), install.Events{})
	require.NoError(t, err)
	assert.False(t, w.s.Current().Plugins[base].Root)
	w.host.Calls()
	p = w.plan(lib)
	require.Len(t, p.Steps, 1)
	assert.Equal(t, install.ActKeep, p.Steps[0].Action)
	_, err = w.s.Apply(t.Context(), p, all(p), install.Events{})
	require.NoError(t, err)
	assert.True(t, w.s.Current().Plugins[base].Root)
	assert.Empty(t, w.host.Calls(), "it is not restarted")
	w.settled()
}

func TestPlanIDBindsEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	a, b := w.release(backup, "1.0.0"), w.release(backup, "1.0.0", wants(sandbox.KindEnv, "HOME", true))
	assert.Equal(t, w.plan(a).ID(), w.plan(a).ID())
	assert.NotEqual(t, w.plan(a).ID(), w.plan(b).ID())
}
