package store

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/souk-dev/souk/catalog"
)

// maxBody is the most bytes of a request: a form with the consents of a plan, each
// some hundred bytes, a few hundred of them.
const maxBody = 256 << 10

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
		if r.Body != nil {
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		}
		if err := f(w, r, actor); err != nil {
			fail(w, r, actor, err)
		}
	})
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
