package store_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/install"
)

const asJSON = "application/json"

// TestOpenAPIHolds asks every route of the document and holds the answer to its schema.
func TestOpenAPIHolds(t *testing.T) {
	t.Parallel()
	m := newMarket()
	m.Made = map[string]*install.Plan{m.Next.ID(): m.Next}
	hub := newHub()
	h := shop(t, m, admin, hub.In)
	w := get(h, "/plugins/api/v1/openapi.json")
	require.Equal(t, http.StatusOK, w.Code)
	raw, err := jsonschema.UnmarshalJSON(w.Body)
	require.NoError(t, err)
	doc := raw.(map[string]any)
	assert.Equal(t, "3.1.0", doc["openapi"])
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("openapi.json", doc))

	consents, err := json.Marshal(map[string]any{"consents": needs(m.Next)})
	require.NoError(t, err)
	bodies := map[string]string{"/plans": `{"install":[{"plugin":"acme/backup","range":"^2"}]}`, "/plans/{id}/apply": string(consents),
		"/settings/updates":                        `{"mode":"auto","minAge":3600,"windows":[{"days":["sat"],"from":"23:00","to":"03:00","zone":""}],"data":false,"rollbackData":true,"prerelease":["acme/backup"],"frozen":true}`,
		"/holds/{publisher}/{name}":                `{"until":"2026-06-01","why":"fair week"}`,
		"/plugins/{publisher}/{name}/reviews/mine": `{"stars":4,"text":"Good."}`, "/plugins/{publisher}/{name}/reports": `{"reason":"broken","text":"It is."}`}
	asked := 0
	paths := doc["paths"].(map[string]any)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		for method, op := range paths[path].(map[string]any) {
			if path == "/events" {
				continue // a stream: see the tests of events
			}
			asked++
			id := m.Next.ID()
			if strings.HasPrefix(path, "/operations") {
				id = "t3"
			}
			url := strings.NewReplacer("{publisher}", "acme", "{name}", "backup", "{n}", "0", "{id}", id, "{author}", "acc_bob", "{digest}", string(newMarket().Updating.Failures[0].Digest)).Replace(path)
			if path == "/compare" {
				url += "?id=acme/backup&id=kiln/redis"
			}
			header := []string{"Content-Type", asJSON}
			if path == "/settings/updates" {
				header = append(header, "If-Match", get(h, "/plugins/api/v1"+url).Header().Get("ETag"))
			}
			w := do(h, strings.ToUpper(method), "/plugins/api/v1"+url, bodies[path], header...)
			answers := op.(map[string]any)["responses"].(map[string]any)
			answer, ok := answers[strconv.Itoa(w.Code)]
			if !assert.True(t, ok, "%s %s: %d is not in the document: %.300s", method, path, w.Code, w.Body) {
				continue
			}
			for mediaType, content := range answer.(map[string]any)["content"].(map[string]any) {
				if mediaType != asJSON {
					assert.True(t, strings.HasPrefix(w.Header().Get("Content-Type"), strings.TrimSuffix(mediaType, "*")), "%s: %s", path, w.Header().Get("Content-Type"))
					continue
				}
				name, _ := content.(map[string]any)["schema"].(map[string]any)["$ref"].(string)
				if name == "" {
					continue
				}
				schema, err := c.Compile("openapi.json" + name)
				require.NoError(t, err)
				v, err := jsonschema.UnmarshalJSON(bytes.NewReader(w.Body.Bytes()))
				require.NoError(t, err)
				assert.NoError(t, schema.Validate(v), "%s %s: %.300s", method, path, w.Body)
			}
		}
	}
	assert.Greater(t, asked, 22)

	problem, err := c.Compile("openapi.json#/components/schemas/Problem")
	require.NoError(t, err)
	m.PlanErr = conflict()
	for _, w := range []interface{ Result() *http.Response }{
		get(h, "/plugins/api/v1/plugins/acme/none"), get(h, "/plugins/api/v1/nothing"), get(h, "/plugins/api/v1/plugins?cursor=x"),
		do(h, http.MethodPost, "/plugins/api/v1/plans", bodies["/plans"], "Content-Type", asJSON),
	} {
		r := w.Result()
		assert.Equal(t, "application/problem+json", r.Header.Get("Content-Type"))
		v, err := jsonschema.UnmarshalJSON(r.Body)
		require.NoError(t, err)
		assert.NoError(t, problem.Validate(v))
		assert.InDelta(t, r.StatusCode, number(v.(map[string]any)["status"]), 0)
	}
}

