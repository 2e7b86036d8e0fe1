package install

import (
	"context"
	"io"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox/safefs"
)

// What the fuzz tests and benchmarks reach inside for.

func EncodeFrame(v any) ([]byte, error) { return encodeFrame(v) }

func DecodeFrame(b []byte, v any) error { return decodeFrame(b, v) }

type Record = record

func DecodeLog(b []byte) ([]Record, error) { return decodeLog[record](b) }

func DecodeManifest(b []byte) (encoded []byte, n int, err error) {
	m, err := decodeManifest(b)
	nodes := make([]node, 0, len(m))
	for _, v := range m {
		nodes = append(nodes, v)
	}
	return encodeManifest(nodes), len(nodes), err
}

// ReadTar unpacks a plain tar below dir, without anything announced.
func ReadTar(r *safefs.Root, dir string, l Limits, plain io.Reader) (manifest []byte, err error) {
	u := unpacker{fs: r, dir: dir, limits: l}
	err = u.into(func() error {
		_, _, err := catalog.ReadTar(plain, catalog.ContentLimits(l), &u)
		return err
	})
	return encodeManifest(u.nodes), err
}

// Unpack unpacks an artifact below dir.
func Unpack(ctx context.Context, r *safefs.Root, dir string, l Limits, rc io.Reader, a *catalog.Artifact) (string, error) {
	u := unpacker{fs: r, dir: dir, limits: l}
	return u.unpack(ctx, rc, a)
}
