package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// storyEntry is a line of the storybook's list.
type storyEntry struct {
	ID, Page, Name, Press, Type string
	Status                      int
	Plain, Offline              bool
}

// storyTabs are how many pages are looked at at a time: two cores are busy with four, as each waits a while.
const storyTabs = 4

// TestStories looks at every state of every page of the storefront:
//
//   - loaded in English at 1280 and 320 px, and from right to left at 1280 px and then made
//     320 px wide;
//   - on each of these four, in light colours: axe-core with all rules of WCAG 2.2 AA and
//     its best practices; what sticks out or is cut off; headings, labels and a focus that
//     is seen; targets of 44 px; what moves while the page loads;
//   - in English at both widths, in dark colours: axe-core's rule about contrast, the only one
//     that colours can change, and which has nothing to do with the direction;
//   - on all of them, what the policies of content and Trusted Types report, and errors.
//
// Pictures of all, light from left to right at 1280 and dark from right to left at 320, are
// kept below SOUK_OUT/screens.
func TestStories(t *testing.T) {
	b := openBook(t)
	began := time.Now()
	work := make(chan storyEntry)
	go func() { // ends when all is handed out, or with the tabs
		defer close(work)
		for _, s := range b.stories {
			if !s.Plain {
				work <- s
			}
		}
	}()
	t.Run("tabs", func(t *testing.T) {
		for i := range storyTabs {
			t.Run(fmt.Sprint(i+1), func(t *testing.T) {
				t.Parallel()
				r := b.reader(t)
				for s := range work {
					r.story(s)
				}
				t.Logf("times: %v", r.spent)
			})
		}
	})
	t.Logf("%d stories in %.0f s", len(b.stories), time.Since(began).Seconds())
}

// storybook is the running example, and a browser to look at it.
type storybook struct {
	url     string
	axe     string
	browser context.Context
	stories []storyEntry
}

// openBook starts the storybook.
func openBook(t *testing.T) *storybook {
	t.Helper()
	cmd := exec.Command(need(t, "SOUK_STORYBOOK"), "-addr", "127.0.0.1:0")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, cmd.Wait())
	})
	b := &storybook{axe: axeSource(t)}
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	at := regexp.MustCompile(`Open (http://[^/]+)/`).FindStringSubmatch(line)
	require.NotNil(t, at, line)
	b.url = at[1]
	resp, err := http.Get(b.url + "/stories.json")
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.NoError(t, json.Unmarshal(body, &b.stories))
	require.NotEmpty(t, b.stories)
	if only := os.Getenv("SOUK_STORY"); only != "" { // to look at some while working on them
		b.stories = slices.DeleteFunc(b.stories, func(s storyEntry) bool { return !strings.Contains(s.ID, only) })
	}
	b.browser = startBrowser(t)
	return b
}

// reader is a tab in which stories are opened.
type reader struct {
	*visitor
	b     *storybook
	now   string // what is looked at, for messages
	spent map[string]time.Duration
}

// reader opens a tab.
func (b *storybook) reader(t *testing.T) *reader {
	t.Helper()
	var id target.ID
	require.NoError(t, chromedp.Run(b.browser, chromedp.ActionFunc(func(ctx context.Context) (err error) {
		id, err = target.CreateTarget("about:blank").WithNewWindow(true).Do(cdp.WithExecutor(ctx, chromedp.FromContext(b.browser).Browser))
		return err
	})))
	ctx, cancel := chromedp.NewContext(b.browser, chromedp.WithTargetID(id))
	t.Cleanup(cancel)
	r := &reader{visitor: &visitor{t: t, ctx: ctx, url: b.url, name: "story"}, b: b, spent: map[string]time.Duration{}}
	r.listen()
	r.do(emulation.SetFocusEmulationEnabled(true), onNewDocument(steadyScript), onNewDocument(`self.inside = () => {`+insideScript+`return inside}`))
	return r
}

// time adds up how long something took.
func (r *reader) time(what string, f func()) {
	began := time.Now()
	f()
	r.spent[what] += time.Since(began)
}

