package store_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/markettest"
	"github.com/souk-dev/souk/marketplace/store"
)

// TestMalformedRequests sends what no client of ours would, to every route that
// reads something.
func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	m := newMarket()
	m.Made = map[string]*install.Plan{m.Next.ID(): m.Next}
	h := shop(t, m, admin)
	plan := "/plugins/api/v1/plans/" + m.Next.ID() + "/apply"
	huge := strings.Repeat("x", 300<<10)
	var tries [][3]string // method, path, body
	for _, body := range []string{
		"", "null", "[]", "1", `"x"`, "{", "{}{}", "{\"install\":null}", "\xff\xfe", strings.Repeat("[", 100_000),
		`{"install":[{}]}`, `{"install":[{"plugin":"acme/backup","range":"` + strings.Repeat("||", 5000) + `"}]}`,
		`{"install":[{"plugin":"../etc","range":""}]}`, `{"rollback":-1}`, `{"rollback":1e999}`, `{"rollback":18446744073709551616}`,
		`{"update":[null]}`, `{"update":["acme/backup"],"remove":["acme/backup"]}`, `{"remove":[` + strings.TrimSuffix(strings.Repeat(`"acme/backup",`, 200), ",") + `]}`,
		`{"install":[{"plugin":"` + huge + `"}]}`,
	} {
		tries = append(tries, [3]string{http.MethodPost, "/plugins/api/v1/plans", body})
	}
	for _, body := range []string{"", "[]", "{", `{"consents":"all"}`, `{"consents":[1]}`, `{"consents":[["x"]]}`, `{"consents":[]}`, "null", `{"consents":["` + huge + `"]}`, `{"actor":"root"}`} {
		tries = append(tries, [3]string{http.MethodPost, plan, body})
	}
	for _, path := range []string{
		"plugins?limit=-1", "plugins?limit=999999999999999999999", "plugins?cursor=-1", "plugins?cursor=99999999999999999999", "plugins?cursor=x",
		"plugins/acme/" + huge[:4000], "plugins/a%2fb/c", "plugins/acme/%00", "plugins/..%2f../x", "plugins/acme/backup/screenshots/-1",
		"plugins/acme/backup/screenshots/99999999999999999999", "operations/" + huge[:4000], "operations/%00", "plans/%2e%2e%2f", "events?after=-1", "compare", "compare?id=acme/backup", "compare?id=acme/backup&id=../etc", "compare?" + strings.Repeat("id=acme/backup&", 3000), "publishers/" + huge[:4000], "publishers/%00", "publishers/a%2fb", "events?after=x", "nothing",
	} {
		tries = append(tries, [3]string{http.MethodGet, "/plugins/api/v1/" + path, ""})
	}
	tries = append(tries, [3]string{http.MethodDelete, "/plugins/api/v1/nothing", ""}, [3]string{http.MethodPut, "/plugins/api/v1/plans", "{}"})
	for _, c := range tries {
		name := c[0] + " " + c[1][:min(len(c[1]), 60)] + " " + c[2][:min(len(c[2]), 40)]
		w := do(h, c[0], c[1], c[2], "Content-Type", "application/json")
		assert.GreaterOrEqual(t, w.Code, 400, name)
		assert.Less(t, w.Code, 500, name)
		assert.Less(t, w.Body.Len(), 16<<10, "%s: the answer is no echo", name)
		var p struct{ Type, Title, Detail, Next string }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p), name)
		assert.Equal(t, "application/problem+json", w.Header().Get("Content-Type"), name)
		assert.NotEmpty(t, p.Title, name)
		assert.NotEqual(t, "urn:souk:problem:internal", p.Type, name)
	}
	assert.Empty(t, m.Asked, "nothing reached the market")
	assert.Empty(t, m.Applied)
}

