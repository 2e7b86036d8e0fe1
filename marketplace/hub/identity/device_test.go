package identity_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/identity"
)

func panelRequest(name string) identity.DeviceRequest {
	return identity.DeviceRequest{Name: name, PublicKey: base64.StdEncoding.EncodeToString(make([]byte, 32)), Address: "203.0.113.7"}
}

// link links a panel to the actor and returns its token.
func (w *world) link(a hub.Actor, name string) (string, hub.Panel) {
	w.t.Helper()
	started, err := w.StartDevice(w.ctx(), panelRequest(name))
	require.NoError(w.t, err)
	require.NoError(w.t, w.ApproveDevice(w.ctx(), a, started.UserCode))
	raw, err := w.PollDevice(w.ctx(), started.DeviceCode)
	require.NoError(w.t, err)
	p, err := w.PanelOf(w.ctx(), must(w.AuthenticateToken(w.ctx(), raw)))
	require.NoError(w.t, err)
	return raw, p
}

func TestLinkAPanel(t *testing.T) {
	w := newWorld(t)
	mira := w.actor("mira")
	started, err := w.StartDevice(w.ctx(), panelRequest("web-1"))
	require.NoError(t, err)
	assert.Regexp(t, `^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`, started.UserCode)
	assert.Equal(t, 5*time.Second, started.Interval)
	assert.Equal(t, w.now().Add(15*time.Minute), started.Expires)
	_, err = w.PollDevice(w.ctx(), started.DeviceCode)
	assert.ErrorIs(t, err, identity.ErrAuthorizationPending)

	typed := strings.ToLower(strings.ReplaceAll(started.UserCode, "-", " "))
	grant, err := w.DeviceByUserCode(w.ctx(), mira, typed)
	require.NoError(t, err)
	assert.Equal(t, []string{"web-1", "203.0.113.7"}, []string{grant.Name, grant.Address})
	require.NoError(t, w.ApproveDevice(w.ctx(), mira, typed))
	_, err = w.DeviceByUserCode(w.ctx(), mira, typed)
	assert.ErrorIs(t, err, hub.ErrNotFound, "nobody takes it over")

	w.pass(5 * time.Second)
	raw, err := w.PollDevice(w.ctx(), started.DeviceCode)
	require.NoError(t, err)
	a, err := w.AuthenticateToken(w.ctx(), raw)
	require.NoError(t, err)
	assert.Equal(t, mira.Account, a.Account)
	assert.Equal(t, []hub.Verb{hub.VerbRead, hub.VerbRate, hub.VerbPanel}, a.Token.Verbs)
	assert.NoError(t, a.May(hub.ActRatingWrite, hub.Object{Publisher: "acme"}))
	assert.NoError(t, a.May(hub.ActPanelReport, hub.Object{}))
	for _, act := range []hub.Action{hub.ActTokenManage, hub.ActAccountEdit, hub.ActAccountDelete, hub.ActStagingPush, hub.ActPanelManage} {
		assert.ErrorIs(t, a.May(act, hub.Object{Account: a.Account}), hub.ErrForbidden, act)
	}
	p, err := w.PanelOf(w.ctx(), a)
	require.NoError(t, err)
	assert.Equal(t, "web-1", p.Name)
	assert.Equal(t, panelRequest("").PublicKey, p.Key)
	assert.False(t, p.Telemetry, "nothing is reported until somebody says so")
	_, err = w.PanelOf(w.ctx(), mira)
	assert.ErrorIs(t, err, hub.ErrNotFound)

	_, err = w.PollDevice(w.ctx(), started.DeviceCode)
	assert.ErrorIs(t, err, identity.ErrInvalidGrant, "the token is given out once")
	assert.Len(t, w.audited(identity.ActPanelLinked), 1)
}

