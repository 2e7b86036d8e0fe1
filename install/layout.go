package install

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
)

// Names below the root of a store.
const (
	formatFile  = "FORMAT"
	lockFile    = "lock"
	currentFile = "current"
	genDir      = "gen"
	storeDir    = "store"
	dataDir     = "data"
	txDir       = "tx"
	historyDir  = "history"

	format        = "souk-store 1\n"
	stagingPrefix = ".new-"
	objectPrefix  = "sha256-"
	manifestFile  = "MANIFEST"
	treeDir       = "tree"
	logSuffix     = ".log"
)

// pointer is the content of the file current, which alone is the truth.
type pointer struct {
	Seq   uint64    `json:"seq"`             // rises with every write
	Gen   uint64    `json:"gen"`             // the generation that is installed, or on trial
	Prev  uint64    `json:"prev"`            // where a trial goes back to
	Last  uint64    `json:"last"`            // highest number any generation ever had
	Trial bool      `json:"trial,omitempty"` // not proved to work yet
	Tx    string    `json:"tx,omitempty"`
	Time  time.Time `json:"time"`
}

func genFile(n uint64) string { return path.Join(genDir, fmt.Sprintf("%010d", n)) }

func logFile(id string) string { return path.Join(txDir, id+logSuffix) }

func objectDir(name string) string { return path.Join(storeDir, name) }

func dataOf(id catalog.PluginID, n uint64) string {
	return path.Join(dataDir, string(id), fmt.Sprintf("%010d", n))
}

func validObject(name string) bool {
	hex, ok := strings.CutPrefix(name, objectPrefix)
	return ok && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}

func (s *Store) readGeneration(n uint64) (Generation, error) {
	var g Generation
	if err := readFrame(s.fs, genFile(n), maxGeneration, &g); err != nil {
		return g, err
	}
	if g.N != n {
		return g, fmt.Errorf("%w: %s says that it is generation %d", ErrCorrupt, genFile(n), g.N)
	}
	for id, p := range g.Plugins {
		if _, err := catalog.ParsePluginID(string(id)); err != nil || p.Plugin != id ||
			!validObject(p.Object) || !fs.ValidPath(p.Data) || !strings.HasPrefix(p.Data, dataDir+"/"+string(id)+"/") {
			return g, fmt.Errorf("%w: %s: plugin %.90q", ErrCorrupt, genFile(n), id)
		}
	}
	return g, nil
}

// chain returns the kept generations from the current one back.
func (s *Store) chain() ([]Generation, error) {
	g := s.Current()
	out := []Generation{g}
	for len(out) < s.o.Keep && g.N > 0 {
		parent := g.Parent
		if parent >= g.N {
			return nil, fmt.Errorf("%w: generation %d has parent %d", ErrCorrupt, g.N, parent)
		}
		next, err := s.readGeneration(parent)
		if errors.Is(err, fs.ErrNotExist) {
			break // no longer kept
		}
		if err != nil {
			return nil, err
		}
		out, g = append(out, next), next
	}
	return out, nil
}

// names lists a directory of the store that may be absent.
func (s *Store) names(dir string) ([]string, error) {
	list, err := s.fs.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = e.Name()
	}
	return out, nil
}

// order returns the plugins of a set with dependencies before dependants,
// otherwise by id. A circle, which the solver does not make, is broken anywhere.
func order(plugins map[catalog.PluginID]Installed) []catalog.PluginID {
	provider := make(map[catalog.PluginID][]catalog.PluginID)
	ids := make([]catalog.PluginID, 0, len(plugins))
	for id, p := range plugins {
		ids = append(ids, id)
		for _, other := range p.Manifest.Provides {
			provider[other] = append(provider[other], id)
		}
	}
	slices.SortFunc(ids, cmp.Compare)
	out := make([]catalog.PluginID, 0, len(ids))
	seen := make(map[catalog.PluginID]bool)
	var visit func(id catalog.PluginID)
	visit = func(id catalog.PluginID) {
		p, ok := plugins[id]
		if seen[id] || !ok {
			return
		}
		seen[id] = true
		for _, d := range p.Manifest.Dependencies {
			visit(d.ID)
			others := slices.Clone(provider[d.ID])
			slices.SortFunc(others, cmp.Compare)
			for _, o := range others {
				visit(o)
			}
		}
		out = append(out, id)
	}
	for _, id := range ids {
		visit(id)
	}
	return out
}

func parseGen(name string) (uint64, bool) {
	n, err := strconv.ParseUint(name, 10, 64)
	return n, err == nil && fmt.Sprintf("%010d", n) == name
}
