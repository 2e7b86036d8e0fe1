package publishing_test

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/scan"
)

// refused submits what was pushed and expects validation to send it back by a rule.
func (w *world) refused(owner hub.Actor, m catalog.Manifest, digest, rule string) {
	w.t.Helper()
	sub := w.submit(owner, m, digest)
	w.settle()
	d, err := w.service.Submission(w.t.Context(), owner, sub.ID)
	require.NoError(w.t, err)
	require.Equal(w.t, hub.StateNeedsChanges, d.State, d.Reason)
	var rules []string
	for _, p := range d.Problems {
		rules = append(rules, p.Rule)
	}
	require.Contains(w.t, rules, rule)
	_, err = w.service.Withdraw(w.t.Context(), owner, sub.ID, "")
	require.NoError(w.t, err)
}

func TestOnlyByThePublishersSigners(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	owner, signer := w.publisher("acme")
	_, other := w.publisher("other")
	m := manifest("acme/backup", "1.0.0")
	p := pack(t, m, nil)

	w.refused(owner, m, string(p.OCI.Digest), publishing.RulePushed)
	w.refused(owner, m, w.push(p, other), publishing.RuleSignature)
	w.refused(owner, m, w.push(p, newSigner(t)), publishing.RuleSignature)

	// What the hub says about a release is not what its publisher says.
	review, err := w.attester.Attest(t.Context(), p.OCI.Digest, publishing.ReviewType, []byte(`{}`))
	require.NoError(t, err)
	require.NoError(t, w.registry.Attach(t.Context(), prefix+"/staging/acme/backup", p.OCI, publish.TypeBundle, review, nil))
	w.refused(owner, m, string(p.OCI.Digest), publishing.RuleSignature)

	sub := w.reviewed(owner, signer, m, nil) // the control: all that was missing is this signature
	assert.Equal(t, signer.Identity().ID(), sub.Signer)
}

func TestRevokedSigner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	owner, signer := w.publisher("acme")
	ctx := t.Context()
	id := "acme " + signer.Identity().ID()
	approved := w.approve(w.reviewed(owner, signer, manifest("acme/backup", "1.0.0"), nil))
	_, err := w.service.RevokeSigner(ctx, owner, "acme", id, "the laptop was stolen")
	require.NoError(t, err)
	w.settle()
	approved = w.get(approved.ID)
	assert.Equal(t, hub.StateRejected, approved.State, "approved before, and still not published")
	_, err = w.service.Release(ctx, "acme/backup", "1.0.0")
	require.ErrorIs(t, err, hub.ErrNotFound)

	m := manifest("acme/backup", "1.0.1")
	w.refused(owner, m, w.push(pack(t, m, nil), signer), publishing.RuleSignature)
	_, err = w.service.AddSigner(ctx, owner, "acme", publishing.NewSigner{Key: signer.Identity().Key})
	require.ErrorIs(t, err, hub.ErrExists, "a revoked signer does not come back")
	_, err = w.service.LimitSigner(ctx, owner, "acme", id, w.clock.now().Add(time.Hour))
	require.ErrorIs(t, err, hub.ErrState)
	owner2, _ := w.publisher("other")
	_, err = w.service.RevokeSigner(ctx, owner2, "other", id, "not mine")
	require.ErrorIs(t, err, hub.ErrNotFound)

	fresh := newSigner(t)
	_, err = w.service.AddSigner(ctx, owner, "acme", publishing.NewSigner{Key: fresh.Identity().Key})
	require.NoError(t, err)
	w.reviewed(owner, fresh, manifest("acme/backup", "1.0.2"), nil)
}

func TestSignerValidity(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	owner, _ := w.publisher("acme")
	late := newSigner(t)
	in := publishing.NewSigner{Key: late.Identity().Key, From: w.clock.now().Add(2 * time.Hour), Until: w.clock.now().Add(4 * time.Hour)}
	_, err := w.service.AddSigner(t.Context(), owner, "acme", in)
	require.NoError(t, err)
	m := manifest("acme/backup", "1.0.0")
	digest := w.push(pack(t, m, nil), late)
	w.refused(owner, m, digest, publishing.RuleSignature)
	w.clock.advance(150 * time.Minute)
	sub := w.submit(owner, m, digest)
	w.settle()
	assert.Equal(t, hub.StateInReview, w.get(sub.ID).State)
	w.clock.advance(4 * time.Hour)
	m = manifest("acme/backup", "1.0.1")
	w.refused(owner, m, w.push(pack(t, m, nil), late), publishing.RuleSignature)
}

func TestOtherNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	owner, signer := w.publisher("acme")
	w.publisher("victim")
	ctx := t.Context()
	create := func(plugin, version string) error {
		_, err := w.service.CreateSubmission(ctx, owner, publishing.NewSubmission{Plugin: plugin, Version: version, Notes: notes})
		return err
	}
	require.ErrorIs(t, create("victim/tool", "1.0.0"), hub.ErrForbidden)
	require.NoError(t, create("acme/tool", "1.0.0"), "control")
	require.ErrorIs(t, create("acme/tool", "1.0.0"), hub.ErrExists, "is open already")

	// The package is another plugin's, or another version's, than what was named.
	victims := pack(t, manifest("victim/tool", "1.0.0"), nil)
	require.NoError(t, publish.Push(ctx, w.registry, prefix+"/staging", victims, signer))
	raw := victims.Raw()
	for _, b := range victims.Blobs {
		require.NoError(t, w.registry.PushBlob(ctx, prefix+"/staging/acme/other", b, nil)) // they are there
	}
	_, err := w.registry.PushManifest(ctx, prefix+"/staging/acme/other", "1.0.0", catalog.TypeManifest, raw)
	require.NoError(t, err)
	w.refused(owner, manifest("acme/other", "1.0.0"), string(victims.OCI.Digest), publishing.RuleArtifact)
	digest := w.push(pack(t, manifest("acme/third", "1.0.1"), nil), signer)
	w.refused(owner, manifest("acme/third", "1.0.0"), digest, publishing.RuleArtifact)

	w.publish(owner, signer, manifest("acme/done", "1.0.0"), nil)
	require.ErrorIs(t, create("acme/done", "1.0.0"), hub.ErrExists, "a release never changes")
}

func TestDigestIsBound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := w.panel()
	owner, signer := w.publisher("acme")
	m := manifest("acme/backup", "1.0.0")
	sub := w.reviewed(owner, signer, m, map[string]string{"a.txt": "harmless"})
	evil := w.push(pack(t, m, map[string]string{"a.txt": "evil"}), signer) // moves the tag 1.0.0
	require.NotEqual(t, sub.Digest, evil)
	_, err := w.service.Submit(t.Context(), owner, sub.ID, evil)
	require.ErrorIs(t, err, hub.ErrState, "in review nothing is swapped")
	swapped := sub
	swapped.Digest = evil
	_, err = w.decide("rita", swapped, hub.VerdictApprove, "")
	require.ErrorIs(t, err, hub.ErrMoved)
	sub = w.approve(sub)
	w.push(pack(t, m, map[string]string{"a.txt": "evil"}), signer)
	w.settle()
	s := p.sync()
	r, err := s.Release(catalog.Ref{Plugin: "acme/backup", Version: "1.0.0"})
	require.NoError(t, err)
	assert.Equal(t, sub.Digest, string(r.Digest))
	p.proves(s, r)
}

func TestWhoReviews(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	owner, signer := w.publisher("acme")
	w.publish(owner, signer, manifest("acme/backup", "1.0.0"), nil)
	wider := asks(manifest("acme/backup", "2.0.0"), "net.out:*:443")
	sub := w.reviewed(owner, signer, wider, nil)
	require.True(t, sub.Grew)
	require.Equal(t, 2, sub.Needs)
	ctx := t.Context()
	decide := func(a hub.Actor) error {
		_, err := w.service.Decide(ctx, a, sub.ID, publishing.Decision{Round: sub.Round, Digest: sub.Digest, Verdict: hub.VerdictApprove})
		return err
	}
	require.ErrorIs(t, decide(hub.Actor{}), hub.ErrUnauthenticated)
	require.ErrorIs(t, decide(w.account("somebody")), hub.ErrNotFound)
	require.ErrorIs(t, decide(w.account("mo", hub.RoleModerator)), hub.ErrForbidden)
	require.ErrorIs(t, decide(hub.SystemActor("publish")), hub.ErrForbidden)
	self := owner
	self.Roles = []hub.Role{hub.RoleReviewer}
	require.ErrorIs(t, decide(self), hub.ErrForbidden, "self-review")
	self.Memberships = nil // somebody who left the publisher after they submitted
	require.ErrorIs(t, decide(self), hub.ErrForbidden)
	w.account("insider", hub.RoleReviewer)
	w.join("acme", "insider")
	insider := w.account("insider", hub.RoleReviewer)
	require.ErrorIs(t, decide(insider), hub.ErrForbidden)
	insider.Memberships = nil // an actor that was made before
	require.ErrorIs(t, decide(insider), hub.ErrForbidden)

	require.NoError(t, decide(w.account("rita", hub.RoleReviewer)))
	require.Equal(t, hub.StateInReview, w.get(sub.ID).State)
	require.NoError(t, decide(w.account("rita", hub.RoleReviewer)))
	require.Equal(t, hub.StateInReview, w.get(sub.ID).State, "one reviewer twice is one")
	w.join("acme", "rita")
	require.NoError(t, decide(w.account("rob", hub.RoleReviewer)))
	require.Equal(t, hub.StateInReview, w.get(sub.ID).State, "who joined the publisher since does not count")
	require.NoError(t, decide(w.account("rune", hub.RoleReviewer)))
	require.Equal(t, hub.StateApproved, w.get(sub.ID).State)
}

