package install

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/souk-dev/souk/catalog"
)

// longer is how many times HookTimeout the slow calls have: Prepare compiles,
// Migrate rewrites data.
const longer = 10

// call runs one call of the Host with a time limit; a panic is an error. A Host
// that does not return in time is left to end on its own, and no other call begins
// before it did, so that calls never overlap.
func (s *Store) call(parent context.Context, what string, limit time.Duration, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(parent, limit)
	defer cancel()
	select {
	case s.calls <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("%s: the host is still busy with an earlier call: %w", what, context.Cause(ctx))
	}
	done := make(chan error, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				s.o.Log.Error("the host panicked", "call", what, "panic", v, "stack", string(debug.Stack()))
				done <- fmt.Errorf("%s: the host panicked: %v", what, v)
			}
			<-s.calls
		}()
		done <- f(ctx)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		select { // it may have returned at the same moment
		case err := <-done:
			return err
		default:
		}
		if parent.Err() != nil {
			return fmt.Errorf("%s: %w", what, context.Cause(parent))
		}
		return fmt.Errorf("%s: no answer within %s: %w", what, limit, context.Cause(ctx))
	}
}

func (s *Store) activate(ctx context.Context, p Installed) error {
	s.live[p.Plugin] = true // also when it fails: it may run half
	return s.call(ctx, "activate", s.o.HookTimeout, func(ctx context.Context) error { return s.o.Host.Activate(ctx, p) })
}

// activateChecked is activate for what was not just put there: it is verified
// first, and Allow is asked.
func (s *Store) activateChecked(ctx context.Context, p Installed) error {
	if err := s.allowed(p); err != nil {
		return err
	}
	if err := s.checkObject(ctx, p.Object, false); err != nil {
		return err
	}
	return s.activate(ctx, p)
}

func (s *Store) allowed(p Installed) error {
	if s.o.Allow == nil {
		return nil
	}
	return s.o.Allow(p)
}

func (s *Store) deactivate(ctx context.Context, p Installed) error {
	err := s.call(ctx, "deactivate", s.o.HookTimeout, func(ctx context.Context) error { return s.o.Host.Deactivate(ctx, p) })
	if err == nil {
		delete(s.live, p.Plugin)
	}
	return err
}

// StartError says why an enabled plugin does not run.
type StartError struct {
	Plugin Installed
	Err    error // ErrModified, what Options.Allow said, or the Host's error
}

func (e *StartError) Error() string { return fmt.Sprintf("start %s: %v", e.Plugin.Ref, e.Err) }

// Unwrap returns the cause.
func (e *StartError) Unwrap() error { return e.Err }

// Start activates every enabled plugin of the current generation that passes
// [Store.Verify] and Options.Allow, dependencies first, and returns what does not
// run; nil when all do. One that does not start keeps no other from starting. It
// is for the start of the process. Calling it again is harmless and useful when
// Allow would now say otherwise: what it refuses is then stopped.
//
// A store that is busy or closed is a single StartError without a plugin.
func (s *Store) Start(ctx context.Context) []*StartError {
	if err := s.begin(); err != nil {
		return []*StartError{{Err: err}}
	}
	defer s.busy.Unlock()
	s.started = true
	g := s.Current()
	var out []*StartError
	for _, id := range order(g.Plugins) {
		p := g.Plugins[id]
		if !p.Enabled {
			continue
		}
		err := s.allowed(p)
		if err == nil {
			err = s.checkObject(ctx, p.Object, false)
		}
		switch {
		case err == nil:
			err = s.activate(ctx, p)
		case s.live[id]:
			if derr := s.deactivate(ctx, p); derr != nil {
				err = errors.Join(err, fmt.Errorf("stop: %w", derr))
			}
		}
		if err != nil {
			s.o.Log.Warn("plugin does not run", "plugin", id, "version", p.Version, "error", err)
			out = append(out, &StartError{p, err})
		}
	}
	return out
}

// Verify is the check before a plugin is run: Options.Allow, the manifest of its
// object, and its files, which are hashed when they look different from when they
// were hashed last, or an hour went by. It returns the plugin with its directories
// set. Errors wrap [catalog.ErrNotFound], [ErrModified] or what Allow said.
func (s *Store) Verify(ctx context.Context, id catalog.PluginID) (Installed, error) {
	for {
		g := s.Current()
		p, ok := g.Plugins[id]
		if !ok {
			return Installed{}, fmt.Errorf("plugin %s: %w", id, catalog.ErrNotFound)
		}
		err := s.allowed(p)
		if err == nil {
			err = s.checkObject(ctx, p.Object, false)
		}
		if err == nil {
			return p, nil
		}
		if s.Current().N == g.N || ctx.Err() != nil { // else it was replaced meanwhile
			return Installed{}, &catalog.RefError{Op: "verify", Ref: p.Ref, Err: err}
		}
	}
}

// prepare calls the Host's Preparer, when it is one.
func (s *Store) prepare(ctx context.Context, p Installed) error {
	h, ok := s.o.Host.(Preparer)
	if !ok {
		return nil
	}
	return s.call(ctx, "prepare", longer*s.o.HookTimeout, func(ctx context.Context) error { return h.Prepare(ctx, p) })
}

func (s *Store) migrate(ctx context.Context, from, to Installed) error {
	h, ok := s.o.Host.(Migrator)
	if !ok {
		return nil
	}
	return s.call(ctx, "migrate", longer*s.o.HookTimeout, func(ctx context.Context) error { return h.Migrate(ctx, from, to) })
}
