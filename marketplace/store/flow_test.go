package store_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/store"
)

// TestInstallWithoutJavaScript goes the way of a person with plain forms.
func TestInstallWithoutJavaScript(t *testing.T) {
	t.Parallel()
	m := newMarket()
	h := shop(t, m, admin)
	w := post(h, "/plugins/plans", url.Values{"do": {"install"}, "plugin": {"acme/backup"}, "source": {"main"}, "version": {"2.1.0"}})
	require.Equal(t, http.StatusSeeOther, w.Code)
	assert.Equal(t, install.Change{Install: []resolve.Want{{Plugin: "acme/backup", Range: "=2.1.0"}}, Source: "main"}, m.Asked[0])
	page := get(h, w.Header().Get("Location")).Body.String()
	wellFormed(t, page)
	for _, s := range []string{"Install Backup 2.1.0 and 1 dependency", "Comes along", "Can read /srv and everything in it.", "To store your backups.", "Agree and install", "3.8 MB to download", "Signature must be by"} {
		assert.Contains(t, page, s)
	}
	form := url.Values{}
	for _, hit := range regexp.MustCompile(`name="consent" value="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		form.Add("consent", strings.ReplaceAll(hit[1], "&#43;", "+"))
	}
	action := regexp.MustCompile(`action="(/plugins/plans/[^"]+/apply)"`).FindStringSubmatch(page)
	require.Len(t, action, 2)
	w = post(h, action[1], form)
	require.Equal(t, http.StatusSeeOther, w.Code, w.Body)
	require.Len(t, m.Applied, 1)
	assert.Equal(t, "ada", m.Applied[0].Actor)
	assert.Len(t, m.Applied[0].Consents, 3)
	page = get(h, w.Header().Get("Location")).Body.String()
	assert.Contains(t, page, "Waiting")
	assert.Contains(t, page, "/cancel")
	w = post(h, w.Header().Get("Location")+"/cancel", nil)
	assert.Equal(t, http.StatusSeeOther, w.Code)
	assert.Equal(t, []string{"tx-1"}, m.Cancelled)
}

func TestConsentForMore(t *testing.T) {
	t.Parallel()
	m := newMarket()
	m.Next = mailerPlan(m)
	h := shop(t, m, admin)
	w := post(h, "/plugins/plans", url.Values{"do": {"update"}, "plugin": {"acme/mailer"}})
	at := w.Header().Get("Location")
	page := get(h, at).Body.String()
	wellFormed(t, page)
	for _, s := range []string{"It asks for more than before", "Before: Can send data to smtp.example.org", "Wider in 2.1.0", "2.0.3", `data-close autofocus`, "required"} {
		assert.Contains(t, page, s)
	}
	assert.Less(t, strings.Index(page, "any server on the internet"), strings.Index(page, "smtp-password"), "what is new comes first")
	assert.NotContains(t, page, `type="hidden" name="consent"`, "a high risk is ticked, not carried along")

	w = post(h, at+"/apply", nil) // nothing ticked
	assert.Equal(t, http.StatusUnprocessableEntity, w.Code)
	wellFormed(t, w.Body.String())
	assert.Contains(t, w.Body.String(), "An agreement is missing")
	assert.Empty(t, m.Applied)

	careful := shop(t, m, store.Actor{Name: "bob", View: true, Install: true})
	w = post(careful, at+"/apply", url.Values{"consent": {"acme/mailer permission net.out:*:*"}})
	assert.Equal(t, http.StatusForbidden, w.Code)
	assert.Empty(t, m.Applied)
	assert.Contains(t, get(careful, at).Body.String(), "you may not give it")

	w = post(h, at+"/apply", url.Values{"consent": {"acme/mailer permission net.out:*:*"}})
	assert.Equal(t, http.StatusSeeOther, w.Code)
	require.Len(t, m.Applied, 1)
	assert.Equal(t, []string{"acme/mailer permission net.out:*:*"}, m.Applied[0].Consents)
}

func TestStalePlanIsSaid(t *testing.T) {
	t.Parallel()
	m := newMarket()
	m.Made = map[string]*install.Plan{m.Next.ID(): m.Next}
	m.ApplyErr = install.ErrStalePlan
	w := post(shop(t, m, admin), "/plugins/plans/"+m.Next.ID()+"/apply", url.Values{"consent": needs(m.Next)})
	assert.Equal(t, http.StatusConflict, w.Code)
	assert.Contains(t, w.Body.String(), "Things have changed since")
}

