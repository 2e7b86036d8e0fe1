package publishing_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
	"github.com/souk-dev/souk/marketplace/hub/sqlstore"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/scan"
	"github.com/souk-dev/souk/verify/sigstore"
	"github.com/souk-dev/souk/verify/tuf"
)

// world is a hub's publishing on real parts: SQLite, a registry over HTTP, keys.
type world struct {
	t        testing.TB
	db       hub.Store
	registry *catalogtest.Registry
	service  *publishing.Service
	policy   hub.Policy
	options  publishing.Options // of the next service
	root     []tuf.Key
	attester *sigstore.KeySigner
	clock    *clock
	jobs     *jobs
	cut      *cut
	before   func(*http.Request) // of requests of the next service
	accounts map[string]bool
}

// scanner says what a test wants.
type scanner struct {
	name string
	scan func(ctx context.Context, files fs.FS, s scan.Subject) (scan.Report, error)
}

func (s scanner) Name() string { return s.name }
func (s scanner) Scan(ctx context.Context, files fs.FS, sub scan.Subject) (scan.Report, error) {
	return s.scan(ctx, files, sub)
}

var clean = scanner{"clean", func(context.Context, fs.FS, scan.Subject) (scan.Report, error) {
	return scan.Report{Verdict: verify.VerdictPass}, nil
}}

const prefix = "plugins"

