package ui

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strings"
	"time"
)

// ContentSecurityPolicy is the policy that the pages hold to: nothing inline,
// nothing from elsewhere, no string that becomes markup or code. A panel that puts
// the pages into a layout of its own needs at least these sources.
const ContentSecurityPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

//go:embed css/*.css souk.js icons/icons.svg
var files embed.FS

// assetFiles are the files that are served and what each is made of. Among rules of the
// same weight the later one wins, so the order of the style sheets matters: small comes last.
var assetFiles = []struct {
	name, mediaType string
	parts           []string
}{
	{"souk.css", "text/css; charset=utf-8", []string{
		"css/tokens.css", "css/base.css", "css/isolated.css", "css/frame.css", "css/forms.css", "css/browse.css", "css/states.css", "css/detail.css",
		"css/plan.css", "css/operation.css", "css/tables.css", "css/machine.css", "css/policy.css", "css/community.css", "css/compare.css", "css/small.css",
	}},
	{"souk.js", "text/javascript; charset=utf-8", []string{"souk.js"}},
	{"icons.svg", "image/svg+xml", []string{"icons/icons.svg"}},
}

type asset struct {
	name, mediaType string
	body, zipped    []byte
}

// Assets is the http.Handler of the stylesheet, the script and the icons. It is
// immutable and safe for concurrent use.
type Assets struct {
	urls   map[string]string // by plain name
	byName map[string]asset  // by hashed name
}

// NewAssets returns the files as they are reached below prefix, a path that ends
// in a slash: "/plugins/assets/".
func NewAssets(prefix string) (*Assets, error) {
	a := &Assets{urls: map[string]string{}, byName: map[string]asset{}}
	for _, f := range assetFiles {
		var body []byte
		for _, part := range f.parts {
			b, err := files.ReadFile(part)
			if err != nil {
				return nil, fmt.Errorf("asset %s: %w", f.name, err)
			}
			body = append(body, b...)
		}
		sum := sha256.Sum256(body)
		base, ext, _ := strings.Cut(f.name, ".")
		hashed := base + "." + hex.EncodeToString(sum[:6]) + "." + ext
		a.urls[f.name] = prefix + hashed
		zipped, err := compressed(body)
		if err != nil {
			return nil, fmt.Errorf("asset %s: %w", f.name, err)
		}
		a.byName[hashed] = asset{f.name, f.mediaType, body, zipped}
	}
	return a, nil
}

// URL returns where a file is served: "souk.css", "souk.js" or "icons.svg". It is
// empty for any other name.
func (a *Assets) URL(name string) string { return a.urls[name] }

// Head returns the elements that a page needs in its head.
func (a *Assets) Head() template.HTML {
	return template.HTML(fmt.Sprintf("<link rel=\"stylesheet\" href=\"%s\">\n<script type=\"module\" src=\"%s\"></script>\n",
		template.HTMLEscapeString(a.urls["souk.css"]), template.HTMLEscapeString(a.urls["souk.js"])))
}

// Icon returns the icon of that name from the sprite. It is decoration, hidden
// from assistive technology: the word beside it says the same. A name that is not
// in the sprite draws nothing.
func (a *Assets) Icon(name string) template.HTML {
	return template.HTML(fmt.Sprintf("<svg class=\"souk-icon\" width=\"16\" height=\"16\" aria-hidden=\"true\" focusable=\"false\"><use href=\"%s#%s\"/></svg>",
		template.HTMLEscapeString(a.urls["icons.svg"]), template.HTMLEscapeString(name)))
}

// ServeHTTP serves a file by the last element of the path.
func (a *Assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := a.byName[path.Base(r.URL.Path)]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.mediaType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; sandbox")
	h.Add("Vary", "Accept-Encoding")
	body := f.body
	if acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = f.zipped
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}
