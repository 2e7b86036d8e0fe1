package main

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/sandbox/safefs"
)

// TestWholeWayByJSON walks the demo by its JSON interface alone.
func TestWholeWayByJSON(t *testing.T) {
	t.Parallel()
	dir := freshDir(t)
	d := start(t, dir)

	var found struct {
		Plugins []struct{ ID, State string } `json:"plugins"`
	}
	require.Nil(t, d.call(http.MethodGet, "plugins?q=upti", nil, &found))
	require.Len(t, found.Plugins, 1)
	assert.Equal(t, "acme/uptime", found.Plugins[0].ID)
	require.Nil(t, d.call(http.MethodGet, "plugins?category=appearance", nil, &found))
	require.Len(t, found.Plugins, 1)
	assert.Equal(t, "northwind/theme-dusk", found.Plugins[0].ID)
	require.Nil(t, d.call(http.MethodGet, "plugins/acme/uptime/readme", nil, nil))
	require.Nil(t, d.call(http.MethodGet, "plugins/acme/uptime/versions", nil, nil))
	status, _ := d.page("/plugins/api/v1/plugins/acme/uptime/screenshots/0")
	assert.Equal(t, http.StatusOK, status)

	// Install: the dependency comes along, and the card appears.
	p := d.plan(installOf("acme/uptime"))
	assert.Len(t, p.Steps, 2)
	require.Len(t, p.Consents, 1)
	assert.NotEmpty(t, p.Consents[0].Sentence)
	op := d.apply(p)
	require.Equal(t, "done", op.State, "%+v", op.Error)
	d.done(installOf("acme/disk-report"))
	d.done(installOf("northwind/notes"))
	_, dashboard := d.page("/")
	for _, id := range []string{"acme/uptime", "acme/disk-report", "northwind/notes"} {
		assert.Contains(t, dashboard, `data-plugin="`+id+`"`)
	}

	// Publishers bring out newer releases. One asks for more.
	d.lab("news", true)
	var updates struct {
		Updates []struct {
			Plugin string `json:"plugin"`
		} `json:"updates"`
	}
	require.Nil(t, d.call(http.MethodGet, "updates", nil, &updates))
	assert.Len(t, updates.Updates, 3)
	p = d.plan(updateOf("acme/disk-report"))
	require.NotEmpty(t, p.Consents)
	assert.Equal(t, "net.out:api.example.com:443", p.Consents[0].Permission)
	assert.True(t, p.Consents[0].New)
	problem := d.call(http.MethodPost, "plans/"+p.ID+"/apply", map[string]any{"consents": []string{}}, &op)
	if problem == nil { // accepted, and refused by the installer
		op = d.wait(op.ID)
		problem = op.Error
	}
	require.NotNil(t, problem, "nothing is granted that nobody agreed to")
	assert.NotEmpty(t, problem.Next)
	assert.Contains(t, d.installed(), "acme/disk-report@1.0.0")
	d.done(updateOf("acme/disk-report"))
	assert.Contains(t, d.installed(), "acme/disk-report@1.1.0")

	// One is bad, and is rolled back by itself.
	op = d.apply(d.plan(updateOf("northwind/notes")))
	assert.Equal(t, "failed", op.State)
	assert.True(t, op.Restored)
	require.NotNil(t, op.Error)
	assert.Contains(t, op.Error.Cause, "the index of the notes is missing")
	assert.Contains(t, d.installed(), "northwind/notes@1.0.0")
	_, dashboard = d.page("/")
	assert.Contains(t, dashboard, `data-plugin="northwind/notes"`)

	// The cure comes out.
	d.lab("news", true)
	d.done(updateOf("northwind/notes"))
	assert.Contains(t, d.installed(), "northwind/notes@1.2.0")

	// Back by hand, and remove.
	var history struct {
		Generations []struct {
			N uint64 `json:"n"`
		} `json:"generations"`
	}
	require.Nil(t, d.call(http.MethodGet, "history", nil, &history))
	require.Greater(t, len(history.Generations), 1)
	d.done(map[string]any{"rollback": history.Generations[1].N})
	assert.Contains(t, d.installed(), "northwind/notes@1.0.0")
	d.done(map[string]any{"remove": []string{"acme/uptime"}})
	before := d.installed()
	assert.NotContains(t, before, "acme/uptime@1.0.0")

	// A second start has the same, in no time.
	require.NoError(t, d.stop())
	d = start(t, dir)
	assert.Equal(t, before, d.installed())
	require.Nil(t, d.call(http.MethodGet, "operations/"+op.ID, nil, &op), "an operation of the run before is still known")
	assert.Equal(t, "failed", op.State)
}

func (d *demo) wait(id string) (op operation) {
	d.t.Helper()
	for !op.Final {
		require.Nil(d.t, d.call(http.MethodGet, "operations/"+id, nil, &op))
	}
	return op
}

// TestViewer shows that a viewer sees everything and changes nothing.
func TestViewer(t *testing.T) {
	t.Parallel()
	d := start(t, freshDir(t))
	u := newUsers(true)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+"/plugins/", nil)
	require.NoError(t, err)
	req.AddCookie(&http.Cookie{Name: roleCookie, Value: u.sign(roleViewer)})
	assert.Equal(t, roleViewer, u.role(req))
	req.AddCookie(&http.Cookie{Name: roleCookie, Value: roleAdmin + ".0000"})
	assert.Equal(t, roleViewer, u.role(req), "a forged cookie counts for nothing")

	jar := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := jar.PostForm(d.url+"/user", map[string][]string{"role": {"viewer"}, "back": {"//evil.example"}})
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, "/", resp.Header.Get("Location"), "the way back leads nowhere else")
	require.Len(t, resp.Cookies(), 1)

	for path, want := range map[string]int{"/plugins/": http.StatusOK, "/plugins/installed": http.StatusOK} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+path, nil)
		require.NoError(t, err)
		req.AddCookie(resp.Cookies()[0])
		got, err := jar.Do(req)
		require.NoError(t, err)
		require.NoError(t, got.Body.Close())
		assert.Equal(t, want, got.StatusCode, path)
	}
	for _, path := range []string{"/plugins/api/v1/plans", "/plugins/plans", "/plugins/sync", "/lab"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.url+path, http.NoBody)
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		req.AddCookie(resp.Cookies()[0])
		got, err := jar.Do(req)
		require.NoError(t, err)
		require.NoError(t, got.Body.Close())
		assert.Equal(t, http.StatusForbidden, got.StatusCode, path)
	}
}

// TestForeignPages shows that pages elsewhere can neither act here nor be this place.
func TestForeignPages(t *testing.T) {
	t.Parallel()
	d := start(t, freshDir(t))
	for name, change := range map[string]func(*http.Request){
		"cross-site post": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"foreign origin":  func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"rebound name":    func(r *http.Request) { r.Host = "evil.example:8080" },
	} {
		for _, path := range []string{"/plugins/api/v1/plans", "/lab", "/user"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.url+path, http.NoBody)
			require.NoError(t, err)
			change(req)
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Contains(t, []int{http.StatusForbidden, http.StatusMisdirectedRequest}, resp.StatusCode, "%s to %s", name, path)
		}
	}
}

// TestOnePanelOnly starts a second panel on the same directory.
func TestOnePanelOnly(t *testing.T) {
	t.Parallel()
	dir := freshDir(t)
	start(t, dir)
	err := run(t.Context(), []string{"-addr", "127.0.0.1:0", "-dir", dir}, io.Discard)
	require.ErrorIs(t, err, safefs.ErrLocked)
	assert.ErrorContains(t, err, "-dir")
}
