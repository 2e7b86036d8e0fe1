package browser

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// cast is everybody who plays in one walk, and what they play with.
type cast struct {
	w        *town
	ns, name string // of the publisher

	owner, user, first, second, moderator, admin *person
	desk                                         *desk
	quiet                                        bool
}

func newCast(w *town, ns, name string) *cast { return &cast{w: w, ns: ns, name: name} }

// walk is all ways, one after the other.
func (c *cast) walk(t *testing.T, quiet bool) {
	c.quiet = quiet
	all := []*person{c.owner, c.user, c.first, c.second, c.moderator, c.admin}
	seen := map[string]bool{} // by whoever sees it first
	for _, p := range all {
		p.t, p.seen = t, seen
		if quiet {
			p.noScript()
		}
	}
	c.desk = &desk{t: t, w: c.w, dir: t.TempDir()}
	c.beginPublishing()
	c.firstRelease()
	c.secondRelease()
	c.releases()
	c.linkPanel()
	c.opinions()
	c.moderate()
	c.administrate()
	c.leave()
	for _, p := range all {
		p.content()
	}
}

func (c *cast) publish(path string) string { return "/publish/" + c.ns + path }

// beginPublishing: a publisher, who may sign for it, and a token for the command.
func (c *cast) beginPublishing() {
	p := c.owner
	p.goTo("/publish")
	p.look("publish-first")
	p.send(`form[action="/publish"]`, fields{"namespace": c.ns, "name": c.name}, "")
	assert.Contains(p.t, p.at(), c.publish(""))
	p.says("Nobody may sign for it yet")
	p.look("publisher-new")
	p.goTo(c.publish("/settings"))
	p.send(`form[action$="/settings"]`, fields{"homepage": "https://" + c.ns + ".example", "about": "We make small plugins.\nAnd keep them working.", "contact": c.ns + "@example.org"}, "Save")
	p.look("publisher-settings")

	c.desk.run(0, "keygen", c.ns)
	public, err := os.ReadFile(filepath.Join(c.desk.dir, c.ns+".pub.pem"))
	require.NoError(p.t, err)
	p.goTo(c.publish("/signers"))
	p.look("signers-none")
	p.send(`form[action$="/signers"]`, fields{"key": string(public)}, "Add key")
	p.look("signers")

	p.goTo("/account/tokens")
	p.send(`form[action="/account/tokens"]`, fields{"name": "Laptop", "publisher": c.ns, "verb": "read,push,submit,release"}, "Make token")
	p.eval(`document.querySelector('.hub-copy').textContent`, &c.desk.token)
	require.Regexp(p.t, `^souk_`, c.desk.token)
	c.desk.login()

	user := c.user.accountID()
	p.goTo(c.publish("/members"))
	p.send(`form[action$="/members"]`, fields{"account": user, "role": "maintainer"}, "Add")
	p.look("members")
	p.send(`form[action$="/members/remove"]`, nil, "Remove "+c.user.called)
	p.goTo(c.publish("/proofs"))
	p.send(`form[action$="/proofs"]`, fields{"kind": "dns", "subject": c.ns + ".example"}, "")
	p.look("proofs")
	p.send(`form[action$="/proofs/remove"]`, nil, "")
	p.goTo(c.publish("/trusted"))
	p.look("trusted")
	p.goTo(c.publish("/hooks"))
	p.send(`form[action="/hooks"]`, fields{"url": "https://hooks." + c.ns + ".example/in", "kind": "release.published"}, "")
	p.look("hook-made")
	p.send(`form[action$="/rotate"]`, nil, "")
	p.send(`form[action$="/delete"]`, nil, "Delete webhook")
	p.goTo(c.publish("/transfer"))
	p.look("transfer")
}

// layout packs, signs and pushes the plugin, and returns the digest.
func (c *cast) layout() string {
	d := c.desk
	d.t.Helper()
	d.run(0, "pack", "hello", "-o", "hello.oci")
	d.run(0, "sign", "hello.oci", "--key", c.ns+".pem")
	out := d.run(0, "push", "hello.oci", strings.TrimPrefix(c.w.url, "http://")+"/staging")
	digest := regexp.MustCompile(`sha256:[0-9a-f]{64}`).FindString(out)
	require.NotEmpty(d.t, digest, out)
	return digest
}

