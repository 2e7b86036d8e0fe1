package sqlstore_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub/sqlstore"
)

// TestPlans holds the pages that are asked for all the time to an index: nothing is
// scanned, and nothing sorted.
func TestPlans(t *testing.T) {
	d := sqlite(t)
	d.open(sqlstore.Options{})
	raw := d.raw()
	plan := func(query string) string {
		rows, err := raw.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query)
		require.NoError(t, err, query)
		defer rows.Close()
		var all []string
		for rows.Next() {
			var id, parent, unused int
			var line string
			require.NoError(t, rows.Scan(&id, &parent, &unused, &line))
			all = append(all, line)
		}
		require.NoError(t, rows.Err())
		return strings.Join(all, "; ")
	}
	for _, query := range []string{
		"ratings WHERE plugin = 'p' AND state = 's' AND (helpful, plugin, account) < (1, 'p', 'a') ORDER BY helpful DESC, plugin DESC, account DESC",
		"ratings WHERE plugin = 'p' AND state = 's' ORDER BY updated DESC, plugin DESC, account DESC",
		"ratings WHERE plugin = 'p' AND state = 's' AND stars = 5 ORDER BY updated DESC, plugin DESC, account DESC",
		"ratings WHERE state = 's' ORDER BY updated, plugin, account",
		"ratings WHERE account = 'a' ORDER BY updated DESC, plugin DESC, account DESC",
		"submissions WHERE state = 's' AND (risk, id) < (1, 'a') ORDER BY risk DESC, id DESC",
		"submissions WHERE publisher = 'p' ORDER BY created DESC, id DESC",
		"submissions WHERE plugin = 'p' AND version = 'v' ORDER BY id",
		"plugins WHERE state = 's' ORDER BY updated DESC, id DESC",
		"plugins WHERE state = 's' AND id > 'a' ORDER BY id",
		"plugins WHERE publisher = 'p' ORDER BY updated DESC, id DESC",
		"releases WHERE plugin = 'p' ORDER BY plugin, version",
		"tokens WHERE hash = 'h' ORDER BY id",
		"devices WHERE user_code = 'c' ORDER BY hash",
		"members WHERE publisher = 'p' ORDER BY publisher, account",
		"reports WHERE state = 's' ORDER BY created, id",
		"appeals WHERE state = 's' ORDER BY created, id",
		"audit WHERE target = 't' ORDER BY seq DESC",
		"audit WHERE actor = 'a' AND seq < 7 ORDER BY seq DESC",
		"audit ORDER BY seq DESC",
		"events WHERE public = 1 ORDER BY seq DESC",
		"events WHERE public = 1 AND plugin = 'p' ORDER BY seq DESC",
		"deliveries WHERE hook = 'h' ORDER BY created DESC, id DESC",
		"notices WHERE account = 'a' ORDER BY id DESC",
		"tallies WHERE kind = 'd' AND plugin = 'p' AND day >= 1 AND day <= 9",
	} {
		p := plan("SELECT * FROM " + query + " LIMIT 50")
		assert.NotContains(t, p, "TEMP B-TREE", query)
		if !strings.HasPrefix(query, "audit ORDER") {
			assert.NotContains(t, p, "SCAN", query)
		}
	}
	require.Contains(t, plan("SELECT * FROM ratings ORDER BY text LIMIT 50"), "TEMP B-TREE", "the control")
}
