package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/edge"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/hub/server"
)

// engines are the databases that figures are taken on, one after the other in one run.
func engines(b *testing.B, run func(b *testing.B, dsn string)) {
	b.Run("sqlite", func(b *testing.B) { run(b, "") })
	b.Run("postgres", func(b *testing.B) {
		dsn, _ := hubtest.Postgres(b)
		run(b, dsn)
	})
}

// big is a hub with many plugins and ratings that serves on a port, on disk and synced.
type big struct {
	s       *server.Server
	url     string
	town    *hubtest.Town
	plugins int
	stop    func()
}

// size is 10,000 plugins with a million ratings, and little with -short.
func size() (plugins, raters int) {
	if testing.Short() {
		return 50, 5
	}
	return 10_000, 100
}

func openBig(b *testing.B, dsn string) *big {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	x := &big{url: "http://localhost:" + port(l.Addr().String())}
	dir := filepath.Join(b.TempDir(), "hub")
	o := server.Options{Dir: dir, BaseURL: x.url, Postgres: dsn, Limits: edge.Limits{Read: 1 << 30, Write: 1 << 30, SignIn: 1 << 30}}
	x.s, err = server.Open(b.Context(), o)
	require.NoError(b, err)
	x.town = hubtest.NewTown(x.s, x.url)
	web := &http.Server{Handler: x.s, ReadHeaderTimeout: time.Second}
	served := make(chan error, 1)
	go func() { served <- web.Serve(l) }()
	x.stop = func() {
		require.NoError(b, web.Close())
		<-served
		require.NoError(b, x.s.Close())
	}
	return x
}