// submit hands the plugin in: by the command, or without script by the page alone.
func (c *cast) submit(at string, more ...string) {
	c.owner.t.Helper()
	if !c.quiet {
		c.desk.run(0, append([]string{"submit", "hello", "--key", c.ns + ".pem"}, more...)...)
		return
	}
	digest := c.layout()
	c.owner.goTo(at)
	c.owner.send(`form[action$="/submit"]`, fields{"digest": digest}, "")
}

func stateIs(word string) string {
	return fmt.Sprintf(`document.querySelector('.souk-head .souk-badge').textContent === %q`, word)
}

// firstRelease: problems with file and line, fixed, reviewed, changed, approved.
func (c *cast) firstRelease() {
	p, r := c.owner, c.first
	p.goTo("/submissions/new")
	p.look("submission-new")
	p.send(`form[action="/submissions"]`, fields{"publisher": c.ns, "name": "hello", "version": "0.1.0", "summary": "The first one", "added": "Says hello.\nIn two colours."}, "Continue")
	at, _, _ := strings.Cut(p.at(), "?")
	require.Regexp(p.t, `^/submissions/sub_`, at)
	p.look("submission-draft")
	var staging string
	p.eval(`document.querySelector('#push ~ details code').textContent`, &staging)
	assert.Equal(p.t, strings.TrimPrefix(c.w.url, "http://")+"/staging/"+c.ns+"/hello", staging)

	c.desk.run(0, "init", "hello", "--id", c.ns+"/hello", "--runtime", "static")
	manifest, readme := "hello/package/plugin.json", "hello/package/README.md"
	c.desk.edit(manifest, `"license"`, `"categories": ["no-such"],`+"\n  "+`"license"`)
	p.send(`form[action$="/submit"]`, fields{"digest": c.layout()}, "")
	p.later(at, stateIs("needs changes"), "nothing is found")
	assert.Regexp(p.t, `plugin\.json:\d+`, p.text(), "problems have file and line")
	p.look("submission-problems")
	c.desk.edit(manifest, "no-such", "tools")
	c.submit(at)
	p.later(at, stateIs("in review"), "it is not in review")
	p.look("submission-in-review")

	r.goTo("/review")
	r.look("review-queue")
	r.follow(c.ns + "/hello 0.1.0")
	r.says("What is in this first release", "assets/style.css", "Scans")
	r.look("review-page")
	r.tabs(60)
	review, _, _ := strings.Cut(r.at(), "?")
	r.send(`form#remark`, fields{"file": "README.md", "line": "3", "text": "What does it do? Please say so here."}, "Add the remark")
	r.send(`form[action$="/comment"]`, fields{"text": "Only for us: the name is fine.", "internal": "1"}, "Add the remark")
	r.send(`form[action$="/decide"]`, fields{"verdict": "changes", "text": "Good, but say what it is for."}, "")
	r.says("Your decision is recorded.")

	p.goTo("/notices")
	p.look("notices")
	p.goTo(at)
	p.says("What does it do?", "Good, but say what it is for.")
	assert.NotContains(p.t, p.text(), "Only for us", "what reviewers say among themselves")
	p.send(`form[action$="/comment"]`, fields{"text": "It does now.", "file": "README.md"}, "")
	p.send(`form[action$="/notes"]`, fields{"summary": "The very first one", "added": "Says hello.", "fixed": "The description says what it is for."}, "")
	p.look("submission-asked")
	c.desk.edit(readme, "#", "It says hello.\n\n#")
	c.submit(at)
	p.later(at, stateIs("in review"), "it is not in review again")

	r.goTo(review)
	r.send(`form[action$="/decide"]`, fields{"verdict": "approve"}, "")
	p.later(at, stateIs("published"), "it is not published")
	p.look("submission-published")
}

