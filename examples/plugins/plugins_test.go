package plugins_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image/png"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/examples/plugins"
	"github.com/souk-dev/souk/examples/plugins/panelapi"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/sandbox/wasm"
)

func releases(t *testing.T) []plugins.Release {
	t.Helper()
	list, err := plugins.Releases()
	require.NoError(t, err)
	return list
}

func release(t *testing.T, ref string) plugins.Release {
	t.Helper()
	list := releases(t)
	i := slices.IndexFunc(list, func(r plugins.Release) bool { return r.String() == ref })
	require.GreaterOrEqual(t, i, 0, ref)
	return list[i]
}

func TestReleases(t *testing.T) {
	t.Parallel()
	var refs []string
	for _, r := range releases(t) {
		refs = append(refs, r.String())
		assert.NotEmpty(t, r.Notes, r.Ref)
		assert.Equal(t, 2026, r.Published.Year(), r.Ref)
		assert.Equal(t, r.Manifest.Runtime.Kind == catalog.RuntimeWASM, r.GoPackage != "", r.Ref)
	}
	assert.Equal(t, []string{
		"acme/charts@1.2.0", "acme/disk-report@1.0.0", "acme/disk-report@1.1.0", "acme/uptime@1.0.0", "acme/uptime@1.1.0",
		"northwind/alerts@1.0.0", "northwind/notes@1.0.0", "northwind/notes@1.1.0", "northwind/notes@1.2.0",
		"northwind/quiet@1.0.0", "northwind/theme-dusk@1.0.0",
	}, refs)
}

// A package has what its manifest names and no sources, and its pictures are the
// same each time.
func TestFiles(t *testing.T) {
	t.Parallel()
	for _, r := range releases(t) {
		files, err := r.Files()
		require.NoError(t, err)
		var names []string
		require.NoError(t, fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
			if !d.IsDir() {
				names = append(names, name)
			}
			return err
		}))
		assert.Subset(t, names, []string{"plugin.json", "README.md", "CHANGELOG.md", "icon.png", "screenshots/1.png", "screenshots/2.png"}, r.Ref)
		for _, n := range names {
			assert.NotContains(t, n, ".go", r.Ref)
			assert.False(t, strings.HasPrefix(n, "1."), "%s has %s, which is another version's", r.Ref, n)
		}
	}
	a, err := plugins.Pictures("acme/uptime")
	require.NoError(t, err)
	b, err := plugins.Pictures("acme/uptime")
	require.NoError(t, err)
	assert.Equal(t, a, b)
	icon, err := png.DecodeConfig(bytes.NewReader(a["icon.png"]))
	require.NoError(t, err)
	assert.Equal(t, []int{96, 96}, []int{icon.Width, icon.Height})
	shot, err := png.DecodeConfig(bytes.NewReader(a["screenshots/2.png"]))
	require.NoError(t, err)
	assert.Equal(t, []int{800, 500}, []int{shot.Width, shot.Height})
	_, err = plugins.Pictures("acme/unknown")
	assert.Error(t, err)
}

// panel is a panel with fake host functions.
type panel struct {
	mu      sync.Mutex
	server  panelapi.Server
	store   map[string]string
	cards   []panelapi.Card
	fetched []panelapi.Fetch
}

func newPanel() *panel {
	return &panel{store: map[string]string{}, server: panelapi.Server{
		Hostname: "web1", Uptime: 12*24*60*60 + 12*60*60, Load: []float64{0.5, 0.4, 0.3},
		Memory:  panelapi.Usage{Total: 100, Used: 95},
		Disks:   []panelapi.Disk{{Mount: "/", Usage: panelapi.Usage{Total: 4 << 30, Used: 1 << 30}}, {Mount: "/srv", Usage: panelapi.Usage{Total: 10 << 30, Used: 8 << 30}}},
		History: []float64{0.1, 0.2, 0.3},
	}}
}

