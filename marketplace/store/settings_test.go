package store_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/update"
)

// version reads what a form was made from.
func version(t *testing.T, h http.Handler) string {
	t.Helper()
	m := regexp.MustCompile(`name="version" value="([^"]+)"`).FindStringSubmatch(get(h, "/plugins/settings").Body.String())
	require.Len(t, m, 2)
	return m[1]
}

func TestPresetsAreSentences(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		want update.Policy
		says string
	}{
		"ask":      {update.Manual(), "You are asked about every update."},
		"security": {update.SecurityOnly(), "installed by itself, at any time"},
		"nightly":  {update.Nightly("Europe/Berlin"), "every day from 02:00 to 06:00 (Europe/Berlin)"},
		"weekend":  {update.Weekend("Europe/Berlin"), "Sat, Sun from 02:00 to 06:00 (Europe/Berlin)"},
	} {
		m := newMarket()
		m.Updates = update.Policy{Mode: update.ModeAuto, RollbackData: true, Prerelease: []catalog.PluginID{"acme/backup"}} // stays
		var log bytes.Buffer
		h := shop(t, m, admin, func(o *store.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		w := post(h, "/plugins/settings/updates", url.Values{"kind": {"preset"}, "preset": {name}, "zone": {"Europe/Berlin"}, "version": {version(t, h)}})
		require.Equal(t, http.StatusSeeOther, w.Code, name)
		c.want.RollbackData, c.want.Prerelease = true, m.Updates.Prerelease
		assert.Equal(t, c.want, m.Updates, name)
		assert.Contains(t, log.String(), "update policy changed", name)
		assert.Contains(t, log.String(), "actor=ada", name)
		page := get(h, w.Header().Get("Location")).Body.String()
		wellFormed(t, page)
		for _, s := range []string{c.says, "Saved. It holds from now on.", `value="` + name + `" required checked`, "even if that loses what it has written", "Test versions are offered of: acme/backup."} {
			assert.Contains(t, page, s, name)
		}
	}
}

func ownRules() url.Values {
	return url.Values{
		"kind": {"custom"}, "mode": {"auto"}, "minAge": {"1,5"}, "windows": {"3"}, "back": {"1"}, "prerelease": {"acme/backup\r\nkiln/redis"},
		"w1.day": {"mon", "fri"}, "w1.from": {"23:30"}, "w1.to": {"01:00"}, "w1.zone": {"Europe/Berlin"},
		"w2.day": {"sun"}, "w2.from": {"04:00"}, "w2.to": {"04:00"},
	}
}

func TestOwnRules(t *testing.T) {
	t.Parallel()
	m := newMarket()
	h := shop(t, m, admin)
	form := ownRules()
	form.Set("version", version(t, h))
	require.Equal(t, http.StatusSeeOther, post(h, "/plugins/settings/updates", form).Code)
	want := update.Policy{
		Mode: update.ModeAuto, MinAge: 90 * time.Minute, RollbackData: true, Prerelease: []catalog.PluginID{"acme/backup", "kiln/redis"},
		Windows: []update.Window{
			{Days: update.On(time.Monday, time.Friday), Start: 23*time.Hour + 30*time.Minute, Duration: 90 * time.Minute, Zone: "Europe/Berlin"},
			{Days: update.On(time.Sunday), Start: 4 * time.Hour, Duration: 24 * time.Hour},
		},
	}
	assert.Equal(t, want, m.Updates)
	page := get(h, "/plugins/settings").Body.String()
	wellFormed(t, page)
	for _, s := range []string{"Mon, Fri from 23:30 to 01:00 (Europe/Berlin), or Sun all day from 04:00 (UTC)", "for 90 minutes", `value="23:30"`, `<details class="souk-own" open>`, "You have rules of your own", "Window 2", "One more window"} {
		assert.Contains(t, page, s)
	}
	form.Set("version", version(t, h))
	form.Set("w1.gone", "1")
	form.Set("minAge", "0")
	require.Equal(t, http.StatusSeeOther, post(h, "/plugins/settings/updates", form).Code)
	assert.Equal(t, want.Windows[1:], m.Updates.Windows, "one is gone")
	assert.Equal(t, update.NoMinAge, m.Updates.MinAge, "0 hours is at once, not the default")
}

// TestWhatIsWrongStandsAtItsField: nothing is saved, the field says why, and all that was
// typed is still there.
func TestWhatIsWrongStandsAtItsField(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ key, value, field, says string }{
		"zone":    {"w1.zone", "Mars/Olympus", `id="souk-w1-zone"`, "is no time zone that this server knows"},
		"local":   {"w1.zone", "Local", `id="souk-w1-zone"`, "is no time zone"},
		"clock":   {"w1.from", "25:00", `id="souk-w1-from"`, "Write a time such as 02:00."},
		"short":   {"w1.to", "23:31", `id="souk-w1-to"`, "at least 5 minutes long"},
		"age":     {"minAge", "soon", `id="souk-age"`, "Write a number of hours"},
		"old":     {"minAge", "9999999", `id="souk-age"`, "Write a number of hours"},
		"nothing": {"minAge", "NaN", `id="souk-age"`, "Write a number of hours"},
		"plugin":  {"prerelease", "acme/backup\nnot a plugin!", `id="souk-pre"`, "is not the id of a plugin"},
		"mode":    {"mode", "always", `id="souk-mode"`, "Choose one of these."},
		"windows": {"windows", "9999", `name="windows"`, "At most 200 windows"},
	} {
		m := newMarket()
		h := shop(t, m, admin)
		form := ownRules()
		form.Set("version", version(t, h))
		form.Set(c.key, c.value)
		w := post(h, "/plugins/settings/updates", form)
		page := w.Body.String()
		assert.Equal(t, http.StatusUnprocessableEntity, w.Code, name)
		wellFormed(t, page)
		assert.Equal(t, update.Policy{}, m.Updates, name)
		assert.Contains(t, page, c.says, name)
		assert.Contains(t, page, "Nothing was saved yet", name)
		assert.Regexp(t, `<li><a href="#souk-[a-z]+">[^<]+</a>: `, page, "%s: the summary leads to the field", name)
		if c.key != "windows" {
			tag := regexp.MustCompile(`<(?:input|select|textarea) ` + c.field + `[^>]*>`).FindString(page)
			assert.Contains(t, tag, `aria-invalid="true"`, name)
			assert.Contains(t, page, `value="04:00"`, "%s: the rest that was typed", name)
		}
		if c.key != "mode" && c.key != "windows" { // nobody types these
			assert.Contains(t, page, c.value, "%s: as it was typed", name)
		}
	}
	m := newMarket()
	h := shop(t, m, admin)
	w := post(h, "/plugins/settings/updates", url.Values{"kind": {"preset"}, "preset": {"nightly"}, "zone": {"Nowhere"}, "version": {version(t, h)}})
	assert.Equal(t, http.StatusUnprocessableEntity, w.Code)
	assert.Contains(t, w.Body.String(), `value="Nowhere"`)
	assert.Contains(t, w.Body.String(), `value="nightly" required checked`)
	assert.Equal(t, http.StatusUnprocessableEntity, post(h, "/plugins/settings/updates", url.Values{"preset": {"best"}, "version": {version(t, h)}}).Code)
	assert.Equal(t, update.Policy{}, m.Updates)

	w = post(h, "/plugins/hold", url.Values{"plugin": {"north/metrics"}, "until": {"2020-01-01"}, "why": {"fair week"}, "pin": {"1"}})
	assert.Equal(t, http.StatusUnprocessableEntity, w.Code)
	wellFormed(t, w.Body.String())
	for _, s := range []string{"Choose a day that is still to come.", `value="2020-01-01"`, `value="fair week"`, `value="north/metrics" selected`, `name="pin" value="1" checked`} {
		assert.Contains(t, w.Body.String(), s)
	}
	assert.Empty(t, m.Updating.Holds)
}

