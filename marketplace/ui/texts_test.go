package ui_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/ui"
)

const (
	longestSentence = 25  // words
	longestText     = 220 // characters
)

var (
	hole     = regexp.MustCompile(`\{[0-9]\}`)
	sentence = regexp.MustCompile(`[.!?:;]\s+|,? \(`)
)

// texts are the texts of a language as its files have them.
func texts(t testing.TB, lang string) map[string]string {
	t.Helper()
	files, err := filepath.Glob("text/" + lang + "/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	all := map[string]string{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		var one map[string]string
		require.NoError(t, json.Unmarshal(b, &one), f)
		for k, v := range one {
			_, twice := all[k]
			assert.False(t, twice, "%s: %s stands in two files", f, k)
			all[k] = v
		}
		order := regexp.MustCompile(`(?m)^ "([^"]+)":`).FindAllStringSubmatch(string(b), -1)
		assert.Len(t, order, len(one), "%s: a key stands twice, or not in a line of its own", f)
	}
	return all
}

// TestEveryLanguageHasEveryText: none is missing, none is left over, with the same arguments
// in each and both forms of what is counted.
func TestEveryLanguageHasEveryText(t *testing.T) {
	t.Parallel()
	english := texts(t, "en")
	for _, lang := range ui.Languages() {
		words := texts(t, lang)
		for key, text := range words {
			if _, known := english[key]; assert.True(t, known, "%s has %s left over", lang, key) {
				a, b := hole.FindAllString(english[key], -1), hole.FindAllString(text, -1)
				slices.Sort(a)
				slices.Sort(b)
				assert.Equal(t, slices.Compact(a), slices.Compact(b), "%s: %s has other arguments", lang, key)
			}
			if base, ok := strings.CutSuffix(key, ".one"); ok {
				assert.NotEmpty(t, words[base+".other"], "%s: %s has no form for many", lang, key)
			}
			if base, ok := strings.CutSuffix(key, ".other"); ok && words[base+".one"] == "" {
				assert.Contains(t, []string{"report.reason", "say.resolve.allow", "say.install.signer"}, base, "%s: %s has no form for one", lang, key)
			}
		}
		for key := range english {
			assert.NotEmpty(t, words[key], "%s lacks %s", lang, key)
		}
	}
}

// TestGermanIsTranslated: a German text is not the English one, but for words that are the
// same in both.
func TestGermanIsTranslated(t *testing.T) {
	t.Parallel()
	english, same := texts(t, "en"), 0
	for key, text := range texts(t, "de") {
		if text == english[key] && strings.ContainsFunc(hole.ReplaceAllString(text, ""), func(c rune) bool { return c >= 'a' && c <= 'z' }) {
			same++
			assert.LessOrEqual(t, len(strings.Fields(hole.ReplaceAllString(text, ""))), 1, "%s: %q is English", key, text)
		}
	}
	assert.Less(t, same, 60)
}

// TestTextsAreReadable: short sentences, no markup, no words of the trade where a person who
// is no programmer reads.
func TestTextsAreReadable(t *testing.T) {
	t.Parallel()
	trade := map[string]*regexp.Regexp{
		"en": regexp.MustCompile(`(?i)\b(digest|manifest|OCI|TUF|serial|daemon|stderr|stdout|blob|hash|artifact|schema|repository|rollback|generation|binary|runtime|boolean|null|timeout|payload|regex|yank(ed)?)s?\b`),
		"de": regexp.MustCompile(`(?i)\b(digest|manifest|OCI|TUF|serial|daemon|stderr|stdout|blob|hash|artefakt|schema|repository|rollback|generation|binary|runtime|boolean|null|timeout|payload)\b`),
	}
	for _, lang := range ui.Languages() {
		for key, text := range texts(t, lang) {
			assert.NotEmpty(t, strings.TrimSpace(text), key)
			assert.NotRegexp(t, `<[a-zA-Z/]|&[a-z]+;|\s\s|\.\s*\.$`, text, "%s: %s", lang, key)
			assert.LessOrEqual(t, utf8.RuneCountInString(text), longestText, "%s: %s is too long", lang, key)
			for _, s := range sentence.Split(text, -1) {
				assert.LessOrEqual(t, len(strings.Fields(s)), longestSentence, "%s: %s: a long sentence: %q", lang, key, s)
			}
			if !strings.HasPrefix(key, "security.") && !forInterface(key) {
				assert.NotRegexp(t, trade[lang], text, "%s: %s speaks of the trade", lang, key)
			}
		}
	}
}

// forInterface reports whether only who programs against the JSON interface reads a text.
func forInterface(key string) bool { return strings.HasPrefix(key, "problem.nomatch.") }

// TestProblemsSayAllThree: what happened, why, and what next, as sentences.
func TestProblemsSayAllThree(t *testing.T) {
	t.Parallel()
	for _, lang := range ui.Languages() {
		words := texts(t, lang)
		for key, text := range words {
			kind, part := "", ""
			if rest, ok := strings.CutPrefix(key, "problem."); ok {
				kind, part, _ = strings.Cut(rest, ".")
			}
			if part == "" {
				continue
			}
			require.Contains(t, []string{"title", "detail", "next"}, part, key)
			for _, other := range []string{"title", "detail", "next"} {
				assert.NotEmpty(t, words["problem."+kind+"."+other], "%s: %s has no %s", lang, key, other)
			}
			if part == "title" {
				assert.NotRegexp(t, `[.!:]$`, text, "%s: %s is a heading", lang, key)
			} else {
				assert.Regexp(t, `[.:]$`, text, "%s: %s is a sentence", lang, key)
			}
		}
	}
}

