package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
)

// maxBody is the most bytes of a request: a form with the consents of a plan, each
// some hundred bytes, a few hundred of them.
const maxBody = 256 << 10

// bodyWait is how long a request's body may take to come: maxBody at 70 kbit/s.
const bodyWait = 30 * time.Second

// url is the one place where addresses are made: BasePath and the escaped parts.
// A part may hold slashes, which stay.
func (h *shop) url(parts ...string) string {
	var b strings.Builder
	b.WriteString(h.o.BasePath)
	for i, p := range parts {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString((&url.URL{Path: p}).EscapedPath())
	}
	return b.String()
}

// route is a pattern below BasePath and the right that it asks for.
type route struct {
	pattern string
	need    right
}

// handle registers a route of somebody who needs a right, and says how its errors
// are written.
func (h *shop) handle(pattern string, need right, f action, fail func(http.ResponseWriter, *http.Request, Actor, error)) {
	h.routed = append(h.routed, route{pattern, need})
	method, path, found := strings.Cut(pattern, " ")
	if !found {
		method, path = "", pattern
	}
	h.mux.HandleFunc(strings.TrimSpace(method+" "+h.o.BasePath+path), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		actor, err := h.o.Actor(r)
		switch {
		case err != nil:
			fail(w, r, Actor{}, err)
			return
		case !actor.View:
			fail(w, r, Actor{}, errMayNotView)
			return
		case !actor.may(need):
			fail(w, r, actor, errMayNot)
			return
		}
		if err := h.origin.Check(r); err != nil {
			fail(w, r, actor, fmt.Errorf("%w: %w", errCrossOrigin, err))
			return
		}
		if err := readBody(w, r); err != nil {
			fail(w, r, actor, err)
			return
		}
		if err := f(w, r, actor); err != nil {
			fail(w, r, actor, err)
		}
	})
}

// readBody reads a request's body into memory, within maxBody and bodyWait: who sends it
// slowly, or not at all, is not waited for.
func readBody(w http.ResponseWriter, r *http.Request) error {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	// A server without deadlines has limits of its own, or waits longer.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyWait))
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	_ = control.SetReadDeadline(time.Time{}) // of what comes after the body: nothing, or the next request
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &tooBig):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errSlow
	case err != nil:
		return fmt.Errorf("%w: the body ends early: %w", errRequest, err)
	}
	r.Body = io.NopCloser(bytes.NewReader(b))
	return nil
}

// hostAllowed says whether a request for this Host header may be answered: see
// Options.Hosts. A browser that was led here by a rebound name sends that name.
func (h *shop) hostAllowed(host string) bool {
	name := host
	if n, _, err := net.SplitHostPort(host); err == nil {
		name = n
	}
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return true
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	for _, a := range h.o.Hosts {
		a = strings.ToLower(a)
		if strings.HasPrefix(a, ".") {
			if strings.HasSuffix(name, a) && len(name) > len(a) {
				return true
			}
		} else if name == a {
			return true
		}
	}
	return false
}

// refuseHost answers in plain text, or as a problem below api/: nothing of the panel is
// shown to a stranger.
func (h *shop) refuseHost(w http.ResponseWriter, r *http.Request) {
	h.o.Log.Warn("request for a host that is not listed", "host", r.Host, "hint", "add it to store.Options.Hosts")
	if strings.HasPrefix(r.URL.Path, h.url("api/")) {
		h.failJSON(w, r, Actor{}, errHost)
		return
	}
	p := h.explain(errHost)
	http.Error(w, p.Title+"\n\n"+p.Detail+"\n"+p.Next, p.Status)
}

// pluginID reads the plugin of a request's path.
func pluginID(r *http.Request) (catalog.PluginID, error) {
	return parsePlugin(r.PathValue("publisher") + "/" + r.PathValue("name"))
}

// parsePlugin reads a plugin's id; what is none names nothing.
func parsePlugin(s string) (catalog.PluginID, error) {
	id, err := catalog.ParsePluginID(s)
	if err != nil {
		return "", fmt.Errorf("%w: %w", catalog.ErrNotFound, err)
	}
	return id, nil
}
