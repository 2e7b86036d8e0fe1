package resolve_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
)

// checkProof checks that the facts an explanation stands on cannot all be kept: by
// trying every assignment of the plugins in them.
func checkProof(t *testing.T, u *universe, req resolve.Request) {
	t.Helper()
	leaves, domains, err := resolve.ProofLeaves(context.Background(), u, req)
	require.NoError(t, err)
	require.NotEmpty(t, leaves)
	var ids []catalog.PluginID
	for id := range domains {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	at := map[catalog.PluginID]string{}
	broken := func(l resolve.Leaf) bool { // decided, and all terms hold
		for id, in := range l {
			v, set := at[id]
			if !set || !slices.Contains(in, v) {
				return false
			}
		}
		return true
	}
	var try func(i int) bool
	try = func(i int) bool {
		if slices.ContainsFunc(leaves, broken) {
			return false
		}
		if i == len(ids) {
			return true
		}
		for _, v := range domains[ids[i]] {
			at[ids[i]] = v
			if try(i + 1) {
				return true
			}
		}
		delete(at, ids[i])
		return false
	}
	require.False(t, try(0), "the facts of the explanation can all be kept: %v", at)
}
