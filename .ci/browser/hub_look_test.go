package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// looks is how somebody may see the hub.
type looks struct {
	wide, tall int64
	scheme     string
}

func (l looks) actions() []chromedp.Action {
	return []chromedp.Action{
		emulation.SetDeviceMetricsOverride(l.wide, l.tall, 1, false),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}), // a picture of the end of each change
	}
}

// look examines the page as it is, and keeps pictures of it: wide and narrow, light and
// dark. A page of the same name is examined once.
func (p *person) look(name string) {
	p.t.Helper()
	if p.seen[name] {
		return
	}
	p.seen[name] = true
	p.truth(`document.readyState === 'complete' && document.querySelector('main')`, "no page")
	p.check(name, checkScript)
	p.do(emulation.SetDeviceMetricsOverride(320, 700, 1, false))
	p.check(name+" at 320", wideScript)
	all := []looks{{1280, 900, "light"}, {400, 860, "dark"}, {400, 860, "light"}, {1280, 900, "dark"}}
	if p.quiet {
		all = []looks{{400, 860, "light"}}
	}
	for i, l := range all {
		p.do(l.actions()...)
		p.check(fmt.Sprintf("%s at %d", name, l.wide), wideScript)
		p.shot(name, l)
		switch i {
		case 0:
			p.examine(name, `{type:'tag', values:['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice']}`)
		case 1:
			p.examine(name+" in the dark", `{type:'rule', values:['color-contrast']}`)
		}
	}
	p.do(looks{p.wide, p.tall, "light"}.actions()...)
}

func (p *person) check(name, script string) {
	p.t.Helper()
	var wrong []string
	p.eval(script, &wrong)
	assert.Empty(p.t, wrong, "%s (%s)", name, p.at())
}

// shot keeps a picture of the whole page.
func (p *person) shot(name string, l looks) {
	p.t.Helper()
	var png []byte
	p.do(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		png, err = page.CaptureScreenshot().WithCaptureBeyondViewport(true).Do(ctx)
		return err
	}))
	dir := filepath.Join(os.Getenv("SOUK_OUT"), "screens")
	require.NoError(p.t, os.MkdirAll(dir, 0o755))
	way := "hub"
	if p.quiet {
		way = "hub-noscript"
	}
	require.NoError(p.t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%s-%d-%s.png", way, name, l.wide, l.scheme)), png, 0o644))
}

// examine lets axe-core look at the page.
func (p *person) examine(name, rules string) {
	p.t.Helper()
	if p.w.axe == "" || p.quiet {
		return
	}
	var there bool
	p.eval(`'axe' in window`, &there)
	if !there {
		p.eval(p.w.axe+";0", nil)
	}
	var wrong []string
	p.do(chromedp.Evaluate(`axe.run(document, {resultTypes: ['violations'], preload: false, runOnly: `+rules+`}).then(r => r.violations.flatMap(v =>
		v.nodes.slice(0, 4).map(n => v.id + ' (' + v.impact + '): ' + n.target.join(' ') + ' ' + n.failureSummary.replace(/\s+/g, ' ').slice(0, 300))))`, &wrong,
		func(e *runtime.EvaluateParams) *runtime.EvaluateParams { return e.WithAwaitPromise(true) }))
	assert.Empty(p.t, wrong, "axe: %s (%s)", name, p.at())
}

// tabs goes through a page by the keyboard: the order is that of the page, and the first
// stop leads past the navigation.
func (p *person) tabs(most int) {
	p.t.Helper()
	p.goTo(p.at()) // where nothing had the focus yet
	p.eval(`window.stops = [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')].filter(e => !e.disabled && e.tabIndex >= 0 && e.checkVisibility()); 0`, nil)
	last := -1
	for i := range most {
		p.do(chromedp.KeyEvent(kb.Tab))
		var at struct {
			Place int
			Skip  bool
		}
		p.eval(`({Place: stops.indexOf(document.activeElement), Skip: document.activeElement.classList.contains('souk-skip')})`, &at)
		if i == 0 {
			assert.True(p.t, at.Skip, "the first stop of %s does not lead past the navigation", p.at())
		}
		if at.Place < 0 && last >= 0 {
			return // out of the page
		}
		assert.Greater(p.t, at.Place, last, "the order of stops at %s", p.at())
		last = at.Place
	}
}
