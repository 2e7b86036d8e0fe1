package update

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"
)

const (
	// CheckEvery is how often catalogs are fetched.
	CheckEvery = 6 * time.Hour
	// AdvisoryEvery is how often advisories are, where a Market can do that alone.
	AdvisoryEvery = time.Hour
	// FirstSpread is within which time after a start the first check happens, so
	// that a fleet that was started at once does not ask at once.
	FirstSpread = 2 * time.Hour
	// MaxSleep is the longest time until the clock on the wall is read again:
	// machines sleep, and clocks are put right.
	MaxSleep = 15 * time.Minute
	// MaxRetryAfter bounds how long a source can ask to be left alone, so that it
	// cannot stop updates and advisories for good.
	MaxRetryAfter = 24 * time.Hour
)

// FirstCheck returns when to check first after a start at now; random is any random
// number.
func FirstCheck(now time.Time, random uint64) time.Time {
	return now.Add(time.Duration(random % uint64(FirstSpread)))
}

// NextCheck returns when to check again after a check at now: at the next of this
// panel's regular times, one in every CheckEvery at an offset that is a hash of the
// panel's secret, but not sooner than half of that after now.
func NextCheck(now time.Time, secret []byte) time.Time {
	sum := sha256.Sum256(append([]byte("check offset "), secret...))
	offset := time.Duration(binary.BigEndian.Uint64(sum[:]) % uint64(CheckEvery))
	t := now.Truncate(CheckEvery).Add(offset)
	for t.Before(now.Add(CheckEvery / 2)) {
		t = t.Add(CheckEvery)
	}
	return t
}

// retryAfter returns how long the source of an error asked to be left alone.
func retryAfter(err error) time.Duration {
	var r interface{ RetryAfter() time.Duration }
	if !errors.As(err, &r) {
		return 0
	}
	return min(max(r.RetryAfter(), 0), MaxRetryAfter)
}
