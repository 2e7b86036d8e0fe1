package catalogtest

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// ExpireTokens makes every token that was given out useless.
func (h *Handler) ExpireTokens() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.tokens)
}

func (h *Handler) knows(r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	return ok && user == h.o.Username && subtle.ConstantTimeCompare([]byte(password), []byte(h.o.Password)) == 1
}

// authorized answers 401 with a challenge, unless the request may pass.
func (h *Handler) authorized(w http.ResponseWriter, r *http.Request) bool {
	if h.o.Basic {
		if h.knows(r) {
			return true
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="catalogtest"`)
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "a name and a password are needed")
		return false
	}
	repo, _, _ := split(r.URL.Path)
	action := "pull"
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		action = "push"
	}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	h.mu.Lock()
	scope := h.tokens[token]
	h.mu.Unlock()
	if actions, ok := strings.CutPrefix(scope, "repository:"+repo+":"); ok && slices.Contains(strings.Split(actions, ","), action) {
		return true
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s://%s/token",service="catalogtest",scope="repository:%s:%s"`, scheme, r.Host, repo, action))
	refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "a token is needed")
	return false
}

func (h *Handler) giveToken(w http.ResponseWriter, r *http.Request) {
	if !h.knows(r) {
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "wrong name or password")
		return
	}
	token := rand.Text()
	h.mu.Lock()
	h.tokens[token] = r.URL.Query().Get("scope")
	h.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"token": token, "expires_in": 300}) //nolint:errcheck // the client went away
}
