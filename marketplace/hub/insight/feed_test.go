package insight_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/insight"
)

// TestTheValidatorRefuses shows that the validator goes red: each change of a valid
// document is refused.
func TestTheValidatorRefuses(t *testing.T) {
	const good = `<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><id>urn:x:1</id><title>t</title><updated>2026-03-01T00:00:00Z</updated>` +
		`<author><name>a</name></author><link rel="self" href="https://a/f"/><entry><id>urn:x:2</id><title type="text">e</title>` +
		`<updated>2026-03-01T00:00:00Z</updated><link rel="alternate" href="https://a/"/><category term="x"/></entry></feed>`
	require.NoError(t, checkAtom([]byte(good)))
	for old, new := range map[string]string{
		`<id>urn:x:1</id>`:                     ``,
		`<id>urn:x:2</id>`:                     `<id>relative</id>`,
		`<title>t</title>`:                     `<title>t</title><title>t</title>`,
		`<title type="text">e</title>`:         `<title type="text"><b>e</b></title>`,
		`type="text"`:                          `type="markdown"`,
		`<updated>2026-03-01T00:00:00Z`:        `<updated>2026-03-01 00:00:00`,
		`<author><name>a</name></author>`:      ``,
		`<name>a</name>`:                       ``,
		`rel="self" href="https://a/f"`:        `rel="next" href="https://a/f"`,
		`<link rel="alternate" href="https://`: `<link rel="related" href="https://`,
		`href="https://a/"/>`:                  `/>`,
		`term="x"`:                             `label="x"`,
		`<entry>`:                              `<entry><foo/>`,
		`<entry><id>`:                          `<entry>text<id>`,
		`</feed>`:                              ``,
		`http://www.w3.org/2005/Atom`:          `http://purl.org/atom/ns#`,
		`<?xml version="1.0"?>`:                `<!DOCTYPE x>`,
	} {
		changed := strings.Replace(good, old, new, 1)
		require.NotEqual(t, good, changed, old)
		assert.Error(t, checkAtom([]byte(changed)), "%s -> %s", old, new)
	}
}

func (w *world) feed(kind insight.FeedKind, about string) (insight.Feed, []string) {
	w.t.Helper()
	f, err := w.Feed(w.t.Context(), kind, about)
	require.NoError(w.t, err)
	require.NoError(w.t, checkAtom(f.Body), "%s", f.Body)
	root, err := parseXML(f.Body)
	require.NoError(w.t, err)
	var titles, dates []string
	for _, e := range root.all("entry") {
		titles, dates = append(titles, e.all("title")[0].text), append(dates, e.all("updated")[0].text)
	}
	assert.True(w.t, slices.IsSortedFunc(dates, func(a, b string) int { return strings.Compare(b, a) }), "newest first: %v", dates)
	if len(dates) > 0 {
		assert.Equal(w.t, dates[0], root.all("updated")[0].text)
	}
	assert.Equal(w.t, "https://hub.example.org/"+insight.FeedPath(kind, about), root.all("id")[0].text)
	assert.Regexp(w.t, `^"[0-9a-f]{32}"$`, f.ETag)
	return f, titles
}

