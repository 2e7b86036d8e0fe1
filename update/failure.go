package update

import (
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

const (
	// breakerCount automatic rollbacks within breakerSpan stop automatic updates:
	// then it is more than one bad release.
	breakerCount = 2
	breakerSpan  = 24 * time.Hour
	// maxFailures bounds the poison list; the oldest entry goes first.
	maxFailures = 1000
	// maxError bounds the text that is kept of an error, in bytes.
	maxError = 500
)

// Backoff returns how long a release is left alone after it did not work here count
// times: not at all, 8 h, 12 h, 1 d, 2 d, 4 d, 7 d, 10.5 d, and 14 d from then on.
func Backoff(count int) time.Duration {
	hours := [...]time.Duration{0, 8, 12, 24, 48, 96, 168, 252, 336}
	return hours[min(max(count-1, 0), len(hours)-1)] * time.Hour
}

// Poisoned returns the failure that is remembered of a release's digest.
func (s State) Poisoned(d verify.Digest) (Failure, bool) {
	if i := s.failure(d); i >= 0 {
		return s.Failures[i], true
	}
	return Failure{}, false
}

func (s *State) failure(d verify.Digest) int {
	return slices.IndexFunc(s.Failures, func(f Failure) bool { return f.Digest == d })
}

// fail remembers that a release did not work, and returns what is known of it now.
func (s *State) fail(r catalog.Ref, d verify.Digest, cause error, now time.Time) Failure {
	f, _ := s.Poisoned(d)
	text := cause.Error()
	f = Failure{
		Ref: r, Digest: d, Count: f.Count + 1, Last: now,
		Next: now.Add(Backoff(f.Count + 1)), Error: text[:min(len(text), maxError)],
	}
	s.forgive(d)
	s.Failures = append(s.Failures, f)
	if len(s.Failures) > maxFailures {
		s.Failures = slices.Delete(s.Failures, 0, 1)
	}
	return f
}

// forgive takes a release off the poison list, and reports whether it was on it.
func (s *State) forgive(d verify.Digest) bool {
	n := len(s.Failures)
	s.Failures = slices.DeleteFunc(s.Failures, func(f Failure) bool { return f.Digest == d })
	return len(s.Failures) < n
}

// outgrow forgets the failures of releases at or below what is installed now.
func (s *State) outgrow(id catalog.PluginID, version string) {
	s.Failures = slices.DeleteFunc(s.Failures, func(f Failure) bool {
		return f.Ref.Plugin == id && catalog.CompareVersions(f.Ref.Version, version) <= 0
	})
}

// rolledBack counts an automatic rollback for the circuit breaker.
func (s *State) rolledBack(now time.Time) {
	s.Rollbacks = slices.DeleteFunc(s.Rollbacks, func(t time.Time) bool { return now.Sub(t) >= breakerSpan })
	s.Rollbacks = append(s.Rollbacks, now)
}

// Breaker returns until when nothing is applied by itself, because too many updates
// had to be taken back within a day; zero when that is not so at now.
func (s State) Breaker(now time.Time) time.Time {
	var recent []time.Time
	for _, t := range s.Rollbacks {
		if age := now.Sub(t); age >= 0 && age < breakerSpan {
			recent = append(recent, t)
		}
	}
	if len(recent) < breakerCount {
		return time.Time{}
	}
	slices.SortFunc(recent, time.Time.Compare)
	return recent[len(recent)-breakerCount].Add(breakerSpan)
}
