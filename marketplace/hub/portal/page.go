package portal

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/signin"
	"github.com/souk-dev/souk/marketplace/ui"
)

//go:embed templates/*.html
var templates embed.FS

//go:embed portal.css portal.js icon.svg
var own embed.FS

// file is an asset of the portal's own, by its hashed name.
type file struct {
	name, mediaType string
	body            []byte
}

func ownFiles() (map[string]file, error) {
	out := map[string]file{}
	add := func(name, mediaType string, body []byte) {
		sum := sha256.Sum256(body)
		base, ext, _ := strings.Cut(name, ".")
		out[name] = file{base + "." + hex.EncodeToString(sum[:6]) + "." + ext, mediaType, body}
	}
	css, err := own.ReadFile("portal.css")
	if err != nil {
		return nil, err
	}
	add("portal.css", "text/css; charset=utf-8", css)
	js, err := own.ReadFile("portal.js")
	if err != nil {
		return nil, err
	}
	add("portal.js", "text/javascript; charset=utf-8", js)
	icon, err := own.ReadFile("icon.svg")
	if err != nil {
		return nil, err
	}
	add("icon.svg", "image/svg+xml", icon)
	add("passkey.js", "text/javascript; charset=utf-8", signin.Script())
	return out, nil
}

func (h *Handler) asset(w http.ResponseWriter, r *http.Request) {
	for _, f := range h.files {
		if f.name == path.Base(r.URL.Path) {
			w.Header().Set("Content-Type", f.mediaType)
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
			return
		}
	}
	h.assets.ServeHTTP(w, r)
}

// view is what every page shows around its content.
type view struct {
	Title   string
	Section string // the entry of the navigation that is current
	Path    string // of the request, for signing in again
	Actor   hub.Actor
	Nav     nav
	Hub     Options
	Said    string // what was just done, from the query of a redirect
	Content any
	Inner   template.HTML
}

func (h *Handler) parse() (*template.Template, error) {
	markdown := ui.NewProse()
	return template.New("").Funcs(template.FuncMap{
		"icon":   h.assets.Icon,
		"avatar": func(id string) template.HTML { return ui.Avatar(id) },
		"head": func() template.HTML {
			return h.assets.Head() + template.HTML(fmt.Sprintf(
				"<link rel=\"icon\" href=\"/assets/%s\" type=\"image/svg+xml\">\n<link rel=\"stylesheet\" href=\"/assets/%s\">\n<script type=\"module\" src=\"/assets/%s\"></script>\n<script type=\"module\" src=\"/assets/%s\"></script>\n",
				h.files["icon.svg"].name, h.files["portal.css"].name, h.files["portal.js"].name, h.files["passkey.js"].name))
		},
		"when": h.when,
		"seen": func(t time.Time) template.HTML { // of an account, which keeps the hour alone
			if age := h.o.Env.Now().Sub(t); !t.IsZero() && age >= 0 && age < time.Hour {
				return "within the hour"
			}
			return h.when(t)
		},
		"date":    h.text.Date,
		"bytes":   h.text.Bytes,
		"number":  func(n any) string { return h.text.Number(toInt64(n)) },
		"short":   func(n any) string { return h.text.Short(toInt64(n)) },
		"decimal": h.text.Decimal,
		"word":    word,
		"tone":    tone,
		"join":    strings.Join,
		"lower":   strings.ToLower,
		"plural":  plural,
		"seg":     url.PathEscape,
		"stars": func(n int) []bool {
			s := make([]bool, 5)
			for i := range min(max(n, 0), 5) {
				s[i] = true
			}
			return s
		},
		"prose": func(s string) template.HTML { return markdown.Render([]byte(s), "", nil) },
		"notes": func(s string, level int) template.HTML {
			out := string(markdown.Render([]byte(s), "", nil))
			for _, tag := range []string{"<h", "</h"} { // the kinds of note, which Markdown has two levels above
				out = strings.ReplaceAll(out, tag+"5>", fmt.Sprintf("%s%d>", tag, level))
			}
			return template.HTML(out)
		},
		"web":     webAddress,
		"list":    func(s ...string) []string { return s },
		"inc":     func(n int) int { return n + 1 },
		"explain": explainPermission,
		"signer":  signerWords,
		"plugin":  pluginLink,
		"subject": func(kind hub.SubjectKind, s string) string {
			return strings.TrimPrefix(subjectName(kind, s), word(kind)+" ")
		},
		"cell": func(view *view, v any) map[string]any { return map[string]any{"View": view, "Item": v} },
	}).ParseFS(templates, "templates/*.html")
}

