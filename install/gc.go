package install

import (
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/souk-dev/souk/sandbox/safefs"
)

// collect removes the generations that are not kept, and then the objects and data
// directories that no kept generation refers to. That a record is gone is durable
// before anything it refers to goes.
func (s *Store) collect() error {
	kept, err := s.chain()
	if err != nil {
		return err // with an unreadable record nobody knows what it refers to
	}
	keep := map[string]bool{}
	used := map[string]bool{}
	for _, g := range kept {
		keep[genFile(g.N)] = true
		for _, p := range g.Plugins {
			used[objectDir(p.Object)] = true
			used[p.Data] = true
		}
	}
	if err := s.removeRecords(keep); err != nil {
		return err
	}
	names, err := s.names(storeDir)
	if err != nil {
		return err
	}
	var errs []error
	for _, n := range names {
		if validObject(n) && !used[objectDir(n)] {
			errs = append(errs, s.fs.RemoveAll(objectDir(n)))
			s.forget(objectDir(n) + "/")
		}
	}
	return errors.Join(append(errs, s.collectData(used))...)
}

// forget drops what is known of hashed files below a directory.
func (s *Store) forget(prefix string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.seen, func(name string, _ stamp) bool { return strings.HasPrefix(name, prefix) })
}

func (s *Store) removeRecords(keep map[string]bool) error {
	names, err := s.names(genDir)
	if err != nil {
		return err
	}
	removed := false
	for _, n := range names {
		file := path.Join(genDir, n)
		if _, ok := parseGen(n); !ok || keep[file] {
			continue
		}
		if err := s.fs.Remove(file); err != nil {
			return err
		}
		removed = true
	}
	if !removed {
		return nil
	}
	return s.fs.SyncDir(genDir)
}

// collectData removes data/<publisher>/<name>/<generation> that is not used.
func (s *Store) collectData(used map[string]bool) error {
	var errs []error
	publishers, err := s.names(dataDir)
	if err != nil {
		return err
	}
	for _, pub := range publishers {
		plugins, err := s.names(path.Join(dataDir, pub))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		left := slices.Clone(plugins)
		for _, name := range plugins {
			dir := path.Join(dataDir, pub, name)
			if strings.HasPrefix(name, safefs.DeletedPrefix) {
				errs = append(errs, s.fs.RemoveAll(dir))
				left = slices.DeleteFunc(left, func(n string) bool { return n == name })
				continue
			}
			empty, err := s.collectPlugin(dir, used)
			if errs = append(errs, err); empty {
				left = slices.DeleteFunc(left, func(n string) bool { return n == name })
			}
		}
		if len(left) == 0 {
			errs = append(errs, s.fs.Remove(path.Join(dataDir, pub)))
		}
	}
	return errors.Join(errs...)
}

func (s *Store) collectPlugin(dir string, used map[string]bool) (empty bool, err error) {
	gens, err := s.names(dir)
	if err != nil {
		return false, err
	}
	left := 0
	for _, n := range gens {
		sub := path.Join(dir, n)
		if used[sub] {
			left++
			continue
		}
		if err := s.fs.RemoveAll(sub); err != nil {
			return false, err
		}
	}
	if left > 0 {
		return false, nil
	}
	return true, s.fs.Remove(dir)
}