func newWorld(t testing.TB, change func(*world)) *world {
	t.Helper()
	ctx := t.Context()
	w := &world{
		t: t, registry: catalogtest.NewRegistry(t, catalogtest.RegistryOptions{}), policy: hub.Policy{}.WithDefaults(),
		clock: &clock{at: time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)}, jobs: &jobs{}, cut: &cut{}, accounts: map[string]bool{},
	}
	db, err := sqlstore.OpenSQLite(ctx, filepath.Join(t.TempDir(), "hub.db"), sqlstore.Options{Volatile: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	w.db = db
	w.root = []tuf.Key{newKey(t), newKey(t)}
	w.attester = newSigner(t)
	verifier, err := sigstore.New(sigstore.Options{})
	require.NoError(t, err)
	w.options = publishing.Options{
		Verifier: verifier, Attester: w.attester, Scanners: []scan.Scanner{clean},
		Keys: newKeys(t),
	}
	w.policy.SubmissionsDay = 10_000
	if change != nil {
		change(w)
	}
	w.start()
	root, err := w.service.InitCatalog(ctx, publishing.InitOptions{Root: w.root})
	require.NoError(t, err)
	require.NotEmpty(t, root)
	return w
}

func newKey(t testing.TB) tuf.Key {
	t.Helper()
	k, err := tuf.GenerateKey()
	require.NoError(t, err)
	return k
}

func newKeys(t testing.TB) tuf.Keys {
	t.Helper()
	return tuf.Keys{Targets: []tuf.Key{newKey(t)}, Snapshot: []tuf.Key{newKey(t)}, Timestamp: []tuf.Key{newKey(t)}}
}

func newSigner(t testing.TB) *sigstore.KeySigner {
	t.Helper()
	s, err := sigstore.NewKeySigner(catalogtest.NewECDSAKey(t))
	require.NoError(t, err)
	return s
}

// start makes a process: a service that knows nothing but store and registry.
func (w *world) start() {
	w.t.Helper()
	w.cut.set(0)
	o := oci.Options{Credentials: oci.Anonymous, RetryWait: time.Millisecond, Transport: wire{w.cut, w.before}}
	at := w.registry.Host + "/" + prefix
	pusher, err := oci.NewPusher(at, o)
	require.NoError(w.t, err)
	reader, err := oci.NewReader(at, o)
	require.NoError(w.t, err)
	source, err := oci.New(at+"/catalog", o)
	require.NoError(w.t, err)
	w.options.Registry, w.options.Reader, w.options.Source = pusher, reader, source
	w.service, err = publishing.New(hub.Env{
		Store: &store{w.db, w.jobs, w.cut}, Now: w.clock.now, Policy: func() hub.Policy { return w.policy },
	}, w.options)
	require.NoError(w.t, err)
}

// account makes an account and returns it as who is signed in, with fresh proof.
func (w *world) account(name string, roles ...hub.Role) hub.Actor {
	w.t.Helper()
	if !w.accounts[name] {
		w.accounts[name] = true
		require.NoError(w.t, w.db.Update(w.t.Context(), func(tx hub.Tx) error {
			return tx.Accounts().Insert(w.t.Context(), &hub.Account{ID: name, Name: name, State: hub.AccountActive, Roles: roles, Created: w.clock.now()})
		}))
	}
	a := hub.Actor{Account: name, Name: name, Roles: roles, Via: "session", Fresh: true, Memberships: map[string]hub.MemberRole{}}
	require.NoError(w.t, w.db.View(w.t.Context(), func(tx hub.Tx) error {
		all, err := tx.Members().List(w.t.Context(), hub.Query{Where: []hub.Cond{hub.Eq("account", name)}})
		for _, m := range all {
			a.Memberships[m.Publisher] = m.Role
		}
		return err
	}))
	return a
}

// publisher makes a publisher with an owner of the same name and a signer.
func (w *world) publisher(namespace string) (hub.Actor, *sigstore.KeySigner) {
	w.t.Helper()
	owner := w.account("owner-" + namespace)
	_, err := w.service.CreatePublisher(w.t.Context(), owner, publishing.PublisherEdit{Namespace: namespace, Name: "The " + namespace})
	require.NoError(w.t, err)
	owner = w.account("owner-" + namespace)
	signer := newSigner(w.t)
	_, err = w.service.AddSigner(w.t.Context(), owner, namespace, publishing.NewSigner{Key: signer.Identity().Key})
	require.NoError(w.t, err)
	return owner, signer
}

// manifest is a plugin without any permission.
func manifest(id catalog.PluginID, version string) catalog.Manifest {
	return catalog.Manifest{
		Format: catalog.ManifestFormat, ID: id, Version: version, Name: string(id), Summary: "A plugin for tests.",
		License: "Apache-2.0", Runtime: catalog.Runtime{Kind: catalog.RuntimeStatic},
		Icon: "icon.png", Docs: "README.md",
	}
}

// asks adds a permission.
func asks(m catalog.Manifest, permission string) catalog.Manifest {
	p := sandbox.Permission(permission)
	m.Permissions = append(m.Permissions, catalog.PermissionRequest{Kind: p.Kind(), Target: p.Target(), Reason: "for a test"})
	return m
}

// pack makes a package without a warning of validation.
func pack(t testing.TB, m catalog.Manifest, files map[string]string) *publish.Package {
	t.Helper()
	raw, err := json.Marshal(m)
	require.NoError(t, err)
	all := fstest.MapFS{
		publish.ManifestFile: {Data: raw}, "icon.png": {Data: icon(t)}, "README.md": {Data: []byte("# " + m.Name + "\n")},
		"LICENSE": {Data: []byte("Apache-2.0\n")}, "VERSION": {Data: []byte(m.Version + "\n")},
	}
	for name, content := range files {
		all[name] = &fstest.MapFile{Data: []byte(content)}
	}
	p, err := publish.Pack(t.Context(), all, publish.PackOptions{})
	require.NoError(t, err)
	return p
}

// push pushes a package to staging, signed.
func (w *world) push(p *publish.Package, signer verify.Signer) string {
	w.t.Helper()
	require.NoError(w.t, publish.Push(w.t.Context(), w.registry, prefix+"/staging", p, signer))
	return string(p.OCI.Digest)
}

var notes = publish.Notes{Summary: "Something new.", Changed: []string{"A thing."}}

// submit names and submits a version.
func (w *world) submit(owner hub.Actor, m catalog.Manifest, digest string) hub.Submission {
	w.t.Helper()
	sub, err := w.service.CreateSubmission(w.t.Context(), owner, publishing.NewSubmission{Plugin: string(m.ID), Version: m.Version, Notes: notes})
	require.NoError(w.t, err)
	sub, err = w.service.Submit(w.t.Context(), owner, sub.ID, digest)
	require.NoError(w.t, err)
	return sub
}

// run does the jobs that wait, until none is left or one fails; a snoozed one waits on.
func (w *world) run() error {
	handlers := w.service.Handlers()
	for {
		j, ok := w.jobs.take(w.clock.now())
		if !ok {
			return nil
		}
		do, ours := handlers[j.Kind]
		if !ours {
			continue
		}
		j.Attempt++
		err := do(w.t.Context(), j)
		snooze := (*hub.Snooze)(nil)
		switch {
		case errors.As(err, &snooze):
			j.At = w.clock.now().Add(snooze.After)
			j.Attempt--
			w.jobs.add(j)
		case errors.Is(err, hub.ErrGiveUp):
		case err != nil:
			w.jobs.add(j)
			return err
		}
	}
}

// settle runs jobs and lets time pass until none waits.
func (w *world) settle() {
	w.t.Helper()
	for range 100 {
		require.NoError(w.t, w.run())
		w.jobs.mu.Lock()
		left := len(w.jobs.waiting)
		w.jobs.mu.Unlock()
		if left == 0 {
			return
		}
		w.clock.advance(time.Minute)
	}
	w.t.Fatal("jobs do not come to an end")
}

func (w *world) get(id string) hub.Submission {
	w.t.Helper()
	var sub hub.Submission
	require.NoError(w.t, w.db.View(w.t.Context(), func(tx hub.Tx) (err error) {
		sub, err = tx.Submissions().Get(w.t.Context(), id)
		return err
	}))
	return sub
}

// reviewed pushes, submits and scans a version, up to review.
func (w *world) reviewed(owner hub.Actor, signer verify.Signer, m catalog.Manifest, files map[string]string) hub.Submission {
	w.t.Helper()
	sub := w.submit(owner, m, w.push(pack(w.t, m, files), signer))
	w.settle()
	sub = w.get(sub.ID)
	require.Equal(w.t, hub.StateInReview, sub.State, "%s: %s", sub.Reason, sub.Problems)
	return sub
}

func (w *world) decide(reviewer string, sub hub.Submission, v hub.Verdict, text string) (hub.Submission, error) {
	return w.service.Decide(w.t.Context(), w.account(reviewer, hub.RoleReviewer), sub.ID,
		publishing.Decision{Round: sub.Round, Digest: sub.Digest, Verdict: v, Text: text})
}

// approve lets as many reviewers approve as are needed.
func (w *world) approve(sub hub.Submission) hub.Submission {
	w.t.Helper()
	var err error
	for i := range sub.Needs {
		sub, err = w.decide("reviewer-"+string(rune('a'+i)), sub, hub.VerdictApprove, "")
		require.NoError(w.t, err)
	}
	require.Equal(w.t, hub.StateApproved, sub.State)
	return sub
}

// publish takes a version all the way.
func (w *world) publish(owner hub.Actor, signer verify.Signer, m catalog.Manifest, files map[string]string) hub.Submission {
	w.t.Helper()
	sub := w.approve(w.reviewed(owner, signer, m, files))
	w.settle()
	sub = w.get(sub.ID)
	require.Equal(w.t, hub.StatePublished, sub.State, sub.Reason)
	return sub
}
