package tuf_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/tuf"
)

var start = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

const (
	hour = time.Hour
	day  = 24 * hour
)

// simulator is a catalog, the registry that serves it and a panel that reads it,
// so that an attack is a few lines.
type simulator struct {
	t       testing.TB
	keys    tuf.Keys
	repo    *tuf.Repository
	trust   *tuf.Trust
	served  map[string][]byte
	order   []string // of all uploads
	fetched []string // names asked for since the last update began
	state   *verify.CatalogState
	now     time.Time
}

// simulate returns a catalog with one version, not read yet.
func simulate(t testing.TB) *simulator {
	t.Helper()
	return simulateWith(t, newKeys(t))
}

func simulateWith(t testing.TB, keys tuf.Keys) *simulator {
	t.Helper()
	s := &simulator{t: t, keys: keys, served: make(map[string][]byte), now: start}
	var p *tuf.Publication
	var err error
	s.repo, p, err = tuf.Init(s.keys, s.now, tuf.Config{})
	require.NoError(t, err)
	s.upload(p, nil)
	s.trust, err = tuf.New(s.served["1.root.json"], tuf.Options{Name: "main"})
	require.NoError(t, err)
	s.publish("one")
	return s
}

// read is simulate with the version read by the panel.
func read(t testing.TB) *simulator {
	t.Helper()
	s := simulate(t)
	require.NoError(t, s.update())
	return s
}

func newKey(t testing.TB) tuf.Key {
	t.Helper()
	k, err := tuf.GenerateKey()
	require.NoError(t, err)
	return k
}

func newKeys(t testing.TB) tuf.Keys {
	t.Helper()
	return tuf.Keys{
		Root:    []tuf.Key{newKey(t), newKey(t), newKey(t)},
		Targets: []tuf.Key{newKey(t)}, Snapshot: []tuf.Key{newKey(t)}, Timestamp: []tuf.Key{newKey(t)},
	}
}

// fixedKeys are the same in every process, as fuzzing wants its seeds.
func fixedKeys(t testing.TB, salt byte) tuf.Keys {
	t.Helper()
	key := func(n byte) tuf.Key {
		der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{salt, n}, ed25519.SeedSize/2)))
		require.NoError(t, err)
		k, err := tuf.ParseKey(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
		require.NoError(t, err)
		return k
	}
	return tuf.Keys{
		Root:    []tuf.Key{key(1), key(2), key(3)},
		Targets: []tuf.Key{key(4)}, Snapshot: []tuf.Key{key(5)}, Timestamp: []tuf.Key{key(6)},
	}
}

func files(content string) map[string][]byte {
	return map[string][]byte{
		"index": []byte("index " + content), "publishers": []byte("publishers " + content), "advisories": []byte("advisories " + content),
	}
}

func (s *simulator) upload(p *tuf.Publication, err error) {
	s.t.Helper()
	require.NoError(s.t, err)
	require.Len(s.t, p.Files, len(p.Order))
	for _, name := range p.Order {
		require.Contains(s.t, p.Files, name)
		s.served[name] = p.Files[name]
	}
	s.order = append(s.order, p.Order...)
}

func (s *simulator) publish(content string) {
	s.t.Helper()
	s.upload(s.repo.Publish(s.keys, files(content), s.now))
}

func (s *simulator) renew() {
	s.t.Helper()
	s.upload(s.repo.Renew(s.keys, s.now))
}

func (s *simulator) rotate(next tuf.Keys) {
	s.t.Helper()
	s.upload(s.repo.Rotate(s.keys.Root, next, s.now))
	s.keys = next
}

func (s *simulator) fetch(_ context.Context, name string, limit int64) ([]byte, error) {
	s.fetched = append(s.fetched, name)
	b, ok := s.served[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	if int64(len(b)) > limit {
		b = b[:limit+1] // more than asked for: the reader has to notice
	}
	return b, nil
}

// update is one poll of the panel. It also checks what holds for every one: an
// error leaves the state alone, and a new state passes Load.
func (s *simulator) update() error {
	s.t.Helper()
	before := encode(s.t, s.state)
	s.fetched = nil
	next, err := s.trust.Update(s.t.Context(), s.state, s.fetch, s.now)
	require.Equal(s.t, before, encode(s.t, s.state), "the known state is not written to")
	if err != nil {
		require.Nil(s.t, next)
		return err
	}
	require.NoError(s.t, s.trust.Load(s.t.Context(), next))
	require.Equal(s.t, s.now, next.Seen)
	s.state = next
	return nil
}

func (s *simulator) keep() map[string][]byte { return maps.Clone(s.served) }

func (s *simulator) index() string { return string(s.state.Files["index"]) }

func encode(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

// forge changes the signed part of served metadata and signs it with a key of the
// role, as the holder of that key could.
func (s *simulator) forge(name string, edit func(signed map[string]any), keys ...tuf.Key) {
	s.t.Helper()
	s.served[name] = resign(s.t, s.served[name], edit, keys...)
}

func resign(t testing.TB, b []byte, edit func(signed map[string]any), keys ...tuf.Key) []byte {
	t.Helper()
	var doc struct {
		Signed map[string]any `json:"signed"`
	}
	require.NoError(t, json.Unmarshal(b, &doc))
	edit(doc.Signed)
	// For what stands in metadata with Ed25519 keys, this is canonical JSON.
	payload, err := json.Marshal(doc.Signed)
	require.NoError(t, err)
	signatures := []any{}
	for _, k := range keys {
		signatures = append(signatures, map[string]any{"keyid": k.ID(), "sig": hex.EncodeToString(ed25519.Sign(private(t, k), payload))})
	}
	return []byte(encode(t, map[string]any{"signed": doc.Signed, "signatures": signatures}))
}

func private(t testing.TB, k tuf.Key) ed25519.PrivateKey {
	t.Helper()
	text, err := k.PEM()
	require.NoError(t, err)
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	return key.(ed25519.PrivateKey)
}

// servedHash is the name under which a target of the newest catalog lies.
func (s *simulator) servedHash(target string) string {
	s.t.Helper()
	for i := len(s.order) - 1; i >= 0; i-- {
		if strings.HasSuffix(s.order[i], "."+target) {
			return s.order[i]
		}
	}
	s.t.Fatalf("no %s was published", target)
	return ""
}
