// Package browser walks the demo panel in a real browser, as a person would, and keeps
// a picture of every step.
package browser

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// startPanel starts the demo on an empty directory and returns its address.
func startPanel(t *testing.T) string {
	t.Helper()
	binary := need(t, "SOUK_PANEL")
	cmd := exec.Command(binary, "-addr", "127.0.0.1:0", "-dir", t.TempDir())
	cmd.Dir = filepath.Join("..", "..")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, cmd.Wait())
	})
	open := regexp.MustCompile(`Open (http://[^/]+)/`)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := open.FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
			return m[1]
		}
	}
	require.Fail(t, "the panel said no address")
	return ""
}

// visitor is a person with a browser.
type visitor struct {
	t     *testing.T
	ctx   context.Context
	url   string
	name  string // of the pictures
	shots int

	mu       sync.Mutex
	problems []string // what the browser complained about
}

func newVisitor(t *testing.T, name, url string, width, height int64) *visitor {
	t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.ExecPath(chromium),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.WindowSize(int(width), int(height)))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {})) // it logs each event that it does not know
	t.Cleanup(cancel)
	ctx, end := context.WithTimeout(ctx, 4*time.Minute)
	t.Cleanup(end)
	v := &visitor{t: t, ctx: ctx, url: url, name: name}
	chromedp.ListenTarget(ctx, func(event any) {
		v.mu.Lock()
		defer v.mu.Unlock()
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			v.problems = append(v.problems, e.ExceptionDetails.Error())
		case *cdplog.EventEntryAdded:
			if e.Entry.Level == cdplog.LevelError {
				v.problems = append(v.problems, e.Entry.Text+" "+e.Entry.URL)
			}
		}
	})
	require.NoError(t, chromedp.Run(ctx)) // starts the browser, which lives as long as this context
	v.do(cdplog.Enable(), network.Enable(), emulation.SetDeviceMetricsOverride(width, height, 1, false))
	return v
}

func (v *visitor) do(actions ...chromedp.Action) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		v.picture("failure")
		require.NoError(v.t, err)
	}
}

