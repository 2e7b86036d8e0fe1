package community_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
	"github.com/souk-dev/souk/verify"
)

func (w *world) report(a hub.Actor, kind hub.SubjectKind, subject, reason string) hub.Report {
	w.t.Helper()
	r, err := w.CreateReport(w.t.Context(), a, community.NewReport{Kind: kind, Subject: subject, Reason: reason, Text: "Look at this."})
	require.NoError(w.t, err)
	return r
}

func (w *world) decide(a hub.Actor, kind hub.DecisionKind, subject hub.SubjectKind, about string, reports ...string) hub.Decision {
	w.t.Helper()
	n := community.NewDecision{Kind: kind, Subject: subject, About: about, Text: "Because of this.", Reports: reports}
	if kind == hub.DecisionWithdraw {
		n.Advisory = &catalog.Advisory{Action: catalog.ActionDisable, Title: "It sends your files away"}
	}
	d, err := w.Decide(w.t.Context(), a, n)
	require.NoError(w.t, err)
	return d
}

func TestReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.rate(w.bob, 1)
	w.policy.ReportsDay = 9
	w.update(func(ctx context.Context, tx hub.Tx) error {
		if err := tx.Submissions().Insert(ctx, &hub.Submission{ID: "sub_secret", Plugin: "acme/new", Version: "1.0.0", Publisher: "acme", State: hub.StateInReview}); err != nil {
			return err
		}
		return tx.Plugins().Insert(ctx, &hub.Plugin{ID: "acme/new", Publisher: "acme", State: hub.PluginNew})
	})
	long := []string{}
	for range community.MaxEvidence + 1 {
		long = append(long, "https://example.org/")
	}
	good := community.NewReport{Kind: hub.SubjectPlugin, Subject: "acme/backup", Reason: "spam", Text: "Look.", Evidence: []string{"https://example.org/a?b=c"}}
	for name, c := range map[string]struct {
		change func(*community.NewReport)
		want   string
	}{
		"reason":             {func(n *community.NewReport) { n.Reason = "ugly" }, "reason"},
		"no text":            {func(n *community.NewReport) { n.Text = " \n" }, "text"},
		"kind":               {func(n *community.NewReport) { n.Kind = "moon" }, "kind"},
		"http evidence":      {func(n *community.NewReport) { n.Evidence = []string{"http://example.org"} }, "https"},
		"javascript":         {func(n *community.NewReport) { n.Evidence = []string{"javascript:alert(1)"} }, "https"},
		"password":           {func(n *community.NewReport) { n.Evidence = []string{"https://a:b@example.org"} }, "https"},
		"much evidence":      {func(n *community.NewReport) { n.Evidence = long }, "evidence"},
		"no plugin":          {func(n *community.NewReport) { n.Subject = "acme/none" }, "not found"},
		"unpublished plugin": {func(n *community.NewReport) { n.Subject = "acme/new" }, "not found"},
		"no release":         {func(n *community.NewReport) { n.Kind, n.Subject = hub.SubjectRelease, "acme/backup@9.0.0" }, "not found"},
		"no rating":          {func(n *community.NewReport) { n.Kind, n.Subject = hub.SubjectRating, "acme/backup#acc_none" }, "not found"},
		"no publisher":       {func(n *community.NewReport) { n.Kind, n.Subject = hub.SubjectPublisher, "none" }, "not found"},
		"no account":         {func(n *community.NewReport) { n.Kind, n.Subject = hub.SubjectAccount, "acc_none" }, "not found"},
		"others' submission": {func(n *community.NewReport) { n.Kind, n.Subject = hub.SubjectSubmission, "sub_secret" }, "not found"},
		"empty":              {func(n *community.NewReport) { n.Subject = "" }, "not found"},
	} {
		n := good
		c.change(&n)
		_, err := w.CreateReport(ctx, w.eve, n)
		assert.ErrorContains(t, err, c.want, name)
	}
	r, err := w.CreateReport(ctx, w.eve, good)
	require.NoError(t, err, "control")
	assert.Equal(t, "acme", r.Publisher)
	_, err = w.CreateReport(ctx, w.eve, good)
	assert.ErrorIs(t, err, hub.ErrExists)
	_, err = w.CreateReport(ctx, hub.Actor{}, good)
	assert.ErrorIs(t, err, hub.ErrUnauthenticated)
	for kind, subject := range map[hub.SubjectKind]string{
		hub.SubjectRelease: "acme/backup@1.0.0", hub.SubjectRating: "acme/backup#" + w.bob.Account, hub.SubjectPublisher: "acme", hub.SubjectAccount: w.bob.Account,
	} {
		w.report(w.eve, kind, subject, "abuse")
	}
	w.report(w.rev, hub.SubjectSubmission, "sub_secret", "malware")

	for _, c := range []struct {
		who  hub.Actor
		want error
	}{{w.eve, nil}, {w.mod, nil}, {w.bob, hub.ErrNotFound}, {w.ann, hub.ErrNotFound}, {hub.Actor{}, hub.ErrUnauthenticated}} {
		_, err := w.Report(ctx, c.who, r.ID)
		assert.ErrorIs(t, err, c.want, c.who.Name)
	}
	mine, err := w.MyReports(ctx, w.eve, "", 0)
	require.NoError(t, err)
	assert.Len(t, mine.Items, 5)
	w.policy.ReportsDay = 5
	_, err = w.CreateReport(ctx, w.eve, community.NewReport{Kind: hub.SubjectAccount, Subject: w.ann.Account, Reason: "spam", Text: "x"})
	var limit *hub.LimitError
	assert.ErrorAs(t, err, &limit)
}

