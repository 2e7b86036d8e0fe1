package browser

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// town is a hub, one browser, and whoever uses both.
type town struct {
	url     string // http://localhost:port; passkeys need a name
	setup   string // the code that makes the first administrator
	souk    string // the command's binary
	axe     string // the accessibility engine's source; empty: there is none
	browser context.Context
	places  int // that people came from
}

// newTown starts a hub on an empty directory.
func newTown(t *testing.T) *town {
	t.Helper()
	w := &town{souk: need(t, "SOUK_BIN"), axe: axeSource(t)}
	// As if behind a proxy, so that each person comes from an address of their own.
	cmd := exec.Command(w.souk, "hub", "serve", "--listen", "127.0.0.1:0", "--dir", t.TempDir(), "--proxy", "127.0.0.0/8", "--proxy", "::1/128")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, cmd.Wait())
	})
	address, code := regexp.MustCompile(`http://localhost:\d+`), regexp.MustCompile(`[A-Za-z0-9_-]{40,}$`)
	lines := bufio.NewScanner(out)
	for (w.url == "" || w.setup == "") && lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if w.url == "" {
			w.url = address.FindString(line)
		}
		if strings.Contains(line, "setup") {
			w.setup = code.FindString(line)
		}
	}
	require.NotEmpty(t, w.url, "the hub said no address")
	require.NotEmpty(t, w.setup, "the hub printed no setup code")
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
	w.browser = startBrowser(t)
	return w
}

// person is somebody with a browser profile of their own and, mostly, an account.
type person struct {
	*visitor
	w      *town
	called string // its name at the hub
	keys   webauthn.AuthenticatorID
	quiet  bool // without JavaScript
	wide   int64
	tall   int64
	seen   map[string]bool
	fine   []string // what the browser may complain of
	leads  []string // where pages that were seen lead
}

// person opens a browser for somebody, with an authenticator that verifies them.
func (w *town) person(t *testing.T, name string) *person {
	t.Helper()
	ctx, cancel := chromedp.NewContext(w.browser, chromedp.WithTargetID(w.window(t)))
	t.Cleanup(cancel)
	ctx, end := context.WithTimeout(ctx, 6*time.Minute)
	t.Cleanup(end)
	p := &person{visitor: &visitor{t: t, ctx: ctx, url: w.url, name: "hub-" + name}, w: w, wide: 1280, tall: 900, seen: map[string]bool{}}
	p.listen()
	require.NoError(t, chromedp.Run(ctx, webauthn.Enable(), emulation.SetFocusEmulationEnabled(true), emulation.SetDeviceMetricsOverride(p.wide, p.tall, 1, false)))
	p.keys = p.authenticator()
	p.move()
	return p
}

// window opens one in a profile of its own.
func (w *town) window(t *testing.T) target.ID {
	t.Helper()
	ctx := cdp.WithExecutor(w.browser, chromedp.FromContext(w.browser).Browser)
	profile, err := target.CreateBrowserContext().WithDisposeOnDetach(true).Do(ctx)
	require.NoError(t, err)
	id, err := target.CreateTarget("about:blank").WithBrowserContextID(profile).WithNewWindow(true).Do(ctx)
	require.NoError(t, err)
	return id
}

// authenticator plugs a new one in.
func (p *person) authenticator() (id webauthn.AuthenticatorID) {
	p.t.Helper()
	p.do(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		id, err = webauthn.AddVirtualAuthenticator(&webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		}).Do(ctx)
		return err
	}))
	return id
}

// move lets the person come from another address: signing in is bounded for each.
func (p *person) move() {
	p.t.Helper()
	p.w.places++
	p.do(network.SetExtraHTTPHeaders(network.Headers{"X-Forwarded-For": fmt.Sprintf("203.0.113.%d", p.w.places)}))
}

// unplug takes the authenticator out, and returns the keys that were on it.
func (p *person) unplug() (on []*webauthn.Credential) {
	p.t.Helper()
	p.do(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		if on, err = webauthn.GetCredentials(p.keys).Do(ctx); err != nil {
			return err
		}
		return webauthn.RemoveVirtualAuthenticator(p.keys).Do(ctx)
	}))
	return on
}

// plug puts in an authenticator with these keys on it.
func (p *person) plug(on ...*webauthn.Credential) {
	p.t.Helper()
	p.keys = p.authenticator()
	for _, key := range on {
		p.do(webauthn.AddCredential(p.keys, key))
	}
}

