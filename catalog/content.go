package catalog

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"github.com/souk-dev/souk/verify"
)

// ErrArchive means that a content layer has something in it that is never unpacked, or
// is not what its artifact announces.
var ErrArchive = errors.New("package refused")

const (
	maxWindow  = 64 << 20 // bytes of zstd's window, held in memory
	ratioSlack = 1 << 20  // bytes any stream may unpack to, however small it is
)

// ContentLimits bound what one content layer may unpack to.
type ContentLimits struct {
	Entries int   // files and directories
	File    int64 // bytes of one file
	Total   int64 // bytes of all files
	Ratio   int64 // unpacked by packed bytes, as really read
}

// Announced refuses an artifact by what it says of itself, before anything is downloaded.
// What it refuses wraps [ErrArchive].
func (l ContentLimits) Announced(a *Artifact) error {
	switch {
	case a.Unpacked > l.Total:
		return refuse("it unpacks to %d bytes, more than %d", a.Unpacked, l.Total)
	case a.Entries > l.Entries:
		return refuse("it has %d files and directories, more than %d", a.Entries, l.Entries)
	case a.Content.Size > l.Total+l.overhead():
		return refuse("it is a download of %d bytes, which is more than it may unpack to", a.Content.Size)
	}
	return nil
}

// overhead bounds what headers and padding add to a tar: a header with its extension
// records and a padded block each.
func (l ContentLimits) overhead() int64 { return int64(l.Entries+1) * 4096 }

// ContentVisitor takes what is in a content layer, in the order in which it lies there.
// An error ends the reading and is returned as it is.
type ContentVisitor interface {
	// Dir is called once for each directory, parents first, whether it has an entry of its
	// own or only stands in front of another name.
	Dir(name string) error
	// File is called once for each file, after its directories. It reads content, size
	// bytes, to the end.
	File(name string, size int64, executable bool, content io.Reader) error
}

// ReadContent reads the content layer of an artifact in one pass: it is hashed,
// decompressed, read as a tar and handed to v while it is downloaded. It is what an
// install unpacks with, and a hub what it validates with, so that neither lets through
// what the other refuses. It denies, it does not repair: the promised digest, size, plain
// digest, number of entries and sum of bytes; only plain files and directories with names
// that every system can store ([CheckPath]), of which no two are one ([PathKey]); no links,
// devices, setuid bits or extended records but for long names; nothing behind the end; and
// an end to bombs. What is refused so wraps [ErrArchive] or [verify.ErrDigest].
//
// progress, which may be nil, is called with the packed bytes read so far, from the
// goroutine that called. It holds at most 64 MiB for a window of zstd.
func ReadContent(ctx context.Context, r io.Reader, a *Artifact, l ContentLimits, progress func(packed int64), v ContentVisitor) error {
	if err := l.Announced(a); err != nil {
		return err
	}
	packed := &counter{ctx: ctx, r: verify.NewReader(r, a.Content.Digest, a.Content.Size)}
	z, err := zstd.NewReader(packed, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(2))
	if err != nil {
		return err
	}
	defer z.Close()
	plain := &meter{r: z, packed: packed, ratio: l.Ratio, most: l.Total + l.overhead(), sum: sha256.New(), progress: progress}
	entries, total, err := readTar(plain, l, v)
	z.Close() // ends its goroutine, which reads from packed
	var own *visitorError
	if errors.As(err, &own) {
		return own.error
	}
	if err := packed.drain(err); err != nil {
		return err
	}
	if got := verify.DigestFromHash(plain.sum); got != a.DiffID {
		return fmt.Errorf("%w: the unpacked tar is %s, want %s", verify.ErrDigest, got, a.DiffID)
	}
	if total != a.Unpacked || entries != a.Entries {
		return refuse("it has %d files and directories of %d bytes, announced were %d of %d", entries, total, a.Entries, a.Unpacked)
	}
	return nil
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrArchive, fmt.Errorf(format, args...))
}

// streamError keeps what says more, the digest, the limits or the source, and calls the
// rest a bad package.
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

