package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox/safefs"
	"github.com/souk-dev/souk/verify"
)

// ErrClosed means that the Store was closed.
var ErrClosed = errors.New("the store is closed")

// Store is the set of installed plugins, on disk. One process at a time has it
// open. It is safe for concurrent use; of the methods that change something, only
// one runs at a time, and another call meanwhile fails with [ErrBusy].
type Store struct {
	fs    *safefs.Root
	lock  *safefs.Lock
	o     Options
	calls chan struct{} // holds a token while the Host is in a call

	busy sync.Mutex // held by what changes something; guards started and live

	started bool                      // Start was called
	live    map[catalog.PluginID]bool // what this process activated last, and has not deactivated

	mu      sync.RWMutex
	closed  bool
	cur     pointer
	gen     Generation
	doubt   error                    // why Recover has to succeed before anything else
	unsaved bool                     // a transaction's end is not written down yet
	signers map[verify.Digest]string // of releases refused because somebody else signed
	seen    map[string]stamp         // files that were hashed, by path
}

// Open opens the store in dir, creates it when there is none, and finishes or
// undoes what a crash interrupted. It fails with [ErrBusy] when another process
// has it open and with [ErrCorrupt] when a file of it is damaged. It starts no
// plugin: see [Store.Start]; it may stop those that an interrupted change was about.
func Open(ctx context.Context, dir string, o Options) (*Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	root, err := safefs.Open(dir, safefs.Options{Fault: o.Fault, Network: o.Network})
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{
		fs: root, o: o, calls: make(chan struct{}, 1),
		live:    make(map[catalog.PluginID]bool),
		signers: make(map[verify.Digest]string),
		seen:    make(map[string]stamp),
	}
	if s.lock, err = root.Lock(lockFile); err != nil {
		if errors.Is(err, safefs.ErrLocked) {
			err = fmt.Errorf("%w: %w", ErrBusy, err)
		}
		return nil, errors.Join(fmt.Errorf("open store: %w", err), root.Close())
	}
	if err = s.checkFormat(); err == nil {
		_, err = s.recover(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store: %w", err), s.lock.Unlock(), root.Close())
	}
	return s, nil
}

func (s *Store) checkFormat() error {
	b, err := s.fs.ReadFile(formatFile, 100)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // new, or cut before anything was written: see initialise
	}
	if err != nil {
		return err
	}
	if string(b) != format {
		return fmt.Errorf("%s is %q, this version reads %q: use the version that wrote it", formatFile, strings.TrimSpace(string(b)), strings.TrimSpace(format))
	}
	return nil
}

// Close gives the store back, after a running change ended. It stops no plugin.
// Closing twice is harmless.
func (s *Store) Close() error {
	s.busy.Lock()
	defer s.busy.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return errors.Join(s.lock.Unlock(), s.fs.Close())
}

// begin takes the store for a change. Whoever gets nil calls s.busy.Unlock.
func (s *Store) begin() error {
	if !s.busy.TryLock() {
		return ErrBusy
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		s.busy.Unlock()
		return ErrClosed
	}
	return nil
}

// Current returns the installed generation, with the absolute directories set.
func (s *Store) Current() Generation {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.located(s.gen)
}

func (s *Store) located(g Generation) Generation {
	g.Plugins = maps.Clone(g.Plugins)
	for id, p := range g.Plugins {
		g.Plugins[id] = s.locate(p)
	}
	return g
}

func (s *Store) locate(p Installed) Installed {
	p.Dir = s.fs.Abs(objectDir(p.Object) + "/" + treeDir)
	p.DataDir = s.fs.Abs(p.Data)
	return p
}

// Generations returns the kept generations, the current one first. It fails with
// [ErrCorrupt] when the record of one is damaged.
func (s *Store) Generations() ([]Generation, error) {
	list, err := s.chain()
	if err != nil {
		return nil, err
	}
	for i := range list {
		list[i] = s.located(list[i])
	}
	return list, nil
}

// Installed returns the plugins of the current generation by id, disabled ones too.
func (s *Store) Installed() []Installed {
	g := s.Current()
	return slices.SortedFunc(maps.Values(g.Plugins), func(a, b Installed) int {
		return strings.Compare(string(a.Plugin), string(b.Plugin))
	})
}

// Recover finishes or undoes what was interrupted. Open has done it; call it again
// when a change failed with [ErrInDoubt].
func (s *Store) Recover(ctx context.Context) error {
	if err := s.begin(); err != nil {
		return err
	}
	defer s.busy.Unlock()
	hooks, err := s.recover(ctx)
	return errors.Join(err, hooks)
}
