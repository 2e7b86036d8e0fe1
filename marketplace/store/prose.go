package store

import (
	"context"
	"fmt"
	"html/template"
	"path"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
)

// docsWait is how long a page waits for documentation that is not here yet. What takes
// longer goes on being fetched, and the page looks for it again after docsAgain.
const (
	docsWait  = 400 * time.Millisecond
	docsAgain = 2 * time.Second
)

// docs is the documentation of a release as it stands on a page: the text, or that it is
// still on its way, or what went wrong.
type docs struct {
	HTML    template.HTML
	Later   bool
	Problem *problem
}

// docs reads the documentation, and does not hold the page for it.
func (h *shop) docs(ctx context.Context, r catalog.Release) docs {
	ctx, cancel := context.WithTimeout(ctx, docsWait)
	defer cancel()
	html, err := h.readme(ctx, r)
	switch {
	case err != nil && ctx.Err() != nil:
		return docs{Later: true}
	case err != nil:
		p := h.explain(err)
		return docs{Problem: &p}
	}
	return docs{HTML: html}
}

// readme returns the rendered documentation of a release; empty when it has none.
func (h *shop) readme(ctx context.Context, r catalog.Release) (template.HTML, error) {
	d, ok := blob(r, r.Manifest.Docs)
	if !ok {
		return "", nil
	}
	source, _, err := h.m.Media(ctx, r, d.Title)
	if err != nil {
		return "", fmt.Errorf("documentation of %s: %w", r.Ref, err)
	}
	return h.prose.Render(source, string(r.Digest), func(name string) string {
		if d, ok := blob(r, strings.TrimPrefix(path.Clean("/"+name), "/")); ok {
			return h.mediaURL(r.Ref, d)
		}
		return ""
	}), nil
}

// note renders a text without pictures: release notes, an advisory.
func (h *shop) note(s string) template.HTML {
	if s == "" {
		return ""
	}
	return h.prose.Render([]byte(s), "", nil)
}