// picture keeps what the visitor sees.
func (v *visitor) picture(what string) {
	v.t.Helper()
	v.truth(`document.readyState === 'complete' && document.body`, "the page does not load")
	var png []byte
	shot := chromedp.FullScreenshot(&png, 100)
	if strings.HasSuffix(what, "-consent") { // a dialog covers what is in view, not the page
		shot = chromedp.CaptureScreenshot(&png)
	}
	if err := chromedp.Run(v.ctx, shot); err != nil {
		v.t.Logf("no picture of %s: %v", what, err)
		return
	}
	v.shots++
	dir := filepath.Join(os.Getenv("SOUK_OUT"), "screens")
	require.NoError(v.t, os.MkdirAll(dir, 0o755))
	require.NoError(v.t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%02d-%s.png", v.name, v.shots, what)), png, 0o644))
}

func (v *visitor) goTo(path string) {
	v.t.Helper()
	// A page that is just loading, after a form or a script, may cut off the first try.
	for try := 1; ; try++ {
		ctx, cancel := context.WithTimeout(v.ctx, 30*time.Second)
		err := chromedp.Run(ctx, chromedp.Navigate(v.url+path), chromedp.WaitReady("main"))
		cancel()
		if err == nil {
			return
		}
		if try == 3 || !strings.Contains(err.Error(), "ERR_ABORTED") {
			v.picture("failure")
			require.NoError(v.t, err, path)
		}
	}
}

// truth waits until a JavaScript expression is true.
func (v *visitor) truth(expression, why string) {
	v.t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for {
		var ok bool
		err := chromedp.Run(v.ctx, chromedp.Evaluate("Boolean("+expression+")", &ok))
		if err == nil && ok {
			return
		}
		if time.Now().After(deadline) {
			v.picture("failure")
			require.Fail(v.t, why, "%s (%v)", expression, err)
		}
		time.Sleep(50 * time.Millisecond) // the page is another process, there is nothing to wait on
	}
}

func (v *visitor) text() string {
	v.t.Helper()
	var s string
	v.do(chromedp.Text("main", &s))
	return s
}

// ask presses the main button of a detail page, reads what it asks, agrees and waits
// for the end of the operation.
func (v *visitor) ask(path, button, picture string) string {
	v.t.Helper()
	v.goTo(path)
	v.do(chromedp.Click(fmt.Sprintf(`//form[contains(@action,"/plans")]//button[contains(normalize-space(.),%q)]`, button), chromedp.BySearch))
	v.truth(`document.querySelector('form[action*="/apply"]')`, "nothing is asked")
	v.do(chromedp.Evaluate(`document.querySelectorAll('form[action*="/apply"] input[type=checkbox]').forEach(b => { if (!b.checked) b.click() })`, nil))
	v.picture(picture + "-consent")
	v.do(chromedp.Click(`form[action*="/apply"] button.souk-button:not([data-close])`, chromedp.ByQuery))
	v.truth(`document.querySelector('#souk-operation')`, "no operation is shown")
	v.picture(picture + "-progress")
	v.truth(`document.querySelector('#souk-operation .souk-notice')`, "the operation does not end")
	v.picture(picture + "-end")
	return v.text()
}

// TestWalk is the way of an administrator through the demo.
func TestWalk(t *testing.T) {
	url := startPanel(t)
	for _, way := range []struct {
		name          string
		script        bool
		width, height int64
	}{{"script", true, 1280, 900}, {"noscript", false, 400, 860}} {
		t.Run(way.name, func(t *testing.T) {
			v := newVisitor(t, way.name, url, way.width, way.height)
			if !way.script {
				url := startPanel(t) // begins with nothing, too
				v.url = url
				v.do(emulation.SetScriptExecutionDisabled(true))
			}
			v.walk()
			v.mu.Lock()
			defer v.mu.Unlock()
			assert.Empty(t, v.problems, "the browser complained")
		})
	}
}

func (v *visitor) walk() {
	t := v.t
	v.goTo("/plugins/")
	v.picture("browse")
	assert.Contains(t, v.text(), "Disk report")
	v.do(chromedp.SendKeys(`input[type=search]`, "upti", chromedp.ByQuery), chromedp.Submit(`form[role=search]`, chromedp.ByQuery))
	v.truth(`document.querySelector('main').innerText.includes('Uptime') && !document.querySelector('main').innerText.includes('Disk report')`, "the search does not narrow")
	v.picture("search")
	v.goTo("/plugins/?category=appearance")
	assert.Contains(t, v.text(), "Dusk")
	assert.NotContains(t, v.text(), "Notes")

	v.goTo("/plugins/p/acme/uptime")
	v.truth(`[...document.querySelectorAll('main img')].filter(i => i.complete && i.naturalWidth >= 400).length >= 1`, "no screenshot is shown")
	v.picture("detail")
	v.goTo("/plugins/p/acme/uptime/permissions")
	assert.Contains(t, v.text(), "Can see this server's name, load, memory and disks.")
	v.picture("permissions")

	assert.Contains(t, v.ask("/plugins/p/acme/uptime", "Install", "install"), "Charts")
	v.ask("/plugins/p/acme/disk-report", "Install", "install-disk-report")
	v.ask("/plugins/p/northwind/notes", "Install", "install-notes")
	v.goTo("/")
	assert.Contains(t, v.text(), "by acme/uptime 1.0.0")
	assert.Contains(t, v.text(), "by northwind/notes 1.0.0")
	v.picture("dashboard")

	v.news()
	v.goTo("/plugins/updates")
	v.picture("updates")
	assert.Contains(t, v.text(), "Disk report")
	v.ask("/plugins/p/acme/disk-report", "Update", "update-wider")
	end := v.ask("/plugins/p/northwind/notes", "Update", "update-bad")
	assert.Contains(t, end, "did not run as it should")
	assert.Contains(t, strings.ToLower(end), "back")
	v.goTo("/plugins/installed")
	v.picture("installed")
	assert.Regexp(t, `(?s)Notes.*1\.0\.0`, v.text())
	v.news()
	v.ask("/plugins/p/northwind/notes", "Update", "update-cure")

	v.goTo("/plugins/history")
	v.picture("history")
	v.ask("/plugins/history", "back", "rollback")
	v.goTo("/plugins/installed")
	assert.Regexp(t, `(?s)Notes.*1\.0\.0`, v.text())
	v.ask("/plugins/p/acme/uptime", "Remove", "remove")
	v.goTo("/")
	assert.NotContains(t, v.text(), "by acme/uptime")

	v.ask("/plugins/p/northwind/theme-dusk", "Install", "install-theme")
	v.goTo("/plugins/")
	v.picture("themed")
	v.goTo("/plugins/settings")
	v.picture("settings")

	v.do(chromedp.SetValue(`#role`, "viewer", chromedp.ByQuery), chromedp.Click(`form.who button`, chromedp.ByQuery))
	v.truth(`document.querySelector('#role option[value=viewer]')?.hasAttribute('selected') && document.readyState === 'complete'`, "the user is not switched")
	v.goTo("/plugins/p/acme/uptime")
	v.picture("viewer")
	v.truth(`!document.querySelector('main form[action$="/plans"]')`, "a viewer is offered to install")
}

// news lets the publishers bring out their next releases.
func (v *visitor) news() {
	v.t.Helper()
	v.goTo("/lab")
	before := v.text()
	v.do(chromedp.Click("#lab-news", chromedp.ByQuery))
	v.truth(fmt.Sprintf("document.querySelector('main') && document.querySelector('main').innerText !== %q", before), "the releases are not published")
}
