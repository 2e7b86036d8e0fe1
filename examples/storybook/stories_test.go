package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// shown returns what a reader of a story sees: the answer after redirects.
func shown(t *testing.T, s story, v variant) *httptest.ResponseRecorder {
	t.Helper()
	m, err := stage(s, v)
	require.NoError(t, err, s.ID)
	to := m.leads(s)
	if to == "" {
		return m.answer
	}
	w := httptest.NewRecorder()
	m.store.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1"+strings.Split(to, "#")[0], nil))
	return w
}

// pressed returns what the button of a story with a dialog leads to; nil: it has none.
func pressed(t *testing.T, s story, v variant) *httptest.ResponseRecorder {
	t.Helper()
	if s.Press == "" {
		return nil
	}
	m, err := stage(s, v)
	require.NoError(t, err, s.ID)
	doc, err := html.Parse(m.answer.Body)
	require.NoError(t, err)
	for n := range doc.Descendants() {
		if n.Data != "form" || attribute(n, "data-consent") == nil {
			continue
		}
		send := form()
		for f := range n.Descendants() {
			if f.Data == "input" {
				send.Set(*attribute(f, "name"), *attribute(f, "value"))
			}
		}
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1"+*attribute(n, "action"), strings.NewReader(send.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		m.store.ServeHTTP(w, r)
		if to := w.Header().Get("Location"); to != "" {
			w = httptest.NewRecorder()
			m.store.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1"+to, nil))
		}
		return w
	}
	require.Fail(t, "there is nothing to press", s.ID)
	return nil
}

func attribute(n *html.Node, name string) *string {
	for i := range n.Attr {
		if n.Attr[i].Key == name {
			return &n.Attr[i].Val
		}
	}
	return nil
}

// text returns the words below a node, without those for the script.
func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode && (d.Parent == nil || d.Parent.Data != "script" && d.Parent.Data != "style") {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// TestEveryStoryIsAPage: what a browser and a screen reader rely on, of every story in
// every language.
func TestEveryStoryIsAPage(t *testing.T) {
	t.Parallel()
	for _, words := range languages {
		t.Run(words, func(t *testing.T) {
			t.Parallel()
			v := variant{scheme: "auto", words: words}
			for _, s := range all() {
				w := shown(t, s, v)
				assert.Equal(t, s.status(), w.Code, "%s: status", s.ID)
				if s.Plain {
					assert.Contains(t, w.Header().Get("Content-Type"), "text/plain", s.ID)
					continue
				}
				wellFormed(t, s.ID, w.Body.String(), words == "rtl")
				if d := pressed(t, s, v); d != nil {
					wellFormed(t, s.ID+" pressed", d.Body.String(), words == "rtl")
				}
			}
		})
	}
}

func wellFormed(t *testing.T, id, page string, mirrored bool) {
	t.Helper()
	assert.NotContains(t, page, "⟦", "%s: a text is missing", id)
	assert.NotContains(t, page, "ZgotmplZ", id)
	assert.NotContains(t, page, "%!", id)
	doc, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	ids, headings := map[string]bool{}, 0
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if a := attribute(n, "id"); a != nil {
			assert.False(t, ids[*a], "%s: id %q twice", id, *a)
			ids[*a] = true
		}
		for _, a := range n.Attr {
			assert.False(t, strings.HasPrefix(a.Key, "on") || a.Key == "style" || strings.HasPrefix(a.Val, "javascript:"), "%s: inline code: %s=%q", id, a.Key, a.Val)
		}
		switch n.Data {
		case "html":
			dir := attribute(n, "dir")
			if assert.NotNil(t, dir, "%s: dir", id) {
				assert.Equal(t, mirrored, *dir == "rtl", "%s: dir=%q", id, *dir)
			}
		case "h1", "h2", "h3", "h4", "h5", "h6":
			assert.NotEmpty(t, text(n), "%s: an empty %s", id, n.Data)
			if n.Data == "h1" {
				headings++
			}
		case "title", "button", "label", "legend", "caption", "th", "summary", "dt":
			assert.True(t, text(n) != "" || attribute(n, "aria-label") != nil, "%s: <%s> without words", id, n.Data)
		case "a":
			assert.True(t, text(n) != "" || attribute(n, "aria-label") != nil || hasPicture(n), "%s: a link without words to %v", id, n.Attr)
		}
	}
	assert.Equal(t, 1, headings, "%s: h1", id)
}

// hasPicture reports whether a link shows a picture with an alternative text.
func hasPicture(n *html.Node) bool {
	for d := range n.Descendants() {
		if d.Data == "img" && attribute(d, "alt") != nil && *attribute(d, "alt") != "" {
			return true
		}
	}
	return false
}

// TestBook: the index leads to every story, openings lead into the stores, and what is
// chosen is what is shown.
func TestBook(t *testing.T) {
	t.Parallel()
	b, err := newBook()
	require.NoError(t, err)
	h := b.handler()
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1"+path, nil))
		return w
	}
	index := get("/?colours=dark&language=rtl&hub=hub").Body.String()
	wellFormed(t, "index", index, false)
	for _, s := range b.stories {
		assert.Contains(t, index, `href="/s/dark.rtl.hub/`+s.ID+`"`)
	}
	var list []struct{ ID, Page, Name string }
	require.NoError(t, json.Unmarshal(get("/stories.json").Body.Bytes(), &list))
	assert.Len(t, list, len(b.stories))

	w := get("/s/dark.rtl.hub/plan-wider")
	require.Equal(t, http.StatusFound, w.Code)
	to := w.Header().Get("Location")
	assert.True(t, strings.HasPrefix(to, "/m/dark.rtl.hub/plan-wider/plans/"), to)
	page := get(to).Body.String()
	assert.Contains(t, page, `dir="rtl"`)
	assert.Contains(t, page, "book-dark")
	assert.Contains(t, page, `action="/m/dark.rtl.hub/plan-wider/plans/`)
	assert.Equal(t, http.StatusOK, get("/m/auto.en/plan/").Code, "a store is made when it is asked for")
	assert.Equal(t, http.StatusConflict, get("/s/auto.en/problem-busy").Code)
	assert.Contains(t, get("/m/auto.de/browse/").Body.String(), `lang="de"`)
	assert.NotContains(t, get("/m/auto.en/settings/settings").Body.String(), "hub.example.org")
	assert.Contains(t, get("/m/auto.en.hub/settings/settings").Body.String(), "hub.example.org")
	assert.Contains(t, get("/m/light.en/browse/").Body.String(), "book-light")
	wellFormed(t, "frames", get("/f/auto.en/browse").Body.String(), false)
	for _, missing := range []string{"/s/auto.en/none", "/m/auto.en/none/", "/f/auto.en/none", "/none"} {
		assert.Equal(t, http.StatusNotFound, get(missing).Code, missing)
	}
	for i := range 2 * maxMounts {
		get("/s/auto.en/" + b.stories[i].ID)
	}
	assert.Len(t, b.mounts, maxMounts)
}

func TestBookRefusesDoubleStories(t *testing.T) {
	t.Parallel()
	require.NoError(t, check(all()))
	assert.Error(t, check(append(all(), all()[0])))
	assert.Error(t, check([]story{{ID: "No", Page: "a", Name: "b"}}))
	assert.Error(t, check([]story{{ID: "yes", Page: "a"}}))
}
