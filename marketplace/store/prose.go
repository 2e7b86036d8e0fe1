package store

import (
	"context"
	"fmt"
	"html/template"
	"path"
	"strings"

	"github.com/souk-dev/souk/catalog"
)

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
