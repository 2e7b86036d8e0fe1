package main

import (
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/install/installtest"
	"github.com/souk-dev/souk/marketplace"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/client"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	hubidentity "github.com/souk-dev/souk/marketplace/hub/identity"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/verify/scan"
	"github.com/souk-dev/souk/verify/sigstore"
	"github.com/souk-dev/souk/verify/tuf"
)

// TestMain lets a test run the command as a process of its own, which kills itself when it
// has said the text in SOUK_TEST_KILL.
func TestMain(m *testing.M) {
	text := os.Getenv("SOUK_TEST_KILL")
	if text == "" {
		os.Exit(m.Run())
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		panic(err)
	}
	said := &stopAt{text: text, stop: func() {
		_ = self.Kill() // and nothing runs after it
		select {}
	}}
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, io.MultiWriter(os.Stderr, said)))
}

// patience is for a machine that has much else to do.
const patience = 3 * time.Minute

// town is a hub with a publisher acme, and a shell in which its owner works.
type town struct {
	*hubtest.World
	*shell
	owner *hubtest.Person
	admin *hubtest.Person
}

func newTown(t *testing.T, o hubtest.Options) *town {
	t.Helper()
	o.Server.Functions = []scan.HostFunction{{Name: "ui.card", Permission: "ui:dashboard.card"}}
	w := &town{World: hubtest.New(t, o), shell: newShell(t)}
	w.owner, w.admin = w.Person("Olga Owner"), w.Person("Ada Admin", hub.RoleAdmin)
	w.Publisher(w.owner, "acme")
	require.NoError(t, w.Hub.Publishing.SetCategory(t.Context(), w.Actor(w.admin), hub.Category{Slug: "tools", Name: "Tools"}))
	w.do("keygen", w.path("acme"))
	w.trust(w.path("acme.pub.pem"))
	token, _, err := w.Hub.Identity.CreateToken(t.Context(), w.Actor(w.owner), hubidentity.NewToken{
		Name: "laptop", Verbs: []hub.Verb{hub.VerbRead, hub.VerbPush, hub.VerbSubmit, hub.VerbRelease},
	})
	require.NoError(t, err)
	w.env.hub, w.env.token = w.URL, token
	return w
}

// trust lets a key sign for acme.
func (w *town) trust(file string) {
	w.shell.t.Helper()
	key, err := os.ReadFile(file)
	require.NoError(w.shell.t, err)
	_, err = w.Hub.Publishing.AddSigner(w.shell.t.Context(), w.Actor(w.owner), "acme", publishing.NewSigner{Key: string(key)})
	require.NoError(w.shell.t, err)
}

// plugin makes a plugin without code that can be submitted.
func (w *town) plugin(name string) string {
	w.shell.t.Helper()
	w.do("init", w.path(name), "--id", "acme/"+name, "--runtime", "static")
	return w.path(name)
}

// submissions are all that there are of a version.
func (w *town) submissions(ref catalog.Ref) (out []hub.Submission) {
	w.shell.t.Helper()
	page, err := w.Client(w.owner).Submissions(w.shell.t.Context(), ref.Plugin, "")
	require.NoError(w.shell.t, err)
	for _, s := range page.Items {
		if s.Version == ref.Version {
			out = append(out, s)
		}
	}
	return out
}

// approve approves the open submission of a version, as it is now.
func (w *town) approve(ref catalog.Ref) {
	w.shell.t.Helper()
	d, err := w.Settle(w.shell.t.Context(), w.owner, w.submissions(ref)[0].ID)
	require.NoError(w.shell.t, err)
	require.NoError(w.shell.t, w.Approve(w.shell.t.Context(), d))
}

// written waits until the catalog has all that was changed.
func (w *town) written() {
	w.shell.t.Helper()
	require.Eventually(w.shell.t, func() bool {
		s, err := w.Hub.Publishing.Status(w.shell.t.Context(), w.Actor(w.admin))
		return assert.NoError(w.shell.t, err) && s.Waiting == 0
	}, patience, 20*time.Millisecond)
}

// hubPanel opens a panel's market on a hub's catalog, from nothing but its address.
func hubPanel(t *testing.T, address string, host install.Host) *marketplace.Market {
	t.Helper()
	return hubPanelBelieving(t, address, host, nil)
}

