package marketplace

import (
	"context"

	"github.com/souk-dev/souk/verify"
)

// MediaShelf is what remembers texts and pictures.
type MediaShelf struct{ s *mediaShelf }

func NewMediaShelf() MediaShelf { return MediaShelf{newMediaShelf()} }

func (m MediaShelf) Get(ctx context.Context, d verify.Digest, load func(context.Context) ([]byte, error)) ([]byte, error) {
	return m.s.get(ctx, d, load)
}

func (m MediaShelf) Close() { m.s.close() }
