package verify_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/verify"
)

func TestParseDigest(t *testing.T) {
	t.Parallel()
	good := "sha256:" + strings.Repeat("0a", 32)
	d, err := verify.ParseDigest(good)
	require.NoError(t, err)
	assert.True(t, d.Valid())
	assert.Equal(t, good[7:], d.Hex())
	assert.Equal(t, "0a0a0a0a0a0a", d.Short())

	for name, s := range map[string]string{
		"empty":        "",
		"no algorithm": good[7:],
		"short":        good[:len(good)-1],
		"long":         good + "0",
		"upper case":   strings.ToUpper(good),
		"hex in caps":  "sha256:" + strings.Repeat("0A", 32),
		"other":        "sha512:" + strings.Repeat("0a", 32),
		"space":        " " + good[:len(good)-1],
		"not hex":      "sha256:" + strings.Repeat("0g", 32),
		"path":         "sha256:" + strings.Repeat("../", 21) + "x",
		"non-ascii":    "sha256:" + strings.Repeat("é", 32),
	} {
		d, err := verify.ParseDigest(s)
		assert.ErrorIs(t, err, verify.ErrDigest, name)
		assert.Empty(t, d, name)
		assert.False(t, verify.Digest(s).Valid(), name)
		assert.Empty(t, verify.Digest(s).Hex(), name)
		assert.Equal(t, "invalid", verify.Digest(s).Short(), name)
	}
}

func TestDigestOfAgreesWithTheHash(t *testing.T) {
	t.Parallel()
	h := sha256.New()
	h.Write([]byte("souk"))
	assert.Equal(t, verify.DigestOf([]byte("souk")), verify.DigestFromHash(h))
	assert.True(t, verify.DigestOf(nil).Valid())
}

func TestReader(t *testing.T) {
	t.Parallel()
	content := []byte("twelve bytes")
	want, other := verify.DigestOf(content), verify.DigestOf([]byte("other bytes!"))
	broken := errors.New("connection reset")
	tests := map[string]struct {
		served io.Reader
		want   verify.Digest
		size   int64
		err    error
	}{
		"exact":              {bytes.NewReader(content), want, 12, nil},
		"one byte a time":    {iotest.OneByteReader(bytes.NewReader(content)), want, 12, nil},
		"data with EOF":      {iotest.DataErrReader(bytes.NewReader(content)), want, 12, nil},
		"length not known":   {bytes.NewReader(content), want, -1, nil},
		"empty":              {strings.NewReader(""), verify.DigestOf(nil), 0, nil},
		"other content":      {bytes.NewReader(content), other, 12, verify.ErrDigest},
		"unknown and other":  {bytes.NewReader(content), other, -1, verify.ErrDigest},
		"over-long":          {strings.NewReader("twelve bytes!"), want, 12, verify.ErrDigest},
		"endless":            {iotest.OneByteReader(endless{}), want, 12, verify.ErrDigest},
		"over-long of empty": {strings.NewReader("x"), verify.DigestOf(nil), 0, verify.ErrDigest},
		"short":              {strings.NewReader("twelve"), want, 12, verify.ErrDigest},
		"short is EOF too":   {strings.NewReader("twelve"), want, 12, io.ErrUnexpectedEOF},
		"error in between":   {io.MultiReader(strings.NewReader("twelve"), iotest.ErrReader(broken)), want, 12, broken},
		"no digest":          {bytes.NewReader(content), "", 12, verify.ErrDigest},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := verify.NewReader(tt.served, tt.want, tt.size)
			got, err := io.ReadAll(r)
			if tt.err == nil {
				require.NoError(t, err)
				assert.Equal(t, tt.want, verify.DigestOf(got))
				return
			}
			require.ErrorIs(t, err, tt.err)
			n, again := r.Read(make([]byte, 8))
			assert.Zero(t, n)
			assert.ErrorIs(t, again, tt.err, "the error stays")
		})
	}
}

// TestReaderReadsNoMoreThanNeeded: an over-long stream costs one byte.
func TestReaderReadsNoMoreThanNeeded(t *testing.T) {
	t.Parallel()
	src := bytes.NewReader(make([]byte, 1<<20))
	_, err := io.ReadAll(verify.NewReader(src, verify.DigestOf(nil), 100))
	require.ErrorIs(t, err, verify.ErrDigest)
	assert.Equal(t, 1<<20-101, src.Len())
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func FuzzParseDigest(f *testing.F) {
	f.Add("")
	f.Add("sha256:")
	f.Add(string(verify.DigestOf(nil)))
	f.Add("sha256:" + strings.Repeat("F", 64))
	f.Fuzz(func(t *testing.T, s string) {
		d, err := verify.ParseDigest(s)
		if err != nil {
			require.ErrorIs(t, err, verify.ErrDigest)
			require.Empty(t, d)
			return
		}
		require.Equal(t, s, string(d), "nothing is normalised")
		require.Equal(t, s, "sha256:"+d.Hex())
		require.Len(t, d.Hex(), 64)
	})
}

func BenchmarkReader(b *testing.B) {
	content := make([]byte, 1<<20)
	want := verify.DigestOf(content)
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		if _, err := io.Copy(io.Discard, verify.NewReader(bytes.NewReader(content), want, int64(len(content)))); err != nil {
			b.Fatal(err)
		}
	}
}
