package tuf_test

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/tuf"
)

func decode(t testing.TB, kept string) *verify.CatalogState {
	t.Helper()
	var c verify.CatalogState
	require.NoError(t, json.Unmarshal([]byte(kept), &c))
	return &c
}

// selfMade is a root 99 that names and is signed by a stranger.
func (s *simulator) selfMade() []byte {
	s.t.Helper()
	evil := newKeys(s.t)
	_, p, err := tuf.Init(evil, s.now, tuf.Config{})
	require.NoError(s.t, err)
	return resign(s.t, p.Files["1.root.json"], func(m map[string]any) { m["version"] = 99 }, evil.Root...)
}

func version(n int) func(map[string]any) { return func(m map[string]any) { m["version"] = n } }

func TestAttacks(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		attack func(s *simulator) // on a panel that has read version one
		err    error
		say    string
	}{
		"old catalog replayed": {func(s *simulator) {
			old := s.keep()
			s.publish("two")
			require.NoError(s.t, s.update())
			s.served = old
		}, verify.ErrRollback, "timestamp version 1 must be >= 2"},
		"old snapshot under a new timestamp": {func(s *simulator) {
			s.publish("two")
			require.NoError(s.t, s.update())
			s.forge("timestamp.json", func(m map[string]any) {
				m["version"] = 9
				m["meta"] = map[string]any{"snapshot.json": map[string]any{"version": 1}}
			}, s.keys.Timestamp...)
		}, verify.ErrRollback, "snapshot version 1 must be >= 2"},
		"old targets under a new snapshot": {func(s *simulator) {
			s.publish("two")
			require.NoError(s.t, s.update())
			s.served["3.snapshot.json"] = resign(s.t, s.served["2.snapshot.json"], func(m map[string]any) {
				m["version"] = 3
				m["meta"] = map[string]any{"targets.json": map[string]any{"version": 1}}
			}, s.keys.Snapshot...)
			s.forge("timestamp.json", func(m map[string]any) {
				m["version"] = 3
				m["meta"] = map[string]any{"snapshot.json": map[string]any{"version": 3}}
			}, s.keys.Timestamp...)
		}, verify.ErrRollback, "targets.json"},
		"timestamp frozen": {func(s *simulator) {
			s.now = s.now.Add(day + 1)
		}, verify.ErrExpired, "timestamp.json was good until 2026-05-02T12:00:00Z"},
		"frozen, and never read": {func(s *simulator) {
			s.state, s.now = nil, s.now.Add(day+1)
		}, verify.ErrExpired, "timestamp.json was good until 2026-05-02T12:00:00Z"},
		"snapshot frozen by the timestamp's key": {func(s *simulator) {
			s.now = s.now.Add(8 * day)
			s.forge("timestamp.json", func(m map[string]any) {
				m["version"], m["expires"] = 9, s.now.Add(day)
			}, s.keys.Timestamp...)
		}, verify.ErrExpired, "snapshot.json is expired"},
		"targets frozen by the online keys": {func(s *simulator) {
			s.now = s.now.Add(91 * day)
			s.served["9.snapshot.json"] = resign(s.t, s.served["1.snapshot.json"], func(m map[string]any) {
				m["version"], m["expires"] = 9, s.now.Add(day)
			}, s.keys.Snapshot...)
			s.forge("timestamp.json", func(m map[string]any) {
				m["version"], m["expires"] = 9, s.now.Add(day)
				m["meta"] = map[string]any{"snapshot.json": map[string]any{"version": 9}}
			}, s.keys.Timestamp...)
		}, verify.ErrExpired, "targets is expired"},
		"root expired": {func(s *simulator) {
			s.now = s.now.Add(366 * day)
			s.forge("timestamp.json", func(m map[string]any) {
				m["version"], m["expires"] = 9, s.now.Add(day)
			}, s.keys.Timestamp...)
		}, verify.ErrExpired, "root.json is expired"},
		"clock set back": {func(s *simulator) {
			s.now = s.now.Add(-hour)
		}, verify.ErrRollback, "set the clock right"},
		"clock set back to revive an old timestamp": {func(s *simulator) {
			old := s.keep()
			s.now = s.now.Add(3 * day)
			s.publish("two")
			require.NoError(s.t, s.update())
			s.served, s.now = old, start
		}, verify.ErrRollback, "set the clock right"},
		"mixed targets": {func(s *simulator) {
			old := s.keep()
			s.publish("two")
			s.served["2.targets.json"] = old["1.targets.json"]
		}, verify.ErrDigest, ""},
		"mixed targets, lengths and digests not promised": {func(s *simulator) {
			s.publish("two")
			s.served["2.targets.json"] = s.served["1.targets.json"]
			s.served["2.snapshot.json"] = resign(s.t, s.served["2.snapshot.json"], func(m map[string]any) {
				m["meta"] = map[string]any{"targets.json": map[string]any{"version": 2}}
			}, s.keys.Snapshot...)
			s.forge("timestamp.json", func(m map[string]any) {
				m["meta"] = map[string]any{"snapshot.json": map[string]any{"version": 2}}
			}, s.keys.Timestamp...)
		}, verify.ErrUntrusted, "mixed"},
		"mixed snapshot": {func(s *simulator) {
			s.publish("two")
			s.served["2.snapshot.json"] = s.served["1.snapshot.json"]
			s.forge("timestamp.json", func(m map[string]any) {
				m["meta"] = map[string]any{"snapshot.json": map[string]any{"version": 2}}
			}, s.keys.Timestamp...)
		}, verify.ErrUntrusted, "mixed"},
		"mixed target files": {func(s *simulator) {
			old := s.servedHash("publishers")
			s.publish("two")
			s.served[s.servedHash("publishers")] = s.served[old]
		}, verify.ErrDigest, "publishers"},
		"index swapped": {func(s *simulator) {
			s.publish("two")
			s.served[s.servedHash("index")] = []byte("index 666")
		}, verify.ErrDigest, "index"},
		"index truncated": {func(s *simulator) {
			s.publish("two")
			name := s.servedHash("index")
			s.served[name] = s.served[name][:4]
		}, verify.ErrDigest, "index"},
		"index over-long": {func(s *simulator) {
			s.publish("two")
			name := s.servedHash("index")
			s.served[name] = append([]byte("index two"), "and more"...)
		}, verify.ErrDigest, "more than 9 bytes"},
		"snapshot truncated": {func(s *simulator) {
			s.publish("two")
			s.served["2.snapshot.json"] = s.served["2.snapshot.json"][:100]
		}, verify.ErrDigest, "2.snapshot.json"},
		"targets truncated": {func(s *simulator) {
			s.publish("two")
			s.served["2.targets.json"] = s.served["2.targets.json"][:100]
		}, verify.ErrDigest, "2.targets.json"},
		"timestamp truncated": {func(s *simulator) {
			s.served["timestamp.json"] = s.served["timestamp.json"][:100]
		}, verify.ErrUntrusted, "unexpected EOF"},
		"timestamp endless": {func(s *simulator) {
			s.served["timestamp.json"] = []byte(strings.Repeat(" ", 1<<20))
		}, verify.ErrDigest, "more than 16384 bytes"},
		"root endless": {func(s *simulator) {
			s.publish("two")
			s.served["2.root.json"] = []byte(strings.Repeat(" ", 1<<20))
		}, verify.ErrDigest, "more than 512000 bytes"},
		"timestamp by another key": {func(s *simulator) {
			s.forge("timestamp.json", version(2), s.keys.Snapshot...)
		}, verify.ErrUntrusted, "too few valid signatures"},
		"timestamp not signed": {func(s *simulator) {
			s.forge("timestamp.json", version(2))
		}, verify.ErrUntrusted, "too few valid signatures"},
		"snapshot by the timestamp's key": {func(s *simulator) {
			s.served["2.snapshot.json"] = resign(s.t, s.served["1.snapshot.json"], version(2), s.keys.Timestamp...)
			s.forge("timestamp.json", func(m map[string]any) {
				m["version"] = 2
				m["meta"] = map[string]any{"snapshot.json": map[string]any{"version": 2}}
			}, s.keys.Timestamp...)
		}, verify.ErrUntrusted, "too few valid signatures"},
		"targets by the online keys": {func(s *simulator) {
			s.served["2.targets.json"] = resign(s.t, s.served["1.targets.json"], version(2), s.keys.Snapshot...)
			s.served["2.snapshot.json"] = resign(s.t, s.served["1.snapshot.json"], func(m map[string]any) {
				m["version"] = 2
				m["meta"] = map[string]any{"targets.json": map[string]any{"version": 2}}
			}, s.keys.Snapshot...)
			s.forge("timestamp.json", func(m map[string]any) {
				m["version"] = 2
				m["meta"] = map[string]any{"snapshot.json": map[string]any{"version": 2}}
			}, s.keys.Timestamp...)
		}, verify.ErrUntrusted, "too few valid signatures"},
		"a timestamp for a snapshot": {func(s *simulator) {
			s.publish("two")
			s.served["2.snapshot.json"] = s.served["timestamp.json"]
		}, verify.ErrDigest, ""},
		"root by one of three": {func(s *simulator) {
			s.touch()
			s.served["2.root.json"] = resign(s.t, s.served["1.root.json"], version(2), s.keys.Root[0])
		}, verify.ErrUntrusted, "got 1, want 2"},
		"root by one of three, twice": {func(s *simulator) {
			s.touch()
			b := resign(s.t, s.served["1.root.json"], version(2), s.keys.Root[0])
			var doc map[string]any
			require.NoError(s.t, json.Unmarshal(b, &doc))
			sig := doc["signatures"].([]any)[0]
			doc["signatures"] = []any{sig, sig}
			s.served["2.root.json"] = []byte(encode(s.t, doc))
		}, verify.ErrUntrusted, "multiple signatures"},
		"root lowers its own threshold": {func(s *simulator) {
			s.touch()
			s.served["2.root.json"] = resign(s.t, s.served["1.root.json"], func(m map[string]any) {
				m["version"] = 2
				m["roles"].(map[string]any)["root"].(map[string]any)["threshold"] = 1
			}, s.keys.Root[0])
		}, verify.ErrUntrusted, "got 1, want 2"},
		"root without a threshold": {func(s *simulator) {
			s.touch()
			s.served["2.root.json"] = resign(s.t, s.served["1.root.json"], func(m map[string]any) {
				m["version"] = 2
				m["roles"].(map[string]any)["timestamp"].(map[string]any)["threshold"] = 0
			}, s.keys.Root...)
		}, verify.ErrUntrusted, "wants 0 signatures of 1 keys"},
		"root nobody can fulfil": {func(s *simulator) {
			s.touch()
			s.served["2.root.json"] = resign(s.t, s.served["1.root.json"], func(m map[string]any) {
				m["version"] = 2
				m["roles"].(map[string]any)["timestamp"].(map[string]any)["threshold"] = 2
			}, s.keys.Root...)
		}, verify.ErrUntrusted, "wants 2 signatures of 1 keys"},
		"root of somebody else": {func(s *simulator) {
			s.touch()
			s.served["2.root.json"] = s.selfMade()
		}, verify.ErrUntrusted, "got 0, want 2"},
		"root skips a version": {func(s *simulator) {
			s.touch()
			s.served["2.root.json"] = resign(s.t, s.served["1.root.json"], version(3), s.keys.Root...)
		}, verify.ErrUntrusted, "expected 2, got 3"},
		"root is an old one": {func(s *simulator) {
			s.touch()
			s.served["2.root.json"] = s.served["1.root.json"]
		}, verify.ErrUntrusted, "expected 2, got 1"},
		"endless chain of roots": {func(s *simulator) {
			s.touch()
			for n := 2; n <= tuf.MaxRoots+2; n++ {
				s.served[rootName(n)] = resign(s.t, s.served["1.root.json"], version(n), s.keys.Root[:2]...)
			}
		}, verify.ErrUntrusted, "more than 64 new roots"},
		"key revoked": {func(s *simulator) {
			stolen, next := s.keys.Timestamp, s.keys
			next.Timestamp = []tuf.Key{newKey(s.t)}
			s.rotate(next)
			s.forge("timestamp.json", version(9), stolen...)
		}, verify.ErrUntrusted, "too few valid signatures"},
		"targets key revoked, and its targets replayed": {func(s *simulator) {
			old, next := s.keep(), s.keys
			next.Targets = []tuf.Key{newKey(s.t)}
			s.rotate(next)
			s.served["2.targets.json"] = old["1.targets.json"]
			s.served["2.snapshot.json"] = resign(s.t, s.served["2.snapshot.json"], func(m map[string]any) {
				m["meta"] = map[string]any{"targets.json": map[string]any{"version": 1}}
			}, s.keys.Snapshot...)
			s.served["1.targets.json"] = old["1.targets.json"]
			s.forge("timestamp.json", func(m map[string]any) {
				m["meta"] = map[string]any{"snapshot.json": map[string]any{"version": 2}}
			}, s.keys.Timestamp...)
		}, verify.ErrUntrusted, "too few valid signatures"},
		"delegation": {func(s *simulator) {
			s.retarget(func(m map[string]any) {
				m["delegations"] = map[string]any{"keys": map[string]any{}, "roles": []any{}}
			})
		}, verify.ErrUntrusted, "delegates"},
		"advisories left out": {func(s *simulator) {
			s.retarget(func(m map[string]any) { delete(m["targets"].(map[string]any), "advisories") })
		}, verify.ErrUntrusted, `no target "advisories"`},
		"advisories null": {func(s *simulator) {
			s.retarget(func(m map[string]any) { m["targets"].(map[string]any)["advisories"] = nil })
		}, verify.ErrUntrusted, "null"},
		"target without digest": {func(s *simulator) {
			s.retarget(func(m map[string]any) {
				m["targets"].(map[string]any)["index"].(map[string]any)["hashes"] = map[string]any{}
			})
		}, verify.ErrUntrusted, "hashes must not be empty"},
		"target with another digest only": {func(s *simulator) {
			s.retarget(func(m map[string]any) {
				m["targets"].(map[string]any)["index"].(map[string]any)["hashes"] = map[string]any{"sha512": "00"}
			})
		}, verify.ErrUntrusted, "no sha256"},
		"target too large": {func(s *simulator) {
			s.retarget(func(m map[string]any) {
				m["targets"].(map[string]any)["index"].(map[string]any)["length"] = tuf.MaxFile + 1
			})
		}, verify.ErrUntrusted, "at most 16777216"},
		"timestamp describes nothing": {func(s *simulator) {
			s.forge("timestamp.json", func(m map[string]any) { m["version"], m["meta"] = 2, map[string]any{} }, s.keys.Timestamp...)
		}, verify.ErrUntrusted, "does not describe snapshot.json"},
		"timestamp describes null": {func(s *simulator) {
			s.forge("timestamp.json", func(m map[string]any) {
				m["version"], m["meta"] = 2, map[string]any{"snapshot.json": nil}
			}, s.keys.Timestamp...)
		}, verify.ErrUntrusted, "null"},
		"null keys in a root": {func(s *simulator) {
			s.touch()
			s.served["2.root.json"] = resign(s.t, s.served["1.root.json"], func(m map[string]any) {
				m["version"] = 2
				m["keys"].(map[string]any)["x"] = nil
			}, s.keys.Root...)
		}, verify.ErrUntrusted, "null"},
		"short key in a root": {func(s *simulator) {
			s.touch()
			s.served["2.root.json"] = resign(s.t, s.served["1.root.json"], func(m map[string]any) {
				m["version"] = 2
				for _, k := range m["keys"].(map[string]any) {
					k.(map[string]any)["keyval"].(map[string]any)["public"] = "00"
				}
			}, s.keys.Root...)
		}, verify.ErrUntrusted, "has 1 bytes, not 32"},
		"role without keys in a root": {func(s *simulator) {
			s.touch()
			s.served["2.root.json"] = resign(s.t, s.served["1.root.json"], func(m map[string]any) {
				m["version"] = 2
				m["roles"].(map[string]any)["targets"] = nil
			}, s.keys.Root...)
		}, verify.ErrUntrusted, "null"},
		"role left out of a root": {func(s *simulator) {
			s.touch()
			s.served["2.root.json"] = resign(s.t, s.served["1.root.json"], func(m map[string]any) {
				m["version"] = 2
				delete(m["roles"].(map[string]any), "targets")
			}, s.keys.Root...)
		}, verify.ErrUntrusted, "names nobody for the role targets"},
		"repeated key": {func(s *simulator) {
			s.served["timestamp.json"] = bytes.Replace(s.served["timestamp.json"], []byte(`{"signatures"`), []byte(`{"signed":{},"signatures"`), 1)
		}, verify.ErrUntrusted, `key "signed" twice`},
		"nested without end": {func(s *simulator) {
			s.served["timestamp.json"] = []byte(strings.Repeat("[", 10_000))
		}, verify.ErrUntrusted, "nested deeper"},
		"trailing data": {func(s *simulator) {
			s.served["timestamp.json"] = append(bytes.Clone(s.served["timestamp.json"]), "{}"...)
		}, verify.ErrUntrusted, "after the end"},
		"inconsistent snapshots": {func(s *simulator) {
			s.touch()
			s.served["2.root.json"] = resign(s.t, s.served["1.root.json"], func(m map[string]any) {
				m["version"], m["consistent_snapshot"] = 2, false
			}, s.keys.Root...)
		}, verify.ErrUntrusted, "consistent snapshots"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := read(t)
			tt.attack(s)
			err := s.update()
			require.ErrorIs(t, err, tt.err)
			require.ErrorContains(t, err, tt.say)
			var typed *verify.Error
			require.ErrorAs(t, err, &typed)
			assert.Equal(t, "main", typed.Subject)
		})
	}
}

