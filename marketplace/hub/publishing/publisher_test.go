package publishing_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
	"github.com/souk-dev/souk/verify"
)

func TestNamespaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.policy.MaxPublishers = 3 })
	ctx, ann := t.Context(), w.account("ann")
	create := func(a hub.Actor, name string) error {
		_, err := w.service.CreatePublisher(ctx, a, publishing.PublisherEdit{Namespace: name, Name: "Some name"})
		return err
	}
	invalid := func(err error, field string) {
		t.Helper()
		bad := (*hub.InvalidError)(nil)
		require.ErrorAs(t, err, &bad)
		assert.Equal(t, field, bad.Field)
	}
	require.ErrorIs(t, create(hub.Actor{}, "acme"), hub.ErrUnauthenticated)
	require.NoError(t, create(ann, "acme-labs"))
	require.ErrorIs(t, create(ann, "acme-labs"), hub.ErrExists)
	for _, name := range []string{"", "a", "Acme", "acme_x", "-acme", "acme/x", "1acme", "acme--x", "аcme", strings.Repeat("a", 41)} {
		invalid(create(ann, name), "namespace")
	}
	for _, name := range []string{"acmelabs", "acme-1abs", "acrne-labs", "souk", "catalog", "staging", "admin"} {
		invalid(create(ann, name), "namespace")
	}
	admin := w.account("ada", hub.RoleAdmin)
	require.NoError(t, w.service.Reserve(ctx, admin, "panelcorp", "the panel's maker"))
	invalid(create(ann, "panelcorp"), "namespace")
	invalid(create(ann, "panelcorps"), "namespace")
	require.NoError(t, w.service.Unreserve(ctx, admin, "panelcorp"))
	require.NoError(t, create(ann, "panelcorp"))
	require.NoError(t, create(ann, "third"))
	limit := (*hub.LimitError)(nil)
	require.ErrorAs(t, create(ann, "fourth"), &limit)
	_, err := w.service.CreatePublisher(ctx, w.account("bob"), publishing.PublisherEdit{Namespace: "bobs", Name: "x", Homepage: "http://plain.example"})
	invalid(err, "homepage")
	_, err = w.service.CreatePublisher(ctx, w.account("bob"), publishing.PublisherEdit{Namespace: "bobs", Name: "evil\u202etxt"})
	invalid(err, "name")

	w.settle()
	_, known := w.panel().sync().Publisher("third")
	assert.True(t, known, "the catalog says who owns what")
}

func TestMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ctx := t.Context()
	owner, _ := w.publisher("acme")
	w.account("bob")
	require.NoError(t, w.service.SetMember(ctx, owner, "acme", "bob", hub.MemberMaintainer))
	bob := w.account("bob")
	require.ErrorIs(t, w.service.SetMember(ctx, bob, "acme", "bob", hub.MemberOwner), hub.ErrForbidden)
	require.ErrorIs(t, w.service.RemoveMember(ctx, owner, "acme", owner.Account), hub.ErrState, "the last owner stays")
	require.ErrorIs(t, w.service.SetMember(ctx, owner, "acme", owner.Account, hub.MemberMaintainer), hub.ErrState)
	stale := owner
	stale.Fresh = false
	require.ErrorIs(t, w.service.SetMember(ctx, stale, "acme", "bob", hub.MemberOwner), hub.ErrNotFresh)
	require.Error(t, w.service.SetMember(ctx, owner, "acme", "nobody", hub.MemberOwner))
	_, err := w.service.AddSigner(ctx, bob, "acme", publishing.NewSigner{Key: newSigner(t).Identity().Key})
	require.ErrorIs(t, err, hub.ErrForbidden, "a maintainer adds no signers")
	require.NoError(t, w.db.Update(ctx, func(tx hub.Tx) error {
		return tx.Tokens().Insert(ctx, &hub.Token{ID: "tok", Hash: "h", Kind: hub.TokenAPI, Account: "bob", Publisher: "acme"})
	}))
	require.NoError(t, w.service.RemoveMember(ctx, bob, "acme", "bob"), "whoever wants to leaves")
	require.NoError(t, w.db.View(ctx, func(tx hub.Tx) error {
		_, err := tx.Tokens().Get(ctx, "tok")
		require.ErrorIs(t, err, hub.ErrNotFound)
		return nil
	}))
	in, err := w.service.Inside(ctx, owner, "acme")
	require.NoError(t, err)
	assert.Len(t, in.Members, 1)
	assert.Len(t, in.Signers, 1)
	assert.Equal(t, hub.MemberOwner, in.Role)
}

