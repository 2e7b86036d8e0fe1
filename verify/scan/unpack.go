package scan

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// unpacker looks inside the archives of one release.
type unpacker struct {
	ctx      context.Context
	out      *sheet
	top      string // the file of the package
	packed   int64  // its size
	inflated int64  // bytes that came out of it so far, over all depths
	bomb     bool   // it was found to be one
	entries  int    // so far, of the release
	total    int64  // bytes unpacked, of the release
	limit    int64  // of total
	failed   error  // of the file of the package, not of what is in it
}

// errStop ends the look into one file of the package: what was found says enough.
// errOver ends the scan.
var (
	errStop = errors.New("stop")
	errOver = errors.New("archives hold more than is looked into")
)

// file looks into a file of the package if it is an archive.
func (u *unpacker) file(f fs.File) error {
	start, all, err := head(u.ctx, f, archiveHead)
	if err != nil {
		return err
	}
	switch kind := archiveKind(start); kind {
	case "":
		return nil
	case "zip":
		r, err := readerAt(f, all, u.packed)
		if err != nil {
			return err
		}
		// A hostile zip asks for places outside of the file. That is not the file's fault.
		err = u.zip(u.top, io.NewSectionReader(sourceAt{u, r}, 0, u.packed), u.packed, 1)
		return ended(err)
	default:
		return ended(u.inside(u.top, kind, source{u, all}, 1))
	}
}

func ended(err error) error {
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// source and sourceAt remember an error of the file itself, which is the scan's and
// not the archive's.
type source struct {
	u *unpacker
	r io.Reader
}

func (s source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	return n, s.u.note(err)
}

type sourceAt struct {
	u *unpacker
	r io.ReaderAt
}

func (s sourceAt) ReadAt(p []byte, off int64) (int, error) {
	if s.u.ctx.Err() != nil {
		return 0, context.Cause(s.u.ctx)
	}
	n, err := s.r.ReadAt(p, off)
	return n, s.u.note(err)
}

func (u *unpacker) note(err error) error {
	if err != nil && !errors.Is(err, io.EOF) {
		u.failed = err
	}
	return err
}

// inside looks into a stream of a kind that [archiveKind] returns. name is the path
// with all archives on the way.
func (u *unpacker) inside(name, kind string, r io.Reader, depth int) error {
	if depth > maxArchiveDepth {
		u.find("archive-depth", SeverityHigh, ConfidenceMedium, "archives inside archives", fmt.Sprintf("%s is more than %d deep and is not looked into", Printable(name, 200), maxArchiveDepth))
		return errStop
	}
	switch kind {
	case "zip": // needs random access
		held, err := u.hold(name, r)
		if err != nil {
			return err
		}
		return u.zip(name, bytes.NewReader(held), int64(len(held)), depth)
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			return u.damaged(name, err)
		}
		return u.stream(name, z, depth)
	case "bzip2":
		return u.stream(name, bzip2.NewReader(r), depth)
	case "tar":
		return u.tar(name, r, depth)
	}
	u.find("archive-opaque", SeverityLow, ConfidenceHigh, "packed data that nobody looked into", fmt.Sprintf("%s is %s, which is not unpacked here", Printable(name, 200), kind))
	return nil
}

func (u *unpacker) find(rule string, s Severity, c Confidence, title, detail string) {
	u.out.add(Finding{Rule: rule, Severity: s, Confidence: c, File: u.top, Title: title, Detail: detail, Advice: "pack the files themselves"})
}

// damaged reports an archive that does not unpack. An error of the file or of the time
// limit is not the archive's.
func (u *unpacker) damaged(name string, err error) error {
	switch {
	case u.ctx.Err() != nil:
		return context.Cause(u.ctx)
	case u.failed != nil:
		return u.failed
	case errors.Is(err, errStop), errors.Is(err, errOver):
		return err
	}
	u.find("archive-damaged", SeverityMedium, ConfidenceMedium, "archive does not unpack", fmt.Sprintf("%s: %v", Printable(name, 200), err))
	return nil
}

// inflating counts what is unpacked, and stops bombs.
type inflating struct {
	u    *unpacker
	name string
	r    io.Reader
}

func (i inflating) Read(p []byte) (int, error) {
	if i.u.ctx.Err() != nil {
		return 0, context.Cause(i.u.ctx)
	}
	n, err := i.r.Read(p)
	i.u.inflated += int64(n)
	i.u.total += int64(n)
	if i.u.tooMuch(i.name, i.u.packed, uint64(i.u.inflated)) {
		return n, errStop
	}
	if i.u.total > i.u.limit {
		return n, fmt.Errorf("%w: %d bytes unpacked", errOver, i.u.limit)
	}
	return n, err
}

// tooMuch reports a bomb, once a file.
func (u *unpacker) tooMuch(name string, packed int64, unpacked uint64) bool {
	if unpacked <= bombFree || unpacked/bombRatio <= uint64(packed) {
		return false
	}
	if !u.bomb {
		u.bomb = true
		u.find("archive-bomb", SeverityCritical, ConfidenceHigh, "decompression bomb",
			fmt.Sprintf("%s: %d bytes unpack to %d or more", Printable(name, 200), packed, unpacked))
	}
	return true
}

// hold reads an archive into memory that is inside another.
func (u *unpacker) hold(name string, r io.Reader) ([]byte, error) {
	held, err := io.ReadAll(io.LimitReader(r, maxHeld+1))
	if err != nil {
		return nil, err
	}
	if len(held) > maxHeld {
		return nil, fmt.Errorf("%w: %s inside has more than %d bytes", errOver, Printable(name, 200), maxHeld)
	}
	return held, nil
}