// hubPanelBelieving is one that believes a sigstore instance; nil: keys only.
func hubPanelBelieving(t *testing.T, address string, host install.Host, trustedRoot []byte) *marketplace.Market {
	t.Helper()
	c, err := client.New(address, client.Options{})
	require.NoError(t, err)
	about, err := c.About(t.Context())
	require.NoError(t, err)
	src, err := oci.New(about.Catalog, oci.Options{Credentials: oci.Anonymous, Insecure: true})
	require.NoError(t, err)
	trust, err := tuf.New(about.Root, tuf.Options{})
	require.NoError(t, err)
	signed, err := sigstore.New(sigstore.Options{TrustedRoot: trustedRoot})
	require.NoError(t, err)
	m, err := marketplace.Open(t.TempDir(), marketplace.Options{
		Sources: []marketplace.Source{{Name: "hub", Source: src, Trust: trust}}, Verifier: signed, Host: host,
		Policy: sandbox.Policy{Scopes: []sandbox.Scope{{Kind: sandbox.KindUI, Target: "dashboard.card", Risk: sandbox.RiskLow, Sentence: "Shows a card."}}},
		Gate:   install.Gate{OK: 1, Within: 5 * time.Second, Every: 10 * time.Millisecond},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// TestPublishersWay is all that a publisher does, from nothing to the numbers.
func TestPublishersWay(t *testing.T) {
	t.Parallel()
	w := newTown(t, hubtest.Options{})
	token := w.env.token
	w.env.hub, w.env.token = "", ""
	hello, ref := w.path("hello"), catalog.Ref{Plugin: "acme/hello", Version: "0.1.0"}
	w.do("init", hello, "--id", "acme/hello")
	w.do("build", hello)
	w.do("check", hello, "--strict")

	// Logging in keeps the token where only its owner can read it.
	submit := []string{"submit", hello, "--key", w.path("acme.pem"), "--percent", "10"}
	assert.Contains(t, w.fail(exitUsage, submit...), "souk login")
	w.stdin = "souk_nonsense\n"
	assert.Contains(t, w.fail(exitFailed, "login", w.URL), "does not know this token")
	w.stdin = token + "\n"
	_, said, errs := w.run("login", w.URL+"/")
	assert.Contains(t, said+errs, "as Olga Owner")
	info, err := os.Stat(w.path("settings/souk/hubs.json"))
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	assert.NotContains(t, said+errs, token)

	// What is wrong is said with file and line before anything is sent: the hub has a
	// category tools, and not this one.
	w.edit("hello/package/plugin.json", `"permissions"`, `"categories": ["toys"], "permissions"`)
	w.do("check", hello)
	out := w.fail(exitFailed, submit...)
	assert.Regexp(t, `hello/package/plugin\.json:\d+:\d+: error: categories`, out)
	assert.Empty(t, w.submissions(ref))
	w.edit("hello/package/plugin.json", "toys", "tools")

	// A secret that was packed: the scanner says where, and a reviewer asks for changes.
	require.NoError(t, os.WriteFile(w.path("hello/package/deploy.txt"), []byte("how to deploy\n"+secret(t)), 0o644))
	code, out, errs := w.run(submit...)
	require.Equal(t, exitDone, code, out+errs)
	assert.Contains(t, errs, "pushed acme/hello@0.1.0")
	assert.Contains(t, errs, "scanner secrets: found")
	assert.Regexp(t, `hello/package/deploy\.txt:2: (high|critical): private key`, out)
	assert.Contains(t, out, "is in review")
	sub := w.submissions(ref)[0]
	w.askForChanges(sub.ID, "Take the key out, and make a new one.", "deploy.txt", 2)
	out = w.do("status", "acme/hello@0.1.0")
	assert.Contains(t, out, "asks for changes: Take the key out")
	assert.Contains(t, out, "comment on deploy.txt:2: This one.")
	assert.Contains(t, w.do("status", "acme/hello"), "to be changed")
	w.do("comment", sub.ID, "Sorry,", "it is void now.", "--file", "deploy.txt", "--line", "2")
	assert.Contains(t, w.do("status", sub.ID), "comment on deploy.txt:2: Sorry, it is void now.")

	// Fixed, and handed in again as the same submission; a person approves meanwhile.
	require.NoError(t, os.Remove(w.path("hello/package/deploy.txt")))
	approved := make(chan struct{})
	go func() {
		defer close(approved)
		assert.Eventually(t, func() bool { return w.submissions(ref)[0].Round == 2 }, patience, 20*time.Millisecond)
		w.approve(ref)
	}()
	code, out, errs = w.run(append(submit, "--wait")...)
	require.Equal(t, exitDone, code, out+errs)
	<-approved
	assert.Contains(t, out, "is published")
	assert.Len(t, w.submissions(ref), 1)
	assert.Contains(t, w.do(append(submit, "--wait")...), sub.ID, "once more: nothing to do")

	// Visible in a panel within one sync, with its notes, and it runs.
	host := &installtest.Host{}
	m := hubPanel(t, w.URL, host)
	require.NoError(t, m.Sync(t.Context()))
	release := func() catalog.Release {
		entry, err := m.Plugin("acme/hello")
		require.NoError(t, err)
		require.Len(t, entry.Releases, 1)
		return entry.Releases[0]
	}
	assert.Contains(t, release().Notes, "First release.")
	assert.Equal(t, &catalog.Rollout{Percent: 10}, release().Rollout)
	apply(t, m, install.Change{Install: []resolve.Want{{Plugin: "acme/hello"}}})
	assert.Equal(t, []string{"acme/hello@0.1.0"}, host.Versions())
	assert.Equal(t, "drawn 1 times", start(t, m.Installed()[0])["text"])

	// Rollout paused, resumed, widened; yanked and back. A panel sees each within one sync.
	seen := func(args ...string) catalog.Release {
		t.Helper()
		w.do(args...)
		w.written()
		require.NoError(t, m.Sync(t.Context()))
		return release()
	}
	assert.Equal(t, &catalog.Rollout{Percent: 10, Paused: true}, seen("rollout", ref.String(), "--pause").Rollout)
	assert.Equal(t, &catalog.Rollout{Percent: 10}, seen("rollout", ref.String(), "--resume").Rollout)
	assert.Nil(t, seen("rollout", ref.String(), "--percent", "100").Rollout)
	assert.Contains(t, w.fail(exitUsage, "yank", ref.String()), "--reason is missing")
	assert.Equal(t, catalog.Yanked, seen("yank", ref.String(), "--reason", "It greets too loud.").State)
	assert.Contains(t, w.do("status", "acme/hello"), "It greets too loud.")
	assert.Equal(t, catalog.Active, seen("unyank", ref.String()).State)

	// The panel's download is counted.
	assert.Eventually(t, func() bool {
		_, out, _ := w.run("numbers", "acme/hello")
		return regexp.MustCompile(`downloads  1, of all time 1\n  0\.1\.0    1\n`).MatchString(out)
	}, patience, 50*time.Millisecond)
	csv := w.do("numbers", "acme/hello", "--csv", "--days", "3")
	assert.Len(t, strings.Split(csv, "\r\n"), 4)
	var n client.Numbers
	require.NoError(t, json.Unmarshal([]byte(w.do("numbers", "acme/hello", "--json", "--days", "1")), &n))
	assert.Equal(t, []int64{1}, n.Downloads)

	w.do("logout")
	assert.Contains(t, w.fail(exitUsage, "status"), "no hub is named")
}

// TestLoginUnseen: a token is not read where it would be seen, and the environment wins over
// what is kept.
func TestLoginUnseen(t *testing.T) {
	t.Parallel()
	w := newTown(t, hubtest.Options{})
	null, err := os.Open(os.DevNull) // a device of characters whose echo cannot be switched off
	require.NoError(t, err)
	defer null.Close()
	var errs lockedBuffer
	a := w.app(io.Discard, &errs)
	a.stdin = null
	assert.Equal(t, exitFailed, a.run(t.Context(), []string{"login", w.URL}))
	assert.Contains(t, errs.String(), "would be seen while you type it")
	assert.NoFileExists(t, w.path("settings/souk/hubs.json"))

	w.stdin = w.env.token
	w.do("login", w.URL)
	w.env.hub, w.env.token = "", ""
	w.do("status")
	w.env.token = "souk_other"
	assert.Contains(t, w.fail(exitFailed, "status"), "is not known")
	assert.Contains(t, w.fail(exitFailed, "logout", "https://hub.example.org"), "not logged in")
}

// secret is a key that nobody uses.
func secret(t *testing.T) string {
	t.Helper()
	b, err := sigstore.GenerateKey()
	require.NoError(t, err)
	return string(b)
}

// askForChanges is what a reviewer does.
func (w *town) askForChanges(id, text, file string, line int) {
	w.shell.t.Helper()
	rosa := w.Person("Rosa Reviewer", hub.RoleReviewer)
	d, err := w.Settle(w.shell.t.Context(), rosa, id)
	require.NoError(w.shell.t, err)
	_, err = w.Hub.Publishing.Comment(w.shell.t.Context(), w.Actor(rosa), id, publishing.NewComment{Text: "This one.", File: file, Line: line})
	require.NoError(w.shell.t, err)
	_, err = w.Hub.Publishing.Decide(w.shell.t.Context(), w.Actor(rosa), id, publishing.Decision{
		Round: d.Round, Digest: d.Digest, Verdict: hub.VerdictChanges, Text: text,
	})
	require.NoError(w.shell.t, err)
}
