package tuf_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/verify"
)

func benchmarkUpdate(b *testing.B, s *simulator, known *verify.CatalogState) {
	for b.Loop() {
		if _, err := s.trust.Update(b.Context(), known, s.fetch, s.now); err != nil {
			b.Fatal(err)
		}
		s.fetched = s.fetched[:0]
	}
}

func BenchmarkUpdateNothingNew(b *testing.B) {
	s := read(b)
	benchmarkUpdate(b, s, s.state)
}

func BenchmarkUpdateNewVersion(b *testing.B) {
	s := read(b)
	s.publish("two")
	benchmarkUpdate(b, s, s.state)
}

func BenchmarkUpdateFirst(b *testing.B) { benchmarkUpdate(b, simulate(b), nil) }

func BenchmarkLoad(b *testing.B) {
	s := read(b)
	for b.Loop() {
		require.NoError(b, s.trust.Load(b.Context(), s.state))
	}
}