// stream looks at what a compressed stream has in it.
func (u *unpacker) stream(name string, z io.Reader, depth int) error {
	return u.entry(name, inflating{u, name, z}, depth)
}

// entry reads one unpacked file to its end, and looks into it if it is an archive.
func (u *unpacker) entry(name string, r io.Reader, depth int) error {
	start, all, err := head(u.ctx, r, archiveHead)
	if err != nil {
		return u.damaged(name, err)
	}
	if kind := archiveKind(start); kind != "" {
		if err := u.inside(name, kind, all, depth+1); err != nil {
			return u.damaged(name, err)
		}
	}
	if _, err := io.Copy(io.Discard, all); err != nil {
		return u.damaged(name, err)
	}
	return nil
}

// count bounds the entries of all archives.
func (u *unpacker) count() error {
	if u.entries++; u.entries > maxEntries {
		return fmt.Errorf("%w: %d entries", errOver, maxEntries)
	}
	return nil
}

func (u *unpacker) tar(name string, r io.Reader, depth int) error {
	names := make(nameSet)
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return u.damaged(name, err)
		}
		if err := u.count(); err != nil {
			return err
		}
		inner := name + "!" + h.Name
		names.check(u.out, h.Name, u.top, h.Typeflag == tar.TypeDir)
		switch h.Typeflag {
		case tar.TypeReg, tar.TypeGNUSparse:
			if u.tooMuch(inner, u.packed, uint64(h.Size)) { // sparse: most of it is not there
				return errStop
			}
			if err := u.entry(inner, plain{u, t}, depth); err != nil {
				return err
			}
		case tar.TypeSymlink, tar.TypeLink:
			u.link(inner, h.Linkname)
		case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
			u.find("archive-device", SeverityHigh, ConfidenceHigh, "device in an archive", Printable(inner, 200)+" is a device or pipe")
		}
	}
}

// plain counts the entries of a file that is a tar itself: they are not inflated, but
// a sparse one can be large.
type plain struct {
	u *unpacker
	r io.Reader
}

func (p plain) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if p.u.total += int64(n); p.u.total > p.u.limit {
		return n, fmt.Errorf("%w: %d bytes unpacked", errOver, p.u.limit)
	}
	return n, err
}

func (u *unpacker) link(name, target string) {
	if !fs.ValidPath(target) { // absolute, or with .. anywhere
		u.find("archive-link", SeverityMedium, ConfidenceHigh, "link that leads elsewhere", fmt.Sprintf("%s is a link to %s", Printable(name, 200), Printable(target, 200)))
	}
}

// maxDirectory bounds what is read of a zip file to list its entries, in bytes; each
// takes 46 and its name.
const maxDirectory = 32 << 20

// directoryReader ends with an error when listing the entries takes too much.
type directoryReader struct {
	r    io.ReaderAt
	left int64 // negative: no limit any more
}

func (d *directoryReader) ReadAt(p []byte, off int64) (int, error) {
	if d.left >= 0 {
		if d.left -= int64(len(p)); d.left < 0 {
			d.left = 0
			return 0, fmt.Errorf("%w: the list of a zip file has more than %d bytes", errOver, maxDirectory)
		}
	}
	return d.r.ReadAt(p, off)
}

func (u *unpacker) zip(name string, r io.ReaderAt, size int64, depth int) error {
	d := &directoryReader{r, maxDirectory}
	z, err := zip.NewReader(d, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return u.damaged(name, err)
	}
	d.left = -1
	var packed, unpacked uint64
	for _, f := range z.File {
		// What an entry takes of an honest file: its data and a header before it and in
		// the list. The bounds are so that the sums do not wrap.
		const headers = 30 + 46
		packed += min(f.CompressedSize64, 1<<40) + uint64(headers+2*len(f.Name))
		unpacked += min(f.UncompressedSize64, 1<<40)
	}
	if packed > uint64(size) {
		u.find("archive-overlap", SeverityHigh, ConfidenceHigh, "entries that share their data",
			fmt.Sprintf("%s has %d bytes and says that its entries take %d, which is how bombs are made", Printable(name, 200), size, packed))
		return errStop
	}
	if u.tooMuch(name, size, unpacked) {
		return errStop
	}
	names := make(nameSet)
	for _, f := range z.File {
		if err := u.count(); err != nil {
			return err
		}
		names.check(u.out, f.Name, u.top, f.FileInfo().IsDir())
		if err := u.zipEntry(name+"!"+f.Name, f, depth); err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacker) zipEntry(name string, f *zip.File, depth int) error {
	const encrypted = 1
	switch {
	case f.FileInfo().IsDir():
		return nil
	case f.Flags&encrypted != 0:
		u.find("archive-encrypted", SeverityMedium, ConfidenceHigh, "encrypted data that nobody looked into", Printable(name, 200)+" is encrypted")
		return nil
	case f.Method != zip.Store && f.Method != zip.Deflate:
		u.find("archive-opaque", SeverityLow, ConfidenceHigh, "packed data that nobody looked into", fmt.Sprintf("%s is packed by method %d", Printable(name, 200), f.Method))
		return nil
	}
	r, err := f.Open()
	if err != nil {
		return u.damaged(name, err)
	}
	defer r.Close()
	if f.Mode()&fs.ModeSymlink != 0 {
		target, err := readAll(inflating{u, name, r}, maxEntryName)
		if err != nil {
			return u.damaged(name, err)
		}
		u.link(name, string(target))
		return nil
	}
	return u.entry(name, inflating{u, name, r}, depth)
}
