package install

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox/safefs"
	"github.com/souk-dev/souk/verify"
)

const (
	maxWindow  = 64 << 20 // of zstd, held in memory
	ratioSlack = 1 << 20  // bytes any stream may unpack to, however small it is
	copyBuffer = 128 << 10
)

// unpacker writes a package below dir in one pass: it is hashed, decompressed,
// read as a tar, written and hashed per file while it is downloaded. It denies,
// it does not repair: what is not a plain file or directory with a plain name
// refuses the whole package.
type unpacker struct {
	fs     *safefs.Root
	dir    string // of MANIFEST and tree
	limits Limits

	tree    tree
	nodes   []node
	total   int64
	entries int
	buf     []byte
	sum     hash.Hash     // of one file after another
	say     func(n int64) // packed bytes read so far; may be nil

	top    *safefs.Root // the directory tree
	at     *safefs.Root // the directory of the last file, since the next is mostly in it too
	atName string       // its name below top
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrArchive, fmt.Errorf(format, args...))
}

// unpack reads the content of an artifact from r and returns the name of the
// object. Nothing of it is durable yet.
func (u *unpacker) unpack(ctx context.Context, r io.Reader, a *catalog.Artifact) (object string, err error) {
	if err := u.limits.announced(a); err != nil {
		return "", err
	}
	packed := &counter{ctx: ctx, r: verify.NewReader(r, a.Content.Digest, a.Content.Size)}
	z, err := zstd.NewReader(packed, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(2))
	if err != nil {
		return "", err
	}
	defer z.Close()
	plain := &meter{r: z, packed: packed, ratio: u.limits.Ratio, most: u.limits.Total + tarOverhead(u.limits.Entries), sum: sha256.New(), say: u.say}
	err = u.readTar(plain)
	z.Close() // ends its goroutine, which reads from packed
	if derr := drain(packed, err); derr != nil {
		return "", derr
	}
	if got := verify.DigestFromHash(plain.sum); got != a.DiffID {
		return "", fmt.Errorf("%w: the unpacked tar is %s, want %s", verify.ErrDigest, got, a.DiffID)
	}
	if u.total != a.Unpacked || u.entries != a.Entries {
		return "", refuse("it has %d files and directories of %d bytes, announced were %d of %d", u.entries, u.total, a.Entries, a.Unpacked)
	}
	manifest := encodeManifest(u.nodes)
	if err := u.writeManifest(manifest); err != nil {
		return "", err
	}
	return objectName(manifest), nil
}

// announced refuses by what the signed manifest says, before anything is downloaded.
func (l Limits) announced(a *catalog.Artifact) error {
	if a.Unpacked > l.Total {
		return refuse("it unpacks to %d bytes, more than %d", a.Unpacked, l.Total)
	}
	if a.Entries > l.Entries {
		return refuse("it has %d files and directories, more than %d", a.Entries, l.Entries)
	}
	if a.Content.Size > l.Total+tarOverhead(l.Entries) {
		return refuse("it is a download of %d bytes, which is more than it may unpack to", a.Content.Size)
	}
	return nil
}

// drain reads the packed stream to its end and returns err, or, when the stream is
// not the promised one, that: then whatever else seemed wrong follows from it.
func drain(packed *counter, err error) error {
	var pe *fs.PathError
	if errors.Is(err, verify.ErrDigest) || errors.As(err, &pe) || packed.ctx.Err() != nil {
		return err
	}
	n, derr := io.Copy(io.Discard, packed)
	switch {
	case errors.Is(derr, verify.ErrDigest), err == nil && derr != nil:
		return derr
	case err == nil && n > 0:
		return refuse("there is something after the end of the compressed stream")
	}
	return err
}

// tarOverhead bounds what headers and padding add: a header with its extension
// records and a padded block each.
func tarOverhead(entries int) int64 { return int64(entries+1) * 4096 }

func (u *unpacker) readTar(plain io.Reader) (err error) {
	u.tree, u.buf, u.sum = make(tree), make([]byte, copyBuffer), sha256.New()
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
	t := tar.NewReader(plain)
	for {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return streamError(err)
		}
		if err := u.entry(h, t); err != nil {
			return err
		}
	}
	// What follows the end of the tar would be hidden from whoever lists it.
	n, err := io.ReadFull(plain, u.buf[:1])
	if n > 0 {
		return refuse("there is something after the end of the tar")
	}
	if err != io.EOF {
		return streamError(err)
	}
	return nil
}