func toInt64(n any) int64 {
	switch n := n.(type) {
	case int:
		return int64(n)
	case int64:
		return n
	case uint64:
		return int64(n)
	}
	return 0
}

// plural writes a number with its word: plural 3 "rating" "ratings" is "3 ratings".
func plural(n any, one, many string) string {
	if toInt64(n) == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", toInt64(n), many)
}

// word makes a word of a state's or action's name: "needs_changes" reads "needs changes".
func word(v any) string {
	return strings.NewReplacer("_", " ", ".", " ").Replace(fmt.Sprint(v))
}

// tone is the colour of a state: ok, warn, danger, info.
func tone(v any) string {
	switch fmt.Sprint(v) {
	case "published", "approved", "approve", "clean", "holds", "active", "done", "shown", "listed", "granted", "accepted":
		return "ok"
	case "needs_changes", "changes", "scan_error", "held", "failing", "yanked", "pending", "warn", "unavailable", "error", "proposed":
		return "warn"
	case "rejected", "reject", "withdrawn", "suspended", "lost", "failed", "hidden", "found", "block", "disable", "critical", "high":
		return "danger"
	}
	return "info"
}

// when writes a moment as a <time> element: how long ago, and exactly on hover.
func (h *Handler) when(t time.Time) template.HTML {
	if t.IsZero() {
		return "never"
	}
	return template.HTML(fmt.Sprintf("<time datetime=\"%s\" title=\"%s\">%s</time>", t.UTC().Format(time.RFC3339),
		template.HTMLEscapeString(h.text.DateTime(t)), template.HTMLEscapeString(h.text.Ago(h.o.Env.Now(), t))))
}

// show renders the template content into the page. All of it is rendered before the first
// byte is sent, so that an error is never half a page.
func (h *Handler) show(w http.ResponseWriter, r *http.Request, a hub.Actor, status int, section, title, content string, data any) error {
	v := &view{
		Title: title, Section: section, Path: r.URL.RequestURI(), Actor: a, Hub: h.o, Content: data,
		Nav: h.navOf(r.Context(), a), Said: said(r.URL.Query().Get("done")),
	}
	var inner, out bytes.Buffer
	if err := h.pages.ExecuteTemplate(&inner, content, v); err != nil {
		return fmt.Errorf("page %s: %w", content, err)
	}
	v.Inner = template.HTML(inner.String())
	if err := h.pages.ExecuteTemplate(&out, "shell", v); err != nil {
		return fmt.Errorf("page shell: %w", err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", ui.ContentSecurityPolicy)
	w.WriteHeader(status)
	if _, err := w.Write(out.Bytes()); err != nil {
		h.o.Log.Debug("page not sent", "error", err) // the browser went away
	}
	return nil
}

// done sends the browser on after a change, with a word of [said] to be shown there.
func done(w http.ResponseWriter, r *http.Request, to, word string) error {
	if word != "" {
		to += "?done=" + url.QueryEscape(word)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// said is the sentence of a word that stands in an address. A word that is not here is
// not shown: an address is no way to put words into our mouth.
func said(word string) string {
	return map[string]string{
		"saved":     "Saved.",
		"added":     "Added.",
		"removed":   "Removed.",
		"sent":      "Sent.",
		"submitted": "Submitted. It is being validated now.",
		"withdrawn": "Withdrawn.",
		"decided":   "Your decision is recorded.",
		"linked":    "The panel is linked. It will notice within a few seconds.",
		"denied":    "The panel was refused.",
		"signedin":  "You are signed in.",
		"signedout": "You are signed out.",
		"proved":    "The proof is being checked.",
		"retried":   "It is being tried again.",
		"restored":  "Restored.",
		"revoked":   "Revoked. It is no good any more.",
		"ended":     "Ended.",
		"unlinked":  "The panel is unlinked. Its token is no good any more.",
		"rated":     "Thank you. Your rating is recorded.",
		"reported":  "Thank you. A moderator will look at it.",
		"appealed":  "Your appeal is with the moderators. Somebody else than before will decide.",
		"deleted":   "Your account is deleted.",
		"accepted":  "Accepted.",
		"called":    "Called off.",
		"left":      "You have left the publisher.",
	}[word]
}
