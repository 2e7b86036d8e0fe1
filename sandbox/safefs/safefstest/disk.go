package safefstest

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"

	"github.com/souk-dev/souk/sandbox/safefs"
)

// Disk is a model of what a power cut may leave of a [safefs.Root]. It watches the
// operations as a [safefs.Fault] that fails nothing, and knows of every directory
// which names are durable, and of every file which content is:
//
//   - a name is durable only after its directory was synced;
//   - content is durable only after the file was synced;
//   - until then any subset of the changes may be there: a name or the one before
//     it, and of a file the old content, the new one, the beginning of the new one,
//     or zeros of its length.
//
// That is less than the common file systems promise. What others write below the
// Root, a plugin for example, is taken up when it is synced through the Root.
type Disk struct {
	mu   sync.Mutex
	real string // the directory that is watched
	root *inode
	each func() // after every change
}

type inode struct {
	dir     bool
	link    string
	perm    fs.FileMode
	now     []byte // content as programs see it
	durable []byte // content after a power cut at the worst
	names   map[string]*inode
	kept    map[string]*inode // names that are durable
}

// NewDisk returns the model of the directory dir as it is now, all of it durable.
// each, unless nil, is called after every operation that changes something, from
// the goroutine that does it: the moment for [Disk.Cut].
func NewDisk(dir string, each func()) (*Disk, error) {
	d := &Disk{real: dir, each: each, root: &inode{dir: true, perm: 0o700}}
	err := load(dir, d.root)
	return d, err
}

func load(dir string, n *inode) error {
	n.names, n.kept = map[string]*inode{}, map[string]*inode{}
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		fi, err := e.Info()
		if err != nil {
			return err
		}
		c := &inode{dir: e.IsDir(), perm: fi.Mode().Perm()}
		p := filepath.Join(dir, e.Name())
		switch {
		case c.dir:
			err = load(p, c)
		case fi.Mode()&fs.ModeSymlink != 0:
			c.link, err = os.Readlink(p)
		default:
			c.now, err = os.ReadFile(p)
			c.durable = c.now
		}
		if err != nil {
			return err
		}
		n.names[e.Name()], n.kept[e.Name()] = c, c
	}
	return nil
}

// Fault is the [safefs.Fault].
func (d *Disk) Fault(op safefs.Op) error {
	if !op.Done || !op.Changes() {
		return nil
	}
	d.mu.Lock()
	d.apply(op)
	d.mu.Unlock()
	if d.each != nil {
		d.each()
	}
	return nil
}

// find returns the node of a name, or nil.
func (d *Disk) find(name string) *inode {
	n := d.root
	if name == "." {
		return n
	}
	for p := range pathParts(name) {
		if n == nil || !n.dir {
			return nil
		}
		n = n.names[p]
	}
	return n
}

func pathParts(name string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for len(name) > 0 {
			i := 0
			for i < len(name) && name[i] != '/' {
				i++
			}
			if !yield(name[:i]) {
				return
			}
			name = name[min(i+1, len(name)):]
		}
	}
}

func (d *Disk) apply(op safefs.Op) {
	parent, base := d.find(path.Dir(op.Name)), path.Base(op.Name)
	n := d.find(op.Name)
	if parent == nil { // below what others made: taken up when it is synced
		return
	}
	switch op.Kind {
	case safefs.OpMkdir:
		parent.names[base] = &inode{dir: true, perm: op.Perm, names: map[string]*inode{}, kept: map[string]*inode{}}
	case safefs.OpCreate:
		parent.names[base] = &inode{perm: op.Perm}
	case safefs.OpAppend:
		if n == nil {
			parent.names[base] = &inode{perm: op.Perm}
		}
	case safefs.OpSymlink:
		parent.names[base] = &inode{link: op.To}
	case safefs.OpWrite:
		if n != nil {
			n.now = slices.Concat(n.now, op.Data)
		}
	case safefs.OpChmod:
		if n != nil {
			n.perm = op.Perm
		}
	case safefs.OpSync:
		d.syncFile(parent, base, op.Name)
	case safefs.OpSyncDir:
		if n != nil {
			n.kept = maps.Clone(n.names)
		}
	case safefs.OpSyncFS:
		d.root.syncAll()
	case safefs.OpRename:
		to := d.find(path.Dir(op.To))
		if n != nil && to != nil {
			delete(parent.names, base)
			to.names[path.Base(op.To)] = n
		}
	case safefs.OpRemove, safefs.OpRemoveAll:
		delete(parent.names, base)
	}
}