// TestSentencesEnd: what has more than one sentence ends as a sentence does.
func TestSentencesEnd(t *testing.T) {
	t.Parallel()
	for _, lang := range ui.Languages() {
		for key, text := range texts(t, lang) {
			if regexp.MustCompile(`\p{Ll}{3}\. \p{Lu}`).MatchString(text) {
				assert.True(t, regexp.MustCompile(`[.:?!]$|\}$`).MatchString(text) || openEnded[key], "%s: %s: %q has no end", lang, key, text)
			}
		}
	}
}

// openEnded are texts that a page goes on with a name, an address or a time.
var openEnded = map[string]bool{"account.lead": true, "account.waiting": true}

// TestEveryTextIsUsed: a key stands in the Go code or in a template, as it is or as a family
// whose members are words of the code.
func TestEveryTextIsUsed(t *testing.T) {
	t.Parallel()
	literals, phrases := sources(t)
	families := []string{}
	for l := range literals {
		if p, _, ok := strings.Cut(l, "%s"); ok && strings.HasSuffix(p, ".") {
			families = append(families, p)
		} else if strings.HasSuffix(l, ".") && !strings.Contains(l, " ") {
			families = append(families, l)
		}
	}
	data := []string{"month.", "category.", "report.reason.", "day."} // numbers, and words of publishers and hubs
	for key := range texts(t, "en") {
		if says, ok := strings.CutPrefix(key, "say."); ok {
			_, used := phrases[says]
			assert.True(t, used || strings.HasPrefix(says, "list."), "no engine says %s", key)
			continue
		}
		base := strings.TrimSuffix(strings.TrimSuffix(key, ".one"), ".other")
		used := literals[key] || literals[base] || slices.ContainsFunc(data, func(p string) bool { return strings.HasPrefix(key, p) })
		for _, f := range families {
			if rest, ok := strings.CutPrefix(base, f); ok && !used {
				first, _, _ := strings.Cut(rest, ".")
				used = literals[rest] || literals[first] || rest == ""
			}
		}
		assert.True(t, used, "nothing uses %s", key)
	}
}

// TestEveryPhraseHasAText: each sentence of the engines is in the texts, and takes no
// argument that the engine does not give.
func TestEveryPhraseHasAText(t *testing.T) {
	t.Parallel()
	_, phrases := sources(t)
	require.Greater(t, len(phrases), 150, "the source was not read")
	english := texts(t, "en")
	for key, original := range phrases {
		if assert.NotEmpty(t, english["say."+key], "say.%s: %q has no text", key, original) {
			given := hole.FindAllString(original, -1)
			for _, h := range hole.FindAllString(english["say."+key], -1) {
				assert.Contains(t, given, h, key)
			}
		}
	}
}

// sources reads the Go files and the templates: all string literals of the pages and the
// engines, and the phrases with their English.
func sources(t testing.TB) (literals map[string]bool, phrases map[string]string) {
	t.Helper()
	literals, phrases = map[string]bool{}, map[string]string{}
	quoted := regexp.MustCompile(`"([^"]*)"`)
	for _, dir := range []string{"sandbox", "catalog", "install", "update", "marketplace"} {
		err := filepath.WalkDir(filepath.Join("..", "..", dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "marketplace/hub") || strings.Contains(path, "marketplace/cmd") {
				return err
			}
			switch filepath.Ext(path) {
			case ".html":
				b, err := os.ReadFile(path)
				for _, m := range quoted.FindAllStringSubmatch(string(b), -1) {
					literals[m[1]] = true
				}
				for _, m := range regexp.MustCompile(`\{\{[^}]*\}\}`).FindAllString(string(b), -1) { // inside an attribute the quotes pair otherwise
					for _, q := range quoted.FindAllStringSubmatch(m, -1) {
						literals[q[1]] = true
					}
				}
				return err
			case ".go":
				f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
				if err != nil {
					return err
				}
				ast.Inspect(f, func(n ast.Node) bool { read(n, literals, phrases); return true })
			}
			return nil
		})
		require.NoError(t, err)
	}
	return literals, phrases
}

func read(n ast.Node, literals map[string]bool, phrases map[string]string) {
	switch n := n.(type) {
	case *ast.BasicLit:
		literals[text(n)] = true
	case *ast.CallExpr:
		name := ""
		switch f := n.Fun.(type) {
		case *ast.SelectorExpr:
			if x, ok := f.X.(*ast.Ident); ok {
				name = x.Name + "." + f.Sel.Name
			}
		case *ast.Ident:
			name = f.Name
		}
		if name != "phrase.Of" && name != "phrase.Texts" && name != "phrase.N" && name != "wrong" || len(n.Args) < 2 || text(n.Args[0]) == "" {
			return
		}
		key := text(n.Args[0])
		if name == "phrase.N" {
			phrases[key+".one"], phrases[key+".other"] = text(n.Args[1]), text(n.Args[2])
		} else {
			phrases[key] = text(n.Args[1])
		}
	}
}

// text is the value of a string literal; empty when it is none.
func text(e ast.Expr) string {
	if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
		if s, err := strconv.Unquote(l.Value); err == nil {
			return s
		}
	}
	return ""
}
