package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
)

// startHub runs the panel with a hub and returns what it prints.
func startHub(t *testing.T, dir, address string) (*demo, *output) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out := &output{ready: make(chan string, 1)}
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"-addr", "127.0.0.1:0", "-dir", dir, "-hub", address}, out) }()
	d := &demo{t: t}
	d.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { require.NoError(t, d.stop()) })
	select {
	case d.url = <-out.ready:
	case err := <-ended:
		ended <- nil
		require.NoError(t, err, out)
		require.Fail(t, "the panel ended", out)
	}
	return d, out
}

// form sends a form of a page and returns the page it leads to.
func (d *demo) form(path string, form url.Values) (int, string) {
	d.t.Helper()
	resp, err := http.PostForm(d.url+path, form)
	require.NoError(d.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(d.t, err)
	return resp.StatusCode, string(b)
}

// TestPanelOfAHub: browse, install, link, rate, report, and see what is published next.
func TestPanelOfAHub(t *testing.T) {
	t.Parallel()
	w := hubtest.New(t, hubtest.Options{Policy: hub.Policy{NeedReceipt: true}})
	acme := w.Publisher(w.Person("Olga Acme"), "acme")
	first := hubtest.Manifest("acme/backup", "1.0.0")
	first.Name = "Acme Backup"
	w.Publish(acme, hubtest.Plugin{Manifest: first})
	dir := t.TempDir()
	d, out := startHub(t, dir, w.URL)
	assert.Contains(t, out.String(), "its root of trust is pinned from now on")
	assert.NotContains(t, out.String(), "Registry")
	_, err := os.Stat(filepath.Join(dir, "registry"))
	require.ErrorIs(t, err, os.ErrNotExist, "no registry of its own")

	_, page := d.page("/plugins/")
	assert.Contains(t, page, "Acme Backup")
	_, page = d.page("/plugins/p/acme/backup/reviews")
	assert.Contains(t, page, "No reviews yet")
	assert.Contains(t, page, "Link this panel to take part")
	_, page = d.page("/lab")
	assert.NotContains(t, page, "News from the publishers")
	d.done(installOf("acme/backup"))

	// Link: the page shows the code, the person approves it at the hub.
	mira := w.Person("Mira Neu")
	status, page := d.form("/plugins/account/link", nil)
	require.Equal(t, http.StatusOK, status)
	var a struct{ State, Code, URL, Name string }
	require.Nil(t, d.call(http.MethodGet, "account", nil, &a))
	assert.Equal(t, "waiting", a.State)
	assert.Contains(t, page, a.Code)
	assert.Contains(t, a.URL, w.URL)
	require.NoError(t, w.Hub.Identity.ApproveDevice(t.Context(), w.Actor(mira), a.Code))
	require.Eventually(t, func() bool {
		require.Nil(t, d.call(http.MethodGet, "account", nil, &a))
		return a.State == "linked" && a.Name != ""
	}, 20*time.Second, 50*time.Millisecond)
	_, page = d.page("/plugins/settings")
	assert.Contains(t, page, "Linked as Mira Neu")

	// Rate, with proof, and see it in the hub.
	status, page = d.form("/plugins/p/acme/backup/reviews", url.Values{"stars": {"4"}, "text": {"Does what it says."}})
	require.Equal(t, http.StatusOK, status)
	assert.Contains(t, page, "Your review")
	mine, err := w.Hub.Community.RatingOf(t.Context(), w.Actor(mira), "acme/backup")
	require.NoError(t, err)
	assert.Equal(t, 4, mine.Stars)
	assert.Equal(t, "Does what it says.", mine.Text)
	assert.True(t, mine.Proved)
	assert.Equal(t, "1.0.0", mine.Version)

	status, page = d.form("/plugins/p/acme/backup/report", url.Values{"reason": {"broken"}, "text": {"Its page is empty."}})
	require.Equal(t, http.StatusOK, status)
	assert.Contains(t, page, "your report has arrived")
	reports, err := w.Hub.Community.MyReports(t.Context(), w.Actor(mira), "", 10)
	require.NoError(t, err)
	require.Len(t, reports.Items, 1)
	assert.Equal(t, "acme/backup", reports.Items[0].Subject)

	// What is published at the hub is here after one sync.
	next := first
	next.Version = "1.1.0"
	w.Publish(acme, hubtest.Plugin{Manifest: next})
	other := hubtest.Manifest("acme/clock", "0.1.0")
	other.Name = "Acme Clock"
	w.Publish(acme, hubtest.Plugin{Manifest: other})
	require.Eventually(t, func() bool { // the hub's own publishing of the catalog
		status, page = d.form("/plugins/sync", nil)
		require.Equal(t, http.StatusOK, status, page)
		_, page = d.page("/plugins/")
		return strings.Contains(page, "Acme Clock")
	}, 20*time.Second, 100*time.Millisecond)
	assert.Contains(t, page, "Update to 1.1.0")

	// A second start goes on as it was, without asking the hub what it is.
	require.NoError(t, d.stop())
	d, out = startHub(t, dir, w.URL)
	assert.NotContains(t, out.String(), "First use")
	assert.Equal(t, []string{"acme/backup@1.0.0"}, d.installed())
	_, page = d.page("/plugins/settings")
	assert.Contains(t, page, "Linked as Mira Neu")
}

// TestPinnedRoot: who takes the hub's place later, with a catalog of their own, does not
// get in.
func TestPinnedRoot(t *testing.T) {
	t.Parallel()
	real, fake := hubtest.New(t, hubtest.Options{}), hubtest.New(t, hubtest.Options{})
	acme := fake.Publisher(fake.Person("Mallory"), "acme")
	fake.Publish(acme, hubtest.Plugin{Manifest: hubtest.Manifest("acme/evil", "1.0.0")})
	dir := t.TempDir()
	d, _ := startHub(t, dir, real.URL)
	require.NoError(t, d.stop())
	files, err := filepath.Glob(filepath.Join(dir, "hub-*", "pin.json"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	b, err := os.ReadFile(files[0])
	require.NoError(t, err)
	var p pin
	require.NoError(t, json.Unmarshal(b, &p))
	p.Catalog = strings.Replace(p.Catalog, strings.TrimPrefix(real.URL, "http://"), strings.TrimPrefix(fake.URL, "http://"), 1)
	b, err = json.Marshal(p)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(files[0], b, 0o600))
	d, _ = startHub(t, dir, real.URL)
	_, page := d.page("/plugins/")
	assert.NotContains(t, page, "acme/evil")
	_, page = d.page("/plugins/settings")
	assert.NotContains(t, page, ">Fresh<")

	err = run(t.Context(), []string{"-addr", "127.0.0.1:0", "-dir", t.TempDir(), "-hub", "http://hub.example.org"}, &bytes.Buffer{})
	require.ErrorContains(t, err, "https")
}