// TestMalformedForms does the same to the pages.
func TestMalformedForms(t *testing.T) {
	t.Parallel()
	m := newMarket()
	h := shop(t, m, admin)
	for path, bodies := range map[string][]string{
		"plans":                 {"", "%zz", "do=rollback", "do=rollback&generation=0", "do=rollback&generation=-1", "do=install", "do=install&plugin=..", "do=x&plugin=acme/backup", "do=install&plugin=acme/backup&version=x", "do=install&plugin=" + strings.Repeat("x", 300<<10)},
		"hold":                  {"", "%zz", "plugin=x", "plugin=acme/backup&until=tomorrow", "plugin=acme/backup&until=2026-13-45"},
		"unhold":                {"", "%zz", "plugin=x"},
		"plans/nothing/apply":   {"", "%zz", "consent=x"},
		"operations/%00/cancel": {""},
	} {
		for _, body := range bodies {
			m.CancelErr = install.ErrTooLate
			w := do(h, http.MethodPost, "/plugins/"+path, body)
			assert.GreaterOrEqual(t, w.Code, 400, "%s %.60s", path, body)
			assert.Less(t, w.Code, 500, "%s %.60s", path, body)
			assert.Less(t, w.Body.Len(), 64<<10, "%s %.60s", path, body)
		}
	}
	assert.Empty(t, m.Asked)
	assert.Empty(t, m.Updating.Holds)
}

// TestNobodysFaultIsInternal makes the mistakes that a person or a client can make on a
// real market: each is theirs to mend, and none is an internal error.
func TestNobodysFaultIsInternal(t *testing.T) {
	t.Parallel()
	w := markettest.New(t, markettest.Options{}, markettest.Plugin{Manifest: markettest.Manifest("acme/backup", "1.0.0")},
		markettest.Plugin{Manifest: markettest.Manifest("acme/other", "1.0.0")})
	w.Install("acme/backup")
	done := w.Market.Operations()[0].ID
	h, err := store.New(w.Market, store.Options{Actor: func(*http.Request) (store.Actor, error) { return admin, nil }})
	require.NoError(t, err)
	p, err := w.Market.Plan(t.Context(), install.Change{Install: []resolve.Want{{Plugin: "acme/other"}}})
	require.NoError(t, err)
	try := func(name, method, path, body string) {
		t.Helper()
		answer := do(h, method, "/plugins/api/v1/"+path, body, "Content-Type", "application/json")
		var said struct{ Type, Title, Detail, Next string }
		require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &said), name)
		t.Logf("%s: %d %s: %s %s", name, answer.Code, said.Title, said.Detail, said.Next)
		assert.GreaterOrEqual(t, answer.Code, 400, name)
		assert.NotEqual(t, "urn:souk:problem:internal", said.Type, name)
	}
	try("a consent that is not asked for", http.MethodPost, "plans/"+p.ID()+"/apply", `{"consents":["acme/other permission exec:/"]}`)
	try("cancelled too late", http.MethodDelete, "operations/"+done, "")
	try("back to what is", http.MethodPost, "plans", `{"rollback":1}`)
	try("back to what never was", http.MethodPost, "plans", `{"rollback":77}`)
	try("another source", http.MethodPost, "plans", `{"install":[{"plugin":"acme/backup"}],"source":"elsewhere"}`)
	try("an unknown source", http.MethodPost, "plans", `{"install":[{"plugin":"acme/other"}],"source":"elsewhere"}`)
	try("not installed", http.MethodPost, "plans", `{"update":["acme/other"]}`)
	try("nothing new", http.MethodPost, "plans", `{"install":[{"plugin":"acme/nothing"}]}`)

	same, err := w.Market.Plan(t.Context(), install.Change{Install: []resolve.Want{{Plugin: "acme/backup"}}})
	require.NoError(t, err)
	require.Empty(t, same.Steps)
	answer := do(h, http.MethodPost, "/plugins/api/v1/plans/"+same.ID()+"/apply", "{}", "Content-Type", "application/json")
	if answer.Code == http.StatusAccepted {
		var op struct{ ID string }
		require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &op))
		w.Wait(op.ID)
		answer = get(h, "/plugins/api/v1/operations/"+op.ID)
	}
	assert.NotContains(t, answer.Body.String(), "urn:souk:problem:internal", "a plan that changes nothing")

	require.NoError(t, w.Market.Close())
	try("the panel stops", http.MethodPost, "plans/"+p.ID()+"/apply", "{}")
}
