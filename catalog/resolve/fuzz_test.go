package resolve_test

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/souk-dev/souk/catalog/resolve"
)

// bytesSource makes the bytes of a fuzzer the numbers of a generator, so that small
// changes of the input are small changes of the universe. After the last byte it goes
// on by itself: a generator may draw until it likes a number.
type bytesSource struct {
	b    []byte
	then *rand.PCG
}

func (s *bytesSource) Uint64() uint64 {
	if len(s.b) == 0 {
		return s.then.Uint64()
	}
	n := uint64(s.b[0])
	s.b = s.b[1:]
	var w [8]byte
	for i := range w {
		w[i] = byte(n * 0x9d)
	}
	return binary.LittleEndian.Uint64(w[:])
}

func FuzzSolve(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 40 {
		b := make([]byte, 40+r.IntN(200))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := rand.New(&bytesSource{b, rand.NewPCG(5, 6)})
		u, req := small(r, len(b)%2 == 0)
		alts := len(b)%3 == 0
		if alts {
			u = alternatives(r, u)
			for i := range req.Installed {
				old := req.Installed[i].Release
				req.Installed[i].Release, _ = u.find(old.Plugin, old.Version)
			}
		}
		compareWithOracle(t, u, req, !alts)
	})
}

func FuzzRange(f *testing.F) {
	for _, s := range []string{"", "*", "^1.2", ">=1.0.0-beta.1 <2", "1.x || 2.0.0-rc.1", "1.0.0 - 2.0.0", "!=1.0.0-a", "one", "~1.2.3-0", "<2.0.0"} {
		f.Add(s, "1.2.3")
		f.Add(s, "2.0.0-rc.1")
	}
	f.Fuzz(func(t *testing.T, text, version string) {
		u := newUniverse(rel("acme/app", version), rel("acme/app", "0.0.1"))
		req := resolve.Request{Install: []resolve.Want{{Plugin: "acme/app", Range: text}}}
		res, err := resolve.Solve(t.Context(), u, req)
		if err == nil {
			checkAnswer(t, u, req, res)
		}
	})
}