func TestSigners(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ctx := t.Context()
	owner, signer := w.publisher("acme")
	wrapped := strings.ReplaceAll(signer.Identity().Key, "\n", "\r\n") + "\n\n"
	_, err := w.service.AddSigner(ctx, owner, "acme", publishing.NewSigner{Key: wrapped})
	require.ErrorIs(t, err, hub.ErrExists, "the same key in another shape is the same")
	ci := publishing.NewSigner{Issuer: "https://ci.example", Subject: "https://ci.example/acme/backup/release.yml@refs/tags/v1"}
	got, err := w.service.AddSigner(ctx, owner, "acme", ci)
	require.NoError(t, err)
	assert.Equal(t, "acme "+verify.Identity{Issuer: ci.Issuer, Subject: ci.Subject}.ID(), got.ID)
	for name, in := range map[string]publishing.NewSigner{
		"nothing": {}, "both": {Key: signer.Identity().Key, Issuer: "https://x.example"}, "no key": {Key: "hello"},
		"plain issuer": {Issuer: "http://ci.example", Subject: "x"}, "no subject": {Issuer: "https://ci.example"},
		"over": {Key: newSigner(t).Identity().Key, Until: w.clock.now().Add(-time.Hour)},
	} {
		_, err := w.service.AddSigner(ctx, owner, "acme", in)
		bad := (*hub.InvalidError)(nil)
		require.ErrorAs(t, err, &bad, name)
	}
	w.settle()
	p, ok := w.panel().sync().Publisher("acme")
	require.True(t, ok)
	assert.Len(t, p.Signers, 2)
}

// web and dns are what a publisher shows.
type web struct {
	answer func(*http.Request) (*http.Response, error)
}

func (w web) Do(r *http.Request) (*http.Response, error) { return w.answer(r) }

type dns map[string][]string

func (d dns) LookupTXT(_ context.Context, name string) ([]string, error) {
	if r, ok := d[name]; ok {
		return r, nil
	}
	return nil, errors.New("no such host")
}

