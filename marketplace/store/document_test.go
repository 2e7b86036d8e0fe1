package store_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/marketplace/store/storetest"
)

const documentURL = "https://souk.dev/store.json"

// document is the OpenAPI document as a test holds requests and answers to it. Unlike the
// document, the test lets an answer have nothing besides what is described.
type document struct {
	raw       map[string]any
	c         *jsonschema.Compiler
	compiling *sync.Mutex // the compiler is for one goroutine
}

func readDocument(t *testing.T, h http.Handler) document {
	t.Helper()
	w := get(h, "/plugins/api/v1/openapi.json")
	require.Equal(t, http.StatusOK, w.Code)
	v, err := jsonschema.UnmarshalJSON(w.Body)
	require.NoError(t, err)
	d := document{v.(map[string]any), jsonschema.NewCompiler(), new(sync.Mutex)}
	d.c.DefaultDraft(jsonschema.Draft2020)
	d.c.AssertFormat()
	closeObjects(d.raw["components"])
	require.NoError(t, d.c.AddResource(documentURL, d.raw))
	return d
}

// closeObjects lets no object have what its schema does not describe.
func closeObjects(v any) {
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			closeObjects(one)
		}
	case map[string]any:
		if _, described := v["properties"].(map[string]any); described && v["type"] == "object" && v["additionalProperties"] == nil {
			v["additionalProperties"] = false
		}
		for _, one := range v {
			closeObjects(one)
		}
	}
}

// operations returns all operations: "GET /plugins/{publisher}/{name}".
func (d document) operations() map[string]map[string]any {
	out := map[string]map[string]any{}
	for path, item := range d.raw["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			out[strings.ToUpper(method)+" "+path] = op.(map[string]any)
		}
	}
	return out
}

