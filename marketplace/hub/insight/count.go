package insight

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/verify"
)

// Numbers of counting.
const (
	FlushEvery = 250 * time.Millisecond // how long a counted download is in memory only
	MaxPending = 50_000                 // so many in memory, some minutes of a busy hub; then [hub.ErrUnavailable]
	MaxBatch   = 5_000                  // downloads in one call
	KeyGrace   = 2 * time.Hour          // how long after its day a key is kept, for what comes late

	maxFlush  = 1000             // tallies in one transaction
	maxClient = 1024             // bytes of Client that are looked at
	lastFlush = 10 * time.Second // how long Run tries to write what is left
)

// Download is the content of a release that somebody fetched from the registry.
type Download struct {
	Repository string // of the registry; staging/<publisher>/<name> is no download
	Digest     string // of the content layer, which is read when a plugin is installed and at no other time
	// Client is the network address of who fetched, and nothing that the client can
	// choose anew each time. It is not kept.
	Client string
	At     time.Time // zero: now
}

// CountDownloads counts downloads of releases: one per release, day and client. What is
// no release is left out. An error that wraps [hub.ErrUnavailable] means that nothing of
// the batch is counted; sending it again is safe. One that comes later than [KeyGrace]
// after its day counts for the day on which it comes.
func (s *Service) CountDownloads(ctx context.Context, batch []Download) error {
	if len(batch) > MaxBatch {
		return hub.Invalid("downloads", "are %d, more than %d", len(batch), MaxBatch)
	}
	releases, err := s.releasesOf(ctx, batch)
	if err != nil {
		return err
	}
	now := s.now()
	var tallies []hub.Tally
	for _, d := range batch {
		r, ok := releases[d.Digest]
		if !ok || staging(d.Repository) {
			continue
		}
		if d.At.IsZero() {
			d.At = now
		}
		day := countingDay(d.At, now)
		key, err := s.key(ctx, day)
		if err != nil {
			return err
		}
		tallies = append(tallies, hub.Tally{
			Day: day, Kind: hub.TallyDownload, Plugin: r.plugin, Version: r.version, N: 1,
			Once: once(key, hub.TallyDownload, d.Digest, d.Client[:min(len(d.Client), maxClient)]),
		})
	}
	return s.counter.add(tallies)
}

// staging reports whether a repository is <prefix>staging/<publisher>/<name>, which
// reviewers and scanners read.
func staging(repository string) bool {
	parts := strings.Split(repository, "/")
	return len(parts) >= 3 && parts[len(parts)-3] == "staging"
}

// counter has what is not yet in the store.
type counter struct {
	mu      sync.Mutex
	pending []hub.Tally
	closed  bool

	flushing sync.Mutex // held by the one who writes
	failing  bool       // under flushing: the last try failed, and that was logged
}

func (c *counter) add(t []hub.Tally) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return fmt.Errorf("counting has ended: %w", hub.ErrUnavailable)
	case len(c.pending)+len(t) > MaxPending:
		return fmt.Errorf("%d counts wait to be written: %w", len(c.pending), hub.ErrUnavailable)
	}
	c.pending = append(c.pending, t...)
	return nil
}

func (c *counter) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}

// first returns the oldest counts, which stay until written says that they are stored.
func (c *counter) first() []hub.Tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pending[:min(len(c.pending), maxFlush)]
}

func (c *counter) written(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	rest := c.pending[n:]
	if len(rest) == 0 {
		c.pending = nil // the memory of a busy hour is given back
		return
	}
	c.pending = rest
}

// flush writes what waits. Counts that failed stay.
func (s *Service) flush(ctx context.Context) error {
	s.counter.flushing.Lock()
	defer s.counter.flushing.Unlock()
	for {
		part := s.counter.first()
		if len(part) == 0 {
			return nil
		}
		if _, err := s.env.Store.Tally(ctx, part); err != nil {
			if !s.counter.failing && ctx.Err() == nil {
				s.env.Log.WarnContext(ctx, "counts wait in memory", "err", err)
			}
			s.counter.failing = true
			return err
		}
		s.counter.failing = false
		s.counter.written(len(part))
	}
}

func (s *Service) keepFlushing(ctx context.Context) {
	tick := time.NewTicker(FlushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = s.flush(ctx) // logged there; what failed stays, and is tried again
		}
	}
}

// releaseRef is a release that a digest stands for.
type releaseRef struct{ plugin, version string }

// Bounds of the cache of digests.
const (
	maxCached   = 100_000
	unknownFor  = 10 * time.Second // what is no release may become one
	digestsList = 200              // in one question
)

// releaseCache maps digests to releases, which never changes, and remembers for a while
// what is none.
type releaseCache struct {
	mu      sync.Mutex
	known   map[string]releaseRef
	unknown map[string]time.Time // until when
}

func (c *releaseCache) get(digest string, now time.Time) (r releaseRef, found, unknown bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, found = c.known[digest]
	return r, found, !found && now.Before(c.unknown[digest])
}

func (c *releaseCache) put(digests []string, found map[string]releaseRef, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) > maxCached {
		c.known = map[string]releaseRef{}
	}
	if c.unknown == nil || len(c.unknown) > maxCached {
		c.unknown = map[string]time.Time{}
	}
	for _, d := range digests {
		if r, ok := found[d]; ok {
			c.known[d] = r
			delete(c.unknown, d)
		} else {
			c.unknown[d] = now.Add(unknownFor)
		}
	}
}

// releasesOf returns the releases that downloads are of, by the digest of their content.
func (s *Service) releasesOf(ctx context.Context, batch []Download) (map[string]releaseRef, error) {
	out := map[string]releaseRef{}
	var ask []string
	asked := map[string]bool{}
	now := s.now()
	for _, d := range batch {
		if asked[d.Digest] || !verify.Digest(d.Digest).Valid() {
			continue
		}
		asked[d.Digest] = true
		r, found, unknown := s.releases.get(d.Digest, now)
		if found {
			out[d.Digest] = r
		} else if !unknown {
			ask = append(ask, d.Digest)
		}
	}
	for len(ask) > 0 {
		part := ask[:min(len(ask), digestsList)]
		ask = ask[len(part):]
		found := map[string]releaseRef{}
		err := s.env.Store.View(ctx, func(tx hub.Tx) error {
			clear(found)
			list, err := tx.Releases().List(ctx, hub.Query{Where: []hub.Cond{hub.In("content", part)}})
			for _, r := range list {
				found[r.Content] = releaseRef{r.Plugin, r.Version}
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		s.releases.put(part, found, now)
		for d, r := range found {
			out[d] = r
		}
	}
	return out, nil
}