func TestQueueIsBySeverityAndAge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	crowd := w.crowd(18)
	for i, a := range crowd {
		w.report(a, hub.SubjectPlugin, "acme/backup", hub.Reasons()[(i*5)%9])
	}
	_, err := w.Reports(ctx, w.eve, community.ReportQuery{})
	assert.ErrorIs(t, err, hub.ErrForbidden)
	for _, limit := range []int{1, 2, 3, 5, 17, 18, 50} {
		var all []hub.Report
		for q := (community.ReportQuery{Limit: limit}); ; {
			page, err := w.Reports(ctx, w.mod, q)
			require.NoError(t, err)
			all = append(all, page.Items...)
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		require.Len(t, all, 18, limit)
		assert.True(t, slices.IsSortedFunc(all, func(a, b hub.Report) int {
			if d := community.Severity(a.Reason) - community.Severity(b.Reason); d != 0 {
				return d
			}
			return a.Created.Compare(b.Created)
		}), limit)
	}
	page, err := w.Reports(ctx, w.mod, community.ReportQuery{Reason: "malware", Publisher: "acme"})
	require.NoError(t, err)
	assert.Len(t, page.Items, 2)
	page, err = w.Reports(ctx, w.mod, community.ReportQuery{Publisher: "other"})
	require.NoError(t, err)
	assert.Empty(t, page.Items)
	assert.Greater(t, community.Severity("ugly"), community.Severity("other"))
}

func TestWhoMayDecide(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	r := w.report(w.eve, hub.SubjectPlugin, "acme/backup", "spam")
	member := w.mod
	member.Memberships = map[string]hub.MemberRole{"acme": hub.MemberMaintainer}
	admin := w.person("root", hub.RoleAdmin)
	token := w.mod
	token.Token = &hub.Token{Verbs: []hub.Verb{hub.VerbRate}}
	n := community.NewDecision{Kind: hub.DecisionDismiss, Subject: hub.SubjectPlugin, About: "acme/backup", Text: "Nothing.", Reports: []string{r.ID}}
	for name, c := range map[string]struct {
		who  hub.Actor
		want error
	}{
		"nobody": {hub.Actor{}, hub.ErrUnauthenticated}, "user": {w.eve, hub.ErrForbidden}, "reviewer": {w.rev, hub.ErrForbidden}, "admin": {admin, hub.ErrForbidden},
		"member of the publisher": {member, hub.ErrForbidden}, "token without the scope": {token, hub.ErrForbidden},
	} {
		_, err := w.Decide(ctx, c.who, n)
		assert.ErrorIs(t, err, c.want, name)
	}
	// Nobody decides about themselves.
	w.rate(w.mod, 1)
	for kind, about := range map[hub.SubjectKind]string{hub.SubjectRating: "acme/backup#" + w.mod.Account, hub.SubjectAccount: w.mod.Account} {
		_, err := w.Decide(ctx, w.mod, community.NewDecision{Kind: hub.DecisionWarn, Subject: kind, About: about, Text: "Tut."})
		assert.ErrorIs(t, err, hub.ErrForbidden, about)
		w.decide(w.mod2, hub.DecisionWarn, kind, about) // control
	}
	w.decide(w.mod, n.Kind, n.Subject, n.About, r.ID)
}

