package tuf_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/tuf"
)

func TestDefaultLifetimes(t *testing.T) {
	t.Parallel()
	s := simulate(t)
	assert.Equal(t, tuf.Status{
		Root:      tuf.RoleStatus{Version: 1, Expires: start.Add(365 * day)},
		Targets:   tuf.RoleStatus{Version: 1, Expires: start.Add(90 * day)},
		Snapshot:  tuf.RoleStatus{Version: 1, Expires: start.Add(7 * day)},
		Timestamp: tuf.RoleStatus{Version: 1, Expires: start.Add(day)},
	}, s.repo.Status())
}

// TestOrderOfUpload: what names something comes after it, the timestamp last.
func TestOrderOfUpload(t *testing.T) {
	t.Parallel()
	s := simulate(t)
	assert.Equal(t, []string{"1.root.json", s.servedHash("index"), s.servedHash("publishers"), s.servedHash("advisories"),
		"1.targets.json", "1.snapshot.json", "timestamp.json"}, s.order)
	s.order = nil
	s.rotate(newKeys(t))
	assert.Equal(t, []string{"2.targets.json", "2.snapshot.json", "2.root.json", "timestamp.json"}, s.order)
	root, err := s.repo.Root()
	require.NoError(t, err)
	assert.Equal(t, s.served["2.root.json"], root)
}

// TestReadersMeetAnUploadHalfway stops an upload after each file: readers see the
// old catalog or the new, and if it was a rotation at worst an error for a while.
func TestReadersMeetAnUploadHalfway(t *testing.T) {
	t.Parallel()
	s := read(t)
	p, err := s.repo.Publish(s.keys, files("two"), s.now)
	require.NoError(t, err)
	for _, name := range p.Order {
		require.NoError(t, s.update(), name)
		require.Equal(t, "index one", s.index())
		s.served[name] = p.Files[name]
	}
	require.NoError(t, s.update())
	require.Equal(t, "index two", s.index())

	next := newKeys(t)
	p, err = s.repo.Rotate(s.keys.Root, next, s.now)
	require.NoError(t, err)
	for _, name := range p.Order {
		require.NoError(t, s.update(), "the timestamp they know is still served, before %s", name)
		s.served[name] = p.Files[name]
	}
	require.NoError(t, s.update())
}

func TestRenewSignsASnapshotOnlyWhenDue(t *testing.T) {
	t.Parallel()
	s := read(t)
	s.order = nil
	for range 8 {
		s.now = s.now.Add(12 * hour)
		s.renew()
		require.NoError(t, s.update())
	}
	assert.Equal(t, 1, len(slices.DeleteFunc(slices.Clone(s.order), func(n string) bool { return n == "timestamp.json" })), "%v", s.order)
	assert.Contains(t, s.order, "2.snapshot.json")

	online := s.keys
	online.Root, online.Targets = nil, nil
	_, err := s.repo.Renew(online, s.now)
	require.NoError(t, err, "the offline keys stay offline")

	s.now = start.Add(89 * day)
	s.renew()
	require.NoError(t, s.update(), "after a long pause")
	s.now = start.Add(90*day + 1)
	_, err = s.repo.Renew(s.keys, s.now)
	require.ErrorContains(t, err, "its targets expired at 2026-07-30T12:00:00Z; publish it again")
	s.publish("two")
	require.NoError(t, s.update())
}

func TestStateSurvives(t *testing.T) {
	t.Parallel()
	s := simulate(t)
	for step, do := range []func(){
		func() { s.publish("two") }, s.renew, func() { s.rotate(newKeys(t)) }, func() { s.now = s.now.Add(4 * day); s.renew() },
		func() { s.upload(s.repo.Publish(s.keys, map[string][]byte{"index": []byte("index three")}, s.now)) },
	} {
		kept, err := s.repo.State()
		require.NoError(t, err)
		before := s.repo.Status()
		s.repo, err = tuf.Open(kept)
		require.NoError(t, err)
		require.Equal(t, before, s.repo.Status())
		do()
		require.NoError(t, s.update(), "step %d", step)
		s.state = nil
		require.NoError(t, s.update(), "step %d, from nothing", step)
	}
	assert.Equal(t, "index three", s.index())
}

