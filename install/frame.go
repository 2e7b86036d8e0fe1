package install

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"

	"github.com/souk-dev/souk/sandbox/safefs"
)

// A frame is how every file of the store but the unpacked trees is written: eight
// hex digits of CRC-32C, a space, JSON, a line feed. It can be read with cat, and
// a torn or damaged one is never taken for a good one.
const framePrefix = 9

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Bounds of what is read back.
const (
	maxPointer    = 4 << 10
	maxGeneration = 64 << 20 // some 1,000 plugins with large manifests
	maxLog        = 4 << 20
	maxHistory    = 16 << 20
)

func encodeFrame(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, framePrefix+len(b)+1)
	out = fmt.Appendf(out, "%08x ", crc32.Checksum(b, castagnoli))
	out = append(out, b...)
	return append(out, '\n'), nil
}

// decodeFrame reads exactly one frame, with its line feed.
func decodeFrame(b []byte, v any) error {
	n := len(b)
	if n < framePrefix+1 || b[n-1] != '\n' || b[framePrefix-1] != ' ' || bytes.IndexByte(b, '\n') != n-1 {
		return errors.New("not a whole frame")
	}
	var sum [4]byte
	if _, err := hex.Decode(sum[:], b[:framePrefix-1]); err != nil {
		return errors.New("no checksum")
	}
	body := b[framePrefix : n-1]
	want := uint32(sum[0])<<24 | uint32(sum[1])<<16 | uint32(sum[2])<<8 | uint32(sum[3])
	if crc32.Checksum(body, castagnoli) != want {
		return errors.New("wrong checksum")
	}
	return json.Unmarshal(body, v)
}

// decodeLog reads frames one after another. What is wrong with the last one is the
// torn tail of a crash, and is dropped; anywhere else it is an error.
func decodeLog[T any](b []byte) (out []T, err error) {
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n') + 1
		if end == 0 {
			return out, nil
		}
		var v T
		if err := decodeFrame(b[:end], &v); err != nil {
			if end == len(b) {
				return out, nil
			}
			return nil, fmt.Errorf("frame %d: %w", len(out)+1, err)
		}
		out, b = append(out, v), b[end:]
	}
	return out, nil
}

func readFrame(r *safefs.Root, name string, limit int64, v any) error {
	b, err := r.ReadFile(name, limit)
	if errors.Is(err, safefs.ErrTooLarge) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if err != nil {
		return err
	}
	if err := decodeFrame(b, v); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrCorrupt, name, err)
	}
	return nil
}

func writeFrame(r *safefs.Root, name string, v any) error {
	b, err := encodeFrame(v)
	if err != nil {
		return err
	}
	return r.WriteFile(name, b, 0o600)
}

// readLog reads all frames of a file; an absent file has none.
func readLog[T any](r *safefs.Root, name string, limit int64) ([]T, error) {
	b, err := r.ReadFile(name, limit)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, safefs.ErrTooLarge):
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	case err != nil:
		return nil, err
	}
	out, err := decodeLog[T](b)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrCorrupt, name, err)
	}
	return out, nil
}