func TestPollingAnswers(t *testing.T) {
	w := newWorld(t)
	mira := w.actor("mira")
	started := must(w.StartDevice(w.ctx(), panelRequest("web-1")))
	poll := func() error {
		_, err := w.PollDevice(w.ctx(), started.DeviceCode)
		return err
	}
	assert.Equal(t, identity.ErrAuthorizationPending, poll())
	w.pass(2 * time.Second)
	assert.Equal(t, identity.ErrSlowDown, poll())
	w.pass(5 * time.Second)
	assert.Equal(t, identity.ErrSlowDown, poll(), "it has to wait 10 seconds now")
	w.pass(15 * time.Second)
	assert.Equal(t, identity.ErrAuthorizationPending, poll())

	// Who hammers stops writing, too.
	for range 20 {
		_ = poll()
	}
	assert.Equal(t, identity.ErrSlowDown, poll())
	before := w.store.writes()
	changes := len(w.audit())
	for range 5 {
		assert.Equal(t, identity.ErrSlowDown, poll())
	}
	assert.Equal(t, before+5, w.store.writes())
	assert.Len(t, w.audit(), changes)
	w.pass(time.Minute)
	assert.Equal(t, identity.ErrAuthorizationPending, poll(), "a minute is always enough")

	require.NoError(t, w.DenyDevice(w.ctx(), mira, started.UserCode))
	w.pass(time.Minute)
	assert.Equal(t, identity.ErrAccessDenied, poll())
	assert.ErrorIs(t, w.ApproveDevice(w.ctx(), mira, started.UserCode), hub.ErrNotFound, "no is no")

	started = must(w.StartDevice(w.ctx(), panelRequest("web-1")))
	w.pass(15 * time.Minute)
	assert.Equal(t, identity.ErrExpiredToken, poll())
	assert.ErrorIs(t, w.ApproveDevice(w.ctx(), mira, started.UserCode), hub.ErrNotFound)
	for _, code := range []string{"", "x", started.DeviceCode[1:] + "A", "\x00"} {
		_, err := w.PollDevice(w.ctx(), code)
		assert.Equal(t, identity.ErrInvalidGrant, err)
	}
	var known *identity.DeviceError
	require.True(t, errors.As(error(identity.ErrSlowDown), &known))
	assert.Equal(t, "slow_down", known.Code)
}

func TestApprovalOfWhoWasSuspended(t *testing.T) {
	w := newWorld(t)
	mira := w.actor("mira")
	started := must(w.StartDevice(w.ctx(), panelRequest("web-1")))
	require.NoError(t, w.ApproveDevice(w.ctx(), mira, started.UserCode))
	require.NoError(t, w.Suspend(w.ctx(), hub.SystemActor("test"), mira.Account, "spam"))
	_, err := w.PollDevice(w.ctx(), started.DeviceCode)
	assert.ErrorIs(t, err, identity.ErrAccessDenied)
	assert.ErrorIs(t, w.ApproveDevice(w.ctx(), w.actor("mira"), started.UserCode), hub.ErrForbidden)
}

// A token, whatever it is for, links no panel: that would be another token, which lives on.
func TestTokensLinkNothing(t *testing.T) {
	w := newWorld(t)
	mira := w.actor("mira")
	started := must(w.StartDevice(w.ctx(), panelRequest("web-1")))
	raw, _ := w.token(mira, identity.NewToken{Name: "x", Verbs: []hub.Verb{hub.VerbAdmin}})
	stolen := must(w.AuthenticateToken(w.ctx(), raw))
	assert.ErrorIs(t, w.ApproveDevice(w.ctx(), stolen, started.UserCode), hub.ErrForbidden)
	assert.NoError(t, w.ApproveDevice(w.ctx(), mira, started.UserCode))
}

// Codes cannot be guessed: an account has ten tries in a quarter of an hour.
func TestDeviceBruteForce(t *testing.T) {
	w := newWorld(t)
	eve, mira := w.actor("eve"), w.actor("mira")
	started := must(w.StartDevice(w.ctx(), panelRequest("web-1")))
	wrong := "BBBB-BBBB"
	require.NotEqual(t, wrong, started.UserCode)
	tries := []func() error{
		func() error { _, err := w.DeviceByUserCode(w.ctx(), eve, wrong); return err },
		func() error { return w.ApproveDevice(w.ctx(), eve, wrong) },
		func() error { return w.DenyDevice(w.ctx(), eve, "not a code") },
	}
	for i := range identity.MaxGuesses {
		assert.ErrorIs(t, tries[i%3](), hub.ErrNotFound, i)
	}
	var limit *hub.LimitError
	for i := range 6 {
		assert.ErrorAs(t, tries[i%3](), &limit)
	}
	_, err := w.DeviceByUserCode(w.ctx(), eve, started.UserCode)
	require.ErrorAs(t, err, &limit, "also the right one")
	assert.Equal(t, 15*time.Minute, limit.After)
	assert.ErrorAs(t, w.ApproveDevice(w.ctx(), eve, started.UserCode), &limit)
	must(w.DeviceByUserCode(w.ctx(), mira, started.UserCode)) // others are not hindered

	w.pass(15 * time.Minute)
	assert.ErrorIs(t, tries[0](), hub.ErrNotFound, "after the window there are tries again")

}

