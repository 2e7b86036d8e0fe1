package store_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/install"
)

const asJSON = "application/json"

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
	assert.Equal(t, http.StatusUnsupportedMediaType, do(h, http.MethodPost, "/plugins/api/v1/plans", `{"updateAll":true}`, "Content-Type", "text/plain").Code)
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
