package link

import (
	"sync"
	"time"
)

// How long answers are remembered.
const (
	MaxKept   = 256              // answers, each of at most a page of ratings
	freshFor  = 30 * time.Second // ratings are not asked for again
	freshTips = 10 * time.Minute // suggestions
	keepFor   = 24 * time.Hour   // shown, with its age, while the hub is away
)

// cache remembers answers by the question. It is safe for concurrent use.
type cache struct {
	now func() time.Time
	mu  sync.Mutex
	all map[string]kept
}

type kept struct {
	answer any
	at     time.Time
}

func newCache(now func() time.Time) *cache { return &cache{now: now, all: map[string]kept{}} }

// get returns an answer, unless it is older than most.
func (c *cache) get(question string, most time.Duration) (any, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.all[question]
	if age := c.now().Sub(k.at); !ok || age < 0 || age > most {
		return nil, false
	}
	return k.answer, true
}

// put remembers an answer, in the place of the oldest when there are too many.
func (c *cache) put(question string, answer any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.all[question]; !there && len(c.all) >= MaxKept {
		oldest := ""
		for q, k := range c.all {
			if oldest == "" || k.at.Before(c.all[oldest].at) {
				oldest = q
			}
		}
		delete(c.all, oldest)
	}
	c.all[question] = kept{answer, c.now()}
}

// expire makes all answers old: they are asked for again, and shown while the hub is away.
func (c *cache) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for q, k := range c.all {
		k.at = k.at.Add(-freshTips)
		c.all[q] = k
	}
}

func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.all)
}
