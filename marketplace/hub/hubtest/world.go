package hubtest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/client"
	"github.com/souk-dev/souk/marketplace/hub/edge"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
	"github.com/souk-dev/souk/marketplace/hub/server"
)

// Options are the choices of [New]. The zero value is an empty hub that listens on
// localhost, with the policy's defaults.
type Options struct {
	// Server is what the hub is opened with; Dir, BaseURL and Volatile are filled in.
	Server server.Options
	Policy hub.Policy // zero: the defaults
	// Seed publishes two publishers' plugins, with ratings: see [Seed].
	Seed bool
}

// World is a hub that runs, and the people in it.
type World struct {
	*Town
	URL string // "http://localhost:43210"

	t testing.TB
}

// New starts a hub for a test. It listens on localhost, does its jobs, and ends with the
// test. Limits of requests are out of the way unless the options have some.
func New(t testing.TB, o Options) *World {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	url := fmt.Sprintf("http://localhost:%d", l.Addr().(*net.TCPAddr).Port)
	so := o.Server
	so.BaseURL, so.Volatile = url, so.Postgres == ""
	if so.Dir == "" {
		so.Dir = t.TempDir()
	}
	if so.Limits.Read == 0 {
		so.Limits = edge.Limits{Read: 1 << 20, Write: 1 << 20, SignIn: 1 << 20}
	}
	s, err := server.Open(t.Context(), so)
	require.NoError(t, err)
	web := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ran, served := make(chan error, 1), make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	go func() { served <- web.Serve(l) }()
	t.Cleanup(func() {
		require.NoError(t, web.Close())
		<-served
		stop()
		require.NoError(t, <-ran)
		require.NoError(t, s.Close())
	})
	w := &World{Town: NewTown(s, url), URL: url, t: t}
	if o.Policy != (hub.Policy{}) {
		admin := w.Person("Ada Admin", hub.RoleAdmin)
		_, err := s.Publishing.SetPolicy(t.Context(), w.Actor(admin), 0, o.Policy)
		require.NoError(t, err)
	}
	if o.Seed {
		require.NoError(t, w.Seed(t.Context(), Small(), func(string) {}))
	}
	return w
}

// Person is [Town.Enrol].
func (w *World) Person(name string, roles ...hub.Role) *Person {
	w.t.Helper()
	p, err := w.Enrol(w.t.Context(), name, roles...)
	require.NoError(w.t, err)
	return p
}

// Actor returns a person as the services see them, signed in just now.
func (w *World) Actor(p *Person) hub.Actor {
	w.t.Helper()
	a, err := w.ActorOf(w.t.Context(), p)
	require.NoError(w.t, err)
	return a
}

// Client returns a client that acts for a person, with all verbs their token can have.
func (w *World) Client(p *Person) *client.Client {
	w.t.Helper()
	c, err := w.ClientOf(w.t.Context(), p)
	require.NoError(w.t, err)
	return c
}

// Publisher is [Town.Found].
func (w *World) Publisher(owner *Person, namespace string) *Publisher {
	w.t.Helper()
	p, err := w.Found(w.t.Context(), owner, namespace)
	require.NoError(w.t, err)
	return p
}

// Publish takes a release the whole way: packed, pushed, submitted, scanned, approved by
// as many reviewers as it needs, published. It returns the release.
func (w *World) Publish(p *Publisher, x Plugin) hub.Release {
	w.t.Helper()
	r, err := w.Town.Publish(w.t.Context(), p, x)
	require.NoError(w.t, err)
	return r
}

// Submit takes a release as far as the queue of reviewers, or to where it does not get on.
func (w *World) Submit(p *Publisher, x Plugin) publishing.Detail {
	w.t.Helper()
	sub, err := w.Town.Submit(w.t.Context(), p, x)
	require.NoError(w.t, err)
	d, err := w.Town.Settle(w.t.Context(), p.Owner, sub.ID)
	require.NoError(w.t, err)
	return d
}