// serve makes a host function that takes and gives JSON.
func serve[In, Out any](p *panel, f func(In) (Out, error)) func(context.Context, []byte) ([]byte, error) {
	return func(_ context.Context, in []byte) ([]byte, error) {
		var req In
		if err := json.Unmarshal(in, &req); err != nil {
			return nil, err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		out, err := f(req)
		if err != nil {
			return nil, err
		}
		return json.Marshal(out)
	}
}

type none struct{}

func (p *panel) host() []wasm.HostFunc {
	return []wasm.HostFunc{
		{Name: "server.read", Permission: "api:server:read", Call: serve(p, func(none) (panelapi.Server, error) { return p.server, nil })},
		{Name: "ui.card", Permission: "ui:dashboard.card", Call: serve(p, func(c panelapi.Card) (none, error) {
			p.cards = append(p.cards, c)
			return none{}, nil
		})},
		{Name: "kv.get", Permission: "db:notes:read", Call: serve(p, func(g panelapi.Get) (panelapi.Value, error) {
			v, ok := p.store[g.Key]
			return panelapi.Value{Value: v, Found: ok}, nil
		})},
		{Name: "kv.put", Permission: "db:notes:write", Call: serve(p, func(put panelapi.Put) (none, error) {
			p.store[put.Key] = put.Value
			return none{}, nil
		})},
		{
			Name: "net.fetch", Kind: sandbox.KindNetOut,
			Needs: func(in []byte) (sandbox.Permission, error) {
				var f panelapi.Fetch
				if err := json.Unmarshal(in, &f); err != nil {
					return "", err
				}
				u, err := url.Parse(f.URL)
				if err != nil || u.Scheme != "https" {
					return "", errors.New("want an https URL")
				}
				return sandbox.NetOut(u.Hostname(), 443)
			},
			Call: serve(p, func(f panelapi.Fetch) (panelapi.Response, error) {
				p.fetched = append(p.fetched, f)
				return panelapi.Response{Status: 200, Body: `{"days": 40}`}, nil
			}),
		},
	}
}

// last returns the card that was shown last.
func (p *panel) last(t *testing.T) panelapi.Card {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	require.NotEmpty(t, p.cards)
	return p.cards[len(p.cards)-1]
}

// start packs a release as a publisher does and starts what is in the package.
func (p *panel) start(t *testing.T, ref string) (*wasm.Instance, plugins.Release) {
	t.Helper()
	r := release(t, ref)
	files, err := r.Pack(t.Context(), "")
	require.NoError(t, err)
	_, err = publish.Pack(t.Context(), files, publish.PackOptions{})
	require.NoError(t, err, "the packer takes it")
	code, err := fs.ReadFile(files, r.Manifest.Runtime.Entry)
	require.NoError(t, err)

	rt, err := wasm.New(t.Context(), wasm.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rt.Close(context.Background())) })
	all, _, err := r.Manifest.Wants()
	require.NoError(t, err)
	in, err := rt.Start(t.Context(), wasm.Module{Name: ref, Code: code, Grants: all, Host: p.host()})
	require.NoError(t, err)

	// It asks for what it uses and for no more: without any one of its permissions
	// it does not start.
	for w := range all.All() {
		var rest []sandbox.Permission
		for q := range all.All() {
			if q != w {
				rest = append(rest, q)
			}
		}
		_, err := rt.Start(t.Context(), wasm.Module{Name: ref, Code: code, Grants: sandbox.MustSet(rest...), Host: p.host()})
		assert.ErrorIs(t, err, sandbox.ErrDenied, "%s without %s", ref, w)
	}
	return in, r
}

func TestStaticPluginsPack(t *testing.T) {
	t.Parallel()
	for _, r := range releases(t) {
		if r.GoPackage != "" {
			continue
		}
		files, err := r.Pack(t.Context(), "")
		require.NoError(t, err)
		pkg, err := publish.Pack(t.Context(), files, publish.PackOptions{})
		require.NoError(t, err, r.Ref)
		assert.Equal(t, r.Plugin, pkg.Manifest.ID)
		_, err = r.Compile(t.Context(), "")
		assert.ErrorContains(t, err, "has no code")
	}
}