// story looks at a story from all sides.
func (r *reader) story(s storyEntry) {
	r.t.Helper()
	for _, words := range []string{"en", "rtl"} {
		for _, wide := range []int64{1280, 320} {
			r.now = fmt.Sprintf("%s, %s at %d", s.ID, words, wide)
			light, dark := looks{wide, 900, "light"}, looks{wide, 900, "dark"}
			if wide == 320 {
				light.tall, dark.tall = 640, 640
			}
			r.time("load", func() {
				r.do(light.actions()...)
				if words == "en" || wide == 1280 || s.Press+s.Type != "" {
					r.open(s, words, wide == 320)
				}
			})
			r.time("checks", func() {
				if s.Press == "" && r.moved() { // a machine with much else to do may draw half a page
					r.open(s, words, true)
				}
				for _, script := range []string{"shifted", wideScript, edgeScript, targetScript, checkScript} {
					if s.Press != "" && (script == checkScript || script == "shifted") {
						continue // of what lies under a dialog, and of what was pressed
					}
					r.none(script)
				}
			})
			r.time("axe", func() {
				r.axe(`{type:'tag', values:['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice']}`)
			})
			if words == "en" && wide == 1280 {
				r.time("picture", func() { r.keep(s, "light-ltr-1280") })
			}
			r.do(dark.actions()...)
			r.now += " in the dark"
			if words == "en" {
				r.time("axe", func() { r.axe(`{type:'rule', values:['color-contrast']}`) })
			}
			if words == "rtl" && wide == 320 {
				r.time("picture", func() { r.keep(s, "dark-rtl-320") })
			}
		}
	}
}

// open loads a story and does what it asks for.
func (r *reader) open(s storyEntry, words string, again bool) {
	r.t.Helper()
	r.mu.Lock()
	r.problems = nil
	r.mu.Unlock()
	at := r.url + "/s/auto." + words + "/" + s.ID
	if again { // the second width
		at += "?again=1"
	}
	r.do(chromedp.Navigate(at))
	r.truth(`document.readyState === 'complete' && inside().querySelector('.souk h1') && customElements.get('souk-live')`, r.now+": no page")
	var status int
	r.do(chromedp.Evaluate(`performance.getEntriesByType('navigation')[0].responseStatus`, &status))
	assert.Equal(r.t, s.Status, status, r.now)
	if s.Press != "" {
		r.do(chromedp.Evaluate(`inside().querySelector(`+quote(s.Press)+`).click()`, nil))
		r.truth(`inside().querySelector('dialog[open] h1')`, r.now+": no dialog opens")
	}
	if s.Type != "" {
		r.do(chromedp.Evaluate(`inside().querySelector('input[type=search]').focus()`, nil), chromedp.KeyEvent(s.Type))
		r.truth(`inside().querySelector('#souk-results .souk-skeleton')`, r.now+": no skeleton")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems = slices.DeleteFunc(r.problems, func(p string) bool {
		// The page itself, what its dialog shows, or pictures that the story is without.
		return strings.Contains(p, "Failed to load resource") && (s.Status >= 400 || s.Press != "" || s.Offline && strings.Contains(p, "/media/"))
	})
	assert.Empty(r.t, r.problems, "%s: the browser complained", r.now)
}

// moved reports whether anything moved.
func (r *reader) moved() (yes bool) {
	r.t.Helper()
	r.do(chromedp.Evaluate(`shifted.length > 0`, &yes))
	return yes
}

// none expects a script to find nothing wrong.
func (r *reader) none(script string) {
	r.t.Helper()
	var wrong []string
	r.do(chromedp.Evaluate(script, &wrong))
	assert.Empty(r.t, wrong, r.now)
}

// axe lets axe-core look at the page as it is.
func (r *reader) axe(rules string) {
	r.t.Helper()
	if r.b.axe == "" {
		return
	}
	var there bool
	r.do(chromedp.Evaluate(`'axe' in self`, &there))
	if !there {
		r.do(chromedp.Evaluate(r.b.axe+";0", nil))
	}
	var wrong []string
	r.do(chromedp.Evaluate(`axe.run(document, {resultTypes: ['violations'], preload: false, elementRef: false, runOnly: `+rules+`}).then(r => r.violations.flatMap(v =>
		v.nodes.slice(0, 3).map(n => v.id + ' (' + v.impact + '): ' + n.target.join(' ') + ' ' + n.failureSummary.replace(/\s+/g, ' ').slice(0, 240))))`, &wrong,
		func(e *runtime.EvaluateParams) *runtime.EvaluateParams { return e.WithAwaitPromise(true) }))
	if strings.HasPrefix(r.now, "isolated-") { // it looks for what a link skips in the tree of the link only
		wrong = slices.DeleteFunc(wrong, func(w string) bool { return strings.HasPrefix(w, "region (moderate): .souk-skip ") })
	}
	assert.Empty(r.t, wrong, "axe: %s", r.now)
}

// keep writes a picture of the whole page; of a dialog, of what is in view.
func (r *reader) keep(s storyEntry, way string) {
	r.t.Helper()
	var png []byte
	r.do(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		png, err = page.CaptureScreenshot().WithCaptureBeyondViewport(s.Press == "").WithOptimizeForSpeed(true).Do(ctx)
		return err
	}))
	dir := filepath.Join(os.Getenv("SOUK_OUT"), "screens")
	require.NoError(r.t, os.MkdirAll(dir, 0o755))
	require.NoError(r.t, os.WriteFile(filepath.Join(dir, "story-"+s.ID+"-"+way+".png"), png, 0o644))
}
