package portal_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/hub/server"
)

// TestPages opens every page as who may, and sees the others turned away.
func TestPages(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{})
	open := w.Submit(w.acme, hubtest.Plugin{Manifest: hubtest.Manifest("acme/backup", "1.1.0")})
	hook := w.hook("acme", w.olga)

	public := []string{"/", "/plugins", "/plugins?q=back", "/plugins?q=none", "/plugins?publisher=acme", "/plugins/acme/backup", "/plugins/acme/backup/releases",
		"/plugins/acme/backup/permissions", "/plugins/acme/backup/ratings", "/plugins/acme/backup/ratings?sort=stars&stars=5", "/publishers/acme", "/publishers/evil", "/advisories", "/signin"}
	for _, path := range public {
		w.page(nil, path)
		if path != "/signin" {
			w.page(w.uma, path)
		}
	}
	mine := []string{"/account", "/account/security", "/account/tokens", "/account/panels", "/account/hooks", "/account/reports", "/account/delete", "/notices", "/notices?show=unread",
		"/appeals", "/appeals/new", "/link", "/publish", "/submissions/new", "/report?kind=plugin&subject=acme/backup"}
	for _, path := range mine {
		w.page(w.uma, path)
		w.page(w.olga, path)
		a := w.get(nil, path)
		require.Equal(t, http.StatusSeeOther, a.Status, path)
		assert.Equal(t, "/signin?to="+url.QueryEscape(path), a.Header.Get("Location"))
	}
	acme := []string{"/publish/acme", "/publish/acme/settings", "/publish/acme/members", "/publish/acme/signers", "/publish/acme/trusted", "/publish/acme/proofs", "/publish/acme/transfer",
		"/publish/acme/hooks", "/publish/acme/plugins/backup", "/publish/acme/plugins/backup/numbers", "/publish/acme/plugins/backup/numbers?days=365", "/submissions/" + open.ID}
	for _, path := range acme {
		w.page(w.olga, path)
		w.page(w.mona, path)
		for _, other := range []*hubtest.Person{w.erin, w.uma} {
			a := w.get(other, path)
			assert.Equal(t, http.StatusNotFound, a.Status, path)
			inOrder(t, path, a)
			assert.NotContains(t, strings.ReplaceAll(words(a.Body), "Acme", "acme"), "acme", path)
		}
		assert.Equal(t, "/signin", w.get(nil, path).To(), path)
	}
	w.page(w.olga, "/hooks/"+hook)
	for _, other := range []*hubtest.Person{w.mona, w.erin, w.uma} {
		assert.Equal(t, http.StatusNotFound, w.get(other, "/hooks/"+hook).Status)
	}
	for _, path := range []string{"/nothing", "/plugins/acme/none", "/plugins/acme/backup/none", "/publishers/none", "/advisories/none", "/report?kind=account&subject=x"} {
		a := w.get(w.uma, path)
		assert.Equal(t, http.StatusNotFound, a.Status, path)
		inOrder(t, path, a)
	}
	for _, path := range []string{"/publish/none", "/submissions/none", "/appeals/none", "/decisions/none", "/hooks/none", "/publish/acme/plugins/none"} {
		assert.Equal(t, http.StatusNotFound, w.get(w.olga, path).Status, path)
	}
	assert.Equal(t, http.StatusUnprocessableEntity, w.get(nil, "/plugins?after=junk").Status)
}

// hook makes a webhook of a publisher, or of a person, and returns its id.
func (w *town) hook(publisher string, who *hubtest.Person) string {
	w.t.Helper()
	a := w.post(who, "/hooks", "publisher", publisher, "url", "https://hooks.example.org/x", "kind", "release.published")
	require.Equal(w.t, http.StatusOK, a.Status, words(a.Body))
	list, err := w.Hub.Insight.Hooks(w.t.Context(), w.Actor(who), publisher)
	require.NoError(w.t, err)
	require.NotEmpty(w.t, list)
	return list[len(list)-1].ID
}