// counter counts what is really read of the packed stream, and ends with ctx.
type counter struct {
	ctx context.Context
	r   io.Reader
	n   atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// drain reads the packed stream to its end and returns err, or, when the stream is not
// the promised one, that: then whatever else seemed wrong follows from it.
func (c *counter) drain(err error) error {
	if errors.Is(err, verify.ErrDigest) || c.ctx.Err() != nil {
		return err
	}
	n, derr := io.Copy(io.Discard, c)
	switch {
	case errors.Is(derr, verify.ErrDigest), err == nil && derr != nil:
		return derr
	case err == nil && n > 0:
		return refuse("there is something after the end of the compressed stream")
	}
	return err
}

// meter hashes the plain stream and ends it when it grows beyond all measure.
type meter struct {
	r        io.Reader
	packed   *counter
	ratio    int64
	most     int64
	n        int64
	sum      hash.Hash
	said     int64
	progress func(packed int64)
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.n += int64(n)
	m.sum.Write(p[:n])
	read := m.packed.n.Load()
	if m.progress != nil && read > m.said {
		m.said = read
		m.progress(read)
	}
	if m.n > m.most || m.n > ratioSlack+m.ratio*read {
		return n, refuse("it unpacks to more than %d times its size, or %d bytes", m.ratio, m.most)
	}
	return n, err
}

// visitorError is an error of the visitor, which says nothing of the stream.
type visitorError struct{ error }

func (e *visitorError) Unwrap() error { return e.error }

// ReadTar is [ReadContent] for a plain tar of which nothing is announced. It returns how
// many entries it has and the sum of the bytes of its files.
func ReadTar(plain io.Reader, l ContentLimits, v ContentVisitor) (entries int, total int64, err error) {
	entries, total, err = readTar(plain, l, v)
	var own *visitorError
	if errors.As(err, &own) {
		err = own.error
	}
	return entries, total, err
}

func readTar(plain io.Reader, l ContentLimits, v ContentVisitor) (entries int, total int64, err error) {
	w := tarReader{limits: l, v: v, names: make(names)}
	t := tar.NewReader(plain)
	for {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return w.entries, w.total, streamError(err)
		}
		if err := w.entry(h, t); err != nil {
			return w.entries, w.total, err
		}
	}
	// What follows the end of the tar would be hidden from whoever lists it.
	var one [1]byte
	if n, err := io.ReadFull(plain, one[:]); n > 0 {
		return w.entries, w.total, refuse("there is something after the end of the tar")
	} else if err != io.EOF {
		return w.entries, w.total, streamError(err)
	}
	return w.entries, w.total, nil
}

type tarReader struct {
	limits  ContentLimits
	v       ContentVisitor
	names   names
	entries int
	total   int64
}

func (w *tarReader) entry(h *tar.Header, r io.Reader) error {
	if w.entries++; w.entries > w.limits.Entries {
		return refuse("it has more than %d files and directories", w.limits.Entries)
	}
	dir := h.Typeflag == tar.TypeDir
	name := h.Name
	if dir {
		name = strings.TrimSuffix(name, "/")
	}
	if err := w.checkHeader(h); err != nil {
		return refuse("%.300q: %w", h.Name, err)
	}
	if err := CheckPath(name); err != nil {
		return refuse("%w", err)
	}
	dirs, err := w.names.add(name, dir)
	if err != nil {
		return refuse("%.300q %w", name, err)
	}
	for _, d := range dirs {
		if err := w.v.Dir(d); err != nil {
			return &visitorError{err}
		}
	}
	if dir {
		return nil
	}
	content := fileReader{r: r}
	err = w.v.File(name, h.Size, h.Mode&0o111 != 0, &content)
	switch {
	case content.err != nil:
		return streamError(content.err)
	case err != nil:
		return &visitorError{err}
	case content.n != h.Size:
		return refuse("%.300q ends after %d of %d bytes", name, content.n, h.Size)
	}
	w.total += content.n
	return nil
}

func (w *tarReader) checkHeader(h *tar.Header) error {
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
	case h.Size < 0 || h.Size > w.limits.File:
		return fmt.Errorf("it has %d bytes, more than %d", h.Size, w.limits.File)
	case h.Size > w.limits.Total-w.total:
		return fmt.Errorf("all files together have more than %d bytes", w.limits.Total)
	}
	return nil
}

// fileReader reads one file and remembers how far, and why it went no further: what a
// visitor makes of an error of the stream does not matter.
type fileReader struct {
	r   io.Reader
	n   int64
	err error
}

func (f *fileReader) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	f.n += int64(n)
	if err != nil && err != io.EOF {
		f.err = err
	}
	return n, err
}

// names remembers the names of a package by their [PathKey], so that no two of them are one.
type names map[string]entryName

type entryName struct {
	name    string
	dir     bool
	implied bool // a directory that so far stood only in front of other names
}

// add checks a name against those before it and returns the directories that come with
// it, outermost first.
func (m names) add(name string, dir bool) (dirs []string, err error) {
	for i := range len(name) {
		if name[i] != '/' {
			continue
		}
		prefix := name[:i]
		key := PathKey(prefix)
		old, ok := m[key]
		switch {
		case ok && old.name != prefix:
			return nil, fmt.Errorf("is the same as %q on some systems", old.name)
		case ok && !old.dir:
			return nil, fmt.Errorf("lies below the file %q", old.name)
		case !ok:
			m[key] = entryName{prefix, true, true}
			dirs = append(dirs, prefix)
		}
	}
	key := PathKey(name)
	old, ok := m[key]
	switch {
	case ok && old.name != name:
		return nil, fmt.Errorf("is the same as %q on some systems", old.name)
	case ok && dir && old.dir && old.implied:
		m[key] = entryName{name, true, false}
		return dirs, nil
	case ok:
		return nil, errors.New("appears twice")
	}
	m[key] = entryName{name, dir, false}
	if dir {
		dirs = append(dirs, name)
	}
	return dirs, nil
}