func TestStateBeforeTheFirstPublish(t *testing.T) {
	t.Parallel()
	keys := newKeys(t)
	repo, _, err := tuf.Init(keys, start, tuf.Config{TimestampLifetime: hour})
	require.NoError(t, err)
	kept, err := repo.State()
	require.NoError(t, err)
	repo, err = tuf.Open(kept)
	require.NoError(t, err)
	_, err = repo.Renew(keys, start)
	require.ErrorContains(t, err, "nothing was published yet")
	next := newKeys(t)
	p, err := repo.Rotate(keys.Root, next, start)
	require.NoError(t, err)
	assert.Equal(t, []string{"2.root.json"}, p.Order)
	_, err = repo.Publish(next, files("one"), start)
	require.NoError(t, err)
	assert.Equal(t, start.Add(hour), repo.Status().Timestamp.Expires, "the configuration is kept too")
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	s := simulate(t)
	kept, err := s.repo.State()
	require.NoError(t, err)
	other, err := simulate(t).repo.State()
	require.NoError(t, err)
	cut := func(b []byte) string { // from targets on
		_, rest, ok := strings.Cut(string(b), `"targets":{`)
		require.True(t, ok)
		return rest
	}
	for name, state := range map[string]string{
		"empty":              "",
		"not JSON":           "x",
		"empty object":       "{}",
		"future format":      strings.Replace(string(kept), `"format":1`, `"format":2`, 1),
		"no root":            `{"format":1}`,
		"config":             strings.Replace(string(kept), `"rootThreshold":2`, `"rootThreshold":-2`, 1),
		"a longer life":      strings.Replace(string(kept), "2027-05-01", "2037-05-01", 1),
		"metadata of others": strings.Replace(string(kept), cut(kept), cut(other), 1),
		"no snapshot":        strings.Replace(string(kept), `"snapshot":{`, `"other":{`, 1),
	} {
		_, err := tuf.Open([]byte(state))
		assert.ErrorContains(t, err, "open catalog state", name)
	}
}

func TestInitRefuses(t *testing.T) {
	t.Parallel()
	with := func(edit func(*tuf.Keys)) tuf.Keys { k := newKeys(t); edit(&k); return k }
	one := newKey(t)
	for name, tt := range map[string]struct {
		keys   tuf.Keys
		config tuf.Config
		say    string
	}{
		"no keys":      {tuf.Keys{}, tuf.Config{}, "the role root has 0 keys, and needs 2"},
		"one root key": {with(func(k *tuf.Keys) { k.Root = k.Root[:1] }), tuf.Config{}, "the role root has 1 keys, and needs 2"},
		"the same key thrice": {with(func(k *tuf.Keys) { k.Root = []tuf.Key{one, one, one} }), tuf.Config{},
			"the role root has 1 keys, and needs 2"},
		"public root keys": {with(func(k *tuf.Keys) {
			k.Root[0], k.Root[1] = k.Root[0].Public(), k.Root[1].Public()
		}), tuf.Config{}, "got 1, want 2"},
		"empty key":         {with(func(k *tuf.Keys) { k.Snapshot = []tuf.Key{{}} }), tuf.Config{}, "a key of the role snapshot is empty"},
		"no timestamp key":  {with(func(k *tuf.Keys) { k.Timestamp = nil }), tuf.Config{}, "the role timestamp has 0 keys"},
		"no targets quorum": {newKeys(t), tuf.Config{TargetsThreshold: 2}, "the role targets has 1 keys, and needs 2"},
		"negative":          {newKeys(t), tuf.Config{RootThreshold: -1}, "negative"},
		"no life at all":    {newKeys(t), tuf.Config{TimestampLifetime: time.Millisecond}, "too short"},
	} {
		repo, p, err := tuf.Init(tt.keys, start, tt.config)
		assert.ErrorContains(t, err, tt.say, name)
		assert.Nil(t, repo, name)
		assert.Nil(t, p, name)
	}
}