func TestWhatIsNoDecision(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.release("acme/other", "1.0.0")
	w.owns(&w.eve, "evil")
	w.release("evil/thing", "1.0.0")
	r := w.report(w.bob, hub.SubjectPlugin, "evil/thing", "spam")
	var invalid *hub.InvalidError
	for name, n := range map[string]community.NewDecision{
		"no text":             {Kind: hub.DecisionHide, Subject: hub.SubjectPlugin, About: "acme/backup"},
		"hide a publisher":    {Kind: hub.DecisionHide, Subject: hub.SubjectPublisher, About: "acme", Text: "x"},
		"suspend a plugin":    {Kind: hub.DecisionSuspend, Subject: hub.SubjectPlugin, About: "acme/backup", Text: "x"},
		"kind":                {Kind: "burn", Subject: hub.SubjectPlugin, About: "acme/backup", Text: "x"},
		"subject":             {Kind: hub.DecisionHide, Subject: "moon", About: "acme/backup", Text: "x"},
		"dismiss nothing":     {Kind: hub.DecisionDismiss, Subject: hub.SubjectPlugin, About: "acme/backup", Text: "x"},
		"another's report":    {Kind: hub.DecisionWarn, Subject: hub.SubjectPlugin, About: "acme/backup", Text: "x", Reports: []string{r.ID}},
		"no such report":      {Kind: hub.DecisionWarn, Subject: hub.SubjectPlugin, About: "acme/backup", Text: "x", Reports: []string{"rep_none"}},
		"many reports":        {Kind: hub.DecisionWarn, Subject: hub.SubjectPlugin, About: "acme/backup", Text: "x", Reports: make([]string, community.MaxReports+1)},
		"withdraw in silence": {Kind: hub.DecisionWithdraw, Subject: hub.SubjectRelease, About: "acme/backup@1.0.0", Text: "x"},
		"bad advisory":        {Kind: hub.DecisionWithdraw, Subject: hub.SubjectRelease, About: "acme/backup@1.0.0", Text: "x", Advisory: &catalog.Advisory{Action: "shout", Title: "x"}},
	} {
		_, err := w.Decide(t.Context(), w.mod, n)
		assert.ErrorAs(t, err, &invalid, name)
	}
	_, err := w.Decide(t.Context(), w.mod, community.NewDecision{Kind: hub.DecisionHide, Subject: hub.SubjectPlugin, About: "acme/none", Text: "x"})
	assert.ErrorIs(t, err, hub.ErrNotFound)
	assert.Empty(t, rows(w, hub.Tx.Decisions), "and nothing of it stays")
	assert.Empty(t, rows(w, hub.Tx.Advisories))
	assert.Equal(t, catalog.Active, row(w, hub.Tx.Releases, "acme/backup", "1.0.0").State)
	w.decide(w.mod, hub.DecisionSuspend, hub.SubjectPublisher, "evil", r.ID) // a report about a plugin, the answer about its publisher
}

