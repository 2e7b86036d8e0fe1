package ui

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// minCompressed is the size in bytes from which a page is compressed: what fits into one
// packet gains nothing.
const minCompressed = 1400

// Sender sends pages, compressed with gzip where the browser takes it. The zero value is
// ready. It is safe for concurrent use.
//
// A page that holds a secret beside what somebody else can put into it must not go through
// it (the attack called BREACH reads the secret from the length). Those of the storefront
// hold none: they have no token of a session or a form, because a request is known by its
// origin.
type Sender struct {
	writers sync.Pool // of *gzip.Writer
}

// Send writes status and body. Content-Type is set before.
func (s *Sender) Send(w http.ResponseWriter, r *http.Request, status int, body []byte) error {
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	if len(body) >= minCompressed && acceptsGzip(r) {
		var b bytes.Buffer
		z, ok := s.writers.Get().(*gzip.Writer)
		if !ok {
			z = gzip.NewWriter(nil)
		}
		z.Reset(&b)
		_, err := z.Write(body)
		if cerr := z.Close(); err == nil {
			err = cerr
		}
		s.writers.Put(z)
		if err != nil {
			return err
		}
		h.Set("Content-Encoding", "gzip")
		body = b.Bytes()
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(body)
	return err
}

// acceptsGzip reports whether a browser said that it takes gzip, as RFC 9110, 12.5.3 has it.
func acceptsGzip(r *http.Request) bool {
	for _, coding := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		name, params, _ := strings.Cut(coding, ";")
		if strings.TrimSpace(name) != "gzip" {
			continue
		}
		q, weighted := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
		f, err := strconv.ParseFloat(q, 64)
		return !weighted || err == nil && f > 0
	}
	return false
}

// compressed returns b as gzip, made once and served often.
func compressed(b []byte) ([]byte, error) {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(b); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
