package store

import (
	"bytes"
	"context"
	"fmt"
	"image"
	_ "image/gif"  // the formats that are served
	_ "image/jpeg" //
	_ "image/png"  //
	"net/http"
	"sync"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

const (
	maxSide    = 8192     // pixels: more is no picture for a page
	maxPixels  = 16 << 20 // decoded, 64 MiB of memory
	maxJudged  = 4096     // pictures whose judgement is remembered
	maxDecodes = 2        // at the same time
)

// pictures judges whether bytes are a picture that may be shown: they decode
// whole as PNG, JPEG or GIF within bounds. A judgement is remembered by digest. It
// is safe for concurrent use.
type pictures struct {
	slots  chan struct{}
	mu     sync.Mutex
	judged map[verify.Digest]string // media type; empty: refused
}

func newPictures() *pictures {
	return &pictures{slots: make(chan struct{}, maxDecodes), judged: map[verify.Digest]string{}}
}

// mediaType returns the type to serve the bytes as. The type that the publisher
// gave plays no part.
func (p *pictures) mediaType(ctx context.Context, data []byte) (string, error) {
	d := verify.DigestOf(data)
	p.mu.Lock()
	t, known := p.judged[d]
	p.mu.Unlock()
	if !known {
		select {
		case p.slots <- struct{}{}:
		case <-ctx.Done():
			return "", ctx.Err()
		}
		t = judge(data)
		<-p.slots
		p.mu.Lock()
		if len(p.judged) >= maxJudged {
			clear(p.judged)
		}
		p.judged[d] = t
		p.mu.Unlock()
	}
	if t == "" {
		return "", fmt.Errorf("%w: not a PNG, JPEG or GIF of at most %d pixels a side", catalog.ErrNotFound, maxSide)
	}
	return t, nil
}

func judge(data []byte) string {
	c, format, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil || c.Width < 1 || c.Height < 1 || c.Width > maxSide || c.Height > maxSide || c.Width*c.Height > maxPixels {
		return ""
	}
	if _, _, err := image.Decode(bytes.NewReader(data)); err != nil {
		return ""
	}
	return "image/" + format
}

// release finds a release of a plugin by its version.
func release(p catalog.Plugin, version string) (catalog.Release, error) {
	for _, r := range p.Releases {
		if r.Version == version {
			return r, nil
		}
	}
	return catalog.Release{}, &catalog.RefError{Op: "look up", Ref: catalog.Ref{Plugin: p.ID, Version: version}, Err: catalog.ErrNotFound}
}

// blob finds a blob of a release by its title.
func blob(r catalog.Release, title string) (catalog.Descriptor, bool) {
	for _, d := range r.Media {
		if d.Title == title && title != "" {
			return d, true
		}
	}
	return catalog.Descriptor{}, false
}

// media serves an icon or a screenshot.
func (h *shop) media(w http.ResponseWriter, r *http.Request, _ Actor) error {
	id, err := pluginID(r)
	if err != nil {
		return err
	}
	p, err := h.m.Plugin(id)
	if err != nil {
		return err
	}
	rel, err := release(p, r.PathValue("version"))
	if err != nil {
		return err
	}
	return h.picture(w, r, rel, r.PathValue("title"))
}

// picture serves a blob of a release, if it is a picture.
func (h *shop) picture(w http.ResponseWriter, r *http.Request, rel catalog.Release, title string) error {
	d, ok := blob(rel, title)
	if !ok {
		return fmt.Errorf("picture of %s: %w", rel.Ref, catalog.ErrNotFound)
	}
	header := w.Header()
	etag := "\"" + d.Digest.Hex() + "\""
	if r.Header.Get("If-None-Match") == etag {
		header.Set("ETag", etag)
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	data, _, err := h.m.Media(r.Context(), rel, title)
	if err != nil {
		return err
	}
	if len(data) > catalog.MaxMedia {
		return fmt.Errorf("picture of %s has more than %d bytes: %w", rel.Ref, catalog.MaxMedia, catalog.ErrNotFound)
	}
	t, err := h.images.mediaType(r.Context(), data)
	if err != nil {
		return err
	}
	header.Set("ETag", etag)
	header.Set("Content-Type", t)
	if r.URL.Query().Get("d") == d.Digest.Short() {
		header.Set("Cache-Control", "private, max-age=31536000, immutable")
	} else {
		header.Set("Cache-Control", "private, no-cache")
	}
	header.Set("Content-Disposition", "inline")
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	return nil
}
