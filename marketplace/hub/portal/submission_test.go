package portal_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
	"github.com/souk-dev/souk/marketplace/hub/server"
)

func (w *town) submission(id string) publishing.Detail {
	w.t.Helper()
	d, err := w.Hub.Publishing.Submission(w.t.Context(), w.Actor(w.olga), id)
	require.NoError(w.t, err)
	return d
}

// TestSubmit goes the whole way by the portal: named, pushed, submitted, sent back,
// submitted again, published.
func TestSubmit(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{})
	assert.Contains(t, words(w.page(w.uma, "/submissions/new")), "You have no publisher yet")
	assert.Contains(t, w.page(w.mona, "/submissions/new?publisher=acme"), `<option value="acme" selected>`)
	assert.Contains(t, []int{http.StatusForbidden, http.StatusNotFound}, w.post(w.uma, "/submissions", "publisher", "acme", "name", "backup", "version", "1.1.0").Status)
	assert.Equal(t, http.StatusUnprocessableEntity, w.post(w.olga, "/submissions", "publisher", "acme", "name", "backup", "version", "one").Status)
	assert.Equal(t, http.StatusConflict, w.post(w.olga, "/submissions", "publisher", "acme", "name", "backup", "version", "1.0.0").Status, "published already")
	at := w.posted(w.mona, "/submissions", "publisher", "acme", "name", "backup", "version", "1.1.0", "percent", "20", "added", "Restore of **single** files.\r\n\r\nA summary.", "fixed", "").To()
	id := at[len("/submissions/"):]
	d := w.submission(id)
	var notes publish.Notes
	require.NoError(t, json.Unmarshal(d.Notes, &notes))
	assert.Equal(t, []string{"Restore of **single** files.", "A summary."}, notes.Added)
	assert.Equal(t, 20, d.Percent)
	page := w.page(w.mona, at)
	for _, want := range []string{"Push the package and submit it.", "souk submit . --key acme.pem", "/staging/acme/backup", "Restore of **single** files."} {
		assert.Contains(t, page, want)
	}

	w.posted(w.mona, at+"/notes", "rev", fmt.Sprint(d.Rev), "added", "Restore of *single* files.", "percent", "50")
	assert.Equal(t, http.StatusPreconditionFailed, w.post(w.mona, at+"/notes", "rev", fmt.Sprint(d.Rev), "added", "Stale.", "percent", "50").Status)
	assert.Equal(t, 50, w.submission(id).Percent)

	ada := w.Person("Ada Admin", hub.RoleAdmin)
	require.NoError(t, w.Hub.Publishing.SetCategory(t.Context(), w.Actor(ada), hub.Category{Slug: "storage", Name: "Storage", Summary: "Where things lie."}))
	broken := hubtest.Manifest("acme/backup", "1.1.0")
	broken.Categories = []string{"no-such"}
	push := func(x hubtest.Plugin) string {
		pkg, err := hubtest.Pack(t.Context(), x)
		require.NoError(t, err)
		digest, err := w.Push(t.Context(), w.acme, pkg)
		require.NoError(t, err)
		return digest
	}
	digest := push(hubtest.Plugin{Manifest: broken})
	rev := func() string { return fmt.Sprint(w.submission(id).Rev) }
	assert.Equal(t, http.StatusPreconditionFailed, w.post(w.mona, at+"/submit", "rev", "1", "digest", digest).Status)
	assert.Equal(t, http.StatusUnprocessableEntity, w.post(w.mona, at+"/submit", "rev", rev(), "digest", "sha256:no").Status)
	w.posted(w.mona, at+"/submit", "rev", rev(), "digest", digest)
	d, err := w.Settle(t.Context(), w.olga, id)
	require.NoError(t, err)
	require.Equal(t, hub.StateNeedsChanges, d.State)
	page = html.UnescapeString(w.page(w.mona, at))
	for _, want := range []string{"Look at what was found", `"no-such" is not a category`, "plugin.json:1:", "categories[0]", "use some of", "Submit again"} {
		assert.Contains(t, page, want)
	}
	w.posted(w.mona, at+"/submit", "rev", rev(), "digest", push(hubtest.Plugin{Manifest: hubtest.Manifest("acme/backup", "1.1.0")}))
	d, err = w.Settle(t.Context(), w.olga, id)
	require.NoError(t, err)
	require.Equal(t, hub.StateInReview, d.State, d.Reason)
	rosa := w.Person("Rosa Reviewer", hub.RoleReviewer)
	_, err = w.Hub.Publishing.Comment(t.Context(), w.Actor(rosa), id, publishing.NewComment{Text: "Why?", File: "plugin.json", Line: 3})
	require.NoError(t, err)
	_, err = w.Hub.Publishing.Comment(t.Context(), w.Actor(rosa), id, publishing.NewComment{Text: "Between us.", Internal: true})
	require.NoError(t, err)
	page = w.page(w.mona, at)
	assert.Contains(t, page, "plugin.json:3")
	assert.NotContains(t, page, "Between us.", "among reviewers")
	assert.NotContains(t, page, "/review/")
	assert.Contains(t, w.page(rosa, at), "/review/"+id)
	w.posted(w.mona, at+"/comment", "text", "Because people asked.", "file", "plugin.json", "line", "3")
	assert.Contains(t, w.page(w.olga, at), "Because people asked.")
	assert.Contains(t, words(w.page(w.olga, at)), "clean")
	assert.Contains(t, w.page(w.olga, "/publish"), at)
	require.NoError(t, w.Approve(t.Context(), d))
	d, err = w.Settle(t.Context(), w.olga, id)
	require.NoError(t, err)
	require.Equal(t, hub.StatePublished, d.State, d.Reason)
	assert.Contains(t, words(w.page(w.mona, at)), "Done: it is in the catalog.")
	assert.Contains(t, w.page(nil, "/plugins/acme/backup"), "<em>single</em>")
}