func TestFormsAskForTheRightChange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		form url.Values
		want install.Change
		code int
	}{
		{url.Values{"do": {"update-all"}}, install.Change{UpdateAll: true}, 303},
		{url.Values{"do": {"remove"}, "plugin": {"acme/mailer"}}, install.Change{Remove: []catalog.PluginID{"acme/mailer"}}, 303},
		{url.Values{"do": {"rollback"}, "generation": {"3"}}, install.Change{Rollback: 3}, 303},
		{url.Values{"do": {"rollback"}, "generation": {"0"}}, install.Change{}, 400},
		{url.Values{"do": {"format"}, "plugin": {"acme/mailer"}}, install.Change{}, 400},
		{url.Values{"do": {"install"}, "plugin": {"acme/mailer"}, "version": {"latest"}}, install.Change{}, 400},
		{url.Values{"do": {"install"}, "plugin": {"<script>"}}, install.Change{}, 404},
	} {
		m := newMarket()
		w := post(shop(t, m, admin), "/plugins/plans", c.form)
		assert.Equal(t, c.code, w.Code, c.form)
		if c.code == 303 {
			assert.Equal(t, []install.Change{c.want}, m.Asked)
		} else {
			assert.Empty(t, m.Asked)
		}
	}
}

func TestHoldReleaseAndSync(t *testing.T) {
	t.Parallel()
	m := newMarket()
	h := shop(t, m, admin)
	w := post(h, "/plugins/hold", url.Values{"plugin": {"acme/mailer"}, "until": {"2026-06-01"}, "why": {"fair\nweek"}, "pin": {"1"}, "back": {"https://evil.example"}})
	assert.Equal(t, http.StatusSeeOther, w.Code)
	assert.Equal(t, "/plugins/settings", w.Header().Get("Location"))
	hold := m.Updating.Holds["acme/mailer"]
	assert.Equal(t, "ada", hold.By)
	assert.Equal(t, "fair week", hold.Why)
	assert.True(t, hold.Pin)
	assert.Equal(t, time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), hold.Until)
	assert.Equal(t, http.StatusUnprocessableEntity, post(h, "/plugins/hold", url.Values{"plugin": {"acme/mailer"}, "until": {"soon"}}).Code)
	w = post(h, "/plugins/unhold", url.Values{"plugin": {"acme/mailer"}, "back": {"updates"}})
	assert.Equal(t, "/plugins/updates", w.Header().Get("Location"))
	assert.Empty(t, m.Updating.Holds)
	assert.Equal(t, http.StatusSeeOther, post(h, "/plugins/sync", nil).Code)
	assert.Equal(t, 1, m.Synced)
	assert.Equal(t, http.StatusForbidden, post(shop(t, m, store.Actor{View: true, Install: true}), "/plugins/sync", nil).Code)
	m.SyncErr = catalog.ErrUnavailable
	assert.Equal(t, http.StatusBadGateway, post(h, "/plugins/sync", nil).Code)
}

func event(seq uint64, s install.State) install.Event {
	return install.Event{Seq: seq, Operation: install.Operation{ID: "t4", Title: "Install Backup", State: s, Plugins: []catalog.PluginID{"acme/backup"}, Done: 1, Total: 2, Started: now}}
}

// TestEventsResume cuts a stream and connects again with the last event's id.
func TestEventsResume(t *testing.T) {
	t.Parallel()
	m := newMarket()
	m.Past = []install.Event{event(1, install.StateQueued), event(2, install.StateDownloading), event(3, install.StateVerifying)}
	server := httptest.NewServer(shop(t, m, admin))
	t.Cleanup(server.Close)
	latest := ""
	read := func(last string, n int) []string {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/plugins/api/v1/events", nil)
		require.NoError(t, err)
		if last != "" {
			r.Header.Set("Last-Event-ID", last)
		}
		res, err := server.Client().Do(r)
		require.NoError(t, err)
		defer func() { _ = res.Body.Close() }() // a stream that was cut has nothing to say
		require.Equal(t, "text/event-stream", res.Header.Get("Content-Type"))
		var ids []string
		for lines := bufio.NewScanner(res.Body); len(ids) < n && lines.Scan(); {
			if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				latest = id
			} else if lines.Text() == "event: operation" {
				_, number, _ := strings.Cut(latest, "-")
				ids = append(ids, number)
			}
		}
		return ids
	}
	assert.Equal(t, []string{"1", "2"}, read("", 2))
	assert.Equal(t, []string{"3"}, read(latest, 1))
	assert.Equal(t, http.StatusBadRequest, get(shop(t, m, admin), "/plugins/api/v1/events", "Last-Event-ID", "x").Code)
}

// TestEventsBeatAndEnd: a quiet stream has a heartbeat each 15 seconds, and it ends
// after a quarter of an hour so that the panel is asked again who listens.
func TestEventsBeatAndEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket()
		m.More = make(chan install.Event)
		began := time.Now()
		w := get(shop(t, m, admin), "/plugins/api/v1/events")
		assert.Equal(t, 15*time.Minute, time.Since(began))
		assert.GreaterOrEqual(t, strings.Count(w.Body.String(), ": still here"), 59)
	})
}

func TestEventsCarryWords(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket()
		m.More = make(chan install.Event)
		m.Past = []install.Event{event(7, install.StateDownloading)}
		go func() { m.More <- event(8, install.StateDone) }()
		body := get(shop(t, m, admin), "/plugins/api/v1/events").Body.String()
		for _, s := range []string{"-7\nevent: operation\ndata: {", `"word":"Downloading 50%"`, `"percent":50`, "-8\nevent", `"final":true`} {
			assert.Contains(t, body, s)
		}
	})
}