func TestScannerErrorIsNoPass(t *testing.T) {
	t.Parallel()
	calls := 0
	broken := scanner{"broken", func(context.Context, fs.FS, scan.Subject) (scan.Report, error) {
		calls++
		return scan.Report{}, errors.New("fell over")
	}}
	absent := scanner{"absent", func(context.Context, fs.FS, scan.Subject) (scan.Report, error) {
		return scan.Report{}, scan.ErrUnavailable
	}}
	w := newWorld(t, func(w *world) {
		w.policy.AutoApprove = true
		w.options.Scanners = []scan.Scanner{clean, broken}
		w.options.Optional = []scan.Scanner{absent}
	})
	owner, signer := w.publisher("acme")
	m := manifest("acme/backup", "1.0.0")
	sub := w.submit(owner, m, w.push(pack(t, m, nil), signer))
	w.settle()
	sub = w.get(sub.ID)
	assert.Equal(t, hub.StateScanError, sub.State)
	assert.Equal(t, 3, calls)
	ctx, rita := t.Context(), w.account("rita", hub.RoleReviewer)
	_, err := w.decide("rita", sub, hub.VerdictApprove, "")
	require.ErrorIs(t, err, hub.ErrState, "nobody approves what was not scanned without saying so")
	_, err = w.service.TakeToReview(ctx, owner, sub.ID, "please")
	require.ErrorIs(t, err, hub.ErrForbidden)
	_, err = w.service.RetryScans(ctx, rita, sub.ID)
	require.NoError(t, err)
	w.settle()
	require.Equal(t, 6, calls)
	sub, err = w.service.TakeToReview(ctx, rita, sub.ID, "looked at it by hand")
	require.NoError(t, err)
	assert.Equal(t, 2, sub.Needs)
	d, err := w.service.Submission(ctx, rita, sub.ID)
	require.NoError(t, err)
	states := map[string]hub.ScanState{}
	for _, c := range d.Scans {
		states[c.Scanner] = c.State
	}
	assert.Equal(t, map[string]hub.ScanState{"clean": hub.ScanClean, "broken": hub.ScanError, "absent": hub.ScanUnavailable}, states)
	w.approve(sub)
	w.settle()
	assert.Equal(t, hub.StatePublished, w.get(sub.ID).State)
}

func TestScannerThatTakesTooLong(t *testing.T) {
	t.Parallel()
	stuck := scanner{"stuck", func(ctx context.Context, _ fs.FS, _ scan.Subject) (scan.Report, error) {
		<-ctx.Done()
		return scan.Report{Verdict: verify.VerdictPass}, nil // says it is fine all the same
	}}
	w := newWorld(t, func(w *world) {
		w.policy.ScanTimeout, w.policy.ScanAttempts = 10*time.Millisecond, 1
		w.options.Scanners = []scan.Scanner{stuck}
	})
	owner, signer := w.publisher("acme")
	m := manifest("acme/backup", "1.0.0")
	sub := w.submit(owner, m, w.push(pack(t, m, nil), signer))
	w.settle()
	assert.Equal(t, hub.StateScanError, w.get(sub.ID).State)
	require.NoError(t, w.service.Close())
}

func TestScannerThatKillsTheHub(t *testing.T) {
	t.Parallel()
	var w *world
	deadly := scanner{"deadly", func(context.Context, fs.FS, scan.Subject) (scan.Report, error) {
		w.cut.set(1) // nothing works from here on
		return scan.Report{Verdict: verify.VerdictPass}, nil
	}}
	w = newWorld(t, func(w *world) { w.options.Scanners = []scan.Scanner{deadly} })
	owner, signer := w.publisher("acme")
	m := manifest("acme/backup", "1.0.0")
	sub := w.submit(owner, m, w.push(pack(t, m, nil), signer))
	for range 3 {
		require.ErrorIs(t, w.run(), errDead)
		w.start()
		w.clock.advance(time.Minute)
	}
	w.settle()
	assert.Equal(t, hub.StateScanError, w.get(sub.ID).State, "it is not tried for ever")
}