func TestWithdrawAndReject(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{})
	d := w.Submit(w.acme, hubtest.Plugin{Manifest: hubtest.Manifest("acme/backup", "1.1.0")})
	at := "/submissions/" + d.ID
	for _, who := range []*hubtest.Person{w.erin, w.uma} {
		for _, do := range []string{"/submit", "/notes", "/comment", "/withdraw"} {
			a := w.post(who, at+do, "rev", fmt.Sprint(d.Rev), "digest", d.Digest, "text", "x", "reason", "x", "percent", "1", "added", "x")
			assert.Equal(t, http.StatusNotFound, a.Status, do)
		}
	}
	assert.Equal(t, http.StatusPreconditionFailed, w.post(w.mona, at+"/withdraw", "rev", "1", "reason", "Stale.").Status)
	w.posted(w.mona, at+"/withdraw", "rev", fmt.Sprint(w.submission(d.ID).Rev), "reason", "Too early.")
	assert.Contains(t, words(w.page(w.mona, at)), "Too early.")

	d = w.Submit(w.acme, hubtest.Plugin{Manifest: hubtest.Manifest("acme/backup", "1.2.0")})
	rosa := w.Person("Rosa Reviewer", hub.RoleReviewer)
	_, err := w.Hub.Publishing.Decide(t.Context(), w.Actor(rosa), d.ID, publishing.Decision{Round: d.Round, Digest: d.Digest, Verdict: hub.VerdictReject, Text: "It is a copy of another."})
	require.NoError(t, err)
	at = "/submissions/" + d.ID
	assert.Contains(t, w.page(w.mona, at), "/appeals/new?submission="+d.ID)
	assert.Contains(t, w.page(w.mona, "/appeals/new?submission="+d.ID), "It is a copy of another.")
	assert.Equal(t, http.StatusNotFound, w.get(w.erin, "/appeals/new?submission="+d.ID).Status)
	a := w.posted(w.mona, "/appeals", "submission", d.ID, "text", "It is not.")
	assert.Contains(t, w.page(w.mona, a.To()), at)
}

// TestFindings shows what scanners found, with file, line and advice.
func TestFindings(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{})
	d := w.Submit(w.acme, hubtest.Plugin{Manifest: hubtest.Manifest("acme/backup", "1.1.0"), Files: fstest.MapFS{
		"README.md": {Data: []byte("# x\n")}, "LICENSE": {Data: []byte("x\n")}, "index.html": {Data: []byte("<p>\n")},
		"key.pem": {Data: []byte("a\n-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n-----END PRIVATE KEY-----\n")},
	}})
	page := w.page(w.olga, "/submissions/"+d.ID)
	assert.Contains(t, page, "key.pem", d.State)
	assert.Contains(t, words(page), "secrets", d.State)
}
