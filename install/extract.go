package install

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"path"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox/safefs"
)

const copyBuffer = 128 << 10

// unpacker writes a package below dir in one pass: it is hashed, decompressed, read as a
// tar, written and hashed per file while it is downloaded. What is refused is the word of
// [catalog.ReadContent].
type unpacker struct {
	fs     *safefs.Root
	dir    string // of MANIFEST and tree
	limits Limits
	say    func(n int64) // packed bytes read so far; may be nil

	nodes []node
	buf   []byte
	sum   hash.Hash // of one file after another

	top    *safefs.Root // the directory tree
	at     *safefs.Root // the directory of the last file, since the next is mostly in it too
	atName string       // its name below top
}

// unpack reads the content of an artifact from r and returns the name of the
// object. Nothing of it is durable yet.
func (u *unpacker) unpack(ctx context.Context, r io.Reader, a *catalog.Artifact) (object string, err error) {
	err = u.into(func() error {
		return catalog.ReadContent(ctx, r, a, catalog.ContentLimits(u.limits), u.say, u)
	})
	if err != nil {
		return "", err
	}
	manifest := encodeManifest(u.nodes)
	if err := u.writeManifest(manifest); err != nil {
		return "", err
	}
	return objectName(manifest), nil
}

// into opens the directory that read writes into.
func (u *unpacker) into(read func() error) (err error) {
	u.buf, u.sum = make([]byte, copyBuffer), sha256.New()
	if err := u.fs.MkdirAll(path.Join(u.dir, treeDir), 0o755); err != nil {
		return err
	}
	if u.top, err = u.fs.OpenRoot(path.Join(u.dir, treeDir)); err != nil {
		return err
	}
	defer func() {
		if cerr := errors.Join(u.leave(), u.top.Close()); err == nil {
			err = cerr
		}
	}()
	return read()
}

// Dir implements [catalog.ContentVisitor].
func (u *unpacker) Dir(name string) error {
	if err := u.top.Mkdir(name, 0o755); err != nil {
		return err
	}
	u.nodes = append(u.nodes, node{path: name, dir: true})
	return nil
}

// File implements [catalog.ContentVisitor].
func (u *unpacker) File(name string, _ int64, executable bool, content io.Reader) error {
	mode := fs.FileMode(0o444)
	if executable {
		mode = 0o555
	}
	in, err := u.enter(path.Dir(name))
	if err != nil {
		return err
	}
	f, err := in.Create(path.Base(name), 0o600)
	if err != nil {
		return err
	}
	u.sum.Reset()
	n, err := u.copy(f, content)
	if err == nil {
		err = f.Chmod(mode)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	u.nodes = append(u.nodes, node{path: name, mode: mode, size: n, hash: hex.EncodeToString(u.sum.Sum(nil))})
	return nil
}

// enter returns a directory below top to create files in.
func (u *unpacker) enter(dir string) (*safefs.Root, error) {
	if u.at != nil && u.atName == dir {
		return u.at, nil
	}
	if err := u.leave(); err != nil {
		return nil, err
	}
	at, err := u.top.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	u.at, u.atName = at, dir
	return at, nil
}

// leave closes the directory that was entered, if any.
func (u *unpacker) leave() error {
	if u.at == nil {
		return nil
	}
	err := u.at.Close()
	u.at = nil
	return err
}

// copy is io.Copy into a file and the hash with one buffer for all files. That a file
// ends too early is noticed by who gave the reader.
func (u *unpacker) copy(f *safefs.File, r io.Reader) (n int64, err error) {
	for {
		m, rerr := io.ReadFull(r, u.buf)
		if m > 0 {
			u.sum.Write(u.buf[:m])
			if _, err := f.Write(u.buf[:m]); err != nil {
				return n, err
			}
			n += int64(m)
		}
		switch rerr {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF: // ReadFull's word for a short last part
			return n, nil
		default:
			return n, rerr
		}
	}
}

func (u *unpacker) writeManifest(b []byte) error {
	f, err := u.fs.Create(path.Join(u.dir, manifestFile), 0o444)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