// secondRelease asks for more, so that two people have to look.
func (c *cast) secondRelease() {
	p := c.owner
	c.desk.edit("hello/package/plugin.json", `"0.1.0"`, `"0.2.0"`, `"license"`,
		`"permissions": [{"kind": "net.out", "target": "hooks.example.com:443", "reason": "Tells your chat about it."}],`+"\n  "+`"license"`)
	c.desk.edit("hello/package/CHANGELOG.md", "## [0.1.0]", "## [0.2.0] - 2026-07-30\n\n### Added\n\n- Tells your chat.\n\n### Security\n\n- Takes nothing from others.\n\n## [0.1.0]")
	p.goTo("/submissions/new?publisher=" + c.ns)
	p.send(`form[action="/submissions"]`, fields{"name": "hello", "version": "0.2.0", "percent": "10", "added": "Tells your chat.", "security": "Takes nothing from others."}, "Continue")
	at, _, _ := strings.Cut(p.at(), "?")
	c.submit(at, "--percent", "10")
	p.later(at, stateIs("in review"), "it is not in review")

	review := "/review/" + strings.TrimPrefix(at, "/submissions/")
	for i, r := range []*person{c.first, c.second} {
		r.goTo(review)
		r.says("Changes since 0.1.0", "2 people have to approve.", "hooks.example.com")
		r.look("review-risk-grew")
		r.send(`form[action$="/decide"]`, fields{"verdict": "approve", "text": "The reason is right."}, "")
		if i == 0 {
			r.says("You approved it. It waits for another person.")
			r.look("review-one-of-two")
		}
	}
	p.later(at, stateIs("published"), "it is not published")
}

// releases: rolled out, paused, resumed, yanked and back, and how often it is fetched.
func (c *cast) releases() {
	p, at := c.owner, c.publish("/plugins/hello")
	p.goTo(at)
	p.says("Offered as an update to 10 of a hundred panels.")
	p.look("manage")
	p.send(`form[action$="/rollout"]`, fields{"percent": "25"}, "Save")
	p.says("Offered as an update to 25 of a hundred panels.")
	p.send(`form[action$="/rollout"]`, nil, "Pause")
	p.says("Paused: offered to no further panel")
	p.look("manage-paused")
	p.send(`form[action$="/rollout"]`, nil, "Resume")
	p.says("Offered as an update to 25 of a hundred panels.")
	p.send(`form[action$="/yank"]`, fields{"reason": "It forgets the colours."}, "Yank 0.2.0")
	p.says("It forgets the colours.")
	p.look("manage-yanked")
	p.send(`form[action$="/unyank"]`, nil, "")
	p.send(`form[action$="/deprecate"]`, fields{"text": "Use something else."}, "")
	p.goTo("/plugins/" + c.ns + "/hello")
	p.says("No longer maintained", "Use something else.")
	p.look("plugin-deprecated")
	p.goTo(at)
	p.send(`form[action$="/deprecate"]`, fields{"text": ""}, "")

	for _, tab := range []string{"", "/releases", "/permissions"} {
		c.user.goTo("/plugins/" + c.ns + "/hello" + tab)
		c.user.look("plugin" + strings.ReplaceAll(tab, "/", "-"))
	}
	c.user.says("hooks.example.com")
	c.fetch()
	p.later(at+"/numbers", `document.querySelector('svg.hub-plot')`, "no download is counted")
	p.look("numbers")
	p.goTo(c.publish(""))
	p.look("publisher-overview")
	p.goTo("/publish")
	p.look("publish")
	c.user.goTo("/publishers/" + c.ns)
	c.user.look("publisher")
	c.user.goTo("/")
	c.user.look("front")
	c.user.goTo("/plugins")
	c.user.send(`main form[role=search]`, fields{"q": "hel"}, "")
	c.user.look("shelf")
}

// get asks the hub as a program does.
func (c *cast) get(path, bearer string, form url.Values, want int) map[string]any {
	t := c.owner.t
	t.Helper()
	method, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(t.Context(), method, c.w.url+path, body)
	require.NoError(t, err)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("User-Agent", "a panel of "+c.ns)
	req.Header.Set("Accept", "application/vnd.oci.image.manifest.v1+json, */*")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, want, resp.StatusCode, "%s: %s", path, b)
	out := map[string]any{}
	_ = json.Unmarshal(b, &out) // an image is none
	return out
}

// fetch downloads the newest release as a panel does.
func (c *cast) fetch() {
	t, repo := c.owner.t, c.ns+"/hello"
	token, ok := c.get("/v2/token?service="+strings.TrimPrefix(c.w.url, "http://")+"&scope=repository:"+repo+":pull", "", nil, http.StatusOK)["token"].(string)
	require.True(t, ok)
	manifest := c.get("/v2/"+repo+"/manifests/0.2.0", token, nil, http.StatusOK)
	layers, ok := manifest["layers"].([]any)
	require.True(t, ok, "%v", manifest)
	for _, l := range layers {
		c.get(fmt.Sprint("/v2/", repo, "/blobs/", l.(map[string]any)["digest"]), token, nil, http.StatusOK)
	}
}

