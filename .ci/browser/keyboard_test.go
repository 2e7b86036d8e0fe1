package browser

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// maxStops is how often Tab is pressed before something counts as out of reach.
const maxStops = 120

// typist is a visitor without a mouse.
type typist struct {
	*visitor
	quiet bool // without JavaScript
}

// keys presses keys.
func (k *typist) keys(keys ...string) {
	k.t.Helper()
	for _, key := range keys {
		k.do(chromedp.KeyEvent(key))
	}
}

// focused returns a JavaScript expression about what has the focus, as e.
func (k *typist) focused(expression string) (ok bool) {
	k.t.Helper()
	k.do(chromedp.Evaluate(`(e => Boolean(`+expression+`))(document.activeElement)`, &ok))
	return ok
}

// tabTo goes on with Tab until the expression holds of what has the focus, which is seen
// at every stop.
func (k *typist) tabTo(expression, what string) {
	k.t.Helper()
	for range maxStops {
		k.keys(kb.Tab)
		if k.focused(`e === document.body`) {
			continue // the browser's own controls
		}
		assert.True(k.t, k.focused(`[e, e.closest('.souk-card'), e.closest('label')].some(x => { if (!x) return false; const s = getComputedStyle(x); return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) || s.boxShadow !== 'none' })`), "on the way to %s: the focus is not seen", what)
		if k.focused(expression) {
			return
		}
	}
	k.picture("failure")
	require.Fail(k.t, "Tab does not reach "+what)
}

// button says that a button of a form that makes a plan has these words.
func button(words string) string {
	return fmt.Sprintf(`e.tagName === 'BUTTON' && e.form && e.form.action.endsWith('/plans') && e.textContent.includes(%q)`, words)
}

// change makes a plan by a button of a page, agrees to it and waits for its end: all by
// keys. It looks at the dialog, too, where there is one.
func (k *typist) change(path, words, picture string) string {
	k.t.Helper()
	k.goTo(path)
	k.tabTo(button(words), words)
	k.keys(kb.Enter)
	asked := `document.querySelector('form[action*="/apply"]')`
	k.truth(asked, "nothing is asked")
	if !k.quiet {
		k.truth(`document.querySelector('dialog[open]')?.contains(document.activeElement)`, "the focus is not in the dialog")
		k.keys(kb.Escape)
		k.truth(`!document.querySelector('dialog')`, "Escape does not close the dialog")
		assert.True(k.t, k.focused(button(words)), "the focus does not come back to the button: %s", picture)
		k.keys(kb.Enter)
		k.truth(asked+` && document.querySelector('dialog[open]')?.contains(document.activeElement)`, "nothing is asked a second time")
	}
	agree := `e.tagName === 'BUTTON' && e.form && e.form.action.includes('/apply')`
	for !k.focused(agree) {
		k.tabTo(`e.type === 'checkbox' || (`+agree+`)`, "the agreement")
		if k.focused(`e.type === 'checkbox' && !e.checked`) {
			k.keys(" ")
			assert.True(k.t, k.focused(`e.checked`), "the space bar ticks the box")
		}
	}
	k.picture(picture + "-consent")
	k.keys(kb.Enter)
	k.truth(`document.querySelector('#souk-operation .souk-notice')`, "the operation does not end")
	k.picture(picture + "-end")
	return k.text()
}

// TestKeyboard installs, updates and rolls back in the demo with the keyboard alone, with
// script and without.
func TestKeyboard(t *testing.T) {
	need(t, "SOUK_PANEL")
	for _, quiet := range []bool{false, true} {
		name := "keyboard"
		if quiet {
			name = "keyboard-noscript"
		}
		t.Run(name, func(t *testing.T) {
			k := &typist{newVisitor(t, name, startPanel(t), 1280, 900), quiet}
			k.do(emulation.SetFocusEmulationEnabled(true), emulation.SetScriptExecutionDisabled(quiet))
			k.goTo("/plugins/")
			k.tabTo(`e.type === 'search'`, "the search")
			k.keys("disk", kb.Enter)
			k.truth(`location.search.includes('q=disk') && document.querySelector('main').innerText.includes('Disk report') && !document.querySelector('main').innerText.includes('Uptime')`, "the search does not narrow")
			k.tabTo(`e.tagName === 'A' && e.textContent === 'Disk report'`, "the result")
			k.keys(kb.Enter)
			k.truth(`location.pathname.endsWith('/p/acme/disk-report') && document.readyState === 'complete'`, "the card leads nowhere")

			end := k.change("/plugins/p/acme/disk-report", "Install", "install")
			assert.Contains(t, end, "Disk report")
			k.goTo("/lab")
			before := k.text()
			k.tabTo(`e.id === 'lab-news'`, "the publishers' news")
			k.keys(kb.Enter)
			k.truth(fmt.Sprintf("document.querySelector('main') && document.querySelector('main').innerText !== %q", before), "the releases are not published")
			k.change("/plugins/p/acme/disk-report", "Update", "update")
			k.goTo("/plugins/installed")
			assert.Regexp(t, `(?s)Disk report.*1\.1\.0`, k.text())
			k.change("/plugins/history", "back", "rollback")
			k.goTo("/plugins/installed")
			assert.Regexp(t, `(?s)Disk report.*1\.0\.0`, k.text())
			k.mu.Lock()
			defer k.mu.Unlock()
			assert.Empty(t, k.problems, "the browser complained")
		})
	}
}

// TestDialogFocus: where the focus goes in a dialog, and where it goes after.
func TestDialogFocus(t *testing.T) {
	b := openBook(t)
	r := b.reader(t)
	k := &typist{visitor: r.visitor}
	for story, wants := range map[string]string{
		"plan-wider-dialog":    `e.matches('dialog [data-close]')`, // a high risk: Cancel
		"plan-dialog":          `e.matches('dialog h1')`,           // where the reading begins
		"plan-conflict-dialog": `e.matches('dialog h1')`,
	} {
		r.do(chromedp.Navigate(b.url + "/s/auto.en/" + story))
		k.truth(`document.readyState === 'complete' && customElements.get('souk-live')`, "no page")
		opener := `e.tagName === 'BUTTON' && e.closest('.souk-hero-act')`
		k.tabTo(opener+` && e.form.matches('[data-consent]')`, "the button")
		for _, leave := range []string{kb.Escape, ""} {
			k.keys(kb.Enter)
			k.truth(`document.querySelector('dialog[open]')?.contains(document.activeElement)`, story)
			assert.True(t, k.focused(wants), story)
			if leave != "" {
				k.keys(leave)
			} else {
				if !k.focused(`e.matches('[data-close]')`) {
					k.tabTo(`e.matches('dialog [data-close]')`, "Cancel")
				}
				k.keys(kb.Enter)
			}
			k.truth(`!document.querySelector('dialog')`, story+": the dialog stays")
			assert.True(t, k.focused(opener), "%s: the focus does not come back", story)
		}
	}
}
