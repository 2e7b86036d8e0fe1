package registry

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Bounds of one request for a token.
const (
	maxTokenQuery = 16 << 10 // bytes; MaxScopes long scopes, escaped
	maxTokenForm  = 32 << 10 // likewise, with a name and password
	maxSecret     = 4 << 10  // bytes of a name or password
)

// answer is what a client gets, the fields of both the token specification and the
// OAuth2 one.
type answer struct {
	Token       string    `json:"token,omitempty"`
	AccessToken string    `json:"access_token"`
	Scope       *string   `json:"scope,omitempty"`
	ExpiresIn   int       `json:"expires_in"`
	IssuedAt    time.Time `json:"issued_at"`
}

// ServeHTTP answers a request for a token. GET takes the parameters service and
// scope and Basic authentication or none; account, client_id and offline_token are
// ignored, no refresh token is ever given. POST is the OAuth2 form with
// grant_type=password; grant_type=refresh_token is refused as unsupported.
//
// A client that may do nothing of what it wants gets a token without access, not an
// error; wrong credentials are 401, another service or a malformed scope is 400, and
// when nobody could decide it is 503.
func (t *Tokens) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	switch r.Method {
	case http.MethodGet:
		t.get(w, r)
	case http.MethodPost:
		t.post(w, r)
	default:
		h.Set("Allow", "GET, POST")
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "use GET or POST")
	}
}

func (t *Tokens) get(w http.ResponseWriter, r *http.Request) {
	if len(r.URL.RawQuery) > maxTokenQuery {
		refuse(w, http.StatusRequestURITooLong, "UNSUPPORTED", "the query is too long")
		return
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		refuse(w, http.StatusBadRequest, "UNSUPPORTED", "the query is malformed")
		return
	}
	var c Credential
	if r.Header.Get("Authorization") != "" {
		var ok bool
		c.Username, c.Password, ok = r.BasicAuth()
		if !ok || c.Anonymous() || !c.bounded() {
			t.unauthorized(w)
			refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", ErrCredentials.Error())
			return
		}
	}
	a, f := t.decide(r, c, q)
	if f != nil {
		t.tell(w, f)
		refuse(w, f.status, f.code, f.message)
		return
	}
	a.Token, a.Scope = a.AccessToken, nil
	writeJSON(w, http.StatusOK, a)
}

// post is https://distribution.github.io/distribution/spec/auth/oauth/.
func (t *Tokens) post(w http.ResponseWriter, r *http.Request) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		refuseOAuth(w, http.StatusUnsupportedMediaType, "invalid_request", "send a form")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxTokenForm)
	if err := r.ParseForm(); err != nil {
		refuseOAuth(w, http.StatusBadRequest, "invalid_request", "the form is malformed or too long")
		return
	}
	switch grant := r.PostForm.Get("grant_type"); grant {
	case "password":
	case "refresh_token":
		refuseOAuth(w, http.StatusBadRequest, "unsupported_grant_type", "there are no refresh tokens here; use a name and an API token")
		return
	default:
		refuseOAuth(w, http.StatusBadRequest, "unsupported_grant_type", "use grant_type=password")
		return
	}
	c := Credential{Username: r.PostForm.Get("username"), Password: r.PostForm.Get("password")}
	if c.Anonymous() || !c.bounded() {
		t.unauthorized(w)
		refuseOAuth(w, http.StatusUnauthorized, "invalid_grant", ErrCredentials.Error())
		return
	}
	a, f := t.decide(r, c, r.PostForm)
	if f != nil {
		t.tell(w, f)
		refuseOAuth(w, f.status, f.oauth, f.message)
		return
	}
	writeJSON(w, http.StatusOK, a)
}

func (c Credential) bounded() bool {
	return len(c.Username) <= maxSecret && len(c.Password) <= maxSecret
}

// failure is why there is no token.
type failure struct {
	status  int
	code    string // of a registry's error document
	oauth   string // of an OAuth2 one
	message string
}

// decide is the same for GET and POST.
func (t *Tokens) decide(r *http.Request, c Credential, q url.Values) (*answer, *failure) {
	if s := q["service"]; len(s) != 1 || s[0] != t.o.Service {
		return nil, &failure{http.StatusBadRequest, "UNSUPPORTED", "invalid_request", "this token service knows the service " + t.o.Service + " only"}
	}
	want, err := ParseScopes(q["scope"])
	if err != nil {
		return nil, &failure{http.StatusBadRequest, "UNSUPPORTED", "invalid_scope", err.Error()}
	}
	granted, subject, err := t.o.Authorize(r.Context(), c, want)
	if errors.Is(err, ErrCredentials) {
		return nil, &failure{http.StatusUnauthorized, "UNAUTHORIZED", "invalid_grant", ErrCredentials.Error()}
	}
	away := &failure{http.StatusServiceUnavailable, "UNAVAILABLE", "temporarily_unavailable", "nobody could decide about this now, try again"}
	if err != nil {
		t.o.Log.ErrorContext(r.Context(), "token not issued: no decision", "who", c, "error", err)
		return nil, away
	}
	granted, err = within(want, granted)
	if err != nil {
		t.o.Log.ErrorContext(r.Context(), "token not issued: bad decision", "who", c, "error", err)
		return nil, away
	}
	now := t.o.Now()
	token, err := t.issue(subject, granted, now, t.o.TTL)
	if err != nil {
		t.o.Log.ErrorContext(r.Context(), "token not issued", "who", c, "error", err)
		return nil, away
	}
	scopes := make([]string, len(granted))
	for i, a := range granted {
		scopes[i] = a.String()
	}
	scope := strings.Join(scopes, " ")
	return &answer{AccessToken: token, Scope: &scope, ExpiresIn: int(t.o.TTL / time.Second), IssuedAt: now.UTC().Truncate(time.Second)}, nil
}

// within drops what is empty from granted, and refuses what was not wanted.
func within(want, granted []Access) ([]Access, error) {
	var out []Access
	for _, a := range granted {
		if len(a.Actions) == 0 {
			continue
		}
		a.Actions = unique(append([]string(nil), a.Actions...))
		if err := a.check(); err != nil {
			return nil, err
		}
		asked := false
		for _, w := range want {
			asked = asked || w.covers(a)
		}
		if !asked {
			return nil, errors.New("granted " + a.String() + ", which was not asked for")
		}
		out = merge(out, a)
	}
	return out, nil
}

// tell sets the headers of a failure.
func (t *Tokens) tell(w http.ResponseWriter, f *failure) {
	switch f.status {
	case http.StatusUnauthorized:
		t.unauthorized(w)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", retryAfter)
	}
}

func (t *Tokens) unauthorized(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Basic realm="registry tokens", charset="UTF-8"`)
}

// retryAfter is in seconds: what is not there now is a restart or a database away.
const retryAfter = "5"

// refuse answers with an error document as the distribution spec has it.
func refuse(w http.ResponseWriter, status int, code, message string) {
	type one struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	writeJSON(w, status, map[string][]one{"errors": {{code, message}}})
}

// refuseOAuth answers as RFC 6749, section 5.2, has it.
func refuseOAuth(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, map[string]string{"error": code, "error_description": message})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte("{}")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(b) //nolint:errcheck // the client went away
}
