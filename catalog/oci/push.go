package oci

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

// Pusher writes artifacts to a registry; it is what catalog/publish writes through.
// Everything it does can be repeated: what is there already is success. It is safe
// for concurrent use.
type Pusher struct {
	c      *client
	prefix string

	// attaching keeps two Attach of this Pusher from reading the same tag before
	// either writes it.
	attaching sync.Mutex
}

// NewPusher returns a Pusher for a registry ("registry.example.org") or a part of
// one ("registry.example.org/plugins"); the repositories it is told are below that.
// It asks nothing of the registry yet.
func NewPusher(at string, o Options) (*Pusher, error) {
	l, err := parseLocation(at, o.Insecure)
	if err != nil {
		return nil, fmt.Errorf("push: %w", err)
	}
	return &Pusher{c: newClient(l, o), prefix: l.path}, nil
}

// Close drops the idle connections; the Pusher stays usable.
func (p *Pusher) Close() error {
	p.c.plain.CloseIdleConnections()
	return nil
}

// repository checks a repository's name and puts the prefix before it.
func (p *Pusher) repository(repo string) (string, error) {
	full, err := below(p.prefix, repo)
	if err != nil {
		return "", fmt.Errorf("push: %w", err)
	}
	return full, nil
}

// PushBlob stores a blob in repo. It opens it only when the registry does not have
// it yet; a registry that redirects or wants a login meanwhile makes it open again.
// Bytes that are not what d says are [verify.ErrDigest], and nothing is stored.
func (p *Pusher) PushBlob(ctx context.Context, repo string, d catalog.Descriptor, open func() (io.ReadCloser, error)) error {
	if !d.Digest.Valid() || d.Size < 0 {
		return fmt.Errorf("push blob: %w: %.80q of %d bytes is not a valid descriptor", verify.ErrDigest, d.Digest, d.Size)
	}
	full, err := p.repository(repo)
	if err != nil {
		return err
	}
	what := "push blob " + full + "@" + d.Digest.Short()
	there, err := p.has(ctx, what, full, d)
	if err != nil || there {
		return err
	}
	resp, err := p.c.send(ctx, request{
		what: what, method: http.MethodPost, url: p.c.url(full, "blobs", "uploads/"), repo: full, push: true,
	})
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusAccepted {
		return answered(what, resp)
	}
	drain(resp)
	return p.upload(ctx, what, full, resp, d, open)
}

// upload sends a blob to where the answer to a POST of uploads/ says.
func (p *Pusher) upload(ctx context.Context, what, repo string, begun *http.Response, d catalog.Descriptor, open func() (io.ReadCloser, error)) error {
	to, err := p.c.follow(begun.Request.URL, begun.Header.Get("Location"))
	if err != nil {
		return unreachable(ctx, what, err)
	}
	q := to.Query()
	q.Set("digest", string(d.Digest))
	to.RawQuery = q.Encode()
	var wrong atomic.Value
	resp, err := p.c.send(ctx, request{
		what: what, method: http.MethodPut, url: to, repo: repo, push: true, size: d.Size,
		header: http.Header{"Content-Type": {"application/octet-stream"}},
		body: func() (io.ReadCloser, error) {
			b, err := open()
			if err != nil {
				return nil, err
			}
			return &verified{&heldBack{r: verify.NewReader(b, d.Digest, d.Size), wrong: &wrong}, b}, nil
		},
	})
	if wrong, ok := wrong.Load().(bodyError); ok {
		if err == nil {
			drain(resp)
		}
		return fmt.Errorf("%s: %w", what, wrong.error)
	}
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusNoContent {
		return answered(what, resp)
	}
	drain(resp)
	return nil
}

// heldBack passes bytes on only when those after them could be read, so that a
// registry never has the whole of a body that turns out wrong. Why is in wrong,
// because net/http does not always tell.
type heldBack struct {
	r     io.Reader
	wrong *atomic.Value // bodyError
	held  []byte
	spare []byte
	err   error
}

type bodyError struct{ error }

func (h *heldBack) Read(p []byte) (int, error) {
	for {
		if len(h.held) > 0 && (h.err == io.EOF || len(h.held) > 1) {
			most := len(h.held)
			if h.err != io.EOF {
				most-- // the last byte waits for what comes after it
			}
			n := copy(p, h.held[:most])
			h.held = h.held[n:]
			return n, nil
		}
		if h.err != nil {
			return 0, h.err
		}
		if h.spare == nil {
			h.spare = make([]byte, 64<<10)
		}
		kept := copy(h.spare, h.held)
		n, err := h.r.Read(h.spare[kept:])
		h.held = h.spare[:kept+n]
		if h.err = err; err != nil && err != io.EOF {
			h.held = nil
			h.wrong.Store(bodyError{err})
		}
	}
}

// has asks whether the registry has the blob.
func (p *Pusher) has(ctx context.Context, what, repo string, d catalog.Descriptor) (bool, error) {
	resp, err := p.c.send(ctx, request{
		what: what, method: http.MethodHead, url: p.c.url(repo, "blobs", string(d.Digest)), repo: repo, push: true,
	})
	if err != nil {
		return false, err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		drain(resp)
		return resp.ContentLength < 0 || resp.ContentLength == d.Size, nil
	case http.StatusNotFound:
		drain(resp)
		return false, nil
	}
	return false, answered(what, resp)
}

// PushManifest stores a manifest in repo, under a tag, or under its digest only
// when tag is empty, and returns its digest. Its blobs must be there.
func (p *Pusher) PushManifest(ctx context.Context, repo, tag, mediaType string, raw []byte) (verify.Digest, error) {
	full, err := p.repository(repo)
	if err != nil {
		return "", err
	}
	d, _, err := p.putManifest(ctx, full, tag, mediaType, raw)
	return d, err
}

// putManifest stores a manifest; the header is that of the answer.
func (p *Pusher) putManifest(ctx context.Context, repo, reference, mediaType string, raw []byte) (verify.Digest, http.Header, error) {
	d := verify.DigestOf(raw)
	if len(raw) > verify.MaxManifest {
		return "", nil, fmt.Errorf("push manifest %s: %d bytes are more than %d", repo, len(raw), verify.MaxManifest)
	}
	if reference == "" {
		reference = string(d)
	} else if !tag.MatchString(reference) {
		return "", nil, fmt.Errorf("push manifest %s: %.150q is not a tag", repo, reference)
	}
	what := "push manifest " + repo + ":" + reference
	resp, err := p.c.send(ctx, request{
		what: what, method: http.MethodPut, url: p.c.url(repo, "manifests", reference), repo: repo, push: true,
		header: http.Header{"Content-Type": {mediaType}}, size: int64(len(raw)),
		body: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil },
	})
	if err != nil {
		return "", nil, err
	}
	if resp.StatusCode != http.StatusCreated {
		return "", nil, answered(what, resp)
	}
	drain(resp)
	if stored := resp.Header.Get("Docker-Content-Digest"); stored != "" && stored != string(d) {
		return "", nil, fmt.Errorf("%s: %w: the registry stored %.100q, not %s", what, verify.ErrDigest, stored, d)
	}
	return d, resp.Header, nil
}
