package verify

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strings"
)

// Digest is a content digest in the form of the OCI image spec, "sha256:" and 64
// lower-case hex digits. SHA-256 is the only algorithm: one algorithm leaves no
// room for a downgrade. The zero value is no digest and equals nothing valid.
type Digest string

const (
	digestPrefix = "sha256:"
	digestLen    = len(digestPrefix) + 2*sha256.Size
)

// ParseDigest returns s as a Digest, or an error wrapping [ErrDigest] when it is
// not exactly "sha256:" and 64 lower-case hex digits.
func ParseDigest(s string) (Digest, error) {
	d := Digest(s)
	if !d.Valid() {
		return "", fmt.Errorf("%w: %.80q is not sha256:<64 lower-case hex digits>", ErrDigest, s)
	}
	return d, nil
}

// DigestOf returns the digest of b.
func DigestOf(b []byte) Digest {
	sum := sha256.Sum256(b)
	return Digest(digestPrefix + hex.EncodeToString(sum[:]))
}

// DigestFromHash returns the digest a SHA-256 hash has summed up so far.
func DigestFromHash(h hash.Hash) Digest {
	return Digest(digestPrefix + hex.EncodeToString(h.Sum(nil)))
}

// Valid reports whether d is well formed.
func (d Digest) Valid() bool {
	if len(d) != digestLen || !strings.HasPrefix(string(d), digestPrefix) {
		return false
	}
	for _, c := range []byte(d[len(digestPrefix):]) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// Hex returns the 64 hex digits, or "" when d is not valid.
func (d Digest) Hex() string {
	if !d.Valid() {
		return ""
	}
	return string(d[len(digestPrefix):])
}

// Short returns the first twelve hex digits, for people to read. Never compare it.
func (d Digest) Short() string {
	if !d.Valid() {
		return "invalid"
	}
	return d.Hex()[:12]
}

// NewReader returns a reader of at most size bytes of r that checks while it
// streams: instead of io.EOF it returns an error wrapping [ErrDigest] when the
// bytes do not hash to want, or are more or fewer than size. A negative size
// means the length is not known; then only the hash is checked, and the caller
// bounds the read. It is not safe for concurrent use.
func NewReader(r io.Reader, want Digest, size int64) io.Reader {
	return &reader{r: r, h: sha256.New(), want: want, size: size}
}

type reader struct {
	r    io.Reader
	h    hash.Hash
	want Digest
	size int64
	n    int64
	err  error
}

func (v *reader) Read(p []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	if v.size >= 0 && int64(len(p)) > v.size-v.n+1 {
		p = p[:v.size-v.n+1] // one byte more than announced shows an over-long stream
	}
	n, err := v.r.Read(p)
	v.n += int64(n)
	v.h.Write(p[:n])
	if v.size >= 0 && v.n > v.size {
		v.err = fmt.Errorf("%w: %s is longer than the announced %d bytes", ErrDigest, v.want, v.size)
		return 0, v.err
	}
	if err == io.EOF {
		v.err = v.finish()
		return n, v.err
	}
	v.err = err
	return n, err
}

func (v *reader) finish() error {
	if v.size >= 0 && v.n != v.size {
		return fmt.Errorf("%w: %s ended after %d of %d bytes: %w", ErrDigest, v.want, v.n, v.size, io.ErrUnexpectedEOF)
	}
	if got := DigestFromHash(v.h); got != v.want {
		return fmt.Errorf("%w: got %s, want %s", ErrDigest, got, v.want)
	}
	return io.EOF
}
