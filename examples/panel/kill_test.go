package main

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/install/installtest"
)

// kills is how many random moments of an install and of an update are tried, each.
const kills = 25

// process is the panel as a process of its own.
type process struct {
	demo
	cmd *exec.Cmd
	out *output
}

func startProcess(t *testing.T, binary, dir string) *process {
	t.Helper()
	out := &output{ready: make(chan string, 1)}
	p := &process{demo: demo{t: t}, out: out, cmd: exec.Command(binary, "-addr", "127.0.0.1:0", "-dir", dir)}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	require.NoError(t, p.cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	p.stop = func() error { return <-ended }
	select {
	case p.url = <-out.ready:
	case err := <-ended:
		require.NoError(t, err, out)
		require.Fail(t, "the panel ended", out)
	case <-time.After(time.Minute):
		require.NoError(t, p.cmd.Process.Kill())
		require.Fail(t, "the panel did not start", out)
	}
	return p
}

// end asks the process to end, and it must do so in order.
func (p *process) end() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(p.t, p.stop())
}

// TestKillAtAnyMoment kills the panel's process in the middle of installs and updates
// and starts it again: each time the old set is there or the new one, whole.
func TestKillAtAnyMoment(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "panel")
	b, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, "%s", b)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	dir := freshDir(t)
	p := startProcess(t, binary, dir)
	p.lab("news", true)
	p.done(map[string]any{"install": []map[string]string{{"plugin": "acme/uptime", "range": "1.0.0"}}})
	p.end()

	for _, c := range []struct {
		name     string
		change   map[string]any
		old, new []string
	}{
		{"update", updateOf("acme/uptime"), []string{"acme/charts@1.2.0", "acme/uptime@1.0.0"}, []string{"acme/charts@1.2.0", "acme/uptime@1.1.0"}},
		{"install", installOf("northwind/alerts"), []string{"acme/charts@1.2.0", "acme/uptime@1.0.0"}, []string{"acme/charts@1.2.0", "acme/uptime@1.0.0", "northwind/alerts@1.0.0"}},
	} {
		// How long it takes when nothing happens to it, from the same beginning.
		from := filepath.Join(dir, "panel")
		probe := startProcess(t, binary, copyOf(t, dir, from))
		plan := probe.plan(c.change)
		began := time.Now()
		require.Equal(t, "done", probe.apply(plan).State)
		took := time.Since(began)
		probe.end()

		var wasOld, wasNew int
		for range kills {
			here := copyOf(t, dir, from)
			p := startProcess(t, binary, here)
			plan := p.plan(c.change)
			after := time.Duration(random.Int64N(int64(took * 11 / 10)))
			killed := make(chan error, 1)
			time.AfterFunc(after, func() { killed <- p.cmd.Process.Kill() })
			p.submit(plan)
			require.NoError(t, <-killed, "it ended before it was killed: %v\n%s", p.out, c.name)
			require.Error(t, p.stop(), "it was killed")

			p = startProcess(t, binary, here)
			got := p.installed()
			p.end()
			set := installtest.CheckStore(t, filepath.Join(here, "panel", "installed"))
			assert.Equal(t, got, set.Versions(), "what runs is what is on disk")
			switch {
			case slices.Equal(got, c.old):
				wasOld++
			case slices.Equal(got, c.new):
				wasNew++
			default:
				assert.Fail(t, "neither old nor new", "killed after %s of %s: %v", after, took, got)
			}
			require.NoError(t, os.RemoveAll(here))
		}
		t.Logf("%s takes %s; killed %d times: old set %d, new set %d", c.name, took.Round(time.Millisecond), kills, wasOld, wasNew)
		assert.Positive(t, wasOld, "no kill came early enough to be worth anything")
	}
}

// copyOf copies the demo in dir, whose panel is in from.
func copyOf(t *testing.T, dir, from string) string {
	t.Helper()
	here, err := os.MkdirTemp(t.TempDir(), "")
	require.NoError(t, err)
	parts := []string{"-a", from, here} // cp keeps modes, which the store looks at
	for _, name := range []string{"registry", "keys", "wasm-cache"} {
		parts = slices.Insert(parts, 1, filepath.Join(dir, name))
	}
	b, err := exec.CommandContext(t.Context(), "cp", parts...).CombinedOutput()
	require.NoError(t, err, "%s", b)
	return here
}

// submit starts a plan in a process that may die meanwhile, so that an error of the
// connection says nothing.
func (p *process) submit(pl plan) {
	p.t.Helper()
	consents := []string{}
	for _, c := range pl.Consents {
		consents = append(consents, c.ID)
	}
	p.post("plans/"+pl.ID+"/apply", map[string]any{"consents": consents})
}
