package edge

import (
	"container/list"
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/souk-dev/souk/marketplace/hub"
)

// Limits bound how often one address, and one account, may ask. They are kept in memory,
// so each process of a hub has its own; the zero value means the numbers given.
type Limits struct {
	Read  int // GET and HEAD a minute; 0: 1,200
	Write int // everything else; 0: 120
	// SignIn is for paths below SignInPaths, on top of Write: guessing must be slow. 0: 20
	SignIn int
	// SignInPaths are the beginnings of the paths at which secrets are shown. Empty: none.
	SignInPaths []string
	// MaxClients is how many clients are remembered, the latest ones. 0: 50,000
	MaxClients int
}

func (l Limits) withDefaults() Limits {
	or := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	or(&l.Read, 1200)
	or(&l.Write, 120)
	or(&l.SignIn, 20)
	or(&l.MaxClients, 50_000)
	return l
}

// limiter keeps a bucket per client and class.
type limiter struct {
	l Limits

	mu      sync.Mutex
	buckets map[string]*list.Element
	latest  *list.List // front: used last
}

type bucket struct {
	key  string
	rate *rate.Limiter
}

func newLimiter(l Limits) *limiter {
	return &limiter{l: l, buckets: map[string]*list.Element{}, latest: list.New()}
}

func (l *limiter) class(r *http.Request) (name string, quota int) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions {
		return "read", l.l.Read
	}
	for _, p := range l.l.SignInPaths {
		if strings.HasPrefix(r.URL.Path, p) {
			return "signin", l.l.SignIn
		}
	}
	return "write", l.l.Write
}

// spend takes one from the client's bucket, and says in the headers how it stands.
func (l *limiter) spend(w http.ResponseWriter, r *http.Request, client string, now time.Time) error {
	class, quota := l.class(r)
	b := l.bucket(client+" "+class, quota)
	ok := b.AllowN(now, 1)
	left := max(0, int(b.TokensAt(now)))
	// Seconds until one more is there, or until all are.
	reset := int(math.Ceil(float64(quota-left) * 60 / float64(quota)))
	h := w.Header()
	h.Set("RateLimit-Policy", fmt.Sprintf("%q;q=%d;w=60", class, quota))
	h.Set("RateLimit", fmt.Sprintf("%q;r=%d;t=%d", class, left, reset))
	if ok {
		return nil
	}
	wait := time.Duration(math.Ceil(60/float64(quota))) * time.Second
	return &hub.LimitError{What: fmt.Sprintf("%d requests a minute", quota), After: wait}
}

func (l *limiter) bucket(key string, quota int) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.buckets[key]; e != nil {
		l.latest.MoveToFront(e)
		return e.Value.(*bucket).rate
	}
	b := &bucket{key, rate.NewLimiter(rate.Limit(float64(quota)/60), quota)}
	l.buckets[key] = l.latest.PushFront(b)
	for len(l.buckets) > l.l.MaxClients {
		oldest := l.latest.Back()
		l.latest.Remove(oldest)
		delete(l.buckets, oldest.Value.(*bucket).key)
	}
	return b.rate
}