func number(v any) float64 {
	f, err := v.(json.Number).Float64()
	if err != nil {
		return -1
	}
	return f
}

// needs returns the ids of the consents that a plan cannot do without.
func needs(p *install.Plan) []string {
	out := []string{}
	for _, n := range p.Consents {
		if !n.Optional {
			out = append(out, n.ID)
		}
	}
	return out
}

func TestJSONFlow(t *testing.T) {
	t.Parallel()
	m := newMarket()
	h := shop(t, m, admin)
	w := do(h, http.MethodPost, "/plugins/api/v1/plans", `{"install":[{"plugin":"acme/backup"}]}`, "Content-Type", asJSON)
	require.Equal(t, http.StatusCreated, w.Code, w.Body)
	var plan struct {
		ID       string
		Consents []struct{ ID, Risk, Sentence string }
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &plan))
	assert.Equal(t, m.Next.ID(), plan.ID)
	require.Len(t, plan.Consents, 3)

	path := "/plugins/api/v1/plans/" + plan.ID + "/apply"
	w = do(h, http.MethodPost, path, `{"consents":[]}`, "Content-Type", asJSON)
	assert.Equal(t, http.StatusUnprocessableEntity, w.Code)
	assert.Empty(t, m.Applied)
	b, err := json.Marshal(map[string]any{"consents": needs(m.Next)})
	require.NoError(t, err)
	w = do(h, http.MethodPost, path, string(b), "Content-Type", asJSON)
	require.Equal(t, http.StatusAccepted, w.Code, w.Body)
	require.Len(t, m.Applied, 1)
	assert.Equal(t, "ada", m.Applied[0].Actor)
	w = get(h, w.Header().Get("Location"))
	assert.Contains(t, w.Body.String(), `"state":"queued"`)
}

func TestJSONRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	m := newMarket()
	h := shop(t, m, admin)
	for _, body := range []string{
		``, `{}`, `[]`, `{"install":[]}`, `{"nonsense":1}`, `{"remove":["acme/mailer"],"updateAll":true}`, `{"remove":["acme/mailer"]} {}`,
		`{"install":[{"plugin":"acme/backup","range":"not a range"}]}`, `{"rollback":-1}`,
	} {
		w := do(h, http.MethodPost, "/plugins/api/v1/plans", body, "Content-Type", asJSON)
		assert.Equal(t, http.StatusBadRequest, w.Code, body)
	}
	assert.Equal(t, http.StatusNotFound, do(h, http.MethodPost, "/plugins/api/v1/plans", `{"remove":["../etc"]}`, "Content-Type", asJSON).Code)
	assert.Equal(t, http.StatusBadRequest, do(h, http.MethodPost, "/plugins/api/v1/plans", `{"updateAll":true}`, "Content-Type", "text/plain").Code)
	big := `{"remove":["` + strings.Repeat("a", 300<<10) + `"]}`
	assert.Equal(t, http.StatusRequestEntityTooLarge, do(h, http.MethodPost, "/plugins/api/v1/plans", big, "Content-Type", asJSON).Code)
	assert.Empty(t, m.Asked)
}

func TestPagesOfTheListFollowTheCursor(t *testing.T) {
	t.Parallel()
	h := shop(t, newMarket(), admin)
	seen, cursor := map[string]bool{}, ""
	for range 5 {
		var page struct {
			Plugins []struct{ ID string }
			Next    string
			Total   int
			Catalog struct {
				State string
				Age   int
			}
		}
		w := get(h, "/plugins/api/v1/plugins?limit=5&cursor="+cursor)
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &page))
		assert.Equal(t, 12, page.Total)
		assert.Equal(t, "fresh", page.Catalog.State)
		assert.Equal(t, 1200, page.Catalog.Age)
		for _, p := range page.Plugins {
			assert.False(t, seen[p.ID], p.ID)
			seen[p.ID] = true
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	assert.Len(t, seen, 12)
}
