package scan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Bounds of the files of a release that are looked at. A hub refuses larger ones
// before; here they are an error.
const (
	MaxFiles = 100_000
	MaxBytes = 8 << 30 // of all files together
	// MaxFile is for scanners that need a file as a whole.
	MaxFile = 1 << 30
	// maxBuffered is what is held in memory of a file whose fs.File cannot ReadAt.
	maxBuffered = 128 << 20
)

// walk opens each regular file in order, counts it in the sheet and gives it to look.
// An error ends it and is the scan's.
func (s *sheet) walk(ctx context.Context, fsys fs.FS, look func(name string, f fs.File, size int64) error) error {
	return walkAll(ctx, fsys, func(name string, d fs.DirEntry) error {
		if !d.Type().IsRegular() {
			return nil // Archives speaks about these
		}
		f, err := fsys.Open(name)
		if err != nil {
			return fmt.Errorf("open: %w", err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return fmt.Errorf("open: %w", err)
		}
		s.Files++
		s.Bytes += info.Size()
		switch {
		case !info.Mode().IsRegular():
			return fmt.Errorf("%s changed while it was looked at", Printable(name, maxFile))
		case s.Files > MaxFiles:
			return fmt.Errorf("more than %d files", MaxFiles)
		case s.Bytes > MaxBytes || info.Size() < 0:
			return fmt.Errorf("more than %d bytes", int64(MaxBytes))
		}
		if err := look(name, f, info.Size()); err != nil {
			return fmt.Errorf("%s: %w", Printable(name, maxFile), err)
		}
		return nil
	})
}

func walkAll(ctx context.Context, fsys fs.FS, look func(name string, d fs.DirEntry) error) error {
	entries := 0
	return fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch entries++; {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case entries > 2*MaxFiles:
			return fmt.Errorf("more than %d files and directories", 2*MaxFiles)
		}
		return look(name, d)
	})
}

// contextReader ends with ctx, so that a large file does not outlast a time limit.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}

// head returns up to n bytes of the beginning of f, and a reader of all of it.
func head(ctx context.Context, f io.Reader, n int) ([]byte, io.Reader, error) {
	buf := make([]byte, n)
	got, err := io.ReadFull(contextReader{ctx, f}, buf)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, nil, err
	}
	buf = buf[:got]
	return buf, io.MultiReader(bytes.NewReader(buf), contextReader{ctx, f}), nil
}

// readerAt gives random access to a file. all reads it from the start and is used
// only when the file itself cannot.
func readerAt(f fs.File, all io.Reader, size int64) (io.ReaderAt, error) {
	if size > MaxFile {
		return nil, fmt.Errorf("%d bytes, more than the %d that are looked at", size, int64(MaxFile))
	}
	if at, ok := f.(io.ReaderAt); ok {
		return at, nil
	}
	b, err := readAll(all, min(size, maxBuffered))
	if err != nil {
		return nil, err
	}
	return bytes.NewReader(b), nil
}

// readAll reads at most limit bytes; more is an error.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("more than %d bytes", limit)
	}
	return b, nil
}
