package insight_test

import (
	"context"
	"net/netip"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/insight"
)

func TestHooksAreManaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, insight.Options{})
	ctx := t.Context()
	public := []hub.EventKind{hub.EventReleasePublished}
	private := []hub.EventKind{hub.EventReleasePublished, hub.EventRatingAdded}
	maintainer := w.person("max")
	maintainer.Memberships["acme"] = hub.MemberMaintainer
	suspended := w.bob
	suspended.Suspended = true
	var invalid *hub.InvalidError
	for name, n := range map[string]insight.NewHook{
		"http":           {URL: "http://example.org", Kinds: public},
		"loopback":       {URL: "https://127.0.0.1/", Kinds: public},
		"metadata":       {URL: "https://169.254.169.254/latest", Kinds: public},
		"loopback in v6": {URL: "https://[::ffff:127.0.0.1]/", Kinds: public},
		"password":       {URL: "https://a:b@example.org/", Kinds: public},
		"no host":        {URL: "https:///x", Kinds: public},
		"no kinds":       {URL: "https://example.org/"},
		"unknown kind":   {URL: "https://example.org/", Kinds: []hub.EventKind{"moon.rose"}},
		"twice":          {URL: "https://example.org/", Kinds: append(public, public...)},
		"not public":     {URL: "https://example.org/", Kinds: private},
	} {
		_, err := w.CreateHook(ctx, w.bob, n)
		assert.ErrorAs(t, err, &invalid, name)
	}
	for name, c := range map[string]struct {
		who  hub.Actor
		n    insight.NewHook
		want error
	}{
		"nobody":           {hub.Actor{}, insight.NewHook{URL: "https://example.org/", Kinds: public}, hub.ErrUnauthenticated},
		"suspended":        {suspended, insight.NewHook{URL: "https://example.org/", Kinds: public}, hub.ErrForbidden},
		"others' events":   {w.bob, insight.NewHook{Publisher: "acme", URL: "https://example.org/", Kinds: private}, hub.ErrForbidden},
		"maintainer":       {maintainer, insight.NewHook{Publisher: "acme", URL: "https://example.org/", Kinds: private}, hub.ErrForbidden},
		"nobody's events":  {w.bob, insight.NewHook{Publisher: "none", URL: "https://example.org/", Kinds: private}, hub.ErrForbidden},
		"owner":            {w.ann, insight.NewHook{Publisher: "acme", URL: "https://example.org/", Kinds: private}, nil},
		"somebody, public": {w.bob, insight.NewHook{URL: "https://example.org/", Kinds: public}, nil},
	} {
		_, err := w.CreateHook(ctx, c.who, c.n)
		assert.ErrorIs(t, err, c.want, name)
	}
	mine, err := w.Hooks(ctx, w.bob, "")
	require.NoError(t, err)
	require.Len(t, mine, 1)
	assert.Empty(t, mine[0].Secret)
	acme, err := w.Hooks(ctx, w.ann, "acme")
	require.NoError(t, err)
	require.Len(t, acme, 1)
	_, err = w.Hooks(ctx, w.bob, "acme")
	assert.ErrorIs(t, err, hub.ErrForbidden)

	// Nothing of another's hook can be seen or changed.
	no := false
	for name, f := range map[string]func(a hub.Actor, id string) error{
		"read": func(a hub.Actor, id string) error { _, err := w.Hook(ctx, a, id); return err },
		"change": func(a hub.Actor, id string) error {
			_, err := w.UpdateHook(ctx, a, id, 0, insight.HookChange{Enabled: &no})
			return err
		},
		"rotate":     func(a hub.Actor, id string) error { _, err := w.RotateSecret(ctx, a, id); return err },
		"deliveries": func(a hub.Actor, id string) error { _, err := w.Deliveries(ctx, a, id, "", 0); return err },
		"delete":     func(a hub.Actor, id string) error { return w.DeleteHook(ctx, a, id) },
	} {
		assert.ErrorIs(t, f(w.ann, mine[0].ID), hub.ErrNotFound, name)
		assert.ErrorIs(t, f(w.bob, acme[0].ID), hub.ErrNotFound, name)
		assert.ErrorIs(t, f(maintainer, acme[0].ID), hub.ErrNotFound, name)
		assert.ErrorIs(t, f(hub.Actor{}, mine[0].ID), hub.ErrUnauthenticated, name)
		assert.ErrorIs(t, f(w.bob, "hok_none"), hub.ErrNotFound, name)
	}
	h, err := w.Hook(ctx, w.bob, mine[0].ID)
	require.NoError(t, err)
	bad := "https://10.0.0.1/"
	_, err = w.UpdateHook(ctx, w.bob, h.ID, h.Rev, insight.HookChange{URL: &bad})
	assert.ErrorAs(t, err, &invalid)
	good := "https://example.org/other"
	changed, err := w.UpdateHook(ctx, w.bob, h.ID, h.Rev, insight.HookChange{URL: &good, Enabled: &no})
	require.NoError(t, err)
	assert.Equal(t, good, changed.URL)
	assert.Empty(t, changed.Secret)
	_, err = w.UpdateHook(ctx, w.bob, h.ID, h.Rev, insight.HookChange{Enabled: &no})
	assert.ErrorIs(t, err, hub.ErrMoved)
	rotated, err := w.RotateSecret(ctx, w.bob, h.ID)
	require.NoError(t, err)
	assert.Regexp(t, `^whsec_[A-Za-z0-9+/]{43}=$`, rotated.Secret)
	require.NoError(t, w.DeleteHook(ctx, w.bob, h.ID))
	for i := range insight.MaxHooks + 1 {
		_, err = w.CreateHook(ctx, w.bob, insight.NewHook{URL: "https://example.org/" + strconv.Itoa(i), Kinds: public})
	}
	var limit *hub.LimitError
	assert.ErrorAs(t, err, &limit)
	for _, line := range rows(w, hub.Tx.Audit) {
		assert.NotContains(t, string(line.Detail), "whsec_")
	}
}

