package marketplace

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

const (
	maxMediaKept = 32 << 20        // bytes of texts and pictures that are remembered: a few hundred
	mediaTime    = 2 * time.Minute // to fetch one, whoever still waits for it
	maxFetches   = 16              // at the same time: a page has two dozen icons
)

// errClosed is what a fetch ends with when the market does.
var errClosed = errors.New("the market is closed")

// Media reads a README, changelog, icon or screenshot of a release by its title,
// checked against its digest. What was read lately is remembered, and several who want
// the same wait for one download. When ctx ends it returns, and the download goes on for
// who asks next, for two minutes at most.
func (m *Market) Media(ctx context.Context, r catalog.Release, title string) (data []byte, mediaType string, err error) {
	src, err := m.source(r.Source)
	if err != nil {
		return nil, "", err
	}
	ms, ok := src.(catalog.MediaSource)
	if !ok {
		return nil, "", fmt.Errorf("source %q serves no pictures or texts: %w", r.Source, catalog.ErrNotFound)
	}
	for _, d := range r.Media {
		if d.Title == title {
			data, err = m.media.get(ctx, d.Digest, func(ctx context.Context) ([]byte, error) { return ms.Media(ctx, r, d) })
			return data, d.MediaType, err
		}
	}
	return nil, "", fmt.Errorf("%s of %s: %w", title, r.Ref, catalog.ErrNotFound)
}

// mediaShelf remembers blobs by their digest, the least used goes first, and fetches each
// once. Its goroutines end before [mediaShelf.close] returns. It is safe for concurrent use.
type mediaShelf struct {
	ctx   context.Context // of all fetches
	end   context.CancelFunc
	slots chan struct{}
	work  sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	kept    map[verify.Digest]*list.Element // of *medium
	order   list.List                       // the one used last is in front
	size    int
	fetches map[verify.Digest]*fetch
}

type medium struct {
	digest verify.Digest
	data   []byte
}

// fetch is one download; done is closed when data and err are there.
type fetch struct {
	done chan struct{}
	data []byte
	err  error
}

func newMediaShelf() *mediaShelf {
	s := &mediaShelf{slots: make(chan struct{}, maxFetches), kept: map[verify.Digest]*list.Element{}, fetches: map[verify.Digest]*fetch{}}
	s.ctx, s.end = context.WithCancel(context.Background())
	return s
}

// get returns the blob, which the caller does not change.
func (s *mediaShelf) get(ctx context.Context, d verify.Digest, load func(context.Context) ([]byte, error)) ([]byte, error) {
	s.mu.Lock()
	if e, ok := s.kept[d]; ok {
		s.order.MoveToFront(e)
		s.mu.Unlock()
		return e.Value.(*medium).data, nil
	}
	f, running := s.fetches[d]
	if !running {
		if s.closed {
			s.mu.Unlock()
			return nil, fmt.Errorf("%w: %w", catalog.ErrUnavailable, errClosed)
		}
		f = &fetch{done: make(chan struct{})}
		s.fetches[d] = f
		s.work.Go(func() { s.run(d, f, load) })
	}
	s.mu.Unlock()
	select {
	case <-f.done:
		return f.data, f.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *mediaShelf) run(d verify.Digest, f *fetch, load func(context.Context) ([]byte, error)) {
	ctx, cancel := context.WithTimeout(s.ctx, mediaTime)
	defer cancel()
	select {
	case s.slots <- struct{}{}:
		f.data, f.err = load(ctx)
		<-s.slots
	case <-ctx.Done():
		f.err = ctx.Err()
	}
	if f.err != nil && ctx.Err() != nil { // of the fetch, and not of who waits for it
		f.err = fmt.Errorf("%w: no answer in time: %w", catalog.ErrUnavailable, f.err)
	}
	s.mu.Lock()
	delete(s.fetches, d)
	if f.err == nil && len(f.data) <= maxMediaKept {
		s.kept[d] = s.order.PushFront(&medium{d, f.data})
		s.size += len(f.data)
		for s.size > maxMediaKept {
			last := s.order.Back()
			old := s.order.Remove(last).(*medium)
			delete(s.kept, old.digest)
			s.size -= len(old.data)
		}
	}
	s.mu.Unlock()
	close(f.done)
}

// close ends all fetches and waits for them.
func (s *mediaShelf) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end()
	s.work.Wait()
}
