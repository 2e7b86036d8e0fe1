package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox/phrase"
	"github.com/souk-dev/souk/sandbox/safefs"
)

// recover brings the store from whatever state it is in to a settled one: the
// current generation if it was committed, the one before if it was on trial. It is
// what a start after a crash does and what a failed transaction does; there is no
// other way to undo. Doing it twice is doing it once.
//
// hooks says what the Host could not do; the set on disk is settled nevertheless.
// err says that it is not settled; then the store is read-only.
func (s *Store) recover(ctx context.Context) (hooks, err error) {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.doubt = err
		if err == nil {
			s.unsaved = false
		}
	}()
	if err := s.sweep(); err != nil { // first: it makes room on a full disk
		return nil, err
	}
	if err := s.settle(); err != nil {
		return nil, err
	}
	open, err := s.unfinished()
	if err != nil {
		return nil, err
	}
	for _, u := range open {
		hooks = errors.Join(hooks, s.restore(ctx, u))
	}
	for _, u := range open {
		if err := s.finish(u.file, s.ending(u)); err != nil {
			return hooks, err
		}
	}
	if err := s.collect(); err != nil {
		s.o.Log.Warn("what is no longer needed could not be removed", "error", err)
	}
	return hooks, nil
}

// sweep removes what nothing refers to yet, or any more.
func (s *Store) sweep() error {
	names, err := s.names(storeDir)
	if err != nil {
		return err
	}
	for _, n := range names {
		if strings.HasPrefix(n, stagingPrefix) || strings.HasPrefix(n, safefs.DeletedPrefix) {
			if err := s.fs.RemoveAll(path.Join(storeDir, n)); err != nil {
				return err
			}
		}
	}
	for _, dir := range []string{".", genDir, txDir, historyDir, dataDir} {
		if err := s.fs.Sweep(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// settle reads current and ends a trial.
func (s *Store) settle() error {
	var p pointer
	err := readFrame(s.fs, currentFile, maxPointer, &p)
	if errors.Is(err, fs.ErrNotExist) {
		return s.initialise()
	}
	if err != nil {
		return err
	}
	if err := s.fs.SyncDir("."); err != nil { // what was read may not be durable yet
		return fmt.Errorf("%w: %w", ErrInDoubt, err)
	}
	n := p.Gen
	if p.Trial {
		n = p.Prev
	}
	g, err := s.readGeneration(n)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		return err
	}
	if p.Trial || s.inDoubt() {
		p = pointer{Seq: p.Seq + 1, Gen: n, Prev: n, Last: p.Last, Time: s.o.Now()}
		if err := writeFrame(s.fs, currentFile, p); err != nil {
			return err
		}
	}
	s.set(p, g)
	return nil
}

func (s *Store) inDoubt() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.doubt != nil
}

func (s *Store) set(p pointer, g Generation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cur, s.gen = p, g
}

// initialise makes an empty store. It is only for a directory in which no
// transaction ever began: a lost pointer is damage, not an empty set.
func (s *Store) initialise() error {
	for _, dir := range []string{genDir, storeDir, txDir, historyDir} {
		names, err := s.names(dir)
		if err != nil {
			return err
		}
		for _, n := range names {
			if n != path.Base(genFile(0)) {
				return fmt.Errorf("%w: %s is missing, but there is %s", ErrCorrupt, currentFile, path.Join(dir, n))
			}
		}
	}
	if err := s.fs.WriteFile(formatFile, []byte(format), 0o600); err != nil {
		return err
	}
	for _, dir := range []string{genDir, storeDir, dataDir, txDir, historyDir} {
		if err := s.fs.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	now := s.o.Now()
	g := Generation{Plugins: map[catalog.PluginID]Installed{}, Reason: "a new store", Says: phrase.Of("install.new", "a new store"), Time: now}
	if err := writeFrame(s.fs, genFile(0), g); err != nil {
		return err
	}
	if err := s.fs.SyncDir("."); err != nil { // or current could be durable before the name of gen is
		return err
	}
	p := pointer{Seq: 1, Time: now}
	if err := writeFrame(s.fs, currentFile, p); err != nil {
		return err
	}
	s.set(p, g)
	return nil
}

// unfinished returns the transactions that have a log, oldest first. There is more
// than one only when an earlier end could not be written down.
func (s *Store) unfinished() ([]unfinished, error) {
	names, err := s.names(txDir)
	if err != nil {
		return nil, err
	}
	var out []unfinished
	for _, n := range names {
		file := path.Join(txDir, n)
		if !strings.HasSuffix(n, logSuffix) {
			continue
		}
		u, begun, err := s.readUnfinished(file)
		if err != nil {
			return nil, err
		}
		if !begun {
			if err := s.fs.Remove(file); err != nil {
				return nil, err
			}
			if err := s.fs.SyncDir(txDir); err != nil {
				return nil, err
			}
			continue
		}
		out = append(out, u)
	}
	return out, nil
}

// ending is how a transaction with a log ended, by the generation that is current now.
func (s *Store) ending(u unfinished) Entry {
	e := u.entry
	e.Ended = s.o.Now()
	switch {
	case s.Current().Tx == e.ID:
		e.State = StateDone
	case u.fail != nil:
		e.State, e.Error = u.fail.State, u.fail.Error
	default:
		e.State, e.Error = StateFailed, "the panel stopped in the middle of it; everything was put back"
	}
	return e
}

// restore brings the Host to the settled set, for the plugins of a transaction
// that was not committed. In a process that has not started plugins yet, what may
// run is stopped; Start does the rest.
func (s *Store) restore(ctx context.Context, u unfinished) error {
	g := s.Current()
	if !u.stopped || g.Tx == u.entry.ID {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	concerned := touched(u.entry.Changes)
	all := maps.Clone(g.Plugins)
	for _, id := range concerned {
		if _, ok := all[id]; !ok {
			all[id] = s.locate(Installed{Ref: catalog.Ref{Plugin: id}})
		}
	}
	var errs []error
	sequence := slices.DeleteFunc(order(all), func(id catalog.PluginID) bool { return !slices.Contains(concerned, id) })
	for _, id := range slices.Backward(sequence) {
		if err := s.deactivate(ctx, all[id]); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", id, err))
		}
	}
	for _, id := range sequence {
		p, ok := g.Plugins[id]
		if !ok || !p.Enabled || !s.started {
			continue
		}
		if err := s.activateChecked(ctx, p); err != nil {
			errs = append(errs, fmt.Errorf("start %s again: %w", p.Ref, err))
		}
	}
	return errors.Join(errs...)
}
