package store

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"sync"
)

const (
	// maxStreams is how many streams of events are open at a time. Each costs a
	// connection and two goroutines, some 50 KB.
	maxStreams = 256
	// maxStreamsEach is how many of them one person has: so many windows, and so that
	// one cannot keep the others from theirs.
	maxStreamsEach = 32
)

// streams counts who listens to events, and names this run of the storefront. It is safe
// for concurrent use.
type streams struct {
	epoch string // stands in the ids of events: numbers of another run say nothing here

	mu   sync.Mutex
	all  int
	each map[string]int // by name of the actor
}

func newStreams() *streams { return &streams{epoch: rand.Text()[:8], each: map[string]int{}} }

// open counts one more stream, or says that there are too many. The caller calls the
// function that it returns when the stream has ended.
func (s *streams) open(who string) (func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= maxStreams || s.each[who] >= maxStreamsEach {
		return nil, errStreams
	}
	s.all++
	s.each[who]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		if s.each[who]--; s.each[who] == 0 {
			delete(s.each, who)
		}
	}, nil
}

// id is the id of the event numbered n.
func (s *streams) id(n uint64) string { return s.epoch + "-" + strconv.FormatUint(n, 10) }

var eventID = regexp.MustCompile(`^(?:([A-Z2-7]{8})-)?([0-9]{1,20})$`)

// after reads the id of the last event that a client saw. One of another run is foreign,
// and so is a mere number, as ids were once.
func (s *streams) after(r *http.Request) (n uint64, foreign bool, err error) {
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = r.URL.Query().Get("after")
	}
	if last == "" {
		return 0, false, nil
	}
	parts := eventID.FindStringSubmatch(last)
	if parts == nil {
		return 0, false, fmt.Errorf("%w: %q is no id of an event", errRequest, oneLine(last, 40))
	}
	if parts[1] != s.epoch {
		return 0, true, nil
	}
	if n, err = strconv.ParseUint(parts[2], 10, 64); err != nil {
		return 0, false, fmt.Errorf("%w: the id of the last event is out of range", errRequest)
	}
	return n, false, nil
}
