package tuf_test

import (
	"context"
	"errors"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/tuf"
)

func TestUpdateFollowsTheCatalog(t *testing.T) {
	t.Parallel()
	s := simulate(t)
	require.NoError(t, s.update())
	assert.Equal(t, files("one"), s.state.Files)
	assert.Equal(t, start.Add(day), s.state.Expires, "the timestamp expires first")

	s.publish("two")
	s.now = s.now.Add(hour)
	require.NoError(t, s.update())
	assert.Equal(t, files("two"), s.state.Files)
}

func TestUpdateReadsOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	s := simulate(t)
	require.NoError(t, s.update())
	assert.Len(t, s.fetched, 7)

	s.now = s.now.Add(hour)
	require.NoError(t, s.update())
	assert.Equal(t, []string{"timestamp.json"}, s.fetched, "nothing new")

	s.renew()
	require.NoError(t, s.update())
	assert.Equal(t, []string{"timestamp.json", "2.root.json"}, s.fetched, "only renewed")

	s.upload(s.repo.Publish(s.keys, map[string][]byte{"advisories": []byte("beware")}, s.now))
	require.NoError(t, s.update())
	assert.Equal(t, []string{"timestamp.json", "2.root.json", "2.snapshot.json", "2.targets.json", s.servedHash("advisories")}, s.fetched)
	assert.Equal(t, "index one", s.index())
	assert.Equal(t, "beware", string(s.state.Files["advisories"]))
}

func TestUpdateCatchesUpAfterALongAbsence(t *testing.T) {
	t.Parallel()
	s := read(t)
	for range 3 {
		s.now = s.now.Add(200 * day)
		s.rotate(newKeys(t))
		s.publish("after " + s.now.Format(time.DateOnly))
	}
	require.NoError(t, s.update())
	assert.Len(t, s.state.Chain, 2)
	assert.Equal(t, "index after "+s.now.Format(time.DateOnly), s.index())

	s.state = nil
	require.NoError(t, s.update(), "and from nothing, by the first root, long expired")
}

func TestLoad(t *testing.T) {
	t.Parallel()
	s := read(t)
	s.rotate(newKeys(t))
	s.rotate(newKeys(t))
	require.NoError(t, s.update())
	kept := encode(t, s.state)
	require.NoError(t, s.trust.Load(t.Context(), s.state))
	require.Error(t, s.trust.Load(t.Context(), nil))

	flip := func(b []byte) []byte {
		out := append([]byte(nil), b...)
		out[len(out)/2] ^= 1
		return out
	}
	for name, change := range map[string]func(*verify.CatalogState){
		"root":               func(c *verify.CatalogState) { c.Root = flip(c.Root) },
		"root of another":    func(c *verify.CatalogState) { c.Root = read(t).state.Root; c.Chain = nil },
		"self-made root":     func(c *verify.CatalogState) { c.Root = s.selfMade() },
		"chain":              func(c *verify.CatalogState) { c.Chain[0] = flip(c.Chain[0]) },
		"chain cut":          func(c *verify.CatalogState) { c.Chain = nil },
		"timestamp":          func(c *verify.CatalogState) { c.Timestamp = flip(c.Timestamp) },
		"snapshot":           func(c *verify.CatalogState) { c.Snapshot = flip(c.Snapshot) },
		"targets":            func(c *verify.CatalogState) { c.Targets = flip(c.Targets) },
		"targets emptied":    func(c *verify.CatalogState) { c.Targets = nil },
		"index":              func(c *verify.CatalogState) { c.Files["index"] = flip(c.Files["index"]) },
		"advisories gone":    func(c *verify.CatalogState) { delete(c.Files, "advisories") },
		"expiry postponed":   func(c *verify.CatalogState) { c.Expires = c.Expires.Add(day) },
		"everything gone":    func(c *verify.CatalogState) { *c = verify.CatalogState{} },
		"everything swapped": func(c *verify.CatalogState) { *c = *read(t).state },
	} {
		c := decode(t, kept)
		change(c)
		err := s.trust.Load(t.Context(), c)
		assert.Error(t, err, name)
		assert.True(t, errors.Is(err, verify.ErrUntrusted) || errors.Is(err, verify.ErrDigest), "%s: %v", name, err)
	}
	require.NoError(t, s.trust.Load(t.Context(), decode(t, kept)))

	s.now = s.now.Add(2000 * day)
	require.NoError(t, s.trust.Load(t.Context(), s.state), "expiry is the caller's affair")
	assert.True(t, s.now.After(s.state.Expires))
}

// TestDamagedStateHeals: what was kept wrongly is read again.
func TestDamagedStateHeals(t *testing.T) {
	t.Parallel()
	s := read(t)
	s.state.Files["index"] = []byte("bad sector")
	require.NoError(t, s.update())
	assert.Equal(t, "index one", s.index())
	s.state.Targets = []byte("bad sector")
	require.NoError(t, s.update())
	assert.Equal(t, "index one", s.index())
}

func TestPinningANewerRoot(t *testing.T) {
	t.Parallel()
	s := read(t)
	old := s.state
	s.rotate(newKeys(t))
	s.publish("two")
	var err error
	s.trust, err = tuf.New(s.served["2.root.json"], tuf.Options{})
	require.NoError(t, err)
	s.state = old
	require.NoError(t, s.update())
	assert.Equal(t, "index two", s.index())
	assert.Empty(t, s.state.Chain)
}

func TestFetchErrorsComeThrough(t *testing.T) {
	t.Parallel()
	s := simulate(t)
	broken := errors.New("connection refused")
	for _, name := range []string{"timestamp.json", "2.root.json", "1.snapshot.json", "1.targets.json", s.servedHash("index")} {
		_, err := s.trust.Update(t.Context(), nil, func(ctx context.Context, n string, limit int64) ([]byte, error) {
			if n == name {
				return nil, broken
			}
			return s.fetch(ctx, n, limit)
		}, s.now)
		assert.ErrorIs(t, err, broken, name)
		assert.ErrorContains(t, err, "fetch "+name, name)
		assert.NotErrorIs(t, err, verify.ErrUntrusted, name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.trust.Update(ctx, nil, s.fetch, s.now)
	require.ErrorIs(t, err, context.Canceled)
}

// TestNamesAreTags: every file can be a tag of an OCI repository.
func TestNamesAreTags(t *testing.T) {
	t.Parallel()
	s := read(t)
	s.rotate(newKeys(t))
	s.renew()
	tag := regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
	for _, name := range s.order {
		assert.Regexp(t, tag, name)
	}
}
