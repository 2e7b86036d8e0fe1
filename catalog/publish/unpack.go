package publish

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"

	"github.com/souk-dev/souk/catalog"
)

// maxRatio is unpacked by packed bytes, what an install accepts.
const maxRatio = 200

// Unpack reads the content layer of an artifact into memory, for scanners and the
// reviewer's diff. It refuses what an install would refuse, for it reads with
// [catalog.ReadContent] as an install does: errors wrap [catalog.ErrArchive] or
// [verify.ErrDigest].
//
// It needs at most o.MaxUnpacked bytes of memory for the files, a second time the
// largest file while it grows, and 64 MiB for a window of zstd. A hub that unpacks
// several at once bounds their number, or lowers o.
func Unpack(ctx context.Context, r io.Reader, a *catalog.Artifact, o PackOptions) (*Files, error) {
	o = o.defaults()
	files := newFiles()
	limits := catalog.ContentLimits{Entries: o.MaxEntries, File: o.MaxFile, Total: o.MaxUnpacked, Ratio: maxRatio}
	if err := catalog.ReadContent(ctx, r, a, limits, nil, filling{files}); err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	files.seal()
	return files, nil
}

// filling fills files in the order in which they come: directories first, no name twice.
type filling struct{ files *Files }

func (f filling) Dir(name string) error {
	f.files.mkdir(name)
	return nil
}

// File reads a file. It grows with what is there, not with what is announced.
func (f filling) File(name string, size int64, executable bool, content io.Reader) error {
	var b bytes.Buffer
	b.Grow(int(min(size, 1<<20)))
	if _, err := io.Copy(&b, content); err != nil {
		return err
	}
	mode := fs.FileMode(0o444)
	if executable {
		mode = 0o555
	}
	f.files.add(name, mode, b.Bytes())
	return nil
}
