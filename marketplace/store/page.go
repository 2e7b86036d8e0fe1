package store

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/mirror"
	"github.com/souk-dev/souk/marketplace/ui"
	"github.com/souk-dev/souk/sandbox"
)

// maxTitle is the most bytes of a page's title: names of plugins stand in it.
const maxTitle = 500

//go:embed templates/*.html
var templates embed.FS

// page is what every page shows around its content.
type page struct {
	Title   string
	Nav     string // the entry of the navigation that is current
	Notices []notice
	Content any
	Refresh bool          // without JavaScript the page loads itself again while something runs
	Every   time.Duration // how often it is loaded again, by the script too; zero: not by time
	Actor   Actor
	Inner   template.HTML
	// Isolated: the content is within a shadow root, see [Options].
	Isolated bool
	Newer    int // installed plugins with a newer release
}

// notice is a line above the content that says how things stand.
type notice struct {
	Kind  string // "info", "warn", "danger", "ok"
	Icon  string
	Title string
	Text  string
}

func (h *shop) parse() (*template.Template, error) {
	return template.New("").Funcs(template.FuncMap{
		"t":        h.text.T,
		"n":        h.text.N,
		"lang":     h.text.Lang,
		"dir":      h.text.Dir,
		"url":      h.url,
		"icon":     h.assets.Icon,
		"sheet":    func() string { return h.assets.URL("souk.css") },
		"avatar":   func(id catalog.PluginID) template.HTML { return ui.Avatar(string(id)) },
		"when":     h.when,
		"who":      h.who,
		"date":     h.text.Date,
		"took":     h.took,
		"bytes":    h.text.Bytes,
		"short":    h.text.Short,
		"number":   h.text.Number,
		"number64": func(n int) string { return h.text.Number(int64(n)) },
		"signer":   h.signer,
		"decimal":  h.text.Decimal,
		"riskWord": func(r sandbox.Risk) string { return h.text.T("risk." + r.String()) },
		"riskIcon": riskIcon,
		"pluginURL": func(id catalog.PluginID, tab ...string) string {
			return h.url(append([]string{"p", id.Publisher(), id.Name()}, tab...)...)
		},
		"compareURL": func(id catalog.PluginID) string { return h.compareURL([]catalog.PluginID{id}) },
		"category":   h.category,
		"five":       func() []int { return []int{1, 2, 3, 4, 5} },
		"again":      func() int64 { return lookAgain.Milliseconds() },
		"docsAgain":  func() int64 { return docsAgain.Milliseconds() },
		"round":      func(f float64) int { return min(max(int(f+.5), 0), 5) },
		"n64":        func(key string, n int64) string { return h.text.N(key, int(n)) },
	}).ParseFS(templates, "templates/*.html")
}

// when writes a moment as a <time> element: how long ago, and exactly on hover.
func (h *shop) when(t time.Time) template.HTML {
	if t.IsZero() {
		return template.HTML(template.HTMLEscapeString(h.text.Ago(h.o.Now(), t)))
	}
	return template.HTML(fmt.Sprintf("<time datetime=\"%s\" title=\"%s\">%s</time>", t.UTC().Format(time.RFC3339),
		template.HTMLEscapeString(h.text.DateTime(t)), template.HTMLEscapeString(h.text.Ago(h.o.Now(), t))))
}

func riskIcon(r sandbox.Risk) string {
	switch r {
	case sandbox.RiskLow:
		return "shield-check"
	case sandbox.RiskMedium:
		return "shield"
	}
	return "shield-alert"
}

// category is the name of a category for people; one without a text is its own:
// "developer-tools" reads "Developer tools".
func (h *shop) category(c string) string {
	if key := "category." + c; h.text.Has(key) {
		return h.text.T(key)
	}
	first, size := utf8.DecodeRuneInString(c)
	return string(unicode.ToUpper(first)) + strings.ReplaceAll(c[size:], "-", " ")
}