func TestWhoIsToldOfWhat(t *testing.T) {
	t.Parallel()
	w := newWorld(t, insight.Options{})
	ctx := t.Context()
	w.owns(&w.bob, "bobs")
	hook := func(a hub.Actor, publisher string, kinds ...hub.EventKind) string {
		h, err := w.CreateHook(ctx, a, insight.NewHook{Publisher: publisher, URL: "https://example.org/", Kinds: kinds})
		require.NoError(t, err)
		return h.ID
	}
	all := hook(w.bob, "", hub.EventReleasePublished)
	acme := hook(w.ann, "acme", hub.EventReleasePublished, hub.EventRatingAdded)
	bobs := hook(w.bob, "bobs", hub.EventReleasePublished, hub.EventRatingAdded)
	hook(w.bob, "", hub.EventAdvisoryIssued) // of another kind
	off := hook(w.bob, "", hub.EventReleasePublished)
	no := false
	_, err := w.UpdateHook(ctx, w.bob, off, 0, insight.HookChange{Enabled: &no})
	require.NoError(t, err)

	told := func(e hub.Event) (out []string) {
		for range 2 { // at least once: the second time adds nothing
			require.NoError(t, w.run(w.Service, hub.JobFanOut, e.ID))
		}
		for _, d := range rows(w, hub.Tx.Deliveries, hub.Eq("event", e.ID)) {
			out = append(out, d.Hook)
		}
		return out
	}
	assert.ElementsMatch(t, []string{all, acme}, told(w.emit(hub.Event{Kind: hub.EventReleasePublished, Publisher: "acme", Plugin: "acme/backup", Version: "1.0.0", Title: "x"})))
	rating := w.emit(hub.Event{Kind: hub.EventRatingAdded, Publisher: "acme", Plugin: "acme/backup", Title: "x"})
	assert.ElementsMatch(t, []string{acme}, told(rating))
	assert.ElementsMatch(t, []string{bobs}, told(w.emit(hub.Event{Kind: hub.EventRatingAdded, Publisher: "bobs", Title: "x"})))
	assert.Empty(t, told(w.emit(hub.Event{Kind: hub.EventSubmissionMoved, Publisher: "acme", Title: "x"})))
	later := hook(w.ann, "acme", hub.EventRatingAdded)
	assert.NotContains(t, told(rating), later, "an event of before")
	assert.NoError(t, w.run(w.Service, hub.JobFanOut, "evt_none"))

	// Who left a publisher hears no more of it; nor does who is suspended.
	w.update(func(ctx context.Context, tx hub.Tx) error {
		acc, err := tx.Accounts().Get(ctx, w.bob.Account)
		if err != nil {
			return err
		}
		acc.State = hub.AccountSuspended
		if err := tx.Accounts().Update(ctx, &acc); err != nil {
			return err
		}
		return tx.Members().Delete(ctx, "acme", w.ann.Account)
	})
	assert.Empty(t, told(w.emit(hub.Event{Kind: hub.EventReleasePublished, Publisher: "acme", Plugin: "acme/backup", Version: "1.0.0", Title: "x"})))
	for _, id := range []string{all, acme} {
		h := rows(w, hub.Tx.Hooks, hub.Eq("id", id))[0]
		assert.False(t, h.Enabled)
		assert.NotEmpty(t, h.Reason)
	}
}

func FuzzHookURL(f *testing.F) {
	for _, s := range []string{
		"https://example.org/", "https://127.0.0.1/", "https://[::1]/", "https://0x7f.1/", "https://localhost", "https://a@b/", "//x", "https://1.1.1.1:443/#f",
		"https://[fe80::1%25eth0]/", "https://2130706433/", "https://[64:ff9b::7f00:1]/",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := hub.Guard{}.CheckURL(s)
		if err != nil {
			return
		}
		assert.Equal(t, "https", u.Scheme)
		assert.NotEmpty(t, u.Hostname())
		assert.Nil(t, u.User)
		if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
			assert.NoError(t, hub.Guard{}.Check(ip))
			assert.False(t, ip.Unmap().IsLoopback() || ip.Unmap().IsPrivate() || ip.Unmap().IsLinkLocalUnicast())
		}
	})
}
