package api

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/souk-dev/souk/marketplace/hub/edge"
)

// conditional gives every answer to a GET an ETag, which is a hash of it, and answers 304
// to whoever has it already (RFC 9110, 13.1.2). What was made for somebody is kept by
// nobody else.
func conditional(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		rec := &recorder{header: http.Header{}}
		next.ServeHTTP(rec, r)
		h := rec.header
		if rec.status == http.StatusOK {
			if h.Get("Cache-Control") == "" {
				h.Set("Cache-Control", "private, no-cache")
				if edge.ActorOf(r.Context()).Account == "" {
					h.Set("Cache-Control", "public, max-age=15")
				}
			}
			h.Add("Vary", "Authorization, Cookie")
			if h.Get("ETag") == "" {
				sum := sha256.Sum256(rec.body.Bytes())
				h.Set("ETag", `"`+hex.EncodeToString(sum[:16])+`"`)
			}
			if matches(r.Header.Values("If-None-Match"), h.Get("ETag")) {
				h.Del("Content-Type")
				h.Del("Content-Length")
				rec.status = http.StatusNotModified
				rec.body.Reset()
			}
		} else if h.Get("Cache-Control") == "" {
			h.Set("Cache-Control", "no-store") // that something is not there is for who asked, too
		}
		rec.writeTo(w)
	})
}

// matches is the weak comparison of an If-None-Match with an ETag.
func matches(headers []string, etag string) bool {
	for _, one := range strings.Split(strings.Join(headers, ","), ",") {
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		if one == "*" || one != "" && one == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}
