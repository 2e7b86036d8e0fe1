package install

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/souk-dev/souk/verify"
)

// An object is one unpacked release: a directory with the file MANIFEST and the
// directory tree, named by the hash of MANIFEST, which lists every file with its
// mode, size and hash, and every directory. So the name vouches for all of it.

const maxManifest = 64 << 20

// node is a line of MANIFEST.
type node struct {
	path string
	dir  bool
	mode fs.FileMode // 0444 or 0555; of a file
	size int64
	hash string // hex SHA-256
}

func (n node) line() string {
	if n.dir {
		return fmt.Sprintf("0755 0 - %s\n", n.path)
	}
	return fmt.Sprintf("%04o %d %s %s\n", n.mode, n.size, n.hash, n.path)
}

func encodeManifest(nodes []node) []byte {
	slices.SortFunc(nodes, func(a, b node) int { return cmp.Compare(a.path, b.path) })
	var b bytes.Buffer
	for _, n := range nodes {
		b.WriteString(n.line())
	}
	return b.Bytes()
}

func decodeManifest(b []byte) (map[string]node, error) {
	out := make(map[string]node)
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		f := strings.SplitN(lines.Text(), " ", 4)
		if len(f) != 4 || !fs.ValidPath(f[3]) {
			return nil, fmt.Errorf("line %d is not mode, size, hash, path", len(out)+1)
		}
		n := node{path: f[3], dir: f[2] == "-", hash: f[2]}
		mode, err := strconv.ParseUint(f[0], 8, 9)
		if err != nil {
			return nil, err
		}
		if n.size, err = strconv.ParseInt(f[1], 10, 64); err != nil {
			return nil, err
		}
		n.mode = fs.FileMode(mode)
		out[n.path] = n
	}
	return out, lines.Err()
}

func objectName(manifest []byte) string {
	return objectPrefix + verify.DigestOf(manifest).Hex()
}

// rehash is how long a hash computed by this process is trusted as long as size,
// mode and time of the file stay the same.
const rehash = time.Hour

// stamp is what a file looked like when it was hashed.
type stamp struct {
	size int64
	mode fs.FileMode
	mod  time.Time
	at   time.Time
}

// checkObject compares an object with its name: nothing changed, nothing missing,
// nothing added. full hashes every file again; otherwise those that look as they
// did when they were hashed within the last hour are believed. What is wrong is
// [ErrModified].
func (s *Store) checkObject(ctx context.Context, name string, full bool) error {
	dir := objectDir(name)
	b, err := s.fs.ReadFile(path.Join(dir, manifestFile), maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrModified, err)
	}
	if err != nil {
		return err
	}
	if objectName(b) != name {
		return fmt.Errorf("%w: %s", ErrModified, path.Join(dir, manifestFile))
	}
	want, err := decodeManifest(b)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrCorrupt, path.Join(dir, manifestFile), err)
	}
	c := checker{s: s, ctx: ctx, want: want, tree: path.Join(dir, treeDir), full: full}
	if err := c.walk("."); err != nil {
		return err
	}
	for p := range want {
		return fmt.Errorf("%w: %s is missing", ErrModified, path.Join(c.tree, p))
	}
	top, err := s.names(dir)
	if err == nil && len(top) != 2 {
		err = fmt.Errorf("%w: %s has more in it than it should", ErrModified, dir)
	}
	return err
}

type checker struct {
	s    *Store
	ctx  context.Context
	want map[string]node // what was not met yet
	tree string
	full bool
}

func (c *checker) walk(dir string) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	list, err := c.s.fs.ReadDir(path.Join(c.tree, dir))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrModified, err)
	}
	if err != nil {
		return err
	}
	for _, e := range list {
		p := path.Join(dir, e.Name())
		n, ok := c.want[p]
		if !ok || n.dir != e.IsDir() || !n.dir && !e.Type().IsRegular() {
			return fmt.Errorf("%w: %s was added", ErrModified, path.Join(c.tree, p))
		}
		delete(c.want, p)
		if n.dir {
			err = c.walk(p)
		} else {
			err = c.file(n, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) file(n node, e fs.DirEntry) error {
	name := path.Join(c.tree, n.path)
	fi, err := e.Info()
	if err != nil {
		return err
	}
	if fi.Size() != n.size || fi.Mode().Perm() != n.mode {
		return fmt.Errorf("%w: %s has another size or mode", ErrModified, name)
	}
	now := c.s.o.Now()
	st := stamp{fi.Size(), fi.Mode(), fi.ModTime(), now}
	c.s.mu.RLock()
	old, ok := c.s.seen[name]
	c.s.mu.RUnlock()
	if ok && !c.full && old.size == st.size && old.mode == st.mode && old.mod.Equal(st.mod) && now.Sub(old.at) < rehash && !now.Before(old.at) {
		return nil
	}
	f, err := c.s.fs.OpenFile(name)
	if err != nil {
		return err
	}
	defer f.Close() // only read from
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, n.size+1)); err != nil {
		return err
	}
	if hex.EncodeToString(h.Sum(nil)) != n.hash {
		return fmt.Errorf("%w: %s", ErrModified, name)
	}
	c.s.mu.Lock()
	c.s.seen[name] = st
	c.s.mu.Unlock()
	return nil
}
