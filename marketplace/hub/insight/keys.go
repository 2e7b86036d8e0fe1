package insight

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
)

// keyPrefix begins the settings that hold the keys of days.
const keyPrefix = "insight.key."

// keyName is the setting of a day's key; names are in order of their days.
func keyName(day int) string { return fmt.Sprintf("%s%06d", keyPrefix, day) }

// keyring has the keys of days in memory.
type keyring struct {
	mu   sync.Mutex
	keys map[int][]byte
}

// keptFrom is the first day whose key is still kept.
func keptFrom(now time.Time) int {
	today := hub.Day(now)
	if now.Sub(dayStart(today)) < KeyGrace {
		return today - 1
	}
	return today
}

// dayStart returns the first moment of a day.
func dayStart(day int) time.Time { return time.Unix(int64(day)*86400, 0).UTC() }

// countingDay is the day that something of at counts for: its own while the key of that
// is kept, else the day of now.
func countingDay(at, now time.Time) int {
	today, day := hub.Day(now), hub.Day(at)
	if day < keptFrom(now) || day > today {
		return today
	}
	return day
}

// key returns the key of a day, which whichever process comes first makes.
func (s *Service) key(ctx context.Context, day int) ([]byte, error) {
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	first := keptFrom(s.now())
	for d := range s.keys.keys {
		if d < first {
			delete(s.keys.keys, d)
		}
	}
	if k, ok := s.keys.keys[day]; ok {
		return k, nil
	}
	k, err := s.storedKey(ctx, day)
	if err != nil {
		return nil, err
	}
	if s.keys.keys == nil {
		s.keys.keys = map[int][]byte{}
	}
	s.keys.keys[day] = k
	return k, nil
}

func (s *Service) storedKey(ctx context.Context, day int) ([]byte, error) {
	var value string
	err := s.env.Store.Update(ctx, func(tx hub.Tx) error {
		set, err := tx.Settings().Get(ctx, keyName(day))
		if errors.Is(err, hub.ErrNotFound) {
			made := make([]byte, sha256.Size)
			if _, err := rand.Read(made); err != nil {
				return err
			}
			b, err := json.Marshal(base64.StdEncoding.EncodeToString(made))
			if err != nil {
				return err
			}
			set = hub.Setting{Key: keyName(day), Value: string(b)}
			if err = tx.Settings().Insert(ctx, &set); errors.Is(err, hub.ErrExists) {
				set, err = tx.Settings().Get(ctx, keyName(day))
			}
			if err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		value = set.Value
		return nil
	})
	if err != nil {
		return nil, err
	}
	var k []byte // JSON has bytes in base64
	if err := json.Unmarshal([]byte(value), &k); err != nil || len(k) != sha256.Size {
		return nil, fmt.Errorf("setting %s is not a key", keyName(day))
	}
	return k, nil
}

// dropKeys deletes the keys of days that are over, and the hashes that were made with
// them.
func (s *Service) dropKeys(ctx context.Context) error {
	first := keptFrom(s.now())
	err := s.env.Store.Update(ctx, func(tx hub.Tx) error {
		_, err := tx.Settings().DeleteWhere(ctx, hub.Ge("name", keyPrefix), hub.Lt("name", keyName(first)))
		return err
	})
	return errors.Join(err, s.env.Store.Forget(ctx, first))
}

// once returns the keyed hash that something is counted once by.
func once(key []byte, parts ...string) string {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}