func answer(status int, body string) (*http.Response, error) {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func TestProofs(t *testing.T) {
	t.Parallel()
	zone := dns{}
	var page func(*http.Request) (*http.Response, error)
	w := newWorld(t, func(w *world) {
		w.options.Resolver = zone
		w.options.Web = web{func(r *http.Request) (*http.Response, error) { return page(r) }}
	})
	ctx := t.Context()
	owner, _ := w.publisher("acme")
	state := func(id string) hub.Proof {
		t.Helper()
		in, err := w.service.Inside(ctx, owner, "acme")
		require.NoError(t, err)
		for _, p := range in.Proofs {
			if p.ID == id {
				return p
			}
		}
		t.Fatal("no such proof")
		return hub.Proof{}
	}
	verified := func() bool {
		t.Helper()
		p, err := w.service.Publisher(ctx, "acme")
		require.NoError(t, err)
		return p.Verified
	}
	check := func() { // what the store does every ten minutes
		t.Helper()
		w.jobs.add(hub.Job{Kind: hub.JobProof})
		w.settle()
	}
	p, err := w.service.AddProof(ctx, owner, "acme", hub.ProofDNS, "Acme.Example.")
	require.NoError(t, err)
	assert.Equal(t, "acme.example", p.Subject)
	w.settle()
	assert.Equal(t, hub.ProofPending, state(p.ID).State)
	assert.False(t, verified())
	zone["acme.example."] = []string{"v=spf1", "souk-verify=" + p.Challenge}
	w.clock.advance(2 * time.Hour)
	check()
	assert.Equal(t, hub.ProofHolds, state(p.ID).State)
	assert.True(t, verified())
	public, err := w.service.Proofs(ctx, "acme")
	require.NoError(t, err)
	require.Len(t, public, 1)
	assert.Empty(t, public[0].Challenge)

	zone["acme.example."] = []string{"souk-verify=another"}
	w.clock.advance(25 * time.Hour)
	check()
	assert.Equal(t, hub.ProofFailing, state(p.ID).State)
	assert.True(t, verified(), "a grace runs")
	for range 6 * 24 {
		w.clock.advance(time.Hour)
		check()
	}
	assert.Equal(t, hub.ProofFailing, state(p.ID).State)
	for range 25 {
		w.clock.advance(time.Hour)
		check()
	}
	assert.Equal(t, hub.ProofLost, state(p.ID).State)
	assert.False(t, verified())

	file, err := w.service.AddProof(ctx, owner, "acme", hub.ProofWellKnown, "www.acme.example")
	require.NoError(t, err)
	right := "# who we are\nsouk-verify=" + file.Challenge + "\n"
	for name, one := range map[string]func(r *http.Request) (*http.Response, error){
		"redirect": func(*http.Request) (*http.Response, error) { return answer(302, right) },
		"missing":  func(*http.Request) (*http.Response, error) { return answer(404, right) },
		"other":    func(*http.Request) (*http.Response, error) { return answer(200, "souk-verify=x") },
		"endless":  func(*http.Request) (*http.Response, error) { return answer(200, right+strings.Repeat("x", 70<<10)) },
		"refused":  func(*http.Request) (*http.Response, error) { return nil, fmt.Errorf("dial: %w", hub.ErrRefused) },
	} {
		page = one
		w.clock.advance(2 * time.Hour)
		check()
		assert.Equal(t, hub.ProofPending, state(file.ID).State, name)
	}
	page = func(r *http.Request) (*http.Response, error) {
		assert.Equal(t, "https://www.acme.example"+publishing.ProofPath, r.URL.String())
		return answer(200, right)
	}
	require.NoError(t, func() error { w.clock.advance(2 * time.Hour); return w.service.CheckProof(ctx, owner, "acme", file.ID) }())
	w.settle()
	assert.Equal(t, hub.ProofHolds, state(file.ID).State)
	assert.True(t, verified())
	require.NoError(t, w.service.RemoveProof(ctx, owner, "acme", file.ID))
	assert.False(t, verified())

	repo, err := w.service.AddProof(ctx, owner, "acme", hub.ProofRepository, "github.com/Acme/Backup")
	require.NoError(t, err)
	require.NoError(t, w.service.ProveRepository(ctx, "acme", "github.com/other/backup"))
	assert.Equal(t, hub.ProofPending, state(repo.ID).State)
	require.NoError(t, w.service.ProveRepository(ctx, "acme", "github.com/acme/backup"))
	assert.Equal(t, hub.ProofHolds, state(repo.ID).State)

	for _, bad := range []string{"", "localhost", "127.0.0.1", "10.1", "[::1]", "acme.example/x", "acme.example:443", "a_b.example", "-a.example", "x@acme.example"} {
		_, err := w.service.AddProof(ctx, owner, "acme", hub.ProofWellKnown, bad)
		wrong := (*hub.InvalidError)(nil)
		require.ErrorAs(t, err, &wrong, bad)
	}
}

func TestTransfer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ctx := t.Context()
	owner, signer := w.publisher("acme")
	w.publish(owner, signer, manifest("acme/backup", "1.0.0"), nil)
	buyer := w.account("buyer")
	statement, err := w.service.TransferStatement(ctx, owner, "acme", "buyer")
	require.NoError(t, err)
	sign := func(by verify.Signer, text string) string {
		b, err := by.Sign(ctx, verify.DigestOf([]byte(text)))
		require.NoError(t, err)
		return string(b)
	}
	bad := (*hub.InvalidError)(nil)
	_, err = w.service.ProposeTransfer(ctx, owner, statement, sign(newSigner(t), statement))
	require.ErrorAs(t, err, &bad, "signed by a stranger")
	other := strings.Replace(statement, "buyer", "owner-acme", 1)
	_, err = w.service.ProposeTransfer(ctx, owner, other, sign(signer, statement))
	require.ErrorAs(t, err, &bad, "another statement than was signed")
	_, err = w.service.ProposeTransfer(ctx, owner, statement+" ", sign(signer, statement+" "))
	require.ErrorAs(t, err, &bad, "written in another way")
	_, err = w.service.ProposeTransfer(ctx, buyer, statement, sign(signer, statement))
	require.ErrorIs(t, err, hub.ErrForbidden)

	tr, err := w.service.ProposeTransfer(ctx, owner, statement, sign(signer, statement))
	require.NoError(t, err)
	_, err = w.service.ProposeTransfer(ctx, owner, statement, sign(signer, statement))
	require.ErrorIs(t, err, hub.ErrExists)
	_, err = w.service.AcceptTransfer(ctx, w.account("thief"), tr.ID)
	require.ErrorIs(t, err, hub.ErrNotFound)
	tr, err = w.service.AcceptTransfer(ctx, buyer, tr.ID)
	require.NoError(t, err)
	require.NoError(t, w.run())
	assert.Contains(t, w.account(owner.Account).Memberships, "acme", "the cooldown runs")

	_, err = w.service.CancelTransfer(ctx, owner, tr.ID, "changed my mind")
	require.NoError(t, err)
	w.clock.advance(8 * 24 * time.Hour)
	w.settle()
	assert.Contains(t, w.account(owner.Account).Memberships, "acme", "called off is called off")
	_, err = w.service.ProposeTransfer(ctx, owner, statement, sign(signer, statement))
	require.ErrorAs(t, err, &bad, "an old statement")

	statement, err = w.service.TransferStatement(ctx, owner, "acme", "buyer")
	require.NoError(t, err)
	tr, err = w.service.ProposeTransfer(ctx, owner, statement, sign(signer, statement))
	require.NoError(t, err)
	_, err = w.service.AcceptTransfer(ctx, buyer, tr.ID)
	require.NoError(t, err)
	w.clock.advance(8 * 24 * time.Hour)
	w.jobs.waiting = nil // the job with its time was lost: the periodic one finds it
	w.jobs.add(hub.Job{Kind: hub.JobTransfer})
	w.settle()
	assert.NotContains(t, w.account(owner.Account).Memberships, "acme")
	assert.Equal(t, hub.MemberOwner, w.account("buyer").Memberships["acme"])
	done, err := w.service.Transfers(ctx, buyer)
	require.NoError(t, err)
	assert.Equal(t, hub.TransferDone, done[0].State)
	s := w.panel()
	snap := s.sync()
	r, err := snap.Release(catalog.Ref{Plugin: "acme/backup", Version: "1.0.0"})
	require.NoError(t, err)
	s.proves(snap, r)
}

func TestPolicyAndNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ctx, admin := t.Context(), w.account("ada", hub.RoleAdmin)
	p, rev, err := w.service.Policy(ctx)
	require.NoError(t, err)
	assert.Zero(t, rev)
	assert.Equal(t, 1, p.Reviewers)
	now := w.clock.now()
	current := publishing.PolicyFunc(w.db, func() time.Time { return now })
	assert.Equal(t, 1, current().Reviewers)
	p.Reviewers = 3
	_, err = w.service.SetPolicy(ctx, w.account("ann"), rev, p)
	require.ErrorIs(t, err, hub.ErrForbidden)
	rev, err = w.service.SetPolicy(ctx, admin, rev, p)
	require.NoError(t, err)
	_, err = w.service.SetPolicy(ctx, admin, 0, p)
	require.ErrorIs(t, err, hub.ErrMoved)
	_, err = w.service.SetPolicy(ctx, admin, rev, p)
	require.NoError(t, err)
	_, err = w.service.SetPolicy(ctx, admin, rev, p)
	require.ErrorIs(t, err, hub.ErrMoved)
	assert.Equal(t, 1, current().Reviewers, "read at most once a second")
	now = now.Add(time.Second)
	assert.Equal(t, 3, current().Reviewers)
	p.Reviewers = -1
	_, err = w.service.SetPolicy(ctx, admin, rev+1, p)
	bad := (*hub.InvalidError)(nil)
	require.ErrorAs(t, err, &bad)

	require.NoError(t, w.service.SetCategory(ctx, admin, hub.Category{Slug: "tools", Name: "Tools", Position: 2}))
	require.NoError(t, w.service.SetCategory(ctx, admin, hub.Category{Slug: "games", Name: "Games", Position: 1}))
	require.ErrorAs(t, w.service.SetCategory(ctx, admin, hub.Category{Slug: "No", Name: "x"}), &bad)
	all, err := w.service.Categories(ctx)
	require.NoError(t, err)
	require.Len(t, all, 2)
	assert.Equal(t, "games", all[0].Slug)
	require.NoError(t, w.service.RemoveCategory(ctx, admin, "games"))
	require.ErrorIs(t, w.service.RemoveCategory(ctx, admin, "games"), hub.ErrNotFound)
}