func TestDecisionsAndTheirReversal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.rate(w.bob, 1)
	rating := "acme/backup#" + w.bob.Account
	state := map[hub.SubjectKind]func() any{
		hub.SubjectPlugin:    func() any { return row(w, hub.Tx.Plugins, "acme/backup").State },
		hub.SubjectRating:    func() any { return row(w, hub.Tx.Ratings, "acme/backup", w.bob.Account).State },
		hub.SubjectPublisher: func() any { return row(w, hub.Tx.Publishers, "acme").State },
		hub.SubjectAccount:   func() any { return row(w, hub.Tx.Accounts, w.eve.Account).State },
		hub.SubjectRelease:   func() any { return row(w, hub.Tx.Releases, "acme/backup", "1.0.0").State },
	}
	for _, c := range []struct {
		do, undo      hub.DecisionKind
		subject       hub.SubjectKind
		about         string
		before, after any
		told          string
	}{
		{hub.DecisionHide, hub.DecisionShow, hub.SubjectRating, rating, hub.Shown, hub.Hidden, w.bob.Account},
		{hub.DecisionSuspend, hub.DecisionRestore, hub.SubjectPublisher, "acme", hub.PublisherActive, hub.PublisherSuspended, w.ann.Account},
		{hub.DecisionSuspend, hub.DecisionRestore, hub.SubjectAccount, w.eve.Account, hub.AccountActive, hub.AccountSuspended, w.eve.Account},
		{hub.DecisionWithdraw, hub.DecisionRestore, hub.SubjectRelease, "acme/backup@1.0.0", catalog.Active, catalog.Withdrawn, w.ann.Account},
		{hub.DecisionHide, hub.DecisionShow, hub.SubjectPlugin, "acme/backup", hub.PluginListed, hub.PluginHidden, w.ann.Account},
	} {
		name := string(c.do) + " " + string(c.subject)
		reporter := w.mod2
		r := w.report(reporter, c.subject, c.about, "abuse")
		notices := len(rows(w, hub.Tx.Notices, hub.Eq("account", c.told), hub.Eq("kind", "decision")))
		require.Equal(t, c.before, state[c.subject](), name)
		d := w.decide(w.mod, c.do, c.subject, c.about, r.ID)
		assert.Equal(t, c.after, state[c.subject](), name)
		assert.Equal(t, w.truth(), w.score(), name)
		got := row(w, hub.Tx.Reports, r.ID)
		assert.Equal(t, hub.ReportDecided, got.State, name)
		assert.Equal(t, d.ID, got.Decision, name)
		assert.Len(t, rows(w, hub.Tx.Notices, hub.Eq("account", c.told), hub.Eq("kind", "decision")), notices+1, name)
		assert.Len(t, rows(w, hub.Tx.Notices, hub.Eq("account", reporter.Account), hub.Eq("subject", d.ID)), 1, name)
		assert.Len(t, rows(w, hub.Tx.Audit, hub.Eq("action", hub.ActReportDecide), hub.Eq("target", "decision "+d.ID)), 1, name)

		_, err := w.Decide(ctx, w.mod, community.NewDecision{Kind: c.do, Subject: c.subject, About: c.about, Text: "Again.", Advisory: &catalog.Advisory{Action: catalog.ActionWarn, Title: "x"}})
		assert.ErrorIs(t, err, hub.ErrState, "%s twice", name)
		_, err = w.Decide(ctx, w.mod, community.NewDecision{Kind: hub.DecisionWarn, Subject: c.subject, About: c.about, Text: "Again.", Reports: []string{r.ID}})
		assert.ErrorIs(t, err, hub.ErrState, "%s: the report is decided", name)

		_, err = w.Reverse(ctx, w.eve, d.ID, "Please.")
		assert.ErrorIs(t, err, hub.ErrForbidden, name)
		back, err := w.Reverse(ctx, w.mod2, d.ID, "It was wrong.")
		require.NoError(t, err, name)
		assert.Equal(t, c.undo, back.Kind, name)
		assert.Equal(t, d.ID, back.Reverses, name)
		assert.Equal(t, c.before, state[c.subject](), name)
		assert.Equal(t, w.truth(), w.score(), name)
		_, err = w.Reverse(ctx, w.mod2, d.ID, "Once more.")
		assert.ErrorIs(t, err, hub.ErrState, name)
		_, err = w.Reverse(ctx, w.mod2, back.ID, "Back again.")
		assert.ErrorIs(t, err, hub.ErrState, name)
	}
	warn := w.decide(w.mod, hub.DecisionWarn, hub.SubjectPlugin, "acme/backup")
	_, err := w.Reverse(ctx, w.mod, warn.ID, "Sorry.")
	assert.ErrorIs(t, err, hub.ErrState)
	assert.Len(t, rows(w, hub.Tx.Events, hub.Eq("kind", hub.EventPublisherSuspended)), 1)
}

func TestWithdrawAndBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.release("acme/backup", "1.1.0")
	w.update(func(ctx context.Context, tx hub.Tx) error {
		_, err := hub.YankRelease(ctx, tx, w.ann, w.now, "acme/backup", "1.1.0", "It crashes.")
		return err
	})
	d := w.decide(w.mod, hub.DecisionWithdraw, hub.SubjectRelease, "acme/backup@1.1.0")
	r := row(w, hub.Tx.Releases, "acme/backup", "1.1.0")
	assert.Equal(t, catalog.Withdrawn, r.State)
	assert.Equal(t, hub.StateWithdrawn, row(w, hub.Tx.Submissions, r.Submission).State)
	adv := row(w, hub.Tx.Advisories, d.Advisory)
	require.NoError(t, adv.Body.Check())
	assert.Equal(t, []verify.Digest{verify.Digest(r.Digest)}, adv.Body.Digests)
	assert.True(t, adv.Body.Concerns(catalog.Release{Ref: catalog.Ref{Plugin: "acme/backup", Version: "1.1.0"}, Digest: verify.Digest(r.Digest)}))
	assert.Len(t, rows(w, hub.Tx.Changes, hub.Eq("plugin", "")), 1, "the advisories are written anew")
	assert.Len(t, rows(w, hub.Tx.Events, hub.Eq("kind", hub.EventReleaseWithdrawn)), 1)
	assert.Len(t, rows(w, hub.Tx.Events, hub.Eq("kind", hub.EventAdvisoryIssued)), 1)

	_, err := w.Reverse(ctx, w.mod2, d.ID, "A false alarm.")
	require.NoError(t, err)
	r = row(w, hub.Tx.Releases, "acme/backup", "1.1.0")
	assert.Equal(t, catalog.Yanked, r.State, "as it was")
	assert.Equal(t, "It crashes.", r.Reason)
	assert.Equal(t, hub.StateYanked, row(w, hub.Tx.Submissions, r.Submission).State)
	assert.False(t, row(w, hub.Tx.Advisories, d.Advisory).Rescinded.IsZero())
	// And its publisher can go on with it.
	w.update(func(ctx context.Context, tx hub.Tx) error {
		_, err := hub.UnyankRelease(ctx, tx, w.ann, w.now, "acme/backup", "1.1.0")
		return err
	})
	w.decide(w.mod, hub.DecisionWithdraw, hub.SubjectRelease, "acme/backup@1.1.0") // and it can be withdrawn again
}

func TestAHiddenRatingStaysAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.rate(w.bob, 1)
	w.decide(w.mod, hub.DecisionHide, hub.SubjectRating, "acme/backup#"+w.bob.Account)
	assert.Equal(t, hub.Hidden, w.rate(w.bob, 5).State, "editing does not show it")
	assert.Equal(t, int64(0), w.score().Count())
	mine, err := w.RatingOf(ctx, w.bob, "acme/backup")
	require.NoError(t, err)
	assert.Equal(t, "Because of this.", mine.Reason)
	require.NoError(t, w.DeleteRating(ctx, w.bob, "acme/backup"))
	assert.Equal(t, hub.Held, w.rate(w.bob, 5).State, "nor does writing it again")
	w.decide(w.mod, hub.DecisionShow, hub.SubjectRating, "acme/backup#"+w.bob.Account)
	assert.Equal(t, int64(1), w.score().S5)
	require.NoError(t, w.DeleteRating(ctx, w.bob, "acme/backup"))
	assert.Equal(t, hub.Shown, w.rate(w.bob, 4).State, "control: after it was shown")
}