// streamError keeps what says more, the digest, the limits, the disk or the
// network, and calls the rest a bad package.
func streamError(err error) error {
	switch {
	case errors.Is(err, tar.ErrHeader), errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, verify.ErrDigest),
		errors.Is(err, zstd.ErrMagicMismatch), errors.Is(err, zstd.ErrCRCMismatch), errors.Is(err, zstd.ErrWindowSizeExceeded),
		errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrReservedBlockType), errors.Is(err, zstd.ErrCompressedSizeTooBig):
		return fmt.Errorf("%w: %w", ErrArchive, err)
	}
	return err
}

func (u *unpacker) entry(h *tar.Header, r io.Reader) error {
	if u.entries++; u.entries > u.limits.Entries {
		return refuse("it has more than %d files and directories", u.limits.Entries)
	}
	dir := h.Typeflag == tar.TypeDir
	name := h.Name
	if dir {
		name = strings.TrimSuffix(name, "/")
	}
	if err := u.checkHeader(h); err != nil {
		return refuse("%.300q: %w", h.Name, err)
	}
	if err := checkName(name); err != nil {
		return refuse("%.300q: %w", h.Name, err)
	}
	dirs, err := u.tree.add(name, dir)
	if err != nil {
		return refuse("%.300q %w", h.Name, err)
	}
	for _, d := range dirs {
		if err := u.top.Mkdir(d, 0o755); err != nil {
			return err
		}
		u.nodes = append(u.nodes, node{path: d, dir: true})
	}
	if dir {
		return nil
	}
	return u.file(name, h, r)
}

func (u *unpacker) checkHeader(h *tar.Header) error {
	switch h.Typeflag {
	case tar.TypeReg:
		if strings.HasSuffix(h.Name, "/") {
			return errors.New("a file has the name of a directory")
		}
	case tar.TypeDir:
		if h.Size != 0 {
			return errors.New("a directory has content")
		}
	default:
		return fmt.Errorf("type %q: only files and directories are unpacked, no links, devices or sparse files", h.Typeflag)
	}
	if h.Linkname != "" {
		return errors.New("it has the target of a link")
	}
	if h.Mode&^0o777 != 0 {
		return fmt.Errorf("mode %o: no setuid, setgid or sticky", h.Mode)
	}
	for k := range h.PAXRecords {
		if k != "path" && k != "size" && k != "mtime" {
			return fmt.Errorf("extended record %.100q: only path, size and mtime are read", k)
		}
	}
	if h.Size > u.limits.File {
		return fmt.Errorf("it has %d bytes, more than %d", h.Size, u.limits.File)
	}
	if h.Size > u.limits.Total-u.total {
		return fmt.Errorf("all files together have more than %d bytes", u.limits.Total)
	}
	return nil
}

func (u *unpacker) file(name string, h *tar.Header, r io.Reader) error {
	mode := fs.FileMode(0o444)
	if h.Mode&0o111 != 0 {
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
	n, err := u.copy(f, r)
	if err == nil {
		err = f.Chmod(mode)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return streamError(err)
	}
	u.total += n
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

// copy is io.Copy into a file and the hash with one buffer for all files.
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
		case io.EOF, io.ErrUnexpectedEOF: // ReadFull's word for a short last part; the tar reader's own is checked below
			return n, tarEnd(r)
		default:
			return n, rerr
		}
	}
}

// tarEnd tells the end of a file from the end of a cut tar, which io.ReadFull
// reports alike.
func tarEnd(r io.Reader) error {
	var b [1]byte
	n, err := r.Read(b[:])
	if n > 0 || err != io.EOF {
		return fmt.Errorf("%w: the package ends in the middle of a file", io.ErrUnexpectedEOF)
	}
	return nil
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

// counter counts what is really read of the packed stream, and ends with ctx.
type counter struct {
	ctx context.Context
	r   io.Reader
	n   atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, context.Cause(c.ctx)
	}
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// meter hashes the plain stream and ends it when it grows beyond all measure.
type meter struct {
	r      io.Reader
	packed *counter
	ratio  int64
	most   int64
	n      int64
	sum    hash.Hash
	said   int64
	say    func(packed int64)
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.n += int64(n)
	m.sum.Write(p[:n])
	read := m.packed.n.Load()
	if m.say != nil && read > m.said {
		m.said = read
		m.say(read)
	}
	if m.n > m.most || m.n > ratioSlack+m.ratio*read {
		return n, refuse("it unpacks to more than %d times its size, or %d bytes", m.ratio, m.most)
	}
	return n, err
}
