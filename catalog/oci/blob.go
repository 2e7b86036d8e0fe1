package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/souk-dev/souk/verify"
)

// progress is how many bytes after a drop earn a new budget of failures: enough
// that a server cannot keep us busy byte by byte, little enough that a long
// download over a bad line ends.
const progress = 1 << 20

// blob opens a blob of exactly size bytes. The reader checks the digest while it
// streams and goes on where it was when the connection drops.
func (c *client) blob(ctx context.Context, repo string, d verify.Digest, size int64) (io.ReadCloser, error) {
	if !d.Valid() || size < 0 {
		return nil, fmt.Errorf("%w: blob %.80q of %d bytes is not a valid descriptor", verify.ErrDigest, d, size)
	}
	b := &blobReader{
		c:    c,
		size: size,
		req: request{
			what: "read blob " + repo + "@" + d.Short(), method: http.MethodGet,
			url: c.url(repo, "blobs", string(d)), repo: repo,
		},
		tries: &budget{},
	}
	b.ctx, b.stop = context.WithCancelCause(withBudget(ctx, b.tries))
	b.caller = ctx
	if err := b.open(); err != nil {
		b.stop(nil)
		return nil, err
	}
	return &verified{verify.NewReader(b, d, size), b}, nil
}

// verified reads through the digest and closes the connection.
type verified struct {
	io.Reader
	io.Closer
}

// blobReader yields the bytes of a blob in order, over as many requests as needed.
type blobReader struct {
	c      *client
	caller context.Context // the reader outlives the call that opened it
	ctx    context.Context // caller's, with the budget; cancelled by Close
	stop   context.CancelCauseFunc
	req    request
	tries  *budget
	size   int64
	off    int64 // read so far
	mark   int64 // value of off when the budget was last full

	body   io.ReadCloser
	watch  *watched
	cancel context.CancelCauseFunc // of the current request
	err    error
}

// Read is not safe for concurrent use.
func (b *blobReader) Read(p []byte) (int, error) {
	for {
		if b.err != nil {
			return 0, b.err
		}
		if b.body == nil && b.off >= b.size && b.off > 0 {
			return 0, io.EOF
		}
		if b.body == nil {
			b.err = b.open()
			continue
		}
		n, err := b.watch.Read(p)
		b.off += int64(n)
		if b.off-b.mark >= progress {
			b.mark = b.off
			b.tries.reset()
		}
		switch {
		case err == nil:
			return n, nil
		case b.off >= b.size: // nothing is missing, however it ended
			return n, io.EOF
		case n > 0:
			b.hangUp()
			b.err = b.dropped(err)
			return n, nil
		}
		b.hangUp()
		b.err = b.dropped(err)
	}
}

// dropped counts a broken connection and waits before the next; its error is final.
func (b *blobReader) dropped(err error) error {
	if b.caller.Err() != nil {
		return unreachable(b.caller, b.req.what, context.Cause(b.caller))
	}
	if b.ctx.Err() != nil {
		return context.Cause(b.ctx) // closed
	}
	err = fmt.Errorf("%w after %d of %d bytes: %w", errDropped, b.off, b.size, err)
	if !b.tries.fail() {
		return unreachable(b.caller, b.req.what, fmt.Errorf("%w; gave up after %d tries", err, b.tries.tries()))
	}
	b.c.log.InfoContext(b.caller, "blob broke off, going on", "what", b.req.what, "offset", b.off, "size", b.size, "error", err)
	if err := pause(b.ctx, b.c.wait, b.tries.tries()-1); err != nil {
		return unreachable(b.caller, b.req.what, err)
	}
	return nil
}

// open asks for the bytes from off on.
func (b *blobReader) open() error {
	ctx, cancel := context.WithCancelCause(b.ctx)
	r := b.req
	if b.off > 0 {
		r.header = http.Header{"Range": {"bytes=" + strconv.FormatInt(b.off, 10) + "-" + strconv.FormatInt(b.size-1, 10)}}
	}
	resp, err := b.c.send(ctx, r)
	if err != nil {
		cancel(nil)
		return unreachable(b.caller, b.req.what, err)
	}
	skip, err := b.check(resp)
	if err != nil {
		resp.Body.Close()
		cancel(nil)
		return err
	}
	b.body, b.cancel = resp.Body, cancel
	b.watch = watch(resp.Body, b.c.stall, cancel)
	if skip == 0 {
		return nil
	}
	if n, err := io.CopyN(io.Discard, b.watch, skip); err != nil {
		b.hangUp()
		return b.dropped(fmt.Errorf("while skipping, at %d: %w", n, err))
	}
	return nil
}

// check says whether the answer is what was asked for, and how many bytes of it
// were read before: a server that does not know ranges sends all of it again.
func (b *blobReader) check(resp *http.Response) (skip int64, err error) {
	switch {
	case resp.StatusCode == http.StatusOK:
		if resp.ContentLength >= 0 && resp.ContentLength != b.size {
			return 0, fmt.Errorf("%s: %w: the registry announces %d bytes, it must be %d", b.req.what, verify.ErrDigest, resp.ContentLength, b.size)
		}
		return b.off, nil
	case resp.StatusCode == http.StatusPartialContent && b.off > 0:
		got, err := ParseContentRange(resp.Header.Get("Content-Range"))
		if err != nil {
			return 0, unreachable(b.caller, b.req.what, err)
		}
		if got.First != b.off || got.Last != b.size-1 || got.Size >= 0 && got.Size != b.size {
			return 0, unreachable(b.caller, b.req.what, fmt.Errorf("asked for bytes %d-%d of %d, got %d-%d of %d",
				b.off, b.size-1, b.size, got.First, got.Last, got.Size))
		}
		return 0, nil
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && b.off > 0:
		return 0, fmt.Errorf("%s: %w: it is shorter than the announced %d bytes", b.req.what, verify.ErrDigest, b.size)
	}
	return 0, answered(b.req.what, resp)
}

func (b *blobReader) hangUp() {
	if b.body != nil {
		b.body.Close()
		b.cancel(nil)
		b.body = nil
	}
}

// Close ends the download. It may be called more than once.
func (b *blobReader) Close() error {
	b.stop(errClosed)
	b.hangUp()
	if b.err == nil {
		b.err = errClosed
	}
	return nil
}

var errClosed = errors.New("read from a closed blob")