func TestWhoReadsADecision(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.rate(w.bob, 1)
	r := w.report(w.eve, hub.SubjectRating, "acme/backup#"+w.bob.Account, "abuse")
	d := w.decide(w.mod, hub.DecisionHide, hub.SubjectRating, "acme/backup#"+w.bob.Account, r.ID)
	p := w.decide(w.mod, hub.DecisionWarn, hub.SubjectPlugin, "acme/backup")
	suspended := w.bob
	suspended.Suspended = true
	for name, c := range map[string]struct {
		who          hub.Actor
		rating, warn bool
	}{
		"moderator": {w.mod2, true, true}, "author": {w.bob, true, false}, "author, suspended": {suspended, true, false}, "reporter": {w.eve, true, false},
		"owner of the plugin": {w.ann, false, true}, "nobody": {hub.Actor{}, false, false}, "reviewer": {w.rev, false, false},
	} {
		for id, sees := range map[string]bool{d.ID: c.rating, p.ID: c.warn} {
			got, err := w.Decision(ctx, c.who, id)
			if !sees {
				assert.Error(t, err, name)
				continue
			}
			require.NoError(t, err, name)
			assert.Equal(t, name == "moderator", got.By != "", name)
		}
	}
	list, err := w.Decisions(ctx, w.ann, community.DecisionQuery{Publisher: "acme"})
	require.NoError(t, err)
	require.Len(t, list.Items, 1)
	assert.Equal(t, p.ID, list.Items[0].ID)
	assert.Empty(t, list.Items[0].By)
	_, err = w.Decisions(ctx, w.ann, community.DecisionQuery{})
	assert.ErrorIs(t, err, hub.ErrForbidden)
	_, err = w.Decisions(ctx, w.bob, community.DecisionQuery{Publisher: "acme"})
	assert.ErrorIs(t, err, hub.ErrForbidden)
	list, err = w.Decisions(ctx, w.mod, community.DecisionQuery{})
	require.NoError(t, err)
	assert.Len(t, list.Items, 2)
}

// TestTwoModeratorsAtOnce: one report is decided once.
func TestTwoModeratorsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.report(w.eve, hub.SubjectPlugin, "acme/backup", "spam")
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			_, errs[i] = w.Decide(t.Context(), w.mod, community.NewDecision{Kind: hub.DecisionWarn, Subject: hub.SubjectPlugin, About: "acme/backup", Text: "Tut.", Reports: []string{r.ID}})
		})
	}
	wg.Wait()
	assert.Len(t, slices.DeleteFunc(errs, func(e error) bool { return e != nil }), 1)
	assert.Len(t, rows(w, hub.Tx.Decisions), 1)
}

