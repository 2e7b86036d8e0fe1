package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/hub/client"
	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/sandbox/safefs"
)

// Bounds of the link's patience.
const (
	ReadWait  = 1500 * time.Millisecond // for what a page shows: the rest of it is there without
	WriteWait = 5 * time.Second         // for what a person does: the hub may have to write it durably
	RestAfter = 10 * time.Second        // during which a hub that did not answer is not asked by readers
	maxReads  = 8                       // requests of readers at the same time

	pollWait   = 4 * time.Second // for one poll
	checkEvery = time.Hour       // between two looks whether the link still stands
	idle       = time.Minute     // between two looks whether something is due
)

// Market is what a link has to know of the panel's market; *marketplace.Market is one.
type Market interface {
	Installed() []install.Installed
	History() ([]install.Entry, error)
}

// Options are the choices of [Open]. Hub, Name and Market are required.
type Options struct {
	Hub    string // address, "https://hub.example.org"; plain http for loopback only
	Name   string // of the panel, for the person who links it
	Market Market
	// PanelVersion is told with the numbers. Empty: not said.
	PanelVersion string
	// Telemetry says that the panel's owner shares what is installed, once a day.
	Telemetry  bool
	HTTPClient *http.Client     // nil: one of the link's own
	Now        func() time.Time // nil: time.Now
	Log        *slog.Logger     // nil: nothing is logged
}

// Link is a panel's link to a hub. It is safe for concurrent use.
type Link struct {
	o      Options
	hub    *client.Client // without a token
	root   *safefs.Root
	lock   *safefs.Lock
	cache  *cache
	reads  chan struct{} // slots
	change chan struct{} // held by who changes the link: one at a time
	poke   chan struct{} // wakes Run

	mu       sync.Mutex
	state    state
	away     time.Time // until when readers do not ask the hub
	next     time.Time // when the next poll is due
	checked  time.Time // when the hub last accepted the token
	nextTell time.Time // when numbers are due again after an error
}

var _ store.Community = (*Link)(nil)

// Open opens the link kept in a directory, which is created when absent. It does not use
// the network. Close it when done.
func Open(dir string, o Options) (_ *Link, err error) {
	if o.Market == nil {
		return nil, errors.New("link: Options.Market is nil")
	}
	if o.Name == "" || catalog.CheckText(o.Name, 60) != nil {
		return nil, fmt.Errorf("link: Options.Name %.60q is no name of at most 60 characters in one line", o.Name)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c, err := client.New(o.Hub, client.Options{HTTPClient: o.HTTPClient, UserAgent: "souk-panel"})
	if err != nil {
		return nil, fmt.Errorf("link: %w", err)
	}
	l := &Link{
		o: o, hub: c, cache: newCache(o.Now), reads: make(chan struct{}, maxReads), change: make(chan struct{}, 1), poke: make(chan struct{}, 1),
	}
	if l.root, err = safefs.Open(dir, safefs.Options{}); err != nil {
		return nil, fmt.Errorf("link: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if l.lock, err = l.root.Lock(lockFile); err != nil {
		return nil, fmt.Errorf("link: another panel uses %s: %w", dir, err)
	}
	if err := l.load(); err != nil {
		return nil, fmt.Errorf("link: %w", err)
	}
	return l, nil
}

// Close lets go of the directory. Call it after Run has returned.
func (l *Link) Close() error {
	var err error
	if l.lock != nil {
		err = l.lock.Unlock()
	}
	return errors.Join(err, l.root.Close())
}

// Run polls while a person is to type the code, looks now and then whether the link still
// stands, and tells numbers where that is allowed, until ctx ends, whose error it returns.
func (l *Link) Run(ctx context.Context) error {
	for {
		t := time.NewTimer(l.work(ctx))
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-l.poke:
			t.Stop()
		case <-t.C:
		}
	}
}

// work does what is due and returns how long nothing will be.
func (l *Link) work(ctx context.Context) time.Duration {
	s := l.snapshot()
	switch {
	case s.Waiting != nil:
		return l.poll(ctx, *s.Waiting)
	case s.Token != "":
		if !l.check(ctx, s) {
			return RestAfter
		}
		l.tell(ctx)
	}
	return idle
}

func (l *Link) wake() {
	select {
	case l.poke <- struct{}{}:
	default: // it is about to wake anyway
	}
}

// take waits for the right to change the link, not longer than ctx.
func (l *Link) take(ctx context.Context) (release func(), err error) {
	select {
	case l.change <- struct{}{}:
		return func() { <-l.change }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("the link is being changed: %w", catalog.ErrUnavailable)
	}
}

// Account says how the link stands.
func (l *Link) Account() store.Account {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.state
	a := store.Account{Hub: l.hub.Address(), State: store.LinkNone, Name: s.Name, Problem: s.Problem}
	switch {
	case s.Waiting != nil:
		a.State, a.Code, a.URL, a.Until = store.LinkWaiting, s.Waiting.UserCode, s.Waiting.URI, s.Waiting.Until
	case s.Token != "":
		a.State = store.LinkLinked
	case s.Lost:
		a.State = store.LinkLost
	}
	return a
}
