package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox"
)

// states are the states of a plugin other than those of a running operation, and how each
// comes about. The plugin is acme/backup, not installed, or north/metrics, installed.
var states = []struct {
	state, id string
	make      func(*market)
	why       string // words that say it
	action    string // part of the one thing to do; empty: nothing
}{
	{"available", "acme/backup", func(*market) {}, "", `name="do" value="install"`},
	{"unavailable", "acme/backup", func(m *market) { m.API = "2.0.0" }, "It needs panel version &gt;=3.0, and this panel offers 2.0.0.", "disabled>Not available"},
	{"unavailable", "acme/backup", func(m *market) { m.Platform = "windows/amd64" }, "It runs on linux/amd64, linux/arm64 only, and this server is windows/amd64.", "disabled>"},
	{"unavailable", "acme/backup", func(m *market) { m.Rules.Deny = sandbox.MustSet("fs.read:/srv") }, "The policy of this panel forbids", "disabled>"},
	{"unavailable", "acme/backup", func(m *market) { advise(m, "acme/backup", catalog.ActionBlock) }, "Blocked by advisory ADV-1: It leaks", "disabled>"},
	{"failed", "acme/backup", func(m *market) { fail(m, "acme/backup", "", "2.1.0") }, "The install of 2.1.0 did not work", ">Try again"},
	{"installed", "north/metrics", func(*market) {}, "", ""},
	{"update", "north/metrics", func(m *market) { m.Here[0].Version = "2.0.3" }, "", "Update to 2.1.0"},
	{"failed", "north/metrics", func(m *market) { m.Here[0].Version = "2.0.3"; fail(m, "north/metrics", "2.0.3", "2.1.0") }, "The update to 2.1.0 was undone", `name="do" value="update"`},
	{"disabled", "north/metrics", func(m *market) { m.Here[0].Enabled = false }, "installed but does not run", "/health"},
	{"needs restart", "north/metrics", func(m *market) { m.Sick["north/metrics"] = fmt.Errorf("x: %w", install.ErrNeedsRestart) }, "runs after the next restart", "/health"},
	{"crashed", "north/metrics", func(m *market) { m.Sick["north/metrics"] = errors.New("exit status 3") }, "it is not well", "/health"},
	{"revoked", "north/metrics", func(m *market) { advise(m, "north/metrics", catalog.ActionDisable) }, "Stopped by advisory ADV-1", "What to do"},
}

func advise(m *market, id catalog.PluginID, action catalog.Action) {
	p := m.Listed[id]
	p.Advisories = append(p.Advisories, catalog.Advisory{ID: "ADV-1", Title: "It leaks", Plugin: id, Action: action, Issued: now.Add(-time.Hour)})
	m.Listed[id] = p
}

func fail(m *market, id catalog.PluginID, from, to string) {
	e := install.Entry{Transaction: install.Transaction{ID: "t9", Title: "The last try", Actor: "ada", Started: now.Add(-time.Minute), Ended: now.Add(-time.Minute)}, State: install.StateFailed, Error: "no space", Changes: []install.HistoryStep{{Action: install.ActInstall, Plugin: id, From: from, To: to}}}
	m.Entries = append([]install.Entry{e}, m.Entries...)
}

// TestMachineIsOneEverywhere makes each state and looks for it on the card, on the page of
// the plugin, among what is installed and in the JSON: the same everywhere, with words and
// the one thing to do, which somebody who may only look does not get.
func TestMachineIsOneEverywhere(t *testing.T) {
	t.Parallel()
	for _, c := range states {
		t.Run(c.state+" "+c.id, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // no wait ends before who is asked has answered
				m := newMarket()
				c.make(m)
				h := shop(t, m, admin)
				card := at(t, get(h, "/plugins/?q="+m.Listed[catalog.PluginID(c.id)].Name).Body.String(), `id="at-`+c.id, "</article>")
				act := at(t, get(h, "/plugins/p/"+c.id).Body.String(), `id="souk-act"`, "</header>")
				for name, part := range map[string]string{"card": card, "page": act} {
					assert.Contains(t, part, c.why, name)
					if c.action == "" {
						assert.NotContains(t, strings.ReplaceAll(part, `value="remove"`, ""), `name="do" value`, name)
					}
					assert.Contains(t, part, c.action, name)
				}
				var one struct{ State, Why string }
				require.NoError(t, json.Unmarshal(get(h, "/plugins/api/v1/plugins/"+c.id).Body.Bytes(), &one))
				assert.Equal(t, c.state, one.State)
				var all struct {
					Plugins []struct{ ID, State, Why string }
				}
				require.NoError(t, json.Unmarshal(get(h, "/plugins/api/v1/plugins?limit=100").Body.Bytes(), &all))
				for _, p := range all.Plugins {
					if p.ID == c.id {
						assert.Equal(t, one.State, p.State, "list and page")
						assert.Equal(t, one.Why, p.Why)
					}
				}
				if c.id == "north/metrics" {
					var here struct {
						Installed []struct{ ID, State, Why string }
					}
					require.NoError(t, json.Unmarshal(get(h, "/plugins/api/v1/installed").Body.Bytes(), &here))
					require.NotEmpty(t, here.Installed)
					for _, p := range here.Installed {
						if p.ID == c.id {
							assert.Equal(t, c.state, p.State)
							assert.Equal(t, one.Why, p.Why)
						}
					}
					for _, page := range []string{"installed", "p/" + c.id + "/health"} {
						w := get(h, "/plugins/"+page)
						require.Equal(t, http.StatusOK, w.Code)
						wellFormed(t, w.Body.String())
					}
				}
				look := get(shop(t, m, viewer), "/plugins/p/"+c.id).Body.String()
				assert.NotContains(t, look, `action="/plugins/plans"`)
				if c.why != "" {
					assert.Contains(t, look, c.why, "who may only look is told why")
				}
			})
		})
	}
}

