package publish

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

// ErrArchive means that a content layer is not one that an install would accept.
var ErrArchive = errors.New("not a package")

const (
	maxWindow  = 64 << 20 // of zstd, held in memory; what an install accepts
	maxRatio   = 200      // unpacked by packed bytes, what an install accepts
	ratioSlack = 1 << 20  // bytes any layer may unpack to, however small it is
)

// Unpack reads the content layer of an artifact into memory, for scanners and the
// reviewer's diff. It holds the layer to what an install holds it to and denies,
// it does not repair: the promised digest, size, plain digest, number of entries and
// sum of bytes; only plain files and directories with names that every system can
// store, of which no two are one; no links, devices, setuid bits or extended
// records but for long names; nothing behind the end; and an end to bombs. What
// is refused so wraps [ErrArchive] or [verify.ErrDigest].
//
// It needs at most o.MaxUnpacked bytes of memory for the files, a second time the
// largest file while it grows, and 64 MiB for a window of zstd. A hub that unpacks
// several at once bounds their number, or lowers o.
func Unpack(ctx context.Context, r io.Reader, a *catalog.Artifact, o PackOptions) (*Files, error) {
	u := &unpacking{o: o.defaults(), files: newFiles(), keys: make(map[string]string), listed: make(map[string]bool)}
	if err := u.unpack(ctx, r, a); err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	u.files.seal()
	return u.files, nil
}

type unpacking struct {
	o       PackOptions
	files   *Files
	keys    map[string]string // name by what it is on systems that fold names
	listed  map[string]bool   // names that had an entry of their own
	total   int64
	entries int
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrArchive, fmt.Errorf(format, args...))
}

