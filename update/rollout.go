package update

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/souk-dev/souk/catalog"
)

// Buckets is how finely a rollout divides all panels: a percent is a hundred of them.
const Buckets = 10000

// Bucket returns which of the Buckets this panel is in for a release. It is a hash of
// the panel's secret, the plugin and the version, so a publisher needs to know no panel
// to reach a share of all, and not always the same panels go first.
func Bucket(secret []byte, r catalog.Ref) int {
	h := sha256.New()
	h.Write(secret)
	h.Write([]byte(r.String()))
	return int(binary.BigEndian.Uint64(h.Sum(nil)) % Buckets)
}

// InRollout reports whether the rollout has reached a bucket. A nil rollout reaches
// all. A percent that is lowered again only stops: nobody goes back.
func InRollout(r *catalog.Rollout, bucket int) bool {
	return r == nil || !r.Paused && bucket < r.Percent*(Buckets/100)
}