func TestAdvisories(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	signer := verify.Identity{Issuer: "https://ci.example", Subject: "acme"}
	w.update(func(ctx context.Context, tx hub.Tx) error {
		return tx.Signers().Insert(ctx, &hub.Signer{ID: "acme " + signer.ID(), Publisher: "acme", Issuer: signer.Issuer, Subject: signer.Subject})
	})
	base := catalog.Advisory{Action: catalog.ActionWarn, Title: "Careful", Detail: "Line one.\nLine two."}
	with := func(f func(*catalog.Advisory)) catalog.Advisory {
		a := base
		f(&a)
		return a
	}
	var invalid *hub.InvalidError
	for name, a := range map[string]catalog.Advisory{
		"about nothing":  base,
		"about two":      with(func(a *catalog.Advisory) { a.Plugin, a.Publisher = "acme/backup", "acme" }),
		"no plugin":      with(func(a *catalog.Advisory) { a.Plugin = "acme/none" }),
		"no publisher":   with(func(a *catalog.Advisory) { a.Publisher = "none" }),
		"no signer":      with(func(a *catalog.Advisory) { a.Signer = "nobody" }),
		"part of signer": with(func(a *catalog.Advisory) { a.Signer = signer.ID()[:5] }),
		"no digest":      with(func(a *catalog.Advisory) { a.Digests = []verify.Digest{digestOf("x", "y")} }),
		"title":          with(func(a *catalog.Advisory) { a.Plugin, a.Title = "acme/backup", "two\nlines" }),
		"range":          with(func(a *catalog.Advisory) { a.Plugin, a.Range = "acme/backup", ">>1" }),
		"link":           with(func(a *catalog.Advisory) { a.Plugin, a.URL = "acme/backup", "javascript:x" }),
		"long detail":    with(func(a *catalog.Advisory) { a.Plugin, a.Detail = "acme/backup", strings.Repeat("x", catalog.MaxText) }),
	} {
		_, err := w.IssueAdvisory(ctx, w.mod, a)
		assert.ErrorAs(t, err, &invalid, name)
	}
	ok := with(func(a *catalog.Advisory) { a.Plugin, a.Range, a.FixedIn = "acme/backup", "<2.0.0", "2.0.0" })
	_, err := w.IssueAdvisory(ctx, w.ann, ok)
	assert.ErrorIs(t, err, hub.ErrForbidden)
	var first hub.Advisory
	for _, a := range []catalog.Advisory{
		ok, with(func(a *catalog.Advisory) { a.Publisher = "acme" }), with(func(a *catalog.Advisory) { a.Signer = signer.ID() }),
		with(func(a *catalog.Advisory) { a.Digests = []verify.Digest{digestOf("acme/backup", "1.0.0")} }),
	} {
		got, err := w.IssueAdvisory(ctx, w.mod, a)
		require.NoError(t, err)
		assert.Equal(t, "acme", got.Publisher)
		require.NoError(t, got.Body.Check())
		if first.ID == "" {
			first = got
		}
	}
	_, err = w.RescindAdvisory(ctx, w.eve, first.ID, "No.")
	assert.ErrorIs(t, err, hub.ErrForbidden)
	own := w.mod
	own.Memberships = map[string]hub.MemberRole{"acme": hub.MemberMaintainer}
	_, err = w.RescindAdvisory(ctx, own, first.ID, "Fixed.")
	assert.ErrorIs(t, err, hub.ErrForbidden, "nobody ends a warning of their own plugin")
	got, err := w.RescindAdvisory(ctx, w.mod, first.ID, "Fixed.")
	require.NoError(t, err)
	assert.False(t, got.Body.Active(w.clock().Add(1e9)))
	_, err = w.RescindAdvisory(ctx, w.mod, first.ID, "Fixed.")
	assert.ErrorIs(t, err, hub.ErrState)

	all, err := w.Advisories(ctx, community.AdvisoryQuery{})
	require.NoError(t, err)
	assert.Len(t, all.Items, 4)
	active, err := w.Advisories(ctx, community.AdvisoryQuery{Active: true, Publisher: "acme"})
	require.NoError(t, err)
	assert.Len(t, active.Items, 3)
	one, err := w.Advisory(ctx, first.ID)
	require.NoError(t, err)
	assert.Empty(t, one.By+all.Items[0].By, "who issued it is not public")
	assert.Len(t, rows(w, hub.Tx.Notices, hub.Eq("account", w.ann.Account), hub.Eq("kind", "advisory")), 5)
	assert.Len(t, rows(w, hub.Tx.Changes, hub.Eq("plugin", "")), 5)
	doc := catalog.Advisories{Format: catalog.AdvisoriesFormat, Serial: 1}
	for _, a := range all.Items {
		doc.Advisories = append(doc.Advisories, a.Body)
	}
	slices.SortFunc(doc.Advisories, func(a, b catalog.Advisory) int { return strings.Compare(a.ID, b.ID) })
	_, err = doc.Encode()
	assert.NoError(t, err, "a catalog carries them")
}