// holds validates a value against the schema at a place of the document.
func (d document) holds(b []byte, place ...string) error {
	for i, p := range place {
		place[i] = strings.NewReplacer("~", "~0", "/", "~1").Replace(p)
	}
	d.compiling.Lock()
	s, err := d.c.Compile(documentURL + "#/" + (&url.URL{Path: strings.Join(place, "/")}).EscapedPath())
	d.compiling.Unlock()
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// answer holds an answer of an operation to the document: status, media type and body.
func (d document) answer(name string, w *httptest.ResponseRecorder) error {
	method, path, _ := strings.Cut(name, " ")
	op, ok := d.operations()[name]
	if !ok {
		return errors.New("the document has no such operation")
	}
	answers := op["responses"].(map[string]any)
	key := strconv.Itoa(w.Code)
	if answers[key] == nil && w.Code >= 400 {
		key = "default"
	}
	answer, ok := answers[key].(map[string]any)
	if !ok {
		return fmt.Errorf("%d is not in the document", w.Code)
	}
	content, _ := answer["content"].(map[string]any)
	if len(content) == 0 {
		if w.Body.Len() > 0 {
			return fmt.Errorf("%d has a body", w.Code)
		}
		return nil
	}
	kind, _, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
	if err != nil {
		return err
	}
	family, _, _ := strings.Cut(kind, "/")
	if content[kind] == nil && content[family+"/*"] == nil {
		return fmt.Errorf("%d is %s, which is not in the document", w.Code, kind)
	}
	if !strings.HasSuffix(kind, "json") {
		return nil
	}
	return d.holds(w.Body.Bytes(), "paths", path, strings.ToLower(method), "responses", key, "content", kind, "schema")
}

// try is an operation and how it is called with success and with failure.
type try struct {
	path string // of the success, below api/v1
	body string
	code int

	wrong  string // path of the failure; empty: the same
	refuse string // body of the failure
	break_ func(*market, *storetest.Hub)
	fails  int
}

func hubDown(_ *market, c *storetest.Hub) {
	c.Err, c.ActErr = catalog.ErrUnavailable, catalog.ErrUnavailable
}

func tries(m *market) map[string]try {
	plan, digest := m.Next.ID(), string(m.Updating.Failures[0].Digest)
	consents, err := json.Marshal(map[string]any{"consents": needs(m.Next)})
	if err != nil {
		panic(err)
	}
	settings := `{"mode":"auto","minAge":3600,"windows":[{"days":["sat"],"from":"23:00","to":"03:00","zone":""}],"data":false,"rollbackData":true,"prerelease":["acme/backup"],"frozen":true}`
	one, none := "/plugins/acme/backup", "/plugins/acme/none"
	broken := func(m *market, _ *storetest.Hub) {
		m.HistoryErr, m.OffersErr, m.SyncErr = catalog.ErrUnavailable, catalog.ErrUnavailable, catalog.ErrUnavailable
	}
	running := func(m *market, _ *storetest.Hub) {
		m.CancelErr, m.Running[0].State = install.ErrTooLate, install.StateDone
	}
	return map[string]try{
		"GET /plugins":                                                {path: "/plugins?limit=5&q=a", code: 200, wrong: "/plugins?cursor=x", fails: 400},
		"GET /plugins/{publisher}/{name}":                             {path: one, code: 200, wrong: none, fails: 404},
		"GET /plugins/{publisher}/{name}/versions":                    {path: one + "/versions", code: 200, wrong: none + "/versions", fails: 404},
		"GET /plugins/{publisher}/{name}/readme":                      {path: one + "/readme", code: 200, break_: func(m *market, _ *storetest.Hub) { m.MediaErr = catalog.ErrUnavailable }, fails: 502},
		"GET /plugins/{publisher}/{name}/screenshots/{n}":             {path: one + "/screenshots/0", code: 200, wrong: one + "/screenshots/9", fails: 404},
		"GET /compare":                                                {path: "/compare?id=acme/backup&id=kiln/redis", code: 200, wrong: "/compare?id=acme/backup", fails: 400},
		"GET /publishers/{publisher}":                                 {path: "/publishers/acme", code: 200, wrong: "/publishers/nobody", fails: 404},
		"GET /installed":                                              {path: "/installed", code: 200, fails: 403},
		"GET /updates":                                                {path: "/updates", code: 200, break_: broken, fails: 502},
		"GET /history":                                                {path: "/history", code: 200, break_: broken, fails: 502},
		"DELETE /failures/{digest}":                                   {path: "/failures/" + digest, code: 204, wrong: "/failures/x", fails: 404},
		"GET /settings":                                               {path: "/settings", code: 200, fails: 403},
		"GET /settings/updates":                                       {path: "/settings/updates", code: 200, fails: 403},
		"PUT /settings/updates":                                       {path: "/settings/updates", body: settings, code: 200, refuse: settings, fails: 412},
		"PUT /holds/{publisher}/{name}":                               {path: "/holds/acme/backup", body: `{"until":"2026-06-01","why":"fair week"}`, code: 200, refuse: `{"until":"tomorrow"}`, fails: 400},
		"DELETE /holds/{publisher}/{name}":                            {path: "/holds/acme/backup", code: 204, wrong: "/holds/a..b/x", fails: 404},
		"POST /sync":                                                  {path: "/sync", code: 200, break_: broken, fails: 502},
		"POST /plans":                                                 {path: "/plans", body: `{"install":[{"plugin":"acme/backup","range":"^2"}]}`, code: 201, refuse: `{"install":[{"plugin":"acme/backup","range":"^2"}]}`, break_: func(m *market, _ *storetest.Hub) { m.PlanErr = conflict() }, fails: 409},
		"GET /plans/{id}":                                             {path: "/plans/" + plan, code: 200, wrong: "/plans/none", fails: 404},
		"POST /plans/{id}/apply":                                      {path: "/plans/" + plan + "/apply", body: string(consents), code: 202, refuse: `{"consents":[]}`, fails: 422},
		"GET /operations/{id}":                                        {path: "/operations/t3", code: 200, wrong: "/operations/none", fails: 404},
		"DELETE /operations/{id}":                                     {path: "/operations/t3", code: 202, break_: running, fails: 409},
		"POST /operations/{id}/retry":                                 {path: "/operations/t3/retry", code: 201, break_: running, fails: 400},
		"GET /events":                                                 {path: "/events", code: 200, wrong: "/events?after=x", fails: 400},
		"GET /openapi.json":                                           {path: "/openapi.json", code: 200, fails: 403},
		"GET /plugins/{publisher}/{name}/reviews":                     {path: one + "/reviews?stars=5", code: 200, break_: hubDown, fails: 502},
		"GET /plugins/{publisher}/{name}/reviews/mine":                {path: one + "/reviews/mine", code: 200, break_: func(_ *market, c *storetest.Hub) { c.Mine = nil }, fails: 404},
		"PUT /plugins/{publisher}/{name}/reviews/mine":                {path: one + "/reviews/mine", body: `{"stars":4,"text":"Good."}`, code: 200, refuse: `{"stars":9}`, fails: 400},
		"DELETE /plugins/{publisher}/{name}/reviews/mine":             {path: one + "/reviews/mine", code: 204, break_: hubDown, fails: 502},
		"PUT /plugins/{publisher}/{name}/reviews/{author}/helpful":    {path: one + "/reviews/acc_bob/helpful", code: 204, break_: hubDown, fails: 502},
		"DELETE /plugins/{publisher}/{name}/reviews/{author}/helpful": {path: one + "/reviews/acc_bob/helpful", code: 204, wrong: one + "/reviews/%20/helpful", fails: 404},
		"POST /plugins/{publisher}/{name}/reports":                    {path: one + "/reports", body: `{"reason":"broken","text":"It is."}`, code: 204, refuse: `{"reason":"rage","text":"x"}`, fails: 400},
		"GET /account":                                                {path: "/account", code: 200, fails: 403},
		"POST /account/link":                                          {path: "/account/link", code: 202, break_: hubDown, fails: 502},
		"DELETE /account/link":                                        {path: "/account/link", code: 200, break_: hubDown, fails: 502},
		"GET /recommendations":                                        {path: "/recommendations", code: 200, fails: 403},
	}
}

// TestDocumentHolds calls every operation of the document with success and with a failure,
// and holds requests, status, media type and body to it. It fails when a route is not in
// the document, when an operation has no route, and when one is not called.
func TestDocumentHolds(t *testing.T) {
	t.Parallel()
	m := newMarket()
	h := shop(t, m, admin, newHub().In)
	d := readDocument(t, h)
	assert.Equal(t, "3.1.0", d.raw["openapi"])
	routed := []string{}
	for pattern := range h.Routes() {
		if method, path, ok := strings.Cut(pattern, " api/v1"); ok {
			routed = append(routed, method+" "+path)
		}
	}
	slices.Sort(routed)
	all := tries(m)
	assert.Equal(t, routed, slices.Sorted(maps.Keys(d.operations())), "routes, and the operations of the document")
	assert.Equal(t, routed, slices.Sorted(maps.Keys(all)), "routes, and what this test calls")

	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			method, path, _ := strings.Cut(name, " ")
			call := func(who store.Actor, path, body string, change func(*market, *storetest.Hub), match bool) *httptest.ResponseRecorder {
				m, c := newMarket(), newHub()
				m.Made = map[string]*install.Plan{m.Next.ID(): m.Next}
				if change != nil {
					change(m, c)
				}
				h := shop(t, m, who, c.In)
				header := []string{"Content-Type", asJSON}
				if name == "PUT /settings/updates" {
					header = append(header, "If-Match", `"other"`)
					if match {
						header[3] = get(h, "/plugins/api/v1/settings/updates").Header().Get("ETag")
					}
				}
				if name == "GET /events" {
					return listen(t, h, "/plugins/api/v1"+path)
				}
				return do(h, method, "/plugins/api/v1"+path, body, header...)
			}
			if op := d.operations()[name]; op["requestBody"] != nil {
				require.NotEmpty(t, c.body)
				require.NoError(t, d.holds([]byte(c.body), "paths", path, strings.ToLower(method), "requestBody", "content", asJSON, "schema"))
				unknown := strings.Replace(c.body, "{", `{"extra":1,`, 1)
				require.Error(t, d.holds([]byte(unknown), "paths", path, strings.ToLower(method), "requestBody", "content", asJSON, "schema"), "the document lets any field pass")
				w := call(admin, c.path, unknown, nil, true)
				assert.Equal(t, http.StatusBadRequest, w.Code, "an unknown field")
				assert.NoError(t, d.answer(name, w))
			}
			w := call(admin, c.path, c.body, nil, true)
			assert.Equal(t, c.code, w.Code, "%.300s", w.Body)
			assert.NoError(t, d.answer(name, w), "%.1000s", w.Body)

			who, wrong := admin, c.wrong
			if c.fails == http.StatusForbidden {
				who = store.Actor{Name: "nobody"}
			}
			if wrong == "" {
				wrong = c.path
			}
			w = call(who, wrong, c.refuse, c.break_, false)
			assert.Equal(t, c.fails, w.Code, "%.300s", w.Body)
			assert.NoError(t, d.answer(name, w), "%.1000s", w.Body)
			assert.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
		})
	}
}

