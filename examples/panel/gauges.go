package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/souk-dev/souk/examples/plugins/panelapi"
)

// gauges measure this server. Where a system does not say something in /proc, it is
// not known, and shown as that.
type gauges struct {
	stop chan struct{}
	done sync.WaitGroup

	mu      sync.Mutex
	history []float64 // load, oldest first
}

// How often the load is looked at, and how many of these are kept.
const (
	gaugeEvery = 5 * time.Second
	gaugeKeep  = 60
)

func startGauges() *gauges {
	g := &gauges{stop: make(chan struct{})}
	g.measure()
	g.done.Go(func() {
		tick := time.NewTicker(gaugeEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				g.measure()
			case <-g.stop:
				return
			}
		}
	})
	return g
}

func (g *gauges) close() {
	close(g.stop)
	g.done.Wait()
}

func (g *gauges) measure() {
	l := load()
	if len(l) == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.history = append(g.history, l[0])
	g.history = g.history[max(0, len(g.history)-gaugeKeep):]
}

// server is what plugins with api:server:read get to know.
func (g *gauges) server() panelapi.Server {
	s := panelapi.Server{Load: load(), Memory: memory(), Disks: disks()}
	if name, err := os.Hostname(); err == nil {
		s.Hostname = name
	}
	if f := fields("/proc/uptime"); len(f) > 0 {
		seconds, err := strconv.ParseFloat(f[0], 64)
		if err == nil {
			s.Uptime = int64(seconds)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	s.History = append(s.History, g.history...)
	return s
}

func fields(file string) []string {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil // not known on this system
	}
	return strings.Fields(string(b))
}

func load() (out []float64) {
	f := fields("/proc/loadavg")
	for i := 0; i < 3 && i < len(f); i++ {
		v, err := strconv.ParseFloat(f[i], 64)
		if err != nil {
			return nil
		}
		out = append(out, v)
	}
	return out
}

func memory() (u panelapi.Usage) {
	known := map[string]int64{}
	f := fields("/proc/meminfo")
	for i := 0; i+1 < len(f); i++ {
		if n, err := strconv.ParseInt(f[i+1], 10, 64); err == nil && strings.HasSuffix(f[i], ":") {
			known[f[i]] = n << 10
		}
	}
	u.Total = known["MemTotal:"]
	u.Used = u.Total - known["MemAvailable:"]
	return u
}

type fact struct{ Name, Value string }

// facts are what the panel's own dashboard shows.
func (h *host) facts() facts { return facts{h.gauges.server()} }

type facts struct{ panelapi.Server }

func (f facts) list() []fact {
	out := []fact{{"Name", f.Hostname}}
	if f.Uptime > 0 {
		out = append(out, fact{"Up for", (time.Duration(f.Uptime) * time.Second).Round(time.Minute).String()})
	}
	if len(f.Load) == 3 {
		out = append(out, fact{"Load", fmt.Sprintf("%.2f, %.2f, %.2f", f.Load[0], f.Load[1], f.Load[2])})
	}
	if f.Memory.Total > 0 {
		out = append(out, fact{"Memory", fmt.Sprintf("%.0f %% of %.1f GiB", f.Memory.Percent(), float64(f.Memory.Total)/(1<<30))})
	}
	return out
}
