package main

import (
	"encoding/json"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/souk-dev/souk/marketplace/store/storetest"
)

// englishWord is a word that the disguise of en-XA would have changed.
var englishWord = regexp.MustCompile(`[A-Za-z]*[aceinouyACEINOUY][A-Za-z]*`)

// quotedWords are what texts quote, addressWords hosts, paths, ids and zones of time.
var (
	quotedWords  = regexp.MustCompile(`“[^”]*”`)
	addressWords = regexp.MustCompile(`/?[\w-]+([./][\w-]+)+|[0-9]{2}:[0-9]{2} [A-Z]{3,4}|\b[A-Z2-7]{10}\b`) // the last: the id of a line of the log
)

// TestNoEnglishIsLeft walks every page in every state in a language whose texts show what
// they are: each letter that has an accent has one. What has none was not translated: it
// stands in the code, in a template, or an engine said it. What the market, the hub and the
// people of the samples say is not ours to translate, and what machines say stands in code.
func TestNoEnglishIsLeft(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, s := range all() {
		if s.Plain {
			continue
		}
		theirs := dataOf(t, s)
		check := func(w *httptest.ResponseRecorder) {
			for _, text := range visible(t, w.Body.String()) {
				seen++
				if left := untranslated(text, theirs); left != "" {
					assert.Fail(t, "English is left", "%s: %q in %q", s.ID, left, text)
				}
			}
		}
		v := variant{scheme: "auto", words: "long"}
		check(shown(t, s, v))
		if d := pressed(t, s, v); d != nil {
			check(d)
		}
	}
	assert.Greater(t, seen, 5000, "the pages were not read")
}

// TestEnglishWouldBeFound is the control: a sentence of the code is found, one of the texts
// and one of the market are not.
func TestEnglishWouldBeFound(t *testing.T) {
	t.Parallel()
	theirs := []string{"Nightly backups"}
	assert.Equal(t, "Something is wrong", untranslated("Something is wrong", theirs))
	assert.Equal(t, "is wrong", untranslated("[Ínstálléd: Nightly backups is wrong ·•·•]", theirs))
	assert.Empty(t, untranslated("[Ínstálléd: Nightly backups, 1.4 MB ·•·•]", theirs))
}

// untranslated returns the words of a text that are neither in disguise nor data.
func untranslated(text string, theirs []string) string {
	text = quotedWords.ReplaceAllString(text, "\x00")
	for _, d := range theirs {
		text = strings.ReplaceAll(text, d, "\x00")
	}
	text = addressWords.ReplaceAllString(text, "\x00")
	var out []string
	for _, w := range englishWord.FindAllStringIndex(text, -1) {
		before, after := text[:w[0]], text[w[1]:]
		if joined(before, false) || joined(after, true) { // a part of a word with accents, of a version or an address
			continue
		}
		if word := text[w[0]:w[1]]; word != "UTC" {
			out = append(out, word)
		}
	}
	return strings.Join(out, " ")
}

// joined reports whether what stands next to a word belongs to it.
func joined(s string, begin bool) bool {
	c := []rune(s)
	if len(c) == 0 {
		return false
	}
	next := c[len(c)-1]
	if begin {
		next = c[0]
	}
	return next > 127 && strings.ContainsRune("áçéíñöüýÁÇÉÍÑÖÜÝ", next) || next >= 'a' && next <= 'z' || next >= 'A' && next <= 'Z' || next >= '0' && next <= '9'
}

// visible are the texts of the storefront in a page: its text nodes and what is read aloud,
// without prose of publishers and without code.
func visible(t *testing.T, page string) (out []string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	var walk func(n *html.Node, inside bool)
	walk = func(n *html.Node, inside bool) {
		if n.Type == html.ElementNode {
			class := ""
			for _, a := range n.Attr {
				switch a.Key {
				case "class":
					class = " " + a.Val + " "
				case "aria-label", "placeholder", "title":
					if inside {
						out = append(out, a.Val)
					}
				}
			}
			inside = inside || strings.Contains(class, " souk ") || n.Data == "title"
			if n.Data == "code" || n.Data == "pre" || n.Data == "svg" || n.Data == "textarea" || strings.Contains(class, " souk-prose ") {
				return
			}
		}
		if text := strings.Join(strings.Fields(n.Data), " "); n.Type == html.TextNode && inside && text != "" {
			out = append(out, text)
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c, inside)
		}
	}
	walk(doc, false)
	return out
}

// dataOf are the words of a scene's market, hub and people, the longest first.
func dataOf(t *testing.T, s story) []string {
	t.Helper()
	sc := &scene{market: storetest.NewMarket(), actor: administrator}
	if s.Set != nil {
		s.Set(sc)
	}
	m := sc.market
	data := []any{m.Listed, m.Here, m.Catalogs, m.Rules.Scopes, m.Updating, m.Points, sc.actor, s.Path, s.Form}
	for _, e := range m.Entries {
		data = append(data, e.Actor, e.Error, e.Changes)
	}
	for _, op := range m.Running {
		data = append(data, op.Actor, op.Plugins, op.Plugin)
	}
	for _, why := range m.Sick {
		if why != nil {
			data = append(data, why.Error())
		}
	}
	if sc.hub != nil {
		data = append(data, sc.hub)
	}
	var out []string
	for _, d := range data {
		b, err := json.Marshal(d)
		require.NoError(t, err)
		var v any
		require.NoError(t, json.Unmarshal(b, &v))
		leaves(v, "", &out)
	}
	slices.SortFunc(out, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(out)
}

// leaves collects the strings of a JSON value, but for the sentences of engines in it.
func leaves(v any, key string, out *[]string) {
	switch v := v.(type) {
	case string:
		if s := strings.Join(strings.Fields(v), " "); len(s) > 1 {
			*out = append(*out, s)
		}
	case []any:
		for _, x := range v {
			leaves(x, key, out)
		}
	case map[string]any:
		_, generation := v["parent"]
		for k, x := range v {
			if k == "says" || generation && k == "reason" {
				continue
			}
			if len(k) > 1 && strings.Contains(k, "/") { // ids are keys of maps
				*out = append(*out, k, k[:strings.IndexByte(k, '/')])
			}
			leaves(x, k, out)
		}
	}
}
