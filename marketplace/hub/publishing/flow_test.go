package publishing_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
)

func icon(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, image.NewRGBA(image.Rect(0, 0, 8, 8))))
	return b.Bytes()
}

func TestFromDraftToPanel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := w.panel()
	owner, signer := w.publisher("acme")
	m := asks(manifest("acme/backup", "1.0.0"), "net.out:backup.example:443")
	sub := w.publish(owner, signer, m, nil)

	s := p.sync()
	r, err := s.Release(catalog.Ref{Plugin: "acme/backup", Version: "1.0.0"})
	require.NoError(t, err)
	assert.Equal(t, sub.Digest, string(r.Digest))
	assert.Contains(t, r.Notes, "A thing.")
	assert.Nil(t, r.Rollout)
	p.proves(s, r)
	assert.LessOrEqual(t, sub.Serial, int64(s.Serial()))

	row, err := w.service.Release(t.Context(), "acme/backup", "1.0.0")
	require.NoError(t, err)
	assert.Equal(t, sub.Serial, row.Serial)
	assert.Equal(t, signer.Identity().ID(), row.Signer)
	plugin, err := w.service.Plugin(t.Context(), "acme/backup")
	require.NoError(t, err)
	assert.Equal(t, hub.PluginListed, plugin.State)
	assert.Equal(t, "1.0.0", plugin.Latest)

	steps, err := w.service.Timeline(t.Context(), owner, sub.ID)
	require.NoError(t, err)
	var states []hub.State
	for _, one := range steps {
		if one.Kind == "state" && (len(states) == 0 || states[len(states)-1] != one.State) {
			states = append(states, one.State)
		}
	}
	assert.Equal(t, []hub.State{
		hub.StateDraft, hub.StateSubmitted, hub.StateValidating, hub.StateScanning, hub.StateInReview, hub.StateApproved, hub.StatePublished,
	}, states)
}

func TestChangesRequestedAndSubmittedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	owner, signer := w.publisher("acme")
	m := manifest("acme/backup", "1.0.0")
	first := w.reviewed(owner, signer, m, map[string]string{"a.txt": "one"})
	_, err := w.service.Comment(t.Context(), w.account("rita", hub.RoleReviewer), first.ID, publishing.NewComment{Text: "why?", File: "a.txt", Line: 1})
	require.NoError(t, err)
	_, err = w.service.Comment(t.Context(), w.account("rita", hub.RoleReviewer), first.ID, publishing.NewComment{Text: "odd", Internal: true})
	require.NoError(t, err)
	_, err = w.decide("rita", first, hub.VerdictChanges, "Please explain a.txt.")
	require.NoError(t, err)

	d, err := w.service.Submission(t.Context(), owner, first.ID)
	require.NoError(t, err)
	assert.Equal(t, hub.StateNeedsChanges, d.State)
	assert.Len(t, d.Comments, 1, "internal remarks are not for a publisher")
	assert.True(t, d.May.Submit)
	staff, err := w.service.Submission(t.Context(), w.account("rita", hub.RoleReviewer), first.ID)
	require.NoError(t, err)
	assert.Len(t, staff.Comments, 2)

	digest := w.push(pack(t, m, map[string]string{"a.txt": "two"}), signer)
	again, err := w.service.Submit(t.Context(), owner, first.ID, digest)
	require.NoError(t, err)
	assert.Equal(t, 2, again.Round)
	w.settle()
	again = w.get(first.ID)
	require.Equal(t, hub.StateInReview, again.State, again.Reason)

	_, err = w.decide("rita", first, hub.VerdictApprove, "")
	require.ErrorIs(t, err, hub.ErrMoved, "a decision about the first round")
	w.approve(again)
	w.settle()
	assert.Equal(t, hub.StatePublished, w.get(first.ID).State)
}

func TestReleaseLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := w.panel()
	owner, signer := w.publisher("acme")
	w.publish(owner, signer, manifest("acme/backup", "1.0.0"), nil)
	w.publish(owner, signer, manifest("acme/backup", "1.1.0"), nil)
	ref := catalog.Ref{Plugin: "acme/backup", Version: "1.1.0"}
	seen := func() catalog.Release {
		w.settle()
		r, err := p.sync().Release(ref)
		require.NoError(t, err)
		return r
	}
	_, err := w.service.SetRollout(t.Context(), owner, "acme/backup", "1.1.0", 10, false)
	require.NoError(t, err)
	assert.Equal(t, &catalog.Rollout{Percent: 10}, seen().Rollout)
	_, err = w.service.SetRollout(t.Context(), owner, "acme/backup", "1.1.0", 10, true)
	require.NoError(t, err)
	assert.Equal(t, &catalog.Rollout{Percent: 10, Paused: true}, seen().Rollout)
	_, err = w.service.SetRollout(t.Context(), owner, "acme/backup", "1.1.0", 100, false)
	require.NoError(t, err)
	assert.Nil(t, seen().Rollout)

	_, err = w.service.Yank(t.Context(), owner, "acme/backup", "1.1.0", "loses files")
	require.NoError(t, err)
	r := seen()
	assert.Equal(t, catalog.Yanked, r.State)
	assert.Equal(t, "loses files", r.Reason)
	plugin, err := w.service.Plugin(t.Context(), "acme/backup")
	require.NoError(t, err)
	assert.Equal(t, "1.0.0", plugin.Latest)
	_, err = w.service.SetRollout(t.Context(), owner, "acme/backup", "1.1.0", 50, false)
	require.ErrorIs(t, err, hub.ErrState)
	_, err = w.service.Unyank(t.Context(), owner, "acme/backup", "1.1.0")
	require.NoError(t, err)
	assert.Equal(t, catalog.Active, seen().State)

	_, err = w.service.Deprecate(t.Context(), owner, "acme/backup", "use acme/vault")
	require.NoError(t, err)
	_, err = w.service.Feature(t.Context(), w.account("mo", hub.RoleModerator), "acme/backup", true)
	require.NoError(t, err)
	seen()
	l, err := p.sync().Plugin("acme/backup")
	require.NoError(t, err)
	assert.Equal(t, "use acme/vault", l.Deprecated)
	assert.True(t, l.Featured)

	ctx, moderator := t.Context(), w.account("mo", hub.RoleModerator)
	update := func(f func(hub.Tx) error) {
		t.Helper()
		require.NoError(t, (&store{w.db, w.jobs, w.cut}).Update(ctx, f))
	}
	update(func(tx hub.Tx) error {
		return hub.HidePlugin(ctx, tx, moderator, w.clock.now(), "acme/backup", "under investigation")
	})
	w.settle()
	assert.False(t, p.sync().Has("acme/backup"))
	update(func(tx hub.Tx) error { return hub.ShowPlugin(ctx, tx, moderator, w.clock.now(), "acme/backup", "") })
	assert.Equal(t, catalog.Active, seen().State)
	update(func(tx hub.Tx) error {
		_, err := hub.WithdrawRelease(ctx, tx, moderator, w.clock.now(), "acme/backup", "1.1.0", "steals passwords")
		return err
	})
	assert.Equal(t, catalog.Withdrawn, seen().State)
	_, err = w.service.Unyank(ctx, owner, "acme/backup", "1.1.0")
	require.ErrorIs(t, err, hub.ErrState, "a publisher does not take a withdrawal back")
}

func TestAutomaticApproval(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.policy.AutoApprove = true })
	p := w.panel()
	owner, signer := w.publisher("acme")
	w.publish(owner, signer, manifest("acme/backup", "1.0.0"), nil) // a first release is a person's
	require.NoError(t, w.db.Update(t.Context(), func(tx hub.Tx) error {
		one, err := tx.Publishers().Get(t.Context(), "acme")
		if err != nil {
			return err
		}
		one.Verified = true
		return tx.Publishers().Update(t.Context(), &one)
	}))
	m := manifest("acme/backup", "1.1.0")
	sub := w.submit(owner, m, w.push(pack(t, m, nil), signer))
	w.settle()
	sub = w.get(sub.ID)
	require.Equal(t, hub.StatePublished, sub.State, sub.Reason)
	d, err := w.service.Submission(t.Context(), owner, sub.ID)
	require.NoError(t, err)
	require.Len(t, d.Reviews, 1)
	assert.Empty(t, d.Reviews[0].Reviewer)
	assert.Contains(t, d.Reviews[0].Text, "by written policy")
	s := p.sync()
	r, err := s.Release(catalog.Ref{Plugin: m.ID, Version: m.Version})
	require.NoError(t, err)
	p.proves(s, r)

	wider := asks(manifest("acme/backup", "2.0.0"), "net.out:*:443")
	assert.True(t, w.reviewed(owner, signer, wider, nil).Grew, "what is widened is a person's")
}