func TestScannerThatFinds(t *testing.T) {
	t.Parallel()
	finds := scanner{"finds", func(context.Context, fs.FS, scan.Subject) (scan.Report, error) {
		f := scan.Finding{Rule: "secret", Severity: scan.SeverityHigh, File: "id_rsa", Title: "private key"}
		return scan.Report{Verdict: verify.VerdictPass, Findings: []scan.Finding{f}}, nil
	}}
	w := newWorld(t, func(w *world) { w.options.Scanners = []scan.Scanner{finds} })
	owner, signer := w.publisher("acme")
	sub := w.reviewed(owner, signer, manifest("acme/backup", "1.0.0"), nil)
	assert.Equal(t, 2, sub.Needs)
	d, err := w.service.Submission(t.Context(), owner, sub.ID)
	require.NoError(t, err)
	assert.Equal(t, hub.ScanFound, d.Scans[0].State)
	assert.Equal(t, "private key in id_rsa", d.Scans[0].Detail)
}

func TestSuspendedPublisher(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	owner, signer := w.publisher("acme")
	sub := w.approve(w.reviewed(owner, signer, manifest("acme/backup", "1.0.0"), nil))
	ctx := t.Context()
	require.NoError(t, w.db.Update(ctx, func(tx hub.Tx) error {
		p, err := tx.Publishers().Get(ctx, "acme")
		if err != nil {
			return err
		}
		p.State, p.Reason = hub.PublisherSuspended, "malware"
		return tx.Publishers().Update(ctx, &p)
	}))
	w.settle()
	assert.Equal(t, hub.StateRejected, w.get(sub.ID).State)
	_, err := w.service.CreateSubmission(ctx, owner, publishing.NewSubmission{Plugin: "acme/other", Version: "1.0.0"})
	require.ErrorIs(t, err, hub.ErrState)
}

// TestIDs asks for things of others by their ids.
func TestIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	owner, signer := w.publisher("acme")
	stranger, _ := w.publisher("other")
	sub := w.reviewed(owner, signer, manifest("acme/backup", "1.0.0"), nil)
	proof, err := w.service.AddProof(t.Context(), owner, "acme", hub.ProofDNS, "acme.example")
	require.NoError(t, err)
	ctx := t.Context()
	token := owner
	token.Token = &hub.Token{Verbs: []hub.Verb{hub.VerbSubmit}, Publisher: "acme", Plugin: "acme/else"}
	for name, call := range map[string]func(a hub.Actor) error{
		"submission": func(a hub.Actor) error { _, err := w.service.Submission(ctx, a, sub.ID); return err },
		"timeline":   func(a hub.Actor) error { _, err := w.service.Timeline(ctx, a, sub.ID); return err },
		"revise": func(a hub.Actor) error {
			_, err := w.service.Revise(ctx, a, sub.ID, 0, publishing.Revision{})
			return err
		},
		"submit":   func(a hub.Actor) error { _, err := w.service.Submit(ctx, a, sub.ID, sub.Digest); return err },
		"withdraw": func(a hub.Actor) error { _, err := w.service.Withdraw(ctx, a, sub.ID, ""); return err },
		"comment": func(a hub.Actor) error {
			_, err := w.service.Comment(ctx, a, sub.ID, publishing.NewComment{Text: "x"})
			return err
		},
		"retry": func(a hub.Actor) error { _, err := w.service.RetryScans(ctx, a, sub.ID); return err },
	} {
		require.ErrorIs(t, call(stranger), hub.ErrNotFound, name)
		require.ErrorIs(t, call(hub.Actor{}), hub.ErrUnauthenticated, name)
		require.ErrorIs(t, call(token), hub.ErrForbidden, "%s: a token for another plugin", name)
	}
	require.ErrorIs(t, w.service.RemoveProof(ctx, stranger, "other", proof.ID), hub.ErrNotFound)
	require.ErrorIs(t, w.service.RemoveProof(ctx, stranger, "acme", proof.ID), hub.ErrForbidden)
	_, err = w.service.Inside(ctx, stranger, "acme")
	require.ErrorIs(t, err, hub.ErrNotFound)
	_, err = w.service.Yank(ctx, stranger, "acme/backup", "1.0.0", "mine")
	require.ErrorIs(t, err, hub.ErrForbidden)
	all, err := w.service.Submissions(ctx, stranger, publishing.SubmissionFilter{})
	require.NoError(t, err)
	assert.Empty(t, all.Items)
	all, err = w.service.Submissions(ctx, owner, publishing.SubmissionFilter{})
	require.NoError(t, err)
	assert.Len(t, all.Items, 1)
}
