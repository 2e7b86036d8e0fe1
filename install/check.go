package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/souk-dev/souk/sandbox/safefs"
)

// Check reads the whole store and compares it with what it should be: the records
// of all kept generations, every object with every file, the data directories, and
// that nothing of an unfinished transaction is left. It changes nothing. All that
// is wrong is in the error: [ErrCorrupt], [ErrModified], [ErrInDoubt].
func (s *Store) Check(ctx context.Context) error {
	if err := s.begin(); err != nil {
		return err
	}
	defer s.busy.Unlock()
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if s.unsettled() {
		bad("%w: call Recover", ErrInDoubt)
	}
	var p pointer
	if err := readFrame(s.fs, currentFile, maxPointer, &p); err != nil {
		bad("%w", err)
	} else if cur := s.pointer(); p.Seq != cur.Seq || p.Gen != cur.Gen || p.Trial {
		bad("%w: current is %+v on disk and %+v in memory", ErrCorrupt, p, cur)
	}
	kept, err := s.chain()
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	checked := make(map[string]bool)
	for _, g := range kept {
		for _, pl := range g.Plugins {
			if !checked[pl.Object] {
				checked[pl.Object] = true
				if err := s.checkObject(ctx, pl.Object, true); err != nil {
					bad("generation %d: %s: %w", g.N, pl.Ref, err)
				}
			}
			if err := s.checkData(pl.Data); err != nil {
				bad("generation %d: %s: %w", g.N, pl.Ref, err)
			}
		}
	}
	errs = append(errs, s.leftovers()...)
	if _, err := s.History(); err != nil {
		bad("%w", err)
	}
	return errors.Join(errs...)
}

// leftovers reports what only a transaction that is not finished may have.
func (s *Store) leftovers() (errs []error) {
	for _, dir := range []string{".", genDir, storeDir, txDir, historyDir} {
		names, err := s.names(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		for _, n := range names {
			if dir == txDir || strings.HasPrefix(n, stagingPrefix) || strings.HasPrefix(n, safefs.TempPrefix) || strings.HasPrefix(n, safefs.DeletedPrefix) {
				errs = append(errs, fmt.Errorf("%w: %s is left over", ErrCorrupt, path.Join(dir, n)))
			}
		}
	}
	return errs
}
