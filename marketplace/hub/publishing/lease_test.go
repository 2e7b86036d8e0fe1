package publishing_test

import (
	"net/http"
	"path"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
)

// TestProcessThatSleeps lets one process fall asleep in the middle of a publish, for
// longer than its lease, while another one publishes.
func TestProcessThatSleeps(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]func(*http.Request) bool{
		// Between two writes: the next one is refused.
		"before a segment": func(r *http.Request) bool {
			return r.Method == http.MethodHead && path.Dir(r.URL.Path) == "/v2/"+prefix+"/catalog/blobs"
		},
		// In the middle of the last write, which goes through and is older than what is
		// visible by then: no panel takes it, and it is made good.
		"in timestamp.json": func(r *http.Request) bool {
			return r.Method == http.MethodPut && path.Base(r.URL.Path) == "timestamp.json"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			p := w.panel()
			owner, signer := w.publisher("acme")
			w.publish(owner, signer, manifest("acme/first", "1.0.0"), nil)
			awake := w.service
			slept := false
			w.before = func(r *http.Request) {
				if slept || !at(r) {
					return
				}
				slept = true
				w.clock.advance(2 * time.Minute)
				w.jobs.add(hub.Job{Kind: hub.JobCatalog})
				sleepy := w.service
				w.service = awake
				w.settle()
				p.sync()
				w.service = sleepy
			}
			w.start()
			sub := w.approve(w.reviewed(owner, signer, manifest("acme/second", "1.0.0"), nil))
			w.settle()
			require.True(t, slept)
			w.jobs.add(hub.Job{Kind: hub.JobRenew})
			w.settle()
			require.Equal(t, hub.StatePublished, w.get(sub.ID).State)
			checkOnce(t, w, p, sub, true, name)
		})
	}
}

func TestInitCatalogOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	root, err := w.service.Root(t.Context())
	require.NoError(t, err)
	w.start()
	again, err := w.service.InitCatalog(t.Context(), publishing.InitOptions{Root: w.root})
	require.NoError(t, err)
	assert.Equal(t, root, again)
}

func TestRotate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := w.panel()
	owner, signer := w.publisher("acme")
	w.publish(owner, signer, manifest("acme/backup", "1.0.0"), nil)
	p.sync()
	keys := newKeys(t)
	keys.Root = w.root
	_, err := w.service.Rotate(t.Context(), w.account("ann"), w.root, keys)
	require.ErrorIs(t, err, hub.ErrForbidden)
	_, err = w.service.Rotate(t.Context(), w.account("ada", hub.RoleAdmin), w.root, keys)
	require.NoError(t, err)
	w.options.Keys = keys
	w.options.Keys.Root = nil
	w.start()
	w.publish(owner, signer, manifest("acme/backup", "1.1.0"), nil)
	s := p.sync() // a panel that pinned the first root follows
	_, err = s.Release(catalog.Ref{Plugin: "acme/backup", Version: "1.1.0"})
	require.NoError(t, err)
}

func TestAppealIsANewLook(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.policy.Reviewers = 2 })
	owner, signer := w.publisher("acme")
	sub := w.reviewed(owner, signer, manifest("acme/backup", "1.0.0"), nil)
	sub, err := w.decide("rita", sub, hub.VerdictApprove, "")
	require.NoError(t, err)
	w.clock.advance(time.Second)
	sub, err = w.decide("rob", sub, hub.VerdictReject, "is a copy")
	require.NoError(t, err)
	require.Equal(t, hub.StateRejected, sub.State)
	w.clock.advance(time.Second)
	ctx := t.Context()
	require.NoError(t, w.db.Update(ctx, func(tx hub.Tx) error {
		_, err := hub.ReopenSubmission(ctx, tx, w.account2("mo"), w.clock.now(), sub.ID, "the appeal was granted")
		return err
	}))
	sub, err = w.decide("rune", w.get(sub.ID), hub.VerdictApprove, "")
	require.NoError(t, err)
	assert.Equal(t, hub.StateInReview, sub.State, "what was approved before the rejection does not count")
	sub, err = w.decide("rita", sub, hub.VerdictApprove, "")
	require.NoError(t, err)
	assert.Equal(t, hub.StateApproved, sub.State)
}