// at returns the part of a page from one text up to another.
func at(t *testing.T, page, from, to string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, from)
	require.True(t, ok, "%s is not there", from)
	part, _, ok := strings.Cut(rest, to)
	require.True(t, ok, "%s is not there", to)
	return part
}

// TestEveryStepOfAnOperationIsAState walks an install through its states.
func TestEveryStepOfAnOperationIsAState(t *testing.T) {
	t.Parallel()
	for state, cancel := range map[install.State]bool{
		install.StateQueued: true, install.StateResolving: true, install.StateDownloading: true, install.StateVerifying: true,
		install.StateStaging: true, install.StateStarting: false, install.StateChecking: false, install.StateRollingBack: false,
	} {
		m := newMarket()
		m.Running = []install.Operation{{ID: "t4", Title: "Install Backup 2.1.0", State: state, Plugin: "acme/backup", Plugins: []catalog.PluginID{"acme/backup"}, Done: 30, Total: 100, Started: now}}
		h := shop(t, m, admin)
		var one struct{ State string }
		require.NoError(t, json.Unmarshal(get(h, "/plugins/api/v1/plugins/acme/backup").Body.Bytes(), &one))
		assert.Equal(t, string(state), one.State)
		for _, page := range []string{"p/acme/backup", "operations/t4"} {
			body := get(h, "/plugins/"+page).Body.String()
			wellFormed(t, body)
			assert.Equal(t, cancel, strings.Contains(body, "/operations/t4/cancel"), "%s: %s", state, page)
		}
	}
}

// TestHealthIsAskedOnceForManyCards: a page full of cards does not ask the same plugin for
// every visitor, and a plugin that does not answer does not hold the page up.
func TestHealthIsAskedOnceForManyCards(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // no wait ends before who is asked has answered
		m := newMarket()
		h := shop(t, m, admin)
		for range 5 {
			get(h, "/plugins/")
		}
		assert.Equal(t, len(m.Here), m.AskedHealth())
		get(h, "/plugins/installed")
		assert.Equal(t, 2*len(m.Here), m.AskedHealth(), "the page about what is installed asks anew")
	})
}

func TestHealthPageSaysWhatToDo(t *testing.T) {
	t.Parallel()
	m := newMarket()
	h := shop(t, m, admin)
	w := get(h, "/plugins/p/acme/mailer/health")
	require.Equal(t, http.StatusOK, w.Code)
	wellFormed(t, w.Body.String())
	for _, s := range []string{"Not healthy", "connection refused by 10.0.0.5:25", "Update to 2.1.0", "Go back to 1.9.0", "Check again", "Update Mailer to 2.1.0", "Remove"} {
		assert.Contains(t, w.Body.String(), s)
	}
	look := get(shop(t, m, viewer), "/plugins/p/acme/mailer/health").Body.String()
	assert.Contains(t, look, "connection refused")
	assert.NotContains(t, look, "<form")
	assert.Equal(t, http.StatusNotFound, get(h, "/plugins/p/acme/backup/health").Code, "not installed")

	advise(m, "acme/mailer", catalog.ActionBlock) // all of them, also the one to go back to
	assert.NotContains(t, get(h, "/plugins/p/acme/mailer/health").Body.String(), "Go back to")
}