func (u *unpacking) unpack(ctx context.Context, r io.Reader, a *catalog.Artifact) error {
	overhead := int64(u.o.MaxEntries+1) * 4096 // a header with its extension and padding for each
	switch {
	case a.Unpacked > u.o.MaxUnpacked:
		return refuse("it unpacks to %d bytes, more than %d", a.Unpacked, u.o.MaxUnpacked)
	case a.Entries > u.o.MaxEntries:
		return refuse("it has %d files and directories, more than %d", a.Entries, u.o.MaxEntries)
	case a.Content.Size > u.o.MaxUnpacked+overhead:
		return refuse("it is a download of %d bytes, which is more than it may unpack to", a.Content.Size)
	}
	packed := &counter{ctx: ctx, r: verify.NewReader(r, a.Content.Digest, a.Content.Size)}
	// One goroutine for all, so that the counter is read by who writes it.
	z, err := zstd.NewReader(packed, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer z.Close()
	plain := &meter{r: z, packed: packed, most: u.o.MaxUnpacked + overhead, sum: sha256.New()}
	err = u.readTar(plain)
	if err := drain(packed, err); err != nil {
		return err
	}
	if got := verify.DigestFromHash(plain.sum); got != a.DiffID {
		return fmt.Errorf("%w: the unpacked tar is %s, want %s", verify.ErrDigest, got, a.DiffID)
	}
	if u.total != a.Unpacked || u.entries != a.Entries {
		return refuse("it has %d files and directories of %d bytes, announced were %d of %d", u.entries, u.total, a.Entries, a.Unpacked)
	}
	return nil
}

// drain reads the packed stream to its end and returns err, or, when the stream is
// not the promised one, that: then whatever else seemed wrong follows from it.
func drain(packed *counter, err error) error {
	if errors.Is(err, verify.ErrDigest) || packed.ctx.Err() != nil {
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

func (u *unpacking) readTar(plain io.Reader) error {
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
	var one [1]byte
	if n, err := io.ReadFull(plain, one[:]); n > 0 {
		return refuse("there is something after the end of the tar")
	} else if err != io.EOF {
		return streamError(err)
	}
	return nil
}

// streamError keeps what says more, the digest, the limits or the source, and calls
// the rest a bad package.
func streamError(err error) error {
	for _, known := range []error{
		tar.ErrHeader, zstd.ErrMagicMismatch, zstd.ErrCRCMismatch, zstd.ErrWindowSizeExceeded,
		zstd.ErrDecoderSizeExceeded, zstd.ErrReservedBlockType, zstd.ErrCompressedSizeTooBig, io.ErrUnexpectedEOF,
	} {
		if errors.Is(err, known) && !errors.Is(err, verify.ErrDigest) && !errors.Is(err, ErrArchive) {
			return fmt.Errorf("%w: %w", ErrArchive, err)
		}
	}
	return err
}

func (u *unpacking) entry(h *tar.Header, r io.Reader) error {
	if u.entries++; u.entries > u.o.MaxEntries {
		return refuse("it has more than %d files and directories", u.o.MaxEntries)
	}
	dir := h.Typeflag == tar.TypeDir
	name := h.Name
	if dir {
		name = strings.TrimSuffix(name, "/")
	}
	if err := u.checkHeader(h); err != nil {
		return refuse("%.300q: %w", h.Name, err)
	}
	if err := catalog.CheckPath(name); err != nil {
		return refuse("%w", err)
	}
	if err := u.checkName(name); err != nil {
		return refuse("%.300q %w", name, err)
	}
	if dir {
		if u.files.mkdir(name) == nil {
			return refuse("%.300q lies below a file, or is one", name)
		}
		return nil
	}
	data, err := u.content(h, r)
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o444)
	if h.Mode&0o111 != 0 {
		mode = 0o555
	}
	if _, there := u.files.nodes[name]; there || u.files.add(name, mode, data) == nil {
		return refuse("%.300q lies below a file, or is a directory", name)
	}
	return nil
}

// checkName refuses what is one with another name on some system, at every level.
func (u *unpacking) checkName(name string) error {
	if u.listed[name] {
		return errors.New("appears twice")
	}
	u.listed[name] = true
	for i := range len(name) + 1 {
		if i < len(name) && name[i] != '/' {
			continue
		}
		key := catalog.PathKey(name[:i])
		if other, known := u.keys[key]; known && other != name[:i] {
			return fmt.Errorf("is the same as %q on some systems", other)
		}
		u.keys[key] = name[:i]
	}
	return nil
}

func (u *unpacking) checkHeader(h *tar.Header) error {
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
	switch {
	case h.Size < 0 || h.Size > u.o.MaxFile:
		return fmt.Errorf("it has %d bytes, more than %d", h.Size, u.o.MaxFile)
	case h.Size > u.o.MaxUnpacked-u.total:
		return fmt.Errorf("all files together have more than %d bytes", u.o.MaxUnpacked)
	}
	return nil
}

// content reads a file. It grows with what is there, not with what is announced.
func (u *unpacking) content(h *tar.Header, r io.Reader) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(int(min(h.Size, 1<<20)))
	n, err := io.Copy(&b, io.LimitReader(r, h.Size+1))
	if err != nil {
		return nil, streamError(err)
	}
	if n != h.Size {
		return nil, refuse("%.300q ends after %d of %d bytes", h.Name, n, h.Size)
	}
	u.total += n
	return b.Bytes(), nil
}

// counter counts what is read of the packed stream, and ends with ctx.
type counter struct {
	ctx context.Context
	r   io.Reader
	n   int64
}

func (c *counter) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// meter hashes the plain stream and ends it when it grows beyond all measure.
type meter struct {
	r      io.Reader
	packed *counter
	most   int64
	n      int64
	sum    hash.Hash
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.n += int64(n)
	m.sum.Write(p[:n])
	if m.n > m.most || m.n > ratioSlack+maxRatio*m.packed.n {
		return n, refuse("it unpacks to more than %d times its size, or %d bytes", maxRatio, m.most)
	}
	return n, err
}