// fill writes plugins, releases and ratings as they would be after years.
func (x *big) fill(b *testing.B) {
	b.Helper()
	ctx := b.Context()
	var raters int
	x.plugins, raters = size()
	now := time.Now()
	require.NoError(b, x.s.Store.Update(ctx, func(tx hub.Tx) error {
		for r := range raters {
			if err := tx.Accounts().Insert(ctx, &hub.Account{ID: fmt.Sprintf("acc_%04d", r), Name: fmt.Sprintf("Rater %d", r), State: hub.AccountActive, Created: now}); err != nil {
				return err
			}
		}
		return nil
	}))
	for from := 0; from < x.plugins; from += 200 {
		require.NoError(b, x.s.Store.Update(ctx, func(tx hub.Tx) error {
			for n := from; n < min(from+200, x.plugins); n++ {
				if err := putPlugin(ctx, tx, n, raters, now); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

func id(n int) string { return fmt.Sprintf("pub%03d/plugin-%05d", n%997, n) }

func putPlugin(ctx context.Context, tx hub.Tx, n, raters int, now time.Time) error {
	m := hubtest.Manifest(catalog.PluginID(id(n)), "1.0.0")
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	at := now.Add(-time.Duration(n) * time.Minute)
	publisher := m.ID.Publisher()
	if n < 997 {
		if err := tx.Publishers().Insert(ctx, &hub.Publisher{Namespace: publisher, Name: publisher, State: hub.PublisherActive, Created: at}); err != nil {
			return err
		}
	}
	if err := tx.Plugins().Insert(ctx, &hub.Plugin{ID: id(n), Publisher: publisher, Name: m.Name, Summary: m.Summary, Categories: []string{"storage"}, Latest: "1.0.0", State: hub.PluginListed, Created: at, Updated: at}); err != nil {
		return err
	}
	if err := tx.Releases().Insert(ctx, &hub.Release{Plugin: id(n), Version: "1.0.0", Publisher: publisher, Digest: fmt.Sprintf("sha256:%064d", n), Content: fmt.Sprintf("sha256:%063d1", n), Manifest: raw, Notes: json.RawMessage(`{"added":["It."]}`), Channel: "stable", Percent: 100, Published: at}); err != nil {
		return err
	}
	score := hub.Score{Plugin: id(n)}
	for r := range raters {
		stars := 1 + (n*7+r*3)%5
		if err := tx.Ratings().Insert(ctx, &hub.Rating{
			Plugin: id(n), Account: fmt.Sprintf("acc_%04d", r), Stars: stars, Text: "Works as it says, on two servers, for half a year now.", State: hub.Shown,
			Helpful: (n + r) % 17, Created: at, Updated: at.Add(time.Duration(r) * time.Second),
		}); err != nil {
			return err
		}
		*[]*int64{&score.S1, &score.S2, &score.S3, &score.S4, &score.S5}[stars-1]++
	}
	return tx.Scores().Insert(ctx, &score)
}

// readers are so many connections that read all the time, each waiting for its answer.
const readers = 100

// read asks for n pages over all connections and returns how long each took.
func (x *big) read(b *testing.B, n int) []time.Duration {
	b.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: readers, MaxConnsPerHost: readers}
	defer transport.CloseIdleConnections()
	web := &http.Client{Transport: transport}
	took := make([]time.Duration, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range readers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				plugin := id(i * 7919 % x.plugins)
				path := []string{
					"/api/v1/plugins/" + plugin, "/api/v1/plugins/" + plugin + "/ratings?sort=helpful", "/api/v1/plugins/" + plugin + "/ratings/summary",
					"/api/v1/plugins/" + plugin + "/releases", "/api/v1/plugins?category=storage",
				}[i%5]
				began := time.Now()
				resp, err := web.Get(x.url + path)
				if err != nil {
					b.Error(err)
					return
				}
				_, err = io.Copy(io.Discard, resp.Body)
				took[i] = time.Since(began)
				if resp.Body.Close() != nil || err != nil || resp.StatusCode != http.StatusOK {
					b.Errorf("%s: %s %v", path, resp.Status, err)
					return
				}
			}
		}()
	}
	wg.Wait()
	return took
}

func report(b *testing.B, took []time.Duration, whole time.Duration) {
	slices.Sort(took)
	at := func(p float64) float64 { return float64(took[int(p*float64(len(took)-1))].Microseconds()) / 1000 }
	b.ReportMetric(at(.5), "p50-ms")
	b.ReportMetric(at(.99), "p99-ms")
	b.ReportMetric(float64(len(took))/whole.Seconds(), "pages/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkReaders: 100 connections read a hub with 10,000 plugins and a million ratings.
func BenchmarkReaders(b *testing.B) {
	engines(b, func(b *testing.B, dsn string) {
		x := openBig(b, dsn)
		defer x.stop()
		x.fill(b)
		n := 20_000
		if testing.Short() {
			n = 200
		}
		x.read(b, n/20)
		for b.Loop() {
			began := time.Now()
			report(b, x.read(b, n), time.Since(began))
		}
	})
}

// BenchmarkScanning: 500 submissions are validated and scanned while 100 connections read.
// The first pair of figures is of readers alone, in the same run.
func BenchmarkScanning(b *testing.B) {
	engines(b, func(b *testing.B, dsn string) {
		x := openBig(b, dsn)
		defer x.stop()
		ctx := b.Context()
		pile := 500
		if testing.Short() {
			pile = 5
		}
		admin, err := x.town.Enrol(ctx, "Ada Admin", hub.RoleAdmin)
		require.NoError(b, err)
		a, err := x.town.ActorOf(ctx, admin)
		require.NoError(b, err)
		_, err = x.s.Publishing.SetPolicy(ctx, a, 0, hub.Policy{SubmissionsDay: pile})
		require.NoError(b, err)
		time.Sleep(1100 * time.Millisecond) // the policy is read at most once a second
		olga, err := x.town.Enrol(ctx, "Olga Owner")
		require.NoError(b, err)
		acme, err := x.town.Found(ctx, olga, "acme")
		require.NoError(b, err)
		x.fill(b)
		for i := range pile {
			_, err := x.town.Submit(ctx, acme, hubtest.Plugin{Manifest: hubtest.Manifest(catalog.PluginID("acme/p-"+strconv.Itoa(i)), "1.0.0")})
			require.NoError(b, err)
		}
		n := 2000
		if testing.Short() {
			n = 100
		}
		x.read(b, n) // warm, so that the two figures differ by the work alone
		for b.Loop() {
			alone := x.read(b, n)
			slices.Sort(alone)
			working, stop := context.WithCancel(ctx)
			ran := make(chan error, 1)
			began := time.Now()
			go func() { ran <- x.s.Run(working) }()
			var took []time.Duration
			for left := int64(1); left > 0; {
				took = append(took, x.read(b, n)...)
				require.NoError(b, x.s.Store.View(ctx, func(tx hub.Tx) error {
					var err error
					left, err = tx.Submissions().Count(ctx, hub.In("state", []hub.State{hub.StateSubmitted, hub.StateValidating, hub.StateScanning}))
					return err
				}))
			}
			whole := time.Since(began)
			stop()
			require.NoError(b, <-ran)
			report(b, took, whole)
			b.ReportMetric(float64(alone[int(.99*float64(n-1))].Microseconds())/1000, "p99-alone-ms")
			b.ReportMetric(float64(pile)/whole.Seconds(), "scanned/s")
		}
	})
}

// BenchmarkOpen: a hub that has 10,000 plugins and a million ratings starts.
func BenchmarkOpen(b *testing.B) {
	engines(b, func(b *testing.B, dsn string) {
		x := openBig(b, dsn)
		x.fill(b)
		dir := x.s.Dir()
		x.stop()
		for b.Loop() {
			s, err := server.Open(b.Context(), server.Options{Dir: dir, BaseURL: x.url, Postgres: dsn})
			require.NoError(b, err)
			b.StopTimer()
			require.NoError(b, s.Close())
			b.StartTimer()
		}
	})
}
