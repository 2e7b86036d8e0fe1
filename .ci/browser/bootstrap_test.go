package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
)

// TestBootstrapTemplate looks at the store within an admin template of Bootstrap, light and dark,
// wide and narrow: axe-core, what sticks out, what the policy reports, and whose colours they are.
func TestBootstrapTemplate(t *testing.T) {
	base := startExample(t, "SOUK_BOOTSTRAP")
	v := newVisitor(t, "bootstrap", base, 1280, 900)
	r := &reader{visitor: v, b: &storybook{axe: axeSource(t)}}
	v.do(chromedp.Navigate(base + "/plugins/"))
	for _, theme := range []string{"light", "dark"} {
		if theme == "dark" {
			v.do(chromedp.Click("header button"))
			v.truth(`document.readyState === 'complete' && document.documentElement.dataset.bsTheme === 'dark'`, "it stays light")
		}
		for _, path := range []string{"", "p/acme/backup", "p/acme/backup/permissions", "installed", "updates", "settings"} {
			for _, wide := range []int64{1280, 320} {
				r.now = fmt.Sprintf("bootstrap, %s, %q at %d", theme, path, wide)
				v.do(emulation.SetDeviceMetricsOverride(wide, 900, 1, false), chromedp.Navigate(base+"/plugins/"+path))
				v.truth(`document.readyState === 'complete' && document.querySelector('.souk h1')`, r.now)
				v.truth(`getComputedStyle(document.querySelector('.souk-nav [aria-current]')).borderBlockEndColor === getComputedStyle(document.querySelector('.admin-side')).getPropertyValue('--bs-link-color').replace(/^#(..)(..)(..)$/, (_, r, g, b) => 'rgb(' + [r, g, b].map(x => parseInt(x, 16)).join(', ') + ')')`, r.now+": the accent is not Bootstrap's")
				r.none(wideScript)
				r.none(edgeScript)
				r.axe(`{type:'tag', values:['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice']}`)
			}
			v.picture(theme)
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	assert.Empty(t, v.problems, "the browser complained")
}
