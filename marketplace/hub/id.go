package hub

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"time"
)

// idAlphabet is Crockford's base 32 in lower case: it sorts as the bytes do, and has
// no letters that are mistaken for digits.
var idAlphabet = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewID returns a new identifier: a word for its kind, an underscore, and 26 letters
// that begin with the time in milliseconds and end with 80 random bits, so that newer
// ones sort later and none can be guessed from another. An identifier is no secret: who
// may see what it names is decided by [Actor.May].
func NewID(kind string, now time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(now.UnixMilli())<<16)
	if _, err := rand.Read(b[6:]); err != nil {
		panic(err) // crypto/rand never fails since Go 1.24: it ends the program itself
	}
	return kind + "_" + idAlphabet.EncodeToString(b[:])
}