// account2 is a moderator that is made without a transaction.
func (w *world) account2(name string) hub.Actor {
	return hub.Actor{Account: name, Roles: []hub.Role{hub.RoleModerator}, Via: "session"}
}

func TestQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	owner, signer := w.publisher("acme")
	calm1 := w.reviewed(owner, signer, manifest("acme/calm-1", "1.0.0"), nil)
	w.clock.advance(time.Second)
	calm2 := w.reviewed(owner, signer, manifest("acme/calm-2", "1.0.0"), nil)
	risky := w.reviewed(owner, signer, asks(manifest("acme/risky", "1.0.0"), "net.out:*:*"), nil)
	all, n, err := w.service.Queue(t.Context(), w.account("rita", hub.RoleReviewer), 2)
	require.NoError(t, err)
	assert.Equal(t, 3, n)
	require.Len(t, all, 2)
	assert.Equal(t, risky.ID, all[0].ID)
	assert.Equal(t, calm1.ID, all[1].ID, "of the same risk the oldest")
	assert.NotEqual(t, calm2.ID, all[1].ID)
	_, _, err = w.service.Queue(t.Context(), owner, 0)
	require.ErrorIs(t, err, hub.ErrForbidden)
}

func TestDiff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	owner, signer := w.publisher("acme")
	old := asks(manifest("acme/backup", "1.0.0"), "net.out:a.example:443")
	old.Dependencies = []catalog.Dependency{{ID: "acme/base", Range: "^1"}}
	first := w.publish(owner, signer, old, map[string]string{"a.txt": "one", "gone.txt": "x", "m.wasm": module("souk", "log")})
	d, err := w.service.Submission(t.Context(), owner, first.ID)
	require.NoError(t, err)
	assert.Empty(t, d.Diff.Base)
	assert.Equal(t, []string{"souk.log"}, d.Diff.Imports.Added)

	next := asks(manifest("acme/backup", "1.1.0"), "net.out:*.example:443")
	next.Dependencies = []catalog.Dependency{{ID: "acme/base", Range: "^2"}}
	other := newSigner(t)
	_, err = w.service.AddSigner(t.Context(), owner, "acme", publishing.NewSigner{Key: other.Identity().Key})
	require.NoError(t, err)
	sub := w.reviewed(owner, other, next, map[string]string{"a.txt": "two", "new.txt": "y", "m.wasm": module("souk", "net.fetch")})
	d, err = w.service.Submission(t.Context(), owner, sub.ID)
	require.NoError(t, err)
	require.NotNil(t, d.Diff)
	files := map[string]string{}
	for _, f := range d.Diff.Files {
		files[f.Path] = f.Kind
	}
	assert.Equal(t, map[string]string{
		"a.txt": "changed", "gone.txt": "removed", "new.txt": "added", "m.wasm": "changed", "VERSION": "changed", "plugin.json": "changed",
	}, files)
	assert.Equal(t, "1.0.0", d.Diff.Base)
	assert.Equal(t, publishing.Names{Added: []string{"souk.net.fetch"}, Removed: []string{"souk.log"}}, d.Diff.Imports)
	assert.Equal(t, publishing.Names{Added: []string{"acme/base ^2"}, Removed: []string{"acme/base ^1"}}, d.Diff.Dependencies)
	assert.Equal(t, publishing.Was{Old: signer.Identity().ID(), New: other.Identity().ID()}, d.Diff.Signer)
	require.Len(t, d.Diff.Permissions.Widened, 1)
	assert.Positive(t, d.Diff.Size.Old)
	assert.Equal(t, notes, d.Diff.Notes)
	assert.True(t, d.Grew)
}

// module is a WebAssembly module that imports one function.
func module(from, name string) string {
	part := func(s string) string { return string([]byte{byte(len(s))}) + s }
	section := func(id byte, body string) string { return string([]byte{id}) + part(body) }
	return "\x00asm\x01\x00\x00\x00" + section(1, "\x01\x60\x00\x00") + section(2, "\x01"+part(from)+part(name)+"\x00\x00")
}