// syncFile makes content durable, as it really is: others may have written it.
func (d *Disk) syncFile(parent *inode, base, name string) {
	b, err := os.ReadFile(filepath.Join(d.real, filepath.FromSlash(name)))
	n := parent.names[base]
	if n == nil && err == nil {
		n = &inode{perm: 0o600}
		parent.names[base] = n
	}
	if n != nil && err == nil {
		n.now, n.durable = b, b
	}
}

func (n *inode) syncAll() {
	n.durable = n.now
	if !n.dir {
		return
	}
	n.kept = maps.Clone(n.names)
	for _, c := range n.names {
		c.syncAll()
	}
}

// What a Cut keeps of what is not durable.
const (
	KeepNothing = -1 // the worst disk
	KeepAll     = -2 // as if there was no cut
)

// Image is what a disk holds after a power cut.
type Image struct{ root *inode }

// Cut returns what may be left when the power goes now: seed is KeepNothing,
// KeepAll, or chooses a subset of what is not durable.
func (d *Disk) Cut(seed int64) Image {
	d.mu.Lock()
	defer d.mu.Unlock()
	var choose func() int
	switch seed {
	case KeepNothing:
		choose = func() int { return 0 }
	case KeepAll:
		choose = func() int { return 1 }
	default:
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		choose = func() int { return r.IntN(4) }
	}
	return Image{d.root.cut(choose)}
}

func (n *inode) cut(choose func() int) *inode {
	out := &inode{dir: n.dir, link: n.link, perm: n.perm, now: n.durable}
	if !n.dir {
		if string(n.now) != string(n.durable) {
			switch choose() {
			case 1:
				out.now = n.now
			case 2: // torn
				out.now = n.now[:len(n.now)/2]
			case 3:
				out.now = make([]byte, len(n.now))
			}
		}
		return out
	}
	out.names = map[string]*inode{}
	all := maps.Clone(n.names)
	maps.Copy(all, n.kept)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c := n.kept[name]
		if n.names[name] != c && choose()%2 == 1 {
			c = n.names[name]
		}
		if c != nil {
			out.names[name] = c.cut(choose)
		}
	}
	return out
}

// Sum is the same for images that Write makes the same directory of, and for no
// others: a state of the disk need not be looked at twice.
func (i Image) Sum() [sha256.Size]byte {
	h := sha256.New()
	i.root.hash(h)
	return [sha256.Size]byte(h.Sum(nil))
}

// hash writes n to w with the length of all that varies in front of it.
func (n *inode) hash(w hash.Hash) {
	fmt.Fprintf(w, "%v %o %q %d %d ", n.dir, n.perm, n.link, len(n.now), len(n.names)) // a hash never fails
	w.Write(n.now)
	for _, name := range slices.Sorted(maps.Keys(n.names)) {
		fmt.Fprintf(w, "%q ", name)
		n.names[name].hash(w)
	}
}

// Write makes the image a real directory.
func (i Image) Write(dir string) error { return i.root.write(dir) }

func (n *inode) write(p string) error {
	switch {
	case n.link != "":
		return os.Symlink(n.link, p)
	case !n.dir:
		if err := os.WriteFile(p, n.now, 0o600); err != nil {
			return err
		}
		return os.Chmod(p, n.perm)
	}
	if err := os.MkdirAll(p, 0o700); err != nil {
		return err
	}
	for name, c := range n.names {
		if err := c.write(filepath.Join(p, name)); err != nil {
			return err
		}
	}
	return nil
}