func TestUptime(t *testing.T) {
	t.Parallel()
	p := newPanel()
	for ref, want := range map[string]panelapi.Card{
		"acme/uptime@1.0.0": {Title: "Uptime", Value: "12.5", Unit: "days", Text: "web1"},
		"acme/uptime@1.1.0": {Title: "Uptime", Value: "12.5", Unit: "days", Text: "web1, load 0.50 0.40 0.30", Level: "ok", Series: []float64{0.1, 0.2, 0.3}},
	} {
		in, r := p.start(t, ref)
		require.NoError(t, in.Health(t.Context(), r.Manifest.Health.Export))
		_, err := in.Call(t.Context(), "refresh", nil)
		require.NoError(t, err)
		assert.Equal(t, want, p.last(t))
	}
	assert.Equal(t, []catalog.Dependency{{ID: "acme/charts", Range: "^1"}}, release(t, "acme/uptime@1.1.0").Manifest.Dependencies)
}

func TestDiskReportWantsMoreInItsUpdate(t *testing.T) {
	t.Parallel()
	p := newPanel()
	in, old := p.start(t, "acme/disk-report@1.0.0")
	_, err := in.Call(t.Context(), "refresh", nil)
	require.NoError(t, err)
	card := p.last(t)
	assert.Equal(t, "80", card.Value)
	assert.Equal(t, "warn", card.Level)
	assert.Equal(t, panelapi.Row{Label: "/srv", Value: "8.0 of 10.0 GiB", Percent: 80}, card.Rows[1])
	assert.Empty(t, card.Text)

	in, now := p.start(t, "acme/disk-report@1.1.0")
	_, err = in.Call(t.Context(), "refresh", nil)
	require.NoError(t, err)
	assert.Equal(t, "Full in about 40 days", p.last(t).Text)
	require.Len(t, p.fetched, 1)
	assert.Equal(t, "https://api.example.com/forecast", p.fetched[0].URL)
	assert.NotContains(t, p.fetched[0].Body, "web1", "not what the server is called")

	a, _, err := old.Manifest.Wants()
	require.NoError(t, err)
	b, _, err := now.Manifest.Wants()
	require.NoError(t, err)
	assert.Equal(t, sandbox.Diff{Added: []sandbox.Change{{Permission: "net.out:api.example.com:443"}}}, sandbox.DiffOf(a, b))
}

func TestNotes(t *testing.T) {
	t.Parallel()
	p := newPanel()
	for _, ref := range []string{"northwind/notes@1.0.0", "northwind/notes@1.1.0", "northwind/notes@1.2.0"} {
		in, r := p.start(t, ref)
		err := in.Health(t.Context(), r.Manifest.Health.Export)
		if r.Version == "1.1.0" {
			var sick *wasm.GuestError
			require.ErrorAs(t, err, &sick)
			assert.Equal(t, "the index of the notes is missing", sick.Text)
			continue
		}
		require.NoError(t, err)
		_, err = in.Call(t.Context(), "add", []byte("written by "+r.Version))
		require.NoError(t, err)
		_, err = in.Call(t.Context(), "add", nil)
		require.ErrorContains(t, err, "a note has 1 to 1000 bytes")
	}
	card := p.last(t)
	assert.Equal(t, "2", card.Value, "1.2.0 reads what 1.0.0 wrote")
	assert.Equal(t, []panelapi.Row{{Label: "#2", Value: "written by 1.2.0"}, {Label: "#1", Value: "written by 1.0.0"}}, card.Rows)
}

func TestAlerts(t *testing.T) {
	t.Parallel()
	p := newPanel()
	in, r := p.start(t, "northwind/alerts@1.0.0")
	_, err := in.Call(t.Context(), "refresh", nil)
	require.NoError(t, err)
	assert.Equal(t, panelapi.Card{
		Title: "Alerts", Value: "1", Unit: "alerts", Text: "web1", Level: "danger",
		Rows: []panelapi.Row{{Label: "Memory", Value: "95 % used"}},
	}, p.last(t))
	assert.Equal(t, []catalog.Relation{{ID: "northwind/quiet"}}, r.Manifest.Conflicts)
}