// noScript ends JavaScript for this person.
func (p *person) noScript() {
	p.quiet, p.wide, p.tall = true, 400, 860
	p.do(emulation.SetScriptExecutionDisabled(true), emulation.SetDeviceMetricsOverride(p.wide, p.tall, 1, false))
}

// loud gives JavaScript back, which passkeys need.
func (p *person) loud() {
	p.quiet = false
	p.do(emulation.SetScriptExecutionDisabled(false))
}

// may allows the browser to complain of something that the walk brings about itself.
func (p *person) may(texts ...string) { p.fine = append(p.fine, texts...) }

// content reports whether the browser had nothing to complain of.
func (p *person) content() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = slices.DeleteFunc(p.problems, func(s string) bool {
		return slices.ContainsFunc(p.fine, func(ok string) bool { return strings.Contains(s, ok) })
	})
	assert.Empty(p.t, p.problems, "%s: the browser complained", p.name)
}

func (p *person) eval(expression string, out any) {
	p.t.Helper()
	p.do(chromedp.Evaluate(expression, out))
}

// at returns path and query of the page.
func (p *person) at() (s string) {
	p.t.Helper()
	p.eval(`location.pathname + location.search`, &s)
	return s
}

// says checks that the page has these words.
func (p *person) says(words ...string) {
	p.t.Helper()
	text := p.text()
	for _, w := range words {
		if !assert.Contains(p.t, text, w, p.at()) {
			p.picture("failure")
		}
	}
}

// fields are what somebody types into a form: a text, or for boxes and choices the value
// to be chosen, several of them separated by commas.
type fields map[string]string

const fillScript = `((form, fields, button) => {
  const f = [...document.querySelectorAll(form)].find(f => !button || [...f.querySelectorAll('button')].some(b => b.textContent.trim().includes(button) || (b.getAttribute('aria-label') || '').includes(button)));
  if (!f) return 'no form ' + form;
  for (let d = f; d; d = d.parentElement) if (d.tagName === 'DETAILS') d.open = true;
  for (const [name, value] of Object.entries(fields)) {
    const all = [...f.querySelectorAll('[name="' + name + '"]')].filter(e => e.type !== 'hidden');
    if (!all.length) return 'no field ' + name;
    if (all[0].type === 'checkbox' || all[0].type === 'radio') {
      const want = value.split(',');
      for (const e of all) if (e.checked !== want.includes(e.value)) e.click();
      if (value && !want.every(v => all.some(e => e.value === v))) return 'no choice ' + value + ' of ' + name;
      continue;
    }
    const d = all[0].closest('details'); if (d) d.open = true;
    all[0].value = value;
    if (all[0].value !== value) return name + ' does not take ' + value;
  }
  if (!f.checkValidity()) return 'not valid: ' + [...f.elements].filter(e => !e.checkValidity()).map(e => e.name).join();
  document.querySelectorAll('[data-press]').forEach(e => e.removeAttribute('data-press'));
  const buttons = [...f.querySelectorAll('button')];
  const b = button ? buttons.find(b => b.textContent.trim().includes(button) || (b.getAttribute('aria-label') || '').includes(button)) : buttons[0];
  if (!b) return 'no button ' + button;
  b.setAttribute('data-press', '');
  document.documentElement.dataset.left = '1';
  return '';
})(%s, %s, %s)`

func quote(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts and maps of texts only
	}
	return string(b)
}

// press fills in a form and presses a button of it, which may be named by a part of its
// text, and does not wait for anything.
func (p *person) press(form string, in fields, button string) {
	p.t.Helper()
	if in == nil {
		in = fields{}
	}
	var wrong string
	p.eval(fmt.Sprintf(fillScript, quote(form), quote(in), quote(button)), &wrong)
	if wrong != "" {
		p.picture("failure")
		require.Empty(p.t, wrong, p.at())
	}
	p.do(chromedp.Click(`[data-press]`, chromedp.ByQuery))
}

// arrive waits for the page that comes after a press.
func (p *person) arrive() {
	p.t.Helper()
	p.truth(`document.readyState === 'complete' && !document.documentElement.dataset.left && document.querySelector('main')`, "no page comes")
}

// send fills in a form, sends it and waits for the page that comes of it. When that asks
// who it is, the person proves it and sends the form again.
func (p *person) send(form string, in fields, button string) {
	p.t.Helper()
	for range 3 {
		p.press(form, in, button)
		p.arrive()
		if at := p.at(); !strings.HasPrefix(at, "/signin?again=1") {
			break
		}
		p.prove()
	}
	var title string
	p.eval(`document.querySelector('.souk-problem')?.innerText || ''`, &title)
	if title != "" {
		p.picture("failure")
		require.Empty(p.t, title, "%s %v", form, in)
	}
}

