package store_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/markettest"
	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/marketplace/store/storetest"
	"github.com/souk-dev/souk/sandbox"
)

// TestAPlanIsWhatWasRead agrees to plans on a real market over the JSON: only to what the
// plan asks, only by who may, and only while the plan is still what was read.
func TestAPlanIsWhatWasRead(t *testing.T) {
	t.Parallel()
	risky := markettest.Manifest("acme/risky", "1.0.0")
	risky.Permissions = []catalog.PermissionRequest{storetest.Ask(sandbox.KindNetOut, "*:*", "To reach all.", false)}
	w := markettest.New(t, markettest.Options{}, markettest.Plugin{Manifest: risky}, markettest.Plugin{Manifest: markettest.Manifest("acme/other", "1.0.0")})
	h, err := store.New(w.Market, store.Options{Actor: func(r *http.Request) (store.Actor, error) {
		return store.Actor{Name: "ivy", View: true, Install: true, ApproveRisky: r.Header.Get("Risk") != ""}, nil
	}})
	require.NoError(t, err)
	plan := func(id string) (plan string, consents []string) {
		var p struct {
			ID       string
			Consents []struct{ ID, Risk string }
		}
		a := do(h, http.MethodPost, "/plugins/api/v1/plans", `{"install":[{"plugin":"`+id+`"}]}`, "Content-Type", asJSON)
		require.Equal(t, http.StatusCreated, a.Code, a.Body)
		require.NoError(t, json.Unmarshal(a.Body.Bytes(), &p))
		for _, c := range p.Consents {
			consents = append(consents, c.ID)
			assert.Equal(t, "high", c.Risk)
		}
		return p.ID, consents
	}
	apply := func(id string, consents []string, header ...string) (int, string) {
		b, err := json.Marshal(map[string]any{"consents": consents})
		require.NoError(t, err)
		a := do(h, http.MethodPost, "/plugins/api/v1/plans/"+id+"/apply", string(b), append(header, "Content-Type", asJSON)...)
		var op struct{ ID string }
		require.NoError(t, json.Unmarshal(a.Body.Bytes(), &op))
		return a.Code, op.ID
	}
	id, consents := plan("acme/risky")
	require.Len(t, consents, 1)
	code, _ := apply(id, nil, "Risk", "1")
	assert.Equal(t, http.StatusUnprocessableEntity, code, "nothing is agreed to by itself")
	code, _ = apply(id, consents)
	assert.Equal(t, http.StatusForbidden, code, "not by who may not agree to high risks")
	code, _ = apply(id, append(consents, "acme/risky permission exec:/"), "Risk", "1")
	assert.Equal(t, http.StatusBadRequest, code, "no more than is asked for")
	first := "0"
	if strings.HasPrefix(id, first) {
		first = "1"
	}
	code, _ = apply(first+id[1:], consents, "Risk", "1")
	assert.Equal(t, http.StatusNotFound, code, "another id is another plan")
	other, none := plan("acme/other")
	code, _ = apply(other, consents, "Risk", "1")
	assert.Equal(t, http.StatusBadRequest, code, "what was agreed to in one plan says nothing in another")
	assert.Empty(t, w.Versions(), "nothing of it did anything")

	code, op := apply(other, none)
	require.Equal(t, http.StatusAccepted, code, "a control: what asks for nothing is installed")
	require.Equal(t, install.StateDone, w.Wait(op).State)
	if code, op = apply(id, consents, "Risk", "1"); code == http.StatusAccepted { // what it was made from is not any more
		assert.ErrorIs(t, w.Wait(op).Err, install.ErrStalePlan)
		assert.Contains(t, get(h, "/plugins/api/v1/operations/"+op).Body.String(), "urn:souk:problem:stale")
	} else {
		assert.Equal(t, http.StatusConflict, code)
	}
	assert.Equal(t, []string{"acme/other@1.0.0"}, w.Versions())

	id, consents = plan("acme/risky")
	code, op = apply(id, consents, "Risk", "1")
	require.Equal(t, http.StatusAccepted, code, "a control: read again, agreed to by who may")
	assert.Equal(t, install.StateDone, w.Wait(op).State)
	assert.Len(t, w.Versions(), 2)
}