// TestRefusedOperationsChangeNothing: an error leaves the repository as it was.
func TestRefusedOperationsChangeNothing(t *testing.T) {
	t.Parallel()
	s := simulate(t)
	stranger := newKeys(t)
	before, err := s.repo.State()
	require.NoError(t, err)
	for name, do := range map[string]func() (*tuf.Publication, error){
		"publish by strangers": func() (*tuf.Publication, error) { return s.repo.Publish(stranger, files("two"), s.now) },
		"publish without the online keys": func() (*tuf.Publication, error) {
			return s.repo.Publish(tuf.Keys{Targets: s.keys.Targets}, files("two"), s.now)
		},
		"unknown target": func() (*tuf.Publication, error) {
			return s.repo.Publish(s.keys, map[string][]byte{"../index": nil}, s.now)
		},
		"huge target": func() (*tuf.Publication, error) {
			return s.repo.Publish(s.keys, map[string][]byte{"index": make([]byte, tuf.MaxFile+1)}, s.now)
		},
		"root expired":       func() (*tuf.Publication, error) { return s.repo.Publish(s.keys, files("two"), s.now.Add(366*day)) },
		"renew by strangers": func() (*tuf.Publication, error) { return s.repo.Renew(stranger, s.now) },
		"rotate by strangers": func() (*tuf.Publication, error) {
			return s.repo.Rotate(stranger.Root, stranger, s.now)
		},
		"rotate by one": func() (*tuf.Publication, error) { return s.repo.Rotate(s.keys.Root[:1], stranger, s.now) },
		"rotate to keys that cannot sign": func() (*tuf.Publication, error) {
			next := stranger
			next.Root = []tuf.Key{stranger.Root[0].Public(), stranger.Root[1].Public()}
			return s.repo.Rotate(s.keys.Root, next, s.now)
		},
		"rotate without the new targets key": func() (*tuf.Publication, error) {
			next := stranger
			next.Targets = []tuf.Key{stranger.Targets[0].Public()}
			return s.repo.Rotate(s.keys.Root, next, s.now)
		},
	} {
		p, err := do()
		assert.Error(t, err, name)
		assert.Nil(t, p, name)
		after, err := s.repo.State()
		require.NoError(t, err)
		assert.Equal(t, string(before), string(after), name)
	}
	repo, _, err := tuf.Init(s.keys, s.now, tuf.Config{})
	require.NoError(t, err)
	_, err = repo.Publish(s.keys, map[string][]byte{"index": nil}, s.now)
	require.ErrorContains(t, err, `target "publishers" is missing`)
}

// TestRotateKeepsTargetsKeysOffline: with the same targets keys, their private
// halves are not needed.
func TestRotateKeepsTargetsKeysOffline(t *testing.T) {
	t.Parallel()
	s := read(t)
	next := newKeys(t)
	next.Targets = []tuf.Key{s.keys.Targets[0].Public()}
	s.rotate(next)
	require.NoError(t, s.update())
	assert.Equal(t, int64(1), s.repo.Status().Targets.Version)
	assert.Equal(t, int64(2), s.repo.Status().Root.Version)
}

func TestTargetsByTwo(t *testing.T) {
	t.Parallel()
	s := simulate(t)
	s.keys.Targets = append(s.keys.Targets, newKey(t))
	var err error
	var p *tuf.Publication
	s.repo, p, err = tuf.Init(s.keys, s.now, tuf.Config{TargetsThreshold: 2})
	s.upload(p, err)
	s.trust, err = tuf.New(s.served["1.root.json"], tuf.Options{})
	require.NoError(t, err)
	one := s.keys
	one.Targets = one.Targets[:1]
	_, err = s.repo.Publish(one, files("two"), s.now)
	require.ErrorContains(t, err, "got 1, want 2")
	s.publish("two")
	require.NoError(t, s.update())
}

func TestKeys(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	text, err := k.PEM()
	require.NoError(t, err)
	back, err := tuf.ParseKey(text)
	require.NoError(t, err)
	assert.Equal(t, k, back)
	assert.True(t, back.CanSign())

	public, err := k.Public().PEM()
	require.NoError(t, err)
	half, err := tuf.ParseKey(public)
	require.NoError(t, err)
	assert.False(t, half.CanSign())
	assert.Equal(t, k.ID(), half.ID())
	assert.Len(t, k.ID(), 64)
	assert.Equal(t, "key "+k.ID(), k.String())

	_, err = tuf.Key{}.PEM()
	require.Error(t, err)
	assert.Empty(t, tuf.Key{}.ID())
	for name, text := range map[string]string{
		"empty": "", "text": "ssh-ed25519 AAAA", "two": string(text) + string(text),
		"broken": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		"other":  "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"ECDSA":  "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEo9nI5VshYLMzwoYk/D+cY7Lrfo2a\nb7AycYxwVE3mGHRyBcZjtIMcgRAg3ssnBNHuHUkBKds0ydeTZdYycg/pvA==\n-----END PUBLIC KEY-----\n",
	} {
		_, err := tuf.ParseKey([]byte(text))
		assert.Error(t, err, name)
	}
}

// TestSecretsAreNotPrinted: a key in a log line shows its ID.
func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		assert.Equal(t, "key "+k.ID(), sprintf(format, k), format)
	}
}

var _ verify.CatalogTrust = (*tuf.Trust)(nil)