func TestStartDeviceIsBounded(t *testing.T) {
	w := newWorld(t)
	var invalid *hub.InvalidError
	for _, change := range []func(*identity.DeviceRequest){
		func(r *identity.DeviceRequest) { r.Name = "" }, func(r *identity.DeviceRequest) { r.Name = strings.Repeat("x", 101) },
		func(r *identity.DeviceRequest) { r.PublicKey = "" }, func(r *identity.DeviceRequest) { r.PublicKey = "AAAA" },
		func(r *identity.DeviceRequest) { r.Address = "<b>" },
	} {
		bad := panelRequest("x")
		change(&bad)
		_, err := w.StartDevice(w.ctx(), bad)
		assert.ErrorAs(t, err, &invalid)
	}
	for range identity.MaxDevicesAddress {
		must(w.StartDevice(w.ctx(), panelRequest("x")))
	}
	_, err := w.StartDevice(w.ctx(), panelRequest("x"))
	var limit *hub.LimitError
	assert.ErrorAs(t, err, &limit)
	other := panelRequest("x")
	other.Address = "2001:db8::1"
	must(w.StartDevice(w.ctx(), other))
	w.pass(15 * time.Minute)
	must(w.StartDevice(w.ctx(), panelRequest("x")))
}

func TestUserCodesUseTheWholeAlphabet(t *testing.T) {
	w := newWorld(t)
	seen := map[rune]int{}
	for i := range 200 {
		r := panelRequest("x")
		r.Address = fmt.Sprintf("2001:db8::%x", i)
		for _, c := range must(w.StartDevice(w.ctx(), r)).UserCode {
			seen[c]++
		}
	}
	assert.Len(t, seen, 21, "20 letters and the hyphen")
}

func TestPanels(t *testing.T) {
	w := newWorld(t)
	mira := w.actor("mira")
	raw, panel := w.link(mira, "web-1")
	w.pass(time.Second)
	_, second := w.link(mira, "web-2")
	list := must(w.Panels(w.ctx(), mira))
	require.Len(t, list, 2)
	assert.Equal(t, "web-2", list[0].Name)
	assert.Empty(t, must(w.Tokens(w.ctx(), mira)), "a panel's token is shown as the panel")
	assert.ErrorIs(t, w.RevokeToken(w.ctx(), mira, panel.Token), hub.ErrNotFound, "and ends with it")

	itself := must(w.AuthenticateToken(w.ctx(), raw))
	require.NoError(t, w.SetTelemetry(w.ctx(), itself, panel.ID, true))
	assert.True(t, must(w.PanelOf(w.ctx(), itself)).Telemetry)
	assert.ErrorIs(t, w.SetTelemetry(w.ctx(), itself, second.ID, true), hub.ErrNotFound, "a panel speaks for itself alone")
	assert.ErrorIs(t, w.UnlinkPanel(w.ctx(), itself, second.ID), hub.ErrNotFound)
	require.NoError(t, w.SetTelemetry(w.ctx(), mira, panel.ID, false))

	require.NoError(t, w.UnlinkPanel(w.ctx(), mira, panel.ID))
	_, err := w.AuthenticateToken(w.ctx(), raw)
	assert.ErrorIs(t, err, hub.ErrUnauthenticated)
	assert.Len(t, must(w.Panels(w.ctx(), mira)), 1)
	assert.ErrorIs(t, w.UnlinkPanel(w.ctx(), mira, panel.ID), hub.ErrNotFound)

	raw, third := w.link(mira, "web-3")
	require.NoError(t, w.UnlinkPanel(w.ctx(), must(w.AuthenticateToken(w.ctx(), raw)), third.ID))
	_, err = w.AuthenticateToken(w.ctx(), raw)
	assert.ErrorIs(t, err, hub.ErrUnauthenticated)
}

// A panel that is used stays linked; one that is not, loses its link after TokenLife.
func TestPanelTokenLivesOn(t *testing.T) {
	w := newWorld(t)
	w.policy.TokenLife = 10 * 24 * time.Hour
	mira := w.actor("mira")
	used, _ := w.link(mira, "web-1")
	idle, _ := w.link(mira, "web-2")
	for range 5 {
		w.pass(5 * 24 * time.Hour)
		must(w.AuthenticateToken(w.ctx(), used))
	}
	_, err := w.AuthenticateToken(w.ctx(), idle)
	assert.ErrorIs(t, err, hub.ErrUnauthenticated)
	w.pass(10 * 24 * time.Hour)
	_, err = w.AuthenticateToken(w.ctx(), used)
	assert.ErrorIs(t, err, hub.ErrUnauthenticated)
}