func TestFeeds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, insight.Options{Title: `Souk & <Friends>`})
	w.release("acme/hidden", "1.0.0", nil)
	w.owns(&w.bob, "bobs")
	w.release("bobs/tool", "1.0.0", nil)
	empty, titles := w.feed(insight.FeedReleases, "")
	assert.Empty(t, titles)

	hostile := "<script>alert(1)</script> & \"quotes\" ]]> \u202e \x00\x1f\ufffe 🎉"
	published := func(plugin, title string) {
		w.set(w.now.Add(time.Hour))
		w.emit(hub.Event{Kind: hub.EventReleasePublished, Publisher: catalog.PluginID(plugin).Publisher(), Plugin: plugin, Version: "1.0.0", Title: title})
	}
	published("acme/backup", "backup is out")
	published("acme/hidden", "hidden is out")
	published("bobs/tool", "tool is out")
	published("acme/backup", strings.ReplaceAll(hostile, "\x00", ""))
	w.update(func(ctx context.Context, tx hub.Tx) error {
		return tx.Advisories().Insert(ctx, &hub.Advisory{ID: "adv_1", Publisher: "acme", Plugin: "acme/backup", Created: w.now, Body: catalog.Advisory{ID: "adv_1", Detail: "Do <not> use it."}})
	})
	w.set(w.now.Add(time.Hour))
	w.emit(hub.Event{Kind: hub.EventAdvisoryIssued, Publisher: "acme", Plugin: "acme/backup", Subject: "adv_1", Title: "careful"})
	w.emit(hub.Event{Kind: hub.EventRatingAdded, Publisher: "acme", Plugin: "acme/backup", Title: "not public"})
	w.emit(hub.Event{Kind: hub.EventAdvisoryRescinded, Publisher: "acme", Subject: "adv_2", Title: "all clear"})
	w.update(func(ctx context.Context, tx hub.Tx) error {
		return hub.HidePlugin(ctx, tx, hub.SystemActor("test"), w.now, "acme/hidden", "x")
	})
	readable := "<script>alert(1)</script> & \"quotes\" ]]> \u202e \ufffd\ufffd 🎉"
	f, titles := w.feed(insight.FeedReleases, "")
	assert.Equal(t, []string{readable, "tool is out", "backup is out"}, titles)
	assert.NotContains(t, string(f.Body), "<script>")
	assert.NotEqual(t, empty.ETag, f.ETag)
	again, _ := w.feed(insight.FeedReleases, "")
	assert.Equal(t, f, again, "the same while nothing happens")
	_, titles = w.feed(insight.FeedPlugin, "acme/backup")
	assert.Equal(t, []string{"careful", readable, "backup is out"}, titles)
	_, titles = w.feed(insight.FeedPublisher, "acme")
	assert.Equal(t, []string{"all clear", "careful", readable, "backup is out"}, titles)
	adv, titles := w.feed(insight.FeedAdvisories, "")
	assert.Equal(t, []string{"all clear", "careful"}, titles)
	assert.Contains(t, string(adv.Body), "Do &lt;not&gt; use it.")
	assert.Contains(t, string(f.Body), "Added: &lt;b&gt;things", "release notes")

	for _, c := range [][2]string{{"plugin", "acme/hidden"}, {"plugin", "acme/none"}, {"plugin", "../x"}, {"plugin", ""}, {"publisher", "none"}, {"releases", "x"}, {"moon", ""}} {
		_, err := w.Feed(t.Context(), insight.FeedKind(c[0]), c[1])
		assert.ErrorIs(t, err, hub.ErrNotFound, c)
	}
	for i := range 60 {
		published("acme/backup", fmt.Sprint(i))
	}
	_, titles = w.feed(insight.FeedReleases, "")
	assert.Len(t, titles, insight.MaxFeed)
	assert.Equal(t, "59", titles[0])

	t.Run("xmllint", func(t *testing.T) {
		path, err := exec.LookPath("xmllint")
		if err != nil {
			if os.Getenv("SOUK_TEST_REQUIRE") == "all" {
				t.Fatal("xmllint is not here, and SOUK_TEST_REQUIRE=all")
			}
			t.Skip("xmllint is not here: the feed is held to our own validator alone")
		}
		file := filepath.Join(t.TempDir(), "feed.atom")
		require.NoError(t, os.WriteFile(file, f.Body, 0o600))
		out, err := exec.CommandContext(t.Context(), path, "--noout", "--nonet", file).CombinedOutput()
		assert.NoError(t, err, "%s", out)
	})
}

// FuzzFeedTitle: whatever a title is, the feed is valid and says it.
func FuzzFeedTitle(f *testing.F) {
	w := newWorld(f, insight.Options{})
	for _, s := range []string{"", "<", "]]>", "&amp;", "\u2028", "<!-- ", "\ufffe"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\x00", "")
		at := w.clock().UTC().Truncate(time.Microsecond)
		require.NoError(t, w.store.Update(t.Context(), func(tx hub.Tx) error {
			return hub.Emit(t.Context(), tx, at, hub.Event{Kind: hub.EventReleasePublished, Publisher: "acme", Plugin: "acme/backup", Version: "1.0.0", Title: s})
		}))
		feed, err := w.Feed(t.Context(), insight.FeedReleases, "")
		require.NoError(t, err)
		require.NoError(t, checkAtom(feed.Body))
		root, err := parseXML(feed.Body)
		require.NoError(t, err)
		got := root.all("entry")[0].all("title")[0].text
		if !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0xfffe || r == 0xffff }) {
			assert.Equal(t, s, got)
		}
	})
}