// touch makes a poll look further than the timestamp.
func (s *simulator) touch() { s.renew() }

func rootName(n int) string { return strconv.Itoa(n) + ".root.json" }

// retarget publishes targets that are signed as they should be, but not as this
// package writes them.
func (s *simulator) retarget(edit func(map[string]any)) {
	s.t.Helper()
	s.served["2.targets.json"] = resign(s.t, s.served["1.targets.json"], func(m map[string]any) { m["version"] = 2; edit(m) }, s.keys.Targets...)
	s.served["2.snapshot.json"] = resign(s.t, s.served["1.snapshot.json"], func(m map[string]any) {
		m["version"] = 2
		m["meta"] = map[string]any{"targets.json": map[string]any{"version": 2}}
	}, s.keys.Snapshot...)
	s.forge("timestamp.json", func(m map[string]any) {
		m["version"] = 2
		m["meta"] = map[string]any{"snapshot.json": map[string]any{"version": 2}}
	}, s.keys.Timestamp...)
}

// TestRetargetHelperIsAcceptedWhenHonest keeps the attacks that use it honest.
func TestRetargetHelperIsAcceptedWhenHonest(t *testing.T) {
	t.Parallel()
	s := read(t)
	s.retarget(func(map[string]any) {})
	require.NoError(t, s.update())
}