// TestTwoPeopleChangeTheSettings: the second does not overwrite what they have not seen,
// loses nothing of what they typed, and may then mean it.
func TestTwoPeopleChangeTheSettings(t *testing.T) {
	t.Parallel()
	m := newMarket()
	h := shop(t, m, admin)
	seen := version(t, h)
	form := ownRules()
	form.Set("version", seen)
	require.Equal(t, http.StatusSeeOther, post(h, "/plugins/settings/updates", url.Values{"preset": {"security"}, "version": {seen}}).Code)
	w := post(h, "/plugins/settings/updates", form)
	assert.Equal(t, http.StatusPreconditionFailed, w.Code)
	assert.Equal(t, update.SecurityOnly(), m.Updates)
	page := w.Body.String()
	wellFormed(t, page)
	for _, s := range []string{"Somebody changed it meanwhile", `value="23:30"`, "installed by itself, at any time"} {
		assert.Contains(t, page, s)
	}
	form.Set("version", regexp.MustCompile(`name="version" value="([^"]+)"`).FindStringSubmatch(page)[1])
	require.Equal(t, http.StatusSeeOther, post(h, "/plugins/settings/updates", form).Code)
	assert.Equal(t, update.ModeAuto, m.Updates.Mode)
}

func TestSettingsByJSON(t *testing.T) {
	t.Parallel()
	m := newMarket()
	h := shop(t, m, admin)
	const at = "/plugins/api/v1/settings/updates"
	first := get(h, at)
	tag := first.Header().Get("ETag")
	require.NotEmpty(t, tag)
	body := strings.Replace(first.Body.String(), `"mode":"ask"`, `"mode":"security"`, 1) // what was read is sent back, with one change
	require.NotEqual(t, body, first.Body.String())
	assert.Equal(t, http.StatusPreconditionRequired, do(h, http.MethodPut, at, body, "Content-Type", asJSON).Code)
	assert.Equal(t, update.Policy{}, m.Updates)
	w := do(h, http.MethodPut, at, body, "Content-Type", asJSON, "If-Match", tag)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	assert.Equal(t, update.ModeSecurity, m.Updates.Mode)
	assert.NotEqual(t, tag, w.Header().Get("ETag"))
	assert.Equal(t, http.StatusPreconditionFailed, do(h, http.MethodPut, at, body, "Content-Type", asJSON, "If-Match", tag).Code, "the old one")
	tag = w.Header().Get("ETag")
	for _, bad := range []string{
		`{}`, `{"mode":"all"}`, `{"mode":"ask","minAge":-1}`, `{"mode":"ask","minAge":9223372036854775807}`, `{"mode":"ask","windows":[{}]}`, `{"mode":"ask","nightly":true}`,
		`{"mode":"ask","windows":[{"days":["someday"],"from":"01:00","to":"02:00"}]}`, `{"mode":"ask","windows":[{"days":["mon"],"from":"01:00","to":"01:01"}]}`,
		`{"mode":"ask","windows":[{"days":["mon"],"from":"01:00","to":"02:00","zone":"Local"}]}`, `{"mode":"ask","prerelease":["../x"]}`,
	} {
		w := do(h, http.MethodPut, at, bad, "Content-Type", asJSON, "If-Match", tag)
		assert.Equal(t, http.StatusBadRequest, w.Code, bad)
	}
	assert.Equal(t, update.ModeSecurity, m.Updates.Mode)
	w = do(h, http.MethodPut, at, `{"mode":"security","frozen":true}`, "Content-Type", asJSON, "If-Match", tag)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	assert.True(t, m.Updating.Frozen)

	var all struct {
		Updates struct{ Sentences []string }
		Holds   []struct{ Plugin string }
		Sources []struct{ Name, State string }
		Actor   struct{ Administer bool }
	}
	require.Equal(t, http.StatusOK, do(h, http.MethodPut, "/plugins/api/v1/holds/acme/mailer", `{"pin":true}`, "Content-Type", asJSON).Code)
	assert.Equal(t, http.StatusBadRequest, do(h, http.MethodPut, "/plugins/api/v1/holds/acme/mailer", `{"until":"2001-01-01"}`, "Content-Type", asJSON).Code)
	require.NoError(t, json.Unmarshal(get(h, "/plugins/api/v1/settings").Body.Bytes(), &all))
	assert.Contains(t, all.Updates.Sentences[0], "paused")
	assert.Equal(t, "acme/mailer", all.Holds[0].Plugin)
	assert.Equal(t, "main", all.Sources[0].Name)
	assert.True(t, all.Actor.Administer)
	require.Equal(t, http.StatusNoContent, do(h, http.MethodDelete, "/plugins/api/v1/holds/acme/mailer", "").Code)
	assert.Empty(t, m.Updating.Holds)
}

