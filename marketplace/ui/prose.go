package ui

import (
	"bytes"
	"html/template"
	"net/url"
	"regexp"
	"sync"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/souk-dev/souk/verify"
)

const (
	// maxProse is the most bytes of Markdown that are rendered; what comes after is
	// cut. Hostile nesting costs quadratic time: 0.6 s at 32 KiB.
	maxProse   = 64 << 10
	maxProses  = 256 // rendered texts that are remembered
	maxRenders = 2   // at the same time
)

// Prose turns Markdown by strangers into safe markup: no raw HTML, links marked
// as foreign, pictures only where a local address was given for them, headings below
// those of the page. It is rendered without raw HTML and then sanitised by an allow-list
// all the same. What comes after the first 64 KiB is cut. Texts are remembered by digest.
// Make it with [NewProse]. It is safe for concurrent use.
type Prose struct {
	markdown goldmark.Markdown
	policy   *bluemonday.Policy
	slots    chan struct{}
	mu       sync.Mutex
	kept     map[proseKey]template.HTML
}

type proseKey struct {
	text   verify.Digest
	images string // where pictures are found: part of what comes out
}

// NewProse returns a renderer that remembers nothing yet.
func NewProse() *Prose {
	policy := bluemonday.NewPolicy()
	policy.AllowElements("p", "br", "hr", "h3", "h4", "h5", "h6", "blockquote", "pre", "code", "em", "strong", "del",
		"ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td")
	policy.AllowAttrs("align").Matching(bluemonday.CellAlign).OnElements("th", "td")
	policy.AllowAttrs("start").Matching(bluemonday.Integer).OnElements("ol")
	policy.AllowAttrs("href").OnElements("a")
	policy.AllowURLSchemes("http", "https", "mailto")
	policy.AllowRelativeURLs(true) // pictures; links that are not absolute were taken out before
	policy.AllowAttrs("src", "alt").OnElements("img")
	policy.AllowAttrs("loading").Matching(regexp.MustCompile(`^lazy$`)).OnElements("img")
	policy.RequireNoFollowOnLinks(true)
	policy.RequireNoReferrerOnLinks(true)
	policy.RequireParseableURLs(true)
	policy.AddTargetBlankToFullyQualifiedLinks(true) // brings rel=noopener with it
	return &Prose{
		markdown: goldmark.New(
			goldmark.WithExtensions(extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)), extension.Strikethrough, extension.Linkify),
			goldmark.WithParserOptions(parser.WithASTTransformers(util.Prioritized(tame{}, 100))),
		),
		policy: policy,
		slots:  make(chan struct{}, maxRenders),
		kept:   map[proseKey]template.HTML{},
	}
}

// Render returns the markup of a text. images gives the local address of a picture
// that the text names, or "" for none, and may be nil; where says what images depends on.
func (p *Prose) Render(source []byte, where string, images func(name string) string) template.HTML {
	if len(source) > maxProse {
		source = source[:maxProse]
	}
	key := proseKey{verify.DigestOf(source), where}
	p.mu.Lock()
	out, ok := p.kept[key]
	p.mu.Unlock()
	if ok {
		return out
	}
	p.slots <- struct{}{}
	defer func() { <-p.slots }()
	ctx := parser.NewContext()
	ctx.Set(imagesKey, images)
	var b bytes.Buffer
	if err := p.markdown.Convert(source, &b, parser.WithContext(ctx)); err != nil {
		return template.HTML("<pre>" + template.HTMLEscapeString(string(source)) + "</pre>")
	}
	// What can be scrolled can be reached by the keyboard. A text holds no "<" after this.
	out = template.HTML(bytes.ReplaceAll(p.policy.SanitizeBytes(b.Bytes()), []byte("<pre>"), []byte(`<pre tabindex="0">`)))
	p.mu.Lock()
	if len(p.kept) >= maxProses {
		clear(p.kept)
	}
	p.kept[key] = out
	p.mu.Unlock()
	return out
}

var imagesKey = parser.NewContextKey()

// tame changes a document so that it fits into a page: headings go below those of
// the page, links that lead nowhere from here become text, and so do pictures that
// are not the release's own.
type tame struct{}

func (tame) Transform(doc *ast.Document, r text.Reader, ctx parser.Context) {
	images, _ := ctx.Get(imagesKey).(func(string) string) // nil when there are none
	var unwrap []ast.Node
	above := 2 // the level of the heading above
	// Walk ends with what the visitor returns, and this one returns no error.
	_ = ast.Walk(doc, func(n ast.Node, enter bool) (ast.WalkStatus, error) {
		if !enter {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			n.Level = min(n.Level+2, above+1, 6) // no level is left out, whatever its author left out
			above = n.Level
		case *ast.Link:
			if !absolute(n.Destination) {
				unwrap = append(unwrap, n)
			}
		case *ast.AutoLink:
			if n.AutoLinkType == ast.AutoLinkURL && !absolute(n.URL(r.Source())) {
				plain := ast.NewString(n.Label(r.Source()))
				n.Parent().InsertBefore(n.Parent(), n, plain)
				unwrap = append(unwrap, n)
			}
		case *ast.Image:
			src := ""
			if images != nil {
				src = images(string(n.Destination))
			}
			if src == "" {
				unwrap = append(unwrap, n)
			} else {
				n.Destination = []byte(src)
				n.SetAttributeString("loading", []byte("lazy"))
			}
		}
		return ast.WalkContinue, nil
	})
	for _, n := range unwrap {
		parent := n.Parent()
		for c := n.FirstChild(); c != nil; c = n.FirstChild() {
			parent.InsertBefore(parent, n, c)
		}
		parent.RemoveChild(parent, n)
	}
}

// absolute reports whether a link leads to a named place on the web, or to a mail address.
func absolute(link []byte) bool {
	u, err := url.Parse(string(link))
	if err != nil {
		return false
	}
	switch u.Scheme { // lower case by now
	case "http", "https":
		return u.Hostname() != ""
	case "mailto":
		return u.Opaque != ""
	}
	return false
}