// TestEveryFailureIsAProblem: whatever is refused below api/ is a problem of its status,
// and says in words what to do.
func TestEveryFailureIsAProblem(t *testing.T) {
	t.Parallel()
	d := readDocument(t, shop(t, newMarket(), admin))
	plans := "/plugins/api/v1/plans"
	with := func(f func(*store.Options)) *store.Handler { return shop(t, newMarket(), admin, f) }
	h := with(func(*store.Options) {})
	for status, w := range map[int]*httptest.ResponseRecorder{
		http.StatusBadRequest: do(h, http.MethodPost, plans, "{}", "Content-Type", asJSON),
		http.StatusUnauthorized: get(with(func(o *store.Options) {
			o.Actor = func(*http.Request) (store.Actor, error) { return admin, store.ErrUnauthenticated }
		}), plans),
		http.StatusForbidden:             do(h, http.MethodPost, plans, "{}", "Content-Type", asJSON, "Sec-Fetch-Site", "cross-site"),
		http.StatusNotFound:              get(h, "/plugins/api/v2/plugins"),
		http.StatusMethodNotAllowed:      do(h, http.MethodPatch, plans+"/x", "{}", "Content-Type", asJSON),
		http.StatusPreconditionFailed:    do(h, http.MethodPut, "/plugins/api/v1/settings/updates", `{"mode":"ask"}`, "Content-Type", asJSON, "If-Match", `"old"`),
		http.StatusRequestEntityTooLarge: do(h, http.MethodPost, plans, `{"remove":["`+strings.Repeat("a", 300<<10)+`"]}`, "Content-Type", asJSON),
		http.StatusUnsupportedMediaType:  do(h, http.MethodPost, plans, "{}", "Content-Type", "text/plain"),
		http.StatusMisdirectedRequest:    stranger(h, plans),
		http.StatusPreconditionRequired:  do(h, http.MethodPut, "/plugins/api/v1/settings/updates", `{"mode":"ask"}`, "Content-Type", asJSON),
		http.StatusInternalServerError: get(with(func(o *store.Options) {
			o.Actor = func(*http.Request) (store.Actor, error) { return admin, errors.New("secret 10.0.0.5") }
		}), plans),
	} {
		assert.Equal(t, status, w.Code, "%s", w.Body)
		assert.Equal(t, "application/problem+json", w.Header().Get("Content-Type"), status)
		assert.NoError(t, d.holds(w.Body.Bytes(), "components", "schemas", "Problem"), "%d %s", status, w.Body)
		assert.NotContains(t, w.Body.String(), "10.0.0.5")
		var p struct {
			Status      int
			Title, Next string
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
		assert.Equal(t, status, p.Status)
		assert.NotEmpty(t, p.Title)
		assert.NotContains(t, w.Body.String(), "⟦", status)
	}
	assert.Equal(t, "GET, HEAD", do(h, http.MethodPatch, plans+"/x", "").Header().Get("Allow"))
	assert.Equal(t, "PUT, DELETE", get(h, "/plugins/api/v1/holds/acme/backup").Header().Get("Allow"))
}

// TestCursorSaysThatTheCatalogChanged turns a page of results over while nothing, and
// while something, happens to the catalogs.
func TestCursorSaysThatTheCatalogChanged(t *testing.T) {
	t.Parallel()
	m := newMarket()
	h := shop(t, m, admin)
	page := func(cursor string) (next string, changed bool) {
		var p struct {
			Next    string
			Changed bool
		}
		w := get(h, "/plugins/api/v1/plugins?limit=4&cursor="+cursor)
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
		return p.Next, p.Changed
	}
	next, changed := page("")
	assert.False(t, changed)
	_, changed = page(next)
	assert.False(t, changed, "nothing happened")
	m.Catalogs[0].Serial++
	later, changed := page(next)
	assert.True(t, changed, "there is a newer catalog")
	_, changed = page(later)
	assert.False(t, changed, "said once")
	delete(m.Listed, "orbit/cron")
	_, changed = page(later)
	assert.True(t, changed, "there is one less")
}

// stranger asks under a name that is not the panel's.
func stranger(h http.Handler, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "http://evil.example"+path, nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