func TestManyApprovalsMakeOnePublish(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	owner, signer := w.publisher("acme")
	w.settle()
	before := w.panel().sync().Serial()
	for _, name := range []string{"one", "two", "three", "four", "five"} {
		w.approve(w.reviewed(owner, signer, manifest(catalog.PluginID("acme/"+name+"-x"), "1.0.0"), nil))
	}
	w.settle()
	s := w.panel().sync()
	assert.Equal(t, 5, s.Len())
	assert.LessOrEqual(t, s.Serial(), before+5)
}

func TestValidationSaysWhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	owner, signer := w.publisher("acme")
	admin := w.account("ada", hub.RoleAdmin)
	require.NoError(t, w.service.SetCategory(t.Context(), admin, hub.Category{Slug: "tools", Name: "Tools"}))
	m := manifest("acme/backup", "1.0.0")
	m.Categories = []string{"toys"}
	sub := w.submit(owner, m, w.push(pack(t, m, nil), signer))
	w.settle()
	d, err := w.service.Submission(t.Context(), owner, sub.ID)
	require.NoError(t, err)
	require.Equal(t, hub.StateNeedsChanges, d.State)
	require.NotEmpty(t, d.Problems)
	assert.Equal(t, publish.ManifestFile, d.Problems[0].File)
	assert.Positive(t, d.Problems[0].Line)
	assert.Equal(t, "category", d.Problems[0].Rule)
}

func TestCatalogIsRenewedAndMended(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := w.panel()
	owner, signer := w.publisher("acme")
	w.publish(owner, signer, manifest("acme/backup", "1.0.0"), nil)
	renew := func() { // what the store does every 15 minutes
		t.Helper()
		w.jobs.add(hub.Job{Kind: hub.JobRenew})
		w.settle()
	}
	first := p.sync()
	for range 10 { // the timestamp lives a day
		w.clock.advance(10 * time.Hour)
		renew()
	}
	s := p.sync()
	assert.Equal(t, first.Serial(), s.Serial(), "renewing publishes nothing")
	assert.True(t, s.Expires().After(w.clock.now()))
	for range 20 { // targets live 90 days, snapshots 7
		w.clock.advance(5 * 24 * time.Hour)
		renew()
	}
	p.sync()

	// Somebody overwrote the catalog's newest file.
	require.NoError(t, w.registry.PutMetadata(t.Context(), prefix+"/catalog", "timestamp.json", []byte(`{"signed":{}}`)))
	_, err := p.mirror.Sync(t.Context(), "hub")
	require.Error(t, err)
	renew()
	p.sync()
	st, err := w.service.Status(t.Context(), w.account("ada", hub.RoleAdmin))
	require.NoError(t, err)
	assert.True(t, st.Initialized)
	assert.Empty(t, st.Error)
	assert.Equal(t, w.clock.now(), st.Checked)
	assert.Len(t, st.Roles, 4)
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	numbers := []catalog.Stats{{ID: "acme/backup", Downloads: 7, Rating: 4.5, Ratings: 3}, {ID: "acme/unknown", Downloads: 1}}
	var fault error
	w := newWorld(t, func(w *world) {
		w.options.Stats = func(context.Context) ([]catalog.Stats, error) { return numbers, fault }
	})
	p := w.panel()
	owner, signer := w.publisher("acme")
	w.publish(owner, signer, manifest("acme/backup", "1.0.0"), nil)
	daily := func() {
		t.Helper()
		w.clock.advance(25 * time.Hour)
		w.jobs.add(hub.Job{Kind: hub.JobRenew})
		w.settle()
	}
	daily()
	assert.EqualValues(t, 7, p.sync().Stats("acme/backup").Downloads)
	numbers[0].Downloads = 9
	daily()
	assert.EqualValues(t, 9, p.sync().Stats("acme/backup").Downloads)

	fault = errors.New("cannot count")
	w.clock.advance(25 * time.Hour)
	_, err := w.service.Yank(t.Context(), owner, "acme/backup", "1.0.0", "holds nothing up")
	require.NoError(t, err)
	require.ErrorIs(t, w.run(), fault)
	r, err := p.sync().Release(catalog.Ref{Plugin: "acme/backup", Version: "1.0.0"})
	require.NoError(t, err)
	assert.Equal(t, catalog.Yanked, r.State)
	st, err := w.service.Status(t.Context(), w.account("ada", hub.RoleAdmin))
	require.NoError(t, err)
	assert.Contains(t, st.Error, "cannot count")
}
