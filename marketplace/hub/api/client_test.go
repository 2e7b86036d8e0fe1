package api_test

import (
	"crypto/ed25519"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/client"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/verify"
)

// TestClientSpeaksTheDocument calls every method of the client and holds what it asks and
// gets to the document. A method that is not called here fails the test.
func TestClientSpeaksTheDocument(t *testing.T) {
	k := newWalk(t, hubtest.Options{})
	w := k.w
	olga, mira := w.Person("Olga Owner"), w.Person("Mira Meier")
	acme := w.Publisher(olga, "acme")
	w.Publish(acme, hubtest.Plugin{Manifest: hubtest.Manifest("acme/backup", "1.0.0")})
	as := func(p *hubtest.Person) *client.Client {
		c, err := client.New(w.URL, client.Options{HTTPClient: k.http})
		require.NoError(t, err)
		if p == nil {
			return c
		}
		token, err := w.TokenOf(t.Context(), p)
		require.NoError(t, err)
		return c.WithToken(token)
	}
	nobody, owner, rater, admin := as(nil), as(olga), as(mira), as(w.Person("Ada Admin", hub.RoleAdmin))
	ctx := t.Context()
	ref := catalog.Ref{Plugin: "acme/backup", Version: "1.0.0"}
	pkg, err := hubtest.Pack(ctx, hubtest.Plugin{Manifest: hubtest.Manifest("acme/backup", "1.1.0")})
	require.NoError(t, err)
	digest, err := w.Push(ctx, acme, pkg)
	require.NoError(t, err)
	notes := publish.Notes{Added: []string{"More."}}
	sub, err := owner.CreateSubmission(ctx, client.NewSubmission{Plugin: "acme/backup", Version: "1.1.0", Notes: notes})
	require.NoError(t, err)
	other, err := owner.CreateSubmission(ctx, client.NewSubmission{Plugin: "acme/backup", Version: "1.2.0", Notes: notes})
	require.NoError(t, err)
	key, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)

	fails := func(want error) func(error) { return func(err error) { assert.ErrorIs(t, err, want) } }
	works := func(err error) { assert.NoError(t, err) }
	calls := []struct {
		name string
		want func(error)
		do   func() error
	}{
		{"About", works, func() error { _, err := nobody.About(ctx); return err }},
		{"Account", works, func() error { _, err := owner.Account(ctx); return err }},
		{"Account", fails(hub.ErrUnauthenticated), func() error { _, err := nobody.Account(ctx); return err }},
		{"Plugin", works, func() error { _, err := nobody.Plugin(ctx, "acme/backup"); return err }},
		{"Plugin", fails(hub.ErrNotFound), func() error { _, err := nobody.Plugin(ctx, "acme/nothing"); return err }},
		{"Publisher", works, func() error { _, err := nobody.Publisher(ctx, "acme"); return err }},
		{"Releases", works, func() error { _, err := nobody.Releases(ctx, "acme/backup"); return err }},
		{"Numbers", works, func() error { _, err := owner.Numbers(ctx, "acme/backup"); return err }},
		{"Numbers", fails(hub.ErrForbidden), func() error { _, err := rater.Numbers(ctx, "acme/backup"); return err }},
		{"Revise", works, func() error { _, err := owner.Revise(ctx, sub.ID, notes, 50); return err }},
		{"Submit", works, func() error { _, err := owner.Submit(ctx, sub.ID, verify.Digest(digest)); return err }},
		{"Submit", fails(hub.ErrNotFound), func() error { _, err := rater.Submit(ctx, sub.ID, verify.Digest(digest)); return err }},
		{"Submission", works, func() error { _, err := owner.Submission(ctx, sub.ID); return err }},
		{"Submissions", works, func() error { _, err := owner.Submissions(ctx, "acme/backup", ""); return err }},
		{"Comment", works, func() error { _, err := owner.Comment(ctx, sub.ID, "Hello."); return err }},
		{"Decide", fails(hub.ErrForbidden), func() error {
			_, err := owner.Decide(ctx, sub.ID, client.Decision{Round: 1, Digest: digest, Verdict: hub.VerdictApprove})
			return err
		}},
		{"SetTelemetry", fails(hub.ErrNotFound), func() error { return rater.SetTelemetry(ctx, "pnl_nothing", true) }},
		{"Withdraw", works, func() error { _, err := owner.Withdraw(ctx, other.ID, "Not now."); return err }},
		{"SetRollout", works, func() error { _, err := owner.SetRollout(ctx, ref, 10, true); return err }},
		{"Yank", works, func() error { _, err := owner.Yank(ctx, ref, "Broken."); return err }},
		{"Yank", fails(hub.ErrState), func() error { _, err := owner.Yank(ctx, ref, "Broken."); return err }},
		{"Unyank", works, func() error { _, err := owner.Unyank(ctx, ref); return err }},
		{"Rate", works, func() error { _, err := rater.Rate(ctx, "acme/backup", client.NewRating{Stars: 5}); return err }},
		{"Rate", fails(hub.ErrForbidden), func() error { _, err := owner.Rate(ctx, "acme/backup", client.NewRating{Stars: 5}); return err }},
		{"MyRating", works, func() error { _, err := rater.MyRating(ctx, "acme/backup"); return err }},
		{"Ratings", works, func() error {
			_, err := nobody.Ratings(ctx, "acme/backup", client.RatingsQuery{Sort: "stars", Limit: 5})
			return err
		}},
		{"RatingSummary", works, func() error { _, err := nobody.RatingSummary(ctx, "acme/backup"); return err }},
		{"Vote", works, func() error { _, err := owner.Vote(ctx, "acme/backup", mira.Account, true); return err }},
		{"Report", works, func() error {
			_, err := rater.Report(ctx, client.NewReport{Kind: hub.SubjectPlugin, Subject: "acme/backup", Reason: "broken", Text: "Is."})
			return err
		}},
		{"DeleteRating", works, func() error { return rater.DeleteRating(ctx, "acme/backup") }},
		{"Recommend", works, func() error { _, err := nobody.Recommend(ctx, nil, 0); return err }},
		{"ReportInstalls", fails(hub.ErrForbidden), func() error { _, err := rater.ReportInstalls(ctx, client.InstallReport{}); return err }},
		{"Categories", works, func() error { _, err := nobody.Categories(ctx); return err }},
		{"Reserved", works, func() error { _, err := nobody.Reserved(ctx); return err }},
		{"Release", works, func() error { _, err := nobody.Release(ctx, ref); return err }},
		{"Release", fails(hub.ErrNotFound), func() error {
			_, err := nobody.Release(ctx, catalog.Ref{Plugin: "acme/backup", Version: "9.0.0"})
			return err
		}},
		{"NumbersOf", works, func() error {
			n, err := owner.NumbersOf(ctx, "acme/backup", time.Now().AddDate(0, 0, -2), time.Now())
			assert.Len(t, n.Days, 3)
			assert.Len(t, n.Downloads, 3)
			return err
		}},
		{"NumbersCSV", works, func() error {
			b, err := owner.NumbersCSV(ctx, "acme/backup", time.Time{}, time.Time{})
			assert.Equal(t, 29, strings.Count(string(b), "\r\n"))
			return err
		}},
		{"NumbersCSV", fails(hub.ErrForbidden), func() error { _, err := rater.NumbersCSV(ctx, "acme/backup", time.Time{}, time.Time{}); return err }},
		{"CommentOn", works, func() error {
			c, err := owner.CommentOn(ctx, sub.ID, client.NewComment{Text: "This line.", File: "README.md", Line: 1})
			assert.Equal(t, "README.md", c.File)
			assert.Equal(t, 1, c.Line)
			return err
		}},
		{"System", works, func() error {
			s, err := admin.System(ctx)
			assert.Len(t, s.Roles, 4)
			return err
		}},
		{"System", fails(hub.ErrForbidden), func() error { _, err := owner.System(ctx); return err }},
		{"Issuers", works, func() error { _, err := nobody.Issuers(ctx); return err }},
		{"ExchangeCI", fails(hub.ErrForbidden), func() error { _, _, err := nobody.ExchangeCI(ctx, "e30.e30.e30", "acme"); return err }},
		{"StartLink", works, func() error { _, err := nobody.StartLink(ctx, "web1", key); return err }},
		{"PollLink", func(err error) { assert.ErrorContains(t, err, "invalid_grant") }, func() error { _, err := nobody.PollLink(ctx, client.Link{DeviceCode: "x"}); return err }},
		{"FinishLink", func(err error) { assert.ErrorContains(t, err, "invalid_grant") }, func() error { _, err := nobody.FinishLink(ctx, client.Link{DeviceCode: "x"}); return err }},
		{"Panel", func(err error) { assert.Error(t, err) }, func() error { _, err := rater.Panel(ctx); return err }},
		{"Unlink", fails(hub.ErrNotFound), func() error { return rater.Unlink(ctx, "pnl_nothing") }},
	}
	called := map[string]bool{"WithToken": true, "Address": true, "CreateSubmission": true} // above
	for _, c := range calls {
		called[c.name] = true
		before := len(k.seen.errs)
		c.want(c.do())
		for _, err := range k.seen.errs[before:] {
			assert.NoError(t, err, c.name)
		}
	}
	typ := reflect.TypeFor[*client.Client]()
	for i := range typ.NumMethod() {
		assert.True(t, called[typ.Method(i).Name], "%s is not called here", typ.Method(i).Name)
	}
	assert.Equal(t, w.URL, nobody.Address())
	_, err = client.New("http://hub.example.org", client.Options{})
	assert.Error(t, err, "a token would be read on the way")
	_, err = client.New("https://hub.example.org", client.Options{HTTPClient: &http.Client{}})
	assert.NoError(t, err)
}