// show renders a page into the panel's layout. The content is rendered whole
// before the first byte is sent, so that an error is never half a page.
func (h *shop) show(w http.ResponseWriter, r *http.Request, a Actor, status int, content string, p *page) {
	p.Actor, p.Isolated = a, h.o.Isolated
	var inner, body bytes.Buffer
	err := h.pages.ExecuteTemplate(&inner, content, p)
	if err == nil {
		p.Inner = template.HTML(inOrder(inner.Bytes()))
		err = h.pages.ExecuteTemplate(&body, "frame", p)
	}
	if err != nil {
		h.o.Log.Error("page", "name", content, "error", err)
		http.Error(w, h.text.T("problem.internal.title"), http.StatusInternalServerError)
		return
	}
	head := h.assets.Head()
	switch {
	case p.Refresh:
		head += "<noscript><meta http-equiv=\"refresh\" content=\"3\"></noscript>\n"
	case p.Every > 0:
		head += template.HTML(fmt.Sprintf("<noscript><meta http-equiv=\"refresh\" content=\"%d\"></noscript>\n", int(p.Every/time.Second)))
	}
	out := Page{Status: status, Title: oneLine(p.Title, maxTitle), Lang: h.text.Lang(), Dir: h.text.Dir(), Head: head, Body: template.HTML(body.String())}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", h.text.Lang())
	if h.o.Layout != nil {
		h.o.Layout(w, r, out)
		return
	}
	w.Header().Set("Content-Security-Policy", ContentSecurityPolicy)
	w.Header().Set("Cross-Origin-Opener-Policy", "same-origin")
	var whole bytes.Buffer
	if err := h.pages.ExecuteTemplate(&whole, "shell", out); err != nil {
		h.o.Log.Error("page", "name", "shell", "error", err)
		http.Error(w, h.text.T("problem.internal.title"), http.StatusInternalServerError)
		return
	}
	if err := h.sender.Send(w, r, status, whole.Bytes()); err != nil {
		h.o.Log.Debug("page not sent", "error", err) // the browser went away
	}
}

// inOrder leaves out the characters that turn the direction of text around until the end
// of a paragraph, U+202A to U+202E: no language needs them on a page, and a name with one
// reads as another. Isolates and marks stay, which mixed text is written with.
func inOrder(page []byte) []byte {
	out := page[:0]
	for i := 0; i < len(page); i++ {
		if page[i] == 0xe2 && i+2 < len(page) && page[i+1] == 0x80 && page[i+2] >= 0xaa && page[i+2] <= 0xae {
			i += 2
			continue
		}
		out = append(out, page[i])
	}
	return out
}

// The states of a source, as catalog/mirror names them.
const (
	sourceFresh   = "fresh"
	sourceStale   = "stale"
	sourceExpired = "expired"
	sourceEmpty   = "empty"
	sourceError   = "error"
)

// shelfNotices says what is wrong with the catalogs that a page is made from: none
// at all, the last good one of some age, or one source of several that fails.
func (h *shop) shelfNotices() []notice {
	var out []notice
	sources := h.m.Sources()
	for _, s := range sources {
		age := h.text.Ago(h.o.Now(), s.Synced)
		switch string(s.State) {
		case sourceExpired:
			out = append(out, notice{"danger", "clock", h.text.T("shelf.expired.title", s.Name), h.text.T("shelf.expired.text", age)})
		case sourceStale:
			out = append(out, notice{"warn", "wifi-off", h.text.T("shelf.stale.title", s.Name), h.text.T("shelf.stale.text", age)})
		case sourceError, sourceEmpty:
			if s.Err == nil {
				continue
			}
			text := h.text.T("shelf.error.text")
			if s.Plugins > 0 {
				text = h.text.T("shelf.stale.text", age)
			}
			out = append(out, notice{"warn", "wifi-off", h.text.T("shelf.error.title", s.Name), h.explain(s.Err).Detail + " " + text})
		}
	}
	return out
}

// expired reports whether nothing may be installed from a source now.
func (h *shop) expired(source string) bool {
	return slices.ContainsFunc(h.m.Sources(), func(s mirror.Status) bool {
		return s.Name == source && string(s.State) == sourceExpired
	})
}
