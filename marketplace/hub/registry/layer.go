package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/notifications"
	registrymiddleware "github.com/distribution/distribution/v3/registry/middleware/registry"
	"github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/reference"
	events "github.com/docker/go-events"
)

// layerName is under what our layer stands in distribution's table of registry
// middleware.
const layerName = "github.com/souk-dev/souk/marketplace/hub/registry"

// register puts our layer into that table, once per process: distribution has no
// other way in. Nothing but a configuration that names it is concerned.
var register = sync.OnceValue(func() error {
	return registrymiddleware.Register(layerName,
		func(_ context.Context, inner distribution.Namespace, d driver.StorageDriver, options map[string]any) (distribution.Namespace, error) {
			r, ok := options[layerName].(*Registry)
			if !ok {
				return nil, errors.New("this middleware is for Open only")
			}
			r.inner, r.driver = inner, d
			return &layer{inner, r}, nil
		})
})

// call is one request, as the layers below find it in their context.
type call struct {
	req    *http.Request
	remote string
	large  bool // a blob went over the bound; written and read by the goroutine of the request
}

type callKey struct{}

// layer stands between distribution's handlers and its storage: it tells of events
// and bounds blobs.
type layer struct {
	distribution.Namespace
	r *Registry
}

var _ distribution.RepositoryRemover = (*layer)(nil)

// Remove implements distribution.RepositoryRemover, which no handler calls.
func (l *layer) Remove(context.Context, reference.Named) error { return distribution.ErrUnsupported }

// Repository implements distribution.Namespace; ctx is that of the request.
func (l *layer) Repository(ctx context.Context, name reference.Named) (distribution.Repository, error) {
	repo, err := l.Namespace.Repository(ctx, name)
	if err != nil {
		return nil, err
	}
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return nil, fmt.Errorf("repository %s was not asked for by a request", name)
	}
	repo = &bounded{repo, c, l.r.o.MaxBlob}
	if l.r.queue == nil {
		return repo, nil
	}
	actor, _ := ctx.Value("auth.user.name").(string)
	listener := notifications.NewBridge(noURLs{}, notifications.SourceRecord{}, notifications.ActorRecord{Name: actor},
		notifications.RequestRecord{Addr: c.remote, Method: c.req.Method, UserAgent: c.req.UserAgent()}, sink{l.r.queue}, false)
	repo, _ = notifications.Listen(repo, nil, listener)
	return repo, nil
}

// noURLs leaves out what events would say about where things are.
type noURLs struct{}

func (noURLs) BuildManifestURL(reference.Named) (string, error) { return "", nil }
func (noURLs) BuildBlobURL(reference.Canonical) (string, error) { return "", nil }

// sink takes events from distribution's bridge.
type sink struct{ q *queue }

func (s sink) Write(e events.Event) error {
	if e, ok := e.(notifications.Event); ok {
		s.q.put(fromDistribution(&e))
	}
	return nil
}

func (s sink) Close() error { return nil }

func fromDistribution(e *notifications.Event) Event {
	return Event{
		ID: e.ID, Action: Action(e.Action), Repository: e.Target.Repository, FromRepository: e.Target.FromRepository,
		Digest: verifyDigest(string(e.Target.Digest)), MediaType: clip(e.Target.MediaType, maxField), Tag: e.Target.Tag,
		Timestamp: e.Timestamp, Remote: e.Request.Addr, UserAgent: clip(e.Request.UserAgent, maxField),
		Method: clip(e.Request.Method, maxMethod), Actor: clip(e.Actor.Name, maxField),
	}
}

// bounded is a repository whose uploads end at most bytes.
type bounded struct {
	distribution.Repository
	call *call
	most int64
}

func (b *bounded) Blobs(ctx context.Context) distribution.BlobStore {
	return &boundedBlobs{b.Repository.Blobs(ctx), b}
}

type boundedBlobs struct {
	distribution.BlobStore
	b *bounded
}

func (s *boundedBlobs) Create(ctx context.Context, options ...distribution.BlobCreateOption) (distribution.BlobWriter, error) {
	return s.wrap(s.BlobStore.Create(ctx, options...))
}

func (s *boundedBlobs) Resume(ctx context.Context, id string) (distribution.BlobWriter, error) {
	return s.wrap(s.BlobStore.Resume(ctx, id))
}

func (s *boundedBlobs) wrap(w distribution.BlobWriter, err error) (distribution.BlobWriter, error) {
	if err != nil {
		return nil, err
	}
	return &boundedUpload{w, s.b}, nil
}

// boundedUpload counts all of a blob, whichever requests it came with.
type boundedUpload struct {
	distribution.BlobWriter
	b *bounded
}

func (u *boundedUpload) tooLarge() error {
	u.b.call.large = true
	return fmt.Errorf("the blob has more than %d bytes", u.b.most)
}

func (u *boundedUpload) Write(p []byte) (int, error) {
	if u.Size()+int64(len(p)) > u.b.most {
		return 0, u.tooLarge()
	}
	return u.BlobWriter.Write(p)
}

func (u *boundedUpload) ReadFrom(r io.Reader) (int64, error) {
	left := u.b.most - u.Size()
	n, err := u.BlobWriter.ReadFrom(&io.LimitedReader{R: r, N: left})
	if err != nil || n < left {
		return n, err
	}
	var one [1]byte
	for {
		switch more, err := r.Read(one[:]); {
		case more > 0:
			return n, u.tooLarge()
		case err == io.EOF:
			return n, nil
		case err != nil:
			return n, err
		}
	}
}

// boundWriter says 413 where distribution would say 500 about a blob that is too large.
type boundWriter struct {
	http.ResponseWriter
	call *call
	most int64
	said bool
	mute bool
}

func (w *boundWriter) WriteHeader(status int) {
	if w.call.large && !w.said && status >= http.StatusBadRequest {
		w.said, w.mute = true, true
		w.Header().Del("Content-Length")
		tooLarge(w.ResponseWriter, w.most)
		return
	}
	w.said = w.said || status >= http.StatusOK
	if !w.mute {
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *boundWriter) Write(p []byte) (int, error) {
	if !w.said {
		w.WriteHeader(http.StatusOK)
	}
	if w.mute {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController set deadlines.
func (w *boundWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