// TestSettingsAreForThoseWhoAdminister: neither who looks nor who installs changes them, and
// no page of somebody else does in the name of who may.
func TestSettingsAreForThoseWhoAdminister(t *testing.T) {
	t.Parallel()
	m := newMarket()
	h := shop(t, m, admin)
	form := url.Values{"preset": {"security"}, "version": {version(t, h)}}
	tag := get(h, "/plugins/api/v1/settings/updates").Header().Get("ETag")
	try := func(h http.Handler, header ...string) []int {
		return []int{
			post(h, "/plugins/settings/updates", form, header...).Code, post(h, "/plugins/settings/freeze", url.Values{"on": {"1"}}, header...).Code, post(h, "/plugins/sync", nil, header...).Code,
			do(h, http.MethodPut, "/plugins/api/v1/settings/updates", `{"mode":"security","frozen":true}`, append([]string{"Content-Type", asJSON, "If-Match", tag}, header...)...).Code,
			do(h, http.MethodPost, "/plugins/api/v1/sync", "", header...).Code,
		}
	}
	refused := []int{403, 403, 403, 403, 403}
	for name, a := range map[string]store.Actor{"looks": viewer, "installs": {Name: "ivy", View: true, Install: true, ApproveRisky: true}} {
		h := shop(t, m, a)
		assert.Equal(t, refused, try(h), name)
		page := get(h, "/plugins/settings").Body.String()
		wellFormed(t, page)
		assert.NotContains(t, page, "/settings/updates", name)
		assert.NotContains(t, page, "/settings/freeze", name)
		assert.Contains(t, page, "You are asked about every update.", "%s: it may be read", name)
		assert.Contains(t, page, "You may read this, but not change it.", name)
	}
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Site", "", "Origin", "https://evil.example"}} {
		assert.Equal(t, refused, try(h, header...), header)
	}
	for _, a := range []store.Actor{viewer} {
		assert.Equal(t, http.StatusForbidden, do(shop(t, m, a), http.MethodPut, "/plugins/api/v1/holds/acme/mailer", `{}`, "Content-Type", asJSON).Code)
		assert.Equal(t, http.StatusForbidden, post(shop(t, m, a), "/plugins/forgive", url.Values{"digest": {string(m.Updating.Failures[0].Digest)}}).Code)
	}
	assert.Equal(t, update.Policy{}, m.Updates)
	assert.False(t, m.Updating.Frozen)
	assert.Zero(t, m.Synced)
	assert.Len(t, m.Updating.Failures, 1)

	assert.Equal(t, []int{303, 303, 303, 412, 200}, try(h), "the control: who may, does; the last is late on purpose")
	assert.Equal(t, update.ModeSecurity, m.Updates.Mode)
	assert.True(t, m.Updating.Frozen)
	assert.Equal(t, http.StatusSeeOther, post(h, "/plugins/forgive", url.Values{"digest": {string(m.Updating.Failures[0].Digest)}}).Code)
	assert.Empty(t, m.Updating.Failures)
	assert.Equal(t, http.StatusNotFound, post(h, "/plugins/forgive", url.Values{"digest": {"sha256:00"}}).Code)
}

// FuzzOwnRules: whatever is sent, it is a page or a redirect, and never a policy that is
// not valid.
func FuzzOwnRules(f *testing.F) {
	f.Add(ownRules().Encode())
	f.Add("kind=custom&windows=1&w1.day=mon&w1.from=0:0&w1.to=%00&w1.zone=../../etc/passwd")
	f.Add("kind=custom&windows=-1&minAge=1e309&prerelease=%ff")
	f.Add("kind=preset&preset=nightly&zone=%0a")
	m := newMarket()
	h := shop(f, m, admin)
	f.Fuzz(func(t *testing.T, body string) {
		w := do(h, http.MethodPost, "/plugins/settings/updates", body)
		assert.Contains(t, []int{303, 400, 412, 422}, w.Code)
		assert.NoError(t, m.UpdatePolicy().Validate())
	})
}