// refused is a send whose answer is a page that says no.
func (p *person) refused(form string, in fields, button, because string) {
	p.t.Helper()
	p.may("Failed to load resource")
	p.press(form, in, button)
	p.arrive()
	p.truth(`document.querySelector('.souk-problem')`, "it is not refused")
	p.says(because)
}

// prove shows who it is, again.
func (p *person) prove() {
	p.t.Helper()
	p.press(`form[data-souk-passkey=login]`, nil, "")
	p.truth(`location.pathname !== '/signin' && document.readyState === 'complete'`, "the proof is not accepted")
}

// join makes an account with a passkey.
func (p *person) join(name string) *person {
	p.t.Helper()
	p.goTo("/signin")
	p.truth(`!document.querySelector('form[data-souk-passkey=register]').hidden`, "passkeys are not offered")
	p.press(`form[data-souk-passkey=register]`, fields{"name": name}, "")
	p.truth(fmt.Sprintf(`location.pathname === '/' && document.querySelector('.hub-me')?.innerText.includes(%q)`, name), "there is no account")
	return p
}

// accountID is what others name the account by.
func (p *person) accountID() (id string) {
	p.t.Helper()
	p.goTo("/account")
	p.eval(`document.querySelector('.souk-facts code').textContent`, &id)
	require.NotEmpty(p.t, id)
	return id
}

// follow opens a link by its text, or else the first one of the row that has the text.
func (p *person) follow(text string) {
	p.t.Helper()
	var href string
	p.eval(fmt.Sprintf(`([...document.querySelectorAll('main a')].find(a => a.textContent.includes(%[1]s)) ||
		[...document.querySelectorAll('main :is(tr, li, article):has(a)')].find(e => e.textContent.includes(%[1]s))?.querySelector('a'))?.getAttribute('href') || ''`, quote(text)), &href)
	require.NotEmpty(p.t, href, "no link %q at %s", text, p.at())
	p.goTo(href)
}

// later opens a page again and again until it has what is waited for.
func (p *person) later(path, expression, why string) {
	p.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		p.goTo(path)
		var ok bool
		p.eval("Boolean("+expression+")", &ok)
		if ok {
			return
		}
		if time.Now().After(deadline) {
			p.picture("failure")
			require.Fail(p.t, why, "%s: %s", path, p.text())
		}
		time.Sleep(300 * time.Millisecond) // the hub works meanwhile; its page is all that tells
	}
}

// desk is where somebody works on a plugin, with the souk command.
type desk struct {
	t     *testing.T
	w     *town
	dir   string
	token string
}

// run runs the souk command as this person would at home.
func (d *desk) run(want int, args ...string) string {
	d.t.Helper()
	cmd := exec.Command(d.w.souk, args...)
	cmd.Dir = d.dir
	cmd.Env = append(os.Environ(), "HOME="+d.dir, "XDG_CONFIG_HOME="+d.dir, "DOCKER_CONFIG="+d.dir, "SOUK_HUB="+d.w.url, "SOUK_TOKEN="+d.token)
	out, err := cmd.CombinedOutput()
	if exited := (*exec.ExitError)(nil); !errors.As(err, &exited) {
		require.NoError(d.t, err)
	}
	require.Equal(d.t, want, cmd.ProcessState.ExitCode(), "souk %s: %s", strings.Join(args, " "), out)
	return string(out)
}

// login lets the command into the hub's registry as docker login would.
func (d *desk) login() {
	d.t.Helper()
	host := strings.TrimPrefix(d.w.url, "http://")
	auth := base64.StdEncoding.EncodeToString([]byte("token:" + d.token))
	config := map[string]any{"auths": map[string]any{host: map[string]string{"auth": auth}}}
	require.NoError(d.t, os.WriteFile(filepath.Join(d.dir, "config.json"), []byte(quote(config)), 0o600))
}

// edit changes a file: old, new, old, new.
func (d *desk) edit(file string, change ...string) {
	d.t.Helper()
	file = filepath.Join(d.dir, file)
	b, err := os.ReadFile(file)
	require.NoError(d.t, err)
	out := strings.NewReplacer(change...).Replace(string(b))
	require.NotEqual(d.t, string(b), out, "%s has nothing to change", file)
	require.NoError(d.t, os.WriteFile(file, []byte(out), 0o644))
}