// TestRefusedIsNotForGood: after any attack the honest catalog is read again.
func TestRefusedIsNotForGood(t *testing.T) {
	t.Parallel()
	s := read(t)
	honest := s.keep()
	s.forge("timestamp.json", version(9))
	require.Error(t, s.update())
	s.served = honest
	require.NoError(t, s.update())
}

// TestFastForwardIsRecovered: a stolen key counted versions up to the sky; a new
// root revokes it, and the catalog goes on from where it was.
func TestFastForwardIsRecovered(t *testing.T) {
	t.Parallel()
	s := read(t)
	s.forge("timestamp.json", version(1<<40), s.keys.Timestamp...)
	require.NoError(t, s.update(), "the key was good then")
	s.publish("two")
	require.ErrorIs(t, s.update(), verify.ErrRollback)

	next := s.keys
	next.Timestamp = []tuf.Key{newKey(t)}
	s.rotate(next)
	require.NoError(t, s.update())
	assert.Equal(t, "index two", s.index())
}

// TestSlackOfTheClock: a small correction is no attack, and does not lower Seen.
func TestSlackOfTheClock(t *testing.T) {
	t.Parallel()
	s := read(t)
	state, err := s.trust.Update(t.Context(), s.state, s.fetch, s.now.Add(-tuf.ClockSlack))
	require.NoError(t, err)
	assert.Equal(t, s.now, state.Seen)
	_, err = s.trust.Update(t.Context(), s.state, s.fetch, s.now.Add(-tuf.ClockSlack-1))
	require.ErrorIs(t, err, verify.ErrRollback)
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	s := simulate(t)
	for name, root := range map[string][]byte{
		"empty":         nil,
		"not JSON":      []byte("x"),
		"another role":  s.served["timestamp.json"],
		"not signed":    resign(t, s.served["1.root.json"], version(1)),
		"by one of two": resign(t, s.served["1.root.json"], version(1), s.keys.Root[0]),
		"version zero":  resign(t, s.served["1.root.json"], version(0), s.keys.Root...),
		"too large":     make([]byte, tuf.MaxRoot+1),
	} {
		_, err := tuf.New(root, tuf.Options{})
		assert.Error(t, err, name)
	}
}
