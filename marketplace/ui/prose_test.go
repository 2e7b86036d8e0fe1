package ui_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/souk-dev/souk/marketplace/ui"
)

func TestProseIsSafeMarkup(t *testing.T) {
	t.Parallel()
	p := ui.NewProse()
	for source, want := range map[string]string{
		"**Faster** by `a third`":         "<p><strong>Faster</strong> by <code>a third</code></p>",
		"# Title":                         "<h3>Title</h3>", // below those of the page
		"<script>alert(1)</script>x":      "",
		"[x](javascript:alert(1))":        "<p>x</p>",
		"[x](/elsewhere)":                 "<p>x</p>",
		"![alt](https://x.example/p.png)": "<p>alt</p>",
		"| a |\n|---|\n| b |":             "<td>b</td>",
	} {
		got := string(p.Render([]byte(source), "", nil))
		assert.Contains(t, got, want, source)
		assert.NotContains(t, got, "<script", source)
		assert.NotContains(t, got, "javascript:", source)
	}
	link := string(p.Render([]byte("[x](https://a.example/)"), "", nil))
	assert.Contains(t, link, `href="https://a.example/"`)
	assert.Contains(t, link, "nofollow")
	assert.Contains(t, link, "noopener")
	own := func(string) string { return "/media/p.png" }
	assert.Contains(t, string(p.Render([]byte("![alt](p.png)"), "a", own)), `src="/media/p.png"`)
	assert.NotContains(t, string(p.Render([]byte("![alt](p.png)"), "b", nil)), "<img", "pictures are part of what is remembered")
	assert.Less(t, len(p.Render([]byte(strings.Repeat("x ", 1<<20)), "", nil)), 70<<10)
}