// linkPanel links a panel by the device flow, and unlinks it.
func (c *cast) linkPanel() {
	p := c.user
	begun := c.get("/api/v1/device/code", "", url.Values{"client_name": {"Panel of the office"}, "public_key": {"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}}, http.StatusOK)
	code, device := begun["user_code"].(string), begun["device_code"].(string)
	poll := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {device}}
	assert.Equal(p.t, "authorization_pending", c.get("/api/v1/device/token", "", poll, http.StatusBadRequest)["error"])
	p.goTo("/account/panels")
	p.look("panels-none")
	p.goTo("/link")
	p.look("link")
	p.may("Failed to load resource")
	p.send(`form[action="/link"]`, fields{"code": "BBBB-BBBB"}, "")
	p.says("No panel waits with this code.")
	p.look("link-wrong")
	p.send(`form[action="/link"]`, fields{"code": code}, "")
	p.says("Panel of the office", code)
	p.look("link-confirm")
	p.send(`form[method=post][action="/link"]`, nil, "Yes, link it")
	p.says("The panel is linked.")
	p.look("panels")
	time.Sleep(5 * time.Second) // the panel may not ask sooner again
	assert.NotEmpty(p.t, c.get("/api/v1/device/token", "", poll, http.StatusOK)["access_token"])
	p.goTo("/account/panels")
	p.send(`form[action$="/telemetry"]`, nil, "Allow numbers of Panel of the office")
	p.says("Yes")
	p.send(`form[action$="/unlink"]`, nil, "Unlink Panel of the office")
	p.says("No panel is linked")
}

// opinions: rated, changed, voted for, answered, and reported.
func (c *cast) opinions() {
	p, at := c.user, "/plugins/"+c.ns+"/hello"
	p.goTo(at + "/ratings")
	p.look("ratings-none")
	p.send(`form[action$="/rating"]`, fields{"stars": "2", "text": "Too <b>loud</b>.", "version": "0.1.0"}, "Rate")
	p.says("Your rating is recorded.", "Too <b>loud</b>.")
	p.send(`form[action$="/rating"]`, fields{"stars": "4", "text": "Louder than I thought, but it says hello every time.", "version": "0.2.0"}, "Change rating")
	c.moderator.goTo(at + "/ratings")
	c.moderator.send(`form[action$="/vote"]`, nil, "Helpful")
	c.moderator.says("Helpful (1)")
	c.moderator.send(`form[action$="/rating"]`, fields{"stars": "5", "text": "Fine."}, "Rate")
	c.admin.goTo(at + "/ratings")
	c.admin.send(`form[action$="/rating"]`, fields{"stars": "1", "text": "Bad, bad, bad."}, "Rate")
	c.owner.goTo(at + "/ratings")
	c.owner.says("You belong to its publisher")
	c.owner.send(`form[action$="/answer"]`, fields{"text": "Thank you. The next one is quieter."}, "Publish answer")
	p.goTo(at + "/ratings")
	p.says("Thank you. The next one is quieter.")
	p.look("ratings")

	p.goTo("/report?kind=release&subject=" + c.ns + "/hello@0.2.0")
	p.look("report")
	p.send(`form[action="/report"]`, fields{"reason": "malware", "text": "It sends my hellos to somebody.", "evidence": "https://example.org/seen"}, "Send report")
	p.says("A moderator will look at it.")
	p.look("my-reports")
	p.goTo("/notices")
	p.goTo("/account/tokens")
	p.send(`form[action="/account/tokens"]`, fields{"name": "Script", "verb": "read,rate"}, "Make token")
	p.goTo("/account/tokens")
	p.look("tokens")
	p.send(`form[action="/account/tokens/revoke"]`, nil, "Revoke token Script")
	p.goTo("/account")
	p.send(`form[action="/account"]`, fields{"name": p.called + " II"}, "Save")
	p.called += " II"
	p.says("Saved.")
}
