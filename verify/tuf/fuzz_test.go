package tuf_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/verify/tuf"
)

func sprintf(format string, v any) string { return fmt.Sprintf(format, v) }

// FuzzUpdate serves anything for one of the files. Without a key that is worth
// nothing: the panel gets what the catalog says, or an error.
func FuzzUpdate(f *testing.F) {
	s := simulateWith(f, fixedKeys(f, 1))
	require.NoError(f, s.update())
	s.rotate(fixedKeys(f, 2))
	s.publish("two")
	s.renew()
	known := s.state
	// The rotation and the publication each made one version.
	names := []string{"timestamp.json", "2.root.json", "3.snapshot.json", "3.targets.json", s.servedHash("index")}
	for n, name := range names {
		require.Contains(f, s.served, name)
		f.Add(n, s.served[name])
		f.Add(n, []byte(`{"signed":{"_type":"targets","targets":{"index":null}},"signatures":[]}`))
		f.Add(n, []byte("{}"))
	}
	f.Fuzz(func(t *testing.T, n int, content []byte) {
		if n < 0 || n >= len(names) {
			return
		}
		attacked := *s
		attacked.t, attacked.served = t, s.keep()
		attacked.served[names[n]] = content
		attacked.state = known
		if attacked.update() == nil {
			require.Contains(t, []string{"index one", "index two"}, attacked.index())
		}
		attacked.state = nil
		if attacked.update() == nil {
			require.Equal(t, "index two", attacked.index())
		}
	})
}

// FuzzUpdateSigned has the keys of every role sign anything: whoever holds them can
// publish what they like, but not crash a panel.
func FuzzUpdateSigned(f *testing.F) {
	s := simulateWith(f, fixedKeys(f, 1))
	require.NoError(f, s.update())
	s.publish("two")
	s.touch()
	s.served["2.root.json"] = resign(f, s.served["1.root.json"], version(2), s.keys.Root...)
	keys := [][]tuf.Key{s.keys.Timestamp, s.keys.Root, s.keys.Snapshot, s.keys.Targets}
	names := []string{"timestamp.json", "2.root.json", "2.snapshot.json", "2.targets.json"}
	for n, name := range names {
		f.Add(n, s.served[name])
	}
	known := s.state
	f.Fuzz(func(t *testing.T, n int, content []byte) {
		var doc struct {
			Signed map[string]any `json:"signed"`
		}
		if n < 0 || n >= len(names) || json.Unmarshal(content, &doc) != nil || doc.Signed == nil {
			return
		}
		attacked := *s
		attacked.t, attacked.served = t, s.keep()
		attacked.served[names[n]] = resign(t, content, func(map[string]any) {}, keys[n]...)
		attacked.state = known
		if err := attacked.update(); err != nil {
			require.NotEmpty(t, err.Error())
		}
	})
}

// FuzzOpen reads any state of a publisher.
func FuzzOpen(f *testing.F) {
	kept, err := simulateWith(f, fixedKeys(f, 1)).repo.State()
	require.NoError(f, err)
	f.Add(kept)
	f.Add([]byte(`{"format":1,"root":{"signed":{"_type":"root"}}}`))
	f.Add([]byte(`{"format":1,"root":null,"targets":null}`))
	f.Fuzz(func(t *testing.T, state []byte) {
		repo, err := tuf.Open(state)
		if err != nil {
			require.Nil(t, repo)
			return
		}
		_, err = repo.State()
		require.NoError(t, err)
	})
}

func FuzzParseKey(f *testing.F) {
	text, err := newKey(f).PEM()
	require.NoError(f, err)
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := tuf.ParseKey(text)
		if err != nil {
			return
		}
		out, err := k.PEM()
		require.NoError(t, err)
		back, err := tuf.ParseKey(out)
		require.NoError(t, err)
		require.Equal(t, k, back)
	})
}
