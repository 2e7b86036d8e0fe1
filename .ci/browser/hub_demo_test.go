package browser

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDemo looks at the example's made up hub, whose pages are full.
func TestDemo(t *testing.T) {
	binary := need(t, "SOUK_HUB_BIN")
	cmd := exec.Command(binary, "-addr", "127.0.0.1:0", "-dir", t.TempDir(), "-demo")
	cmd.Dir, cmd.Stderr = "../..", os.Stderr // it builds the sample plugins
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, cmd.Wait())
	})
	w := &town{axe: axeSource(t)}
	open := regexp.MustCompile(`Open (http://localhost:\d+)`)
	for lines := bufio.NewScanner(out); w.url == "" && lines.Scan(); {
		if m := open.FindStringSubmatch(lines.Text()); m != nil {
			w.url = m[1]
		}
	}
	require.NotEmpty(t, w.url, "the hub said no address")
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
	w.browser = startBrowser(t)

	for _, who := range []struct {
		key   string
		pages map[string]string // by the name of their picture
		first map[string]string // pages whose first link in the main table is looked at
	}{
		{"user", map[string]string{
			"front": "/", "shelf": "/plugins", "plugin": "/plugins/acme/uptime", "plugin-releases": "/plugins/acme/uptime/releases",
			"plugin-permissions": "/plugins/acme/disk-report/permissions", "plugin-ratings": "/plugins/acme/uptime/ratings",
			"publisher": "/publishers/acme", "advisories": "/advisories", "my-reports": "/account/reports", "notices": "/notices",
		}, nil},
		{"publisher", map[string]string{
			"publish": "/publish", "overview": "/publish/acme", "manage": "/publish/acme/plugins/uptime", "numbers": "/publish/acme/plugins/uptime/numbers?days=90",
			"signers": "/publish/acme/signers",
		}, map[string]string{"submission": "/publish"}},
		{"reviewer", map[string]string{"review": "/review", "review-all": "/review/all"}, map[string]string{"review-page": "/review"}},
		{"moderator", map[string]string{"moderation": "/moderation", "decisions": "/moderation/decisions"}, map[string]string{"report": "/moderation", "decision": "/moderation/decisions"}},
		{"admin", map[string]string{"admin": "/admin", "users": "/admin/users", "audit": "/admin/audit"}, map[string]string{"user": "/admin/users"}},
	} {
		p := w.person(t, "demo-"+who.key)
		p.goToDemo(who.key)
		for name, path := range who.pages {
			p.goTo(path)
			p.look("demo-" + name)
			p.links()
		}
		for name, path := range who.first {
			p.goTo(path)
			p.eval(`document.querySelector('main table tbody th a').setAttribute('data-first', '')`, nil)
			p.do(chromedp.Click(`[data-first]`, chromedp.ByQuery))
			p.truth(`!document.querySelector('[data-first]') && document.querySelector('main')`, "the link leads nowhere")
			p.look("demo-" + name)
			p.links()
		}
		p.follows()
		p.content()
	}
}

// goToDemo signs in as somebody whom the demo made up.
func (p *person) goToDemo(key string) {
	p.t.Helper()
	p.goTo("/")
	p.truth(`document.querySelector('.hub-demo')`, "the demo does not say what it is")
	p.may("favicon.ico") // which that page, of the example and not of the hub, does not name
	p.do(chromedp.Navigate(p.url + "/demo"))
	p.press(`form[action="/demo/signin/`+key+`"]`, nil, "")
	p.arrive()
	assert.NotContains(p.t, p.at(), "/signin")
}

// links notes where the page leads.
func (p *person) links() {
	p.t.Helper()
	var all []string
	p.eval(`[...new Set([...document.querySelectorAll('a[href^="/"]')].map(a => a.getAttribute('href').split('#')[0]))]`, &all)
	p.leads = append(p.leads, all...)
}

// follows checks that nothing that was noted leads nowhere.
func (p *person) follows() {
	p.t.Helper()
	slices.Sort(p.leads)
	as := p.client()
	for _, to := range slices.Compact(p.leads) {
		resp, err := as.Get(p.url + to)
		require.NoError(p.t, err)
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(p.t, err)
		require.NoError(p.t, resp.Body.Close())
		assert.Equal(p.t, http.StatusOK, resp.StatusCode, "%s: a link to %s", p.name, to)
		assert.False(p.t, strings.HasPrefix(resp.Request.URL.Path, "/signin"), "%s: a link to %s", p.name, to)
	}
}
