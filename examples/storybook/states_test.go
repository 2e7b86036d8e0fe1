package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/souk-dev/souk/marketplace/store/storetest"
)

// constants returns the values of the string constants of a type, as they stand in the
// source of a package: what somebody adds there is found here.
func constants(t *testing.T, dir, name string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", dir, "*.go"))
	require.NoError(t, err)
	var out []string
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), f, nil, 0)
		require.NoError(t, err)
		for _, d := range tree.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				if kind, ok := v.Type.(*ast.Ident); !ok || kind.Name != name {
					continue
				}
				for _, x := range v.Values {
					word, err := strconv.Unquote(x.(*ast.BasicLit).Value)
					require.NoError(t, err)
					out = append(out, word)
				}
			}
		}
	}
	require.NotEmpty(t, out, "%s has no constants of type %s", dir, name)
	return out
}

// TestEveryStateHasAStory: nobody adds a state to the machine without a story that shows it.
func TestEveryStateHasAStory(t *testing.T) {
	t.Parallel()
	seen := map[string]map[string]bool{}
	saw := func(kind, value string) {
		if seen[kind] == nil {
			seen[kind] = map[string]bool{}
		}
		seen[kind][value] = true
	}
	for _, s := range all() {
		sc := &scene{market: storetest.NewMarket(), actor: administrator}
		if s.Set != nil {
			s.Set(sc)
		}
		for _, op := range sc.market.Running {
			saw("install.State", string(op.State))
		}
		for _, c := range sc.market.Catalogs {
			saw("mirror.State", string(c.State))
		}
		for _, o := range sc.market.Offered {
			saw("update.Verdict", string(o.Decision.Verdict))
		}
		for _, p := range sc.market.Listed {
			for _, a := range p.Advisories {
				saw("catalog.Action", string(a.Action))
			}
			for _, r := range p.Releases {
				saw("catalog.State", string(r.State))
			}
		}
		if p := sc.market.Next; p != nil {
			for _, step := range p.Steps {
				saw("install.Action", string(step.Action))
			}
			for _, n := range p.Consents {
				saw("install.NeedKind", string(n.Kind))
			}
		}
		if sc.hub != nil {
			a := sc.hub.Account()
			saw("store.LinkState", string(a.State))
			saw("store.LinkProblem", string(a.Problem))
		}
	}
	for kind, dir := range map[string]string{
		"install.State": "install", "install.Action": "install", "install.NeedKind": "install", "mirror.State": "catalog/mirror", "update.Verdict": "update",
		"catalog.Action": "catalog", "catalog.State": "catalog", "store.LinkState": "marketplace/store", "store.LinkProblem": "marketplace/store",
	} {
		_, name, _ := strings.Cut(kind, ".")
		for _, value := range constants(t, dir, name) {
			assert.True(t, seen[kind][value], "no story shows %s %q", kind, value)
		}
	}
	assert.False(t, seen["install.State"]["dancing"], "control")
}

// machine are the families of texts that say how something stands; each of them is in a
// story. Of all texts, enough are that the rest can be named in a review.
var machine = []string{
	"state.", "source.", "health.", "problem.", "unavailable.", "verdict.", "offer.", "link.problem.", "advisory.", "action.", "stage.", "fact.",
	"failed.", "tried.", "stand.", "update.", "preset.", "wrong.", "revoked.", "restart.", "crashed.", "disabled.", "healthpage.", "points.", "saved.", "shelf.", "empty.", "badge.", "risk.", "readonly", "runtime.", "do.", "account.", "review.held", "review.hidden", "review.stale", "review.unlinked", "review.unknown", "review.none", "consent.",
}

// notShown are texts of the machine that no page of the book shows, and why.
var notShown = map[string]string{
	"problem.conflict.detail": "a conflict has a summary of its own",
	"account.unlink.unnamed":  "a hub that names no account is not one that is published",
	"problem.nomatch.title":   "of the JSON interface alone", "problem.nomatch.detail": "of the JSON interface alone", "problem.nomatch.next": "of the JSON interface alone",
	"problem.method.title": "of the JSON interface alone", "problem.method.detail": "of the JSON interface alone", "problem.method.next": "of the JSON interface alone",
	"problem.slow.title": "a book sends whole requests", "problem.slow.detail": "a book sends whole requests", "problem.slow.next": "a book sends whole requests",
	"problem.media.title": "of the JSON interface alone", "problem.media.detail": "of the JSON interface alone", "problem.media.next": "of the JSON interface alone",
	"problem.streams.title": "of the JSON interface alone", "problem.streams.detail": "of the JSON interface alone", "problem.streams.next": "of the JSON interface alone",
	"problem.internal.next": "its argument is another one each time; the story is problem-internal",
}

// TestEveryWordHasAStory: nobody adds a word for a state without a story that shows it.
func TestEveryWordHasAStory(t *testing.T) {
	t.Parallel()
	var pages []string
	for _, s := range all() {
		v := variant{scheme: "auto", words: "en"}
		pages = append(pages, whole(t, shown(t, s, v).Body.String()))
		if d := pressed(t, s, v); d != nil {
			pages = append(pages, whole(t, d.Body.String()))
		}
	}
	words, unseen := english(t), 0
	for key, text := range words {
		if strings.HasPrefix(key, "say.") || shows(pages, text) { // what engines say is in the tests of marketplace/ui
			continue
		}
		unseen++
		_, excused := notShown[key]
		if slices.ContainsFunc(machine, func(family string) bool { return strings.HasPrefix(key, family) }) && !excused {
			assert.Fail(t, "no story shows it", "%s: %q", key, text)
		}
		t.Logf("in no story: %s: %q", key, text)
	}
	assert.Less(t, unseen, len(words)/10, "of all texts")
	for key := range notShown {
		assert.Contains(t, words, key, "there is no such text any more")
	}
	assert.False(t, shows(pages, "Nobody wrote {0} anywhere"), "control")
}

// english returns the texts as they stand in their files.
func english(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../../marketplace/ui/text/en/*.json")
	require.NoError(t, err)
	out := map[string]string{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(b, &out))
	}
	require.NotEmpty(t, out)
	return out
}

// whole is all words of a page, also those in attributes.
func whole(t *testing.T, page string) string {
	doc, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	var b strings.Builder
	for n := range doc.Descendants() {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
		for _, a := range n.Attr {
			if a.Key == "aria-label" || a.Key == "placeholder" || a.Key == "title" || a.Key == "alt" {
				b.WriteString("\n" + a.Val + "\n")
			}
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

var argument = regexp.MustCompile(`\{[0-9]\}`)

// shows reports whether a text stands in a page, whatever its arguments are.
func shows(pages []string, text string) bool {
	parts := argument.Split(text, -1)
	return slices.ContainsFunc(pages, func(page string) bool {
		at := 0
		for _, p := range parts {
			i := strings.Index(page[at:], strings.Join(strings.Fields(p), " "))
			if i < 0 || at > 0 && i > 600 {
				return false
			}
			at += i + len(p)
			at = min(at, len(page))
		}
		return true
	})
}
