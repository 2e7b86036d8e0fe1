package identity_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/hub/identity"
	"github.com/souk-dev/souk/marketplace/hub/sqlstore"
)

// What happens at a time: on SQLite, where changes wait for each other, and on PostgreSQL,
// where they do not. SOUK_TEST_REQUIRE=all demands the latter.
func TestRaces(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { races(t, func(t *testing.T) *world { return newWorld(t) }) })
	t.Run("postgres", func(t *testing.T) {
		races(t, func(t *testing.T) *world {
			store, _ := hubtest.PostgresStore(t, sqlstore.Options{})
			return worldOn(t, store)
		})
	})
}

// together runs f n times at a time and returns how often it went well.
func together(n int, f func(i int) error) (well int, failed []error) {
	results := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { results[i] = f(i) })
	}
	all.Wait()
	for _, err := range results {
		if err == nil {
			well++
		} else {
			failed = append(failed, err)
		}
	}
	return well, failed
}

func races(t *testing.T, open func(*testing.T) *world) {
	t.Run("one CI token is exchanged once", func(t *testing.T) {
		w := open(t)
		mira := w.actor("mira")
		w.publisher("acme", map[string]hub.MemberRole{mira.Account: hub.MemberOwner})
		w.exchange(mira, "control")
		won, failed := together(8, func(int) error { _, _, err := w.ExchangeCI(w.ctx(), w.run("contested")); return err })
		assert.Equal(t, 1, won)
		for _, err := range failed {
			assert.ErrorIs(t, err, hub.ErrUnauthenticated)
		}
	})
	t.Run("the first use of a rule decides", func(t *testing.T) {
		w := open(t)
		mira := w.actor("mira")
		w.publisher("acme", map[string]hub.MemberRole{mira.Account: hub.MemberOwner})
		must(w.AddTrusted(w.ctx(), w.again("mira"), ciRule()))
		won, _ := together(6, func(i int) error {
			r := w.run("of " + string(rune('a'+i)))
			r.RepositoryID = string(rune('a' + i))
			_, _, err := w.ExchangeCI(w.ctx(), r)
			return err
		})
		assert.Equal(t, 1, won, "six repositories that claim one name")
	})
	t.Run("one becomes the first administrator", func(t *testing.T) {
		w := open(t)
		codes := []string{must(w.SetupCode(w.ctx())), must(w.SetupCode(w.ctx()))}
		people := []hub.Actor{w.actor("mira"), w.actor("eve")}
		won, failed := together(2, func(i int) error { return w.ClaimAdmin(w.ctx(), people[i], codes[i]) })
		assert.Equal(t, 1, won)
		for _, err := range failed {
			assert.ErrorIs(t, err, hub.ErrState)
		}
	})
	t.Run("two administrators do not remove each other", func(t *testing.T) {
		for range 5 {
			w := open(t)
			mira := w.admin("mira")
			tom := w.roles("tom", hub.RoleAdmin)
			ways := []func() error{
				func() error { _, err := w.SetRoles(w.ctx(), mira, tom.Account, nil); return err },
				func() error { _, err := w.SetRoles(w.ctx(), tom, mira.Account, nil); return err },
				func() error { return w.Delete(w.ctx(), tom, identity.Deletion{}) },
				func() error { return w.Suspend(w.ctx(), tom, mira.Account, "why") },
			}
			_, _ = together(len(ways), func(i int) error { return ways[i]() })
			list := must(w.Accounts(w.ctx(), hub.SystemActor("test"), identity.AccountQuery{Role: hub.RoleAdmin, State: hub.AccountActive}))
			require.Len(t, list, 1)
		}
	})
	t.Run("a way in is left", func(t *testing.T) {
		w := open(t)
		cookie, _, err := w.SignUpPasskey(w.ctx(), "Mira", passkey("key1"), identity.Browser{})
		require.NoError(t, err)
		mira := w.who(cookie)
		must(w.AddPasskey(w.ctx(), mira, passkey("key2")))
		won, _ := together(2, func(i int) error { return w.RemovePasskey(w.ctx(), mira, []string{"key1", "key2"}[i]) })
		assert.Equal(t, 1, won)
		assert.Len(t, must(w.PasskeysOf(w.ctx(), mira)), 1)
	})
	t.Run("a ceremony is taken once", func(t *testing.T) {
		w := open(t)
		id := must(w.StartCeremony(w.ctx(), "passkey.login", "x"))
		won, _ := together(8, func(int) error { _, err := w.TakeCeremony(w.ctx(), "passkey.login", id); return err })
		assert.Equal(t, 1, won)
	})
	t.Run("a passkey's answer counts once", func(t *testing.T) {
		w := open(t)
		_, _, err := w.SignUpPasskey(w.ctx(), "Mira", passkey("key1"), identity.Browser{})
		require.NoError(t, err)
		won, _ := together(8, func(int) error {
			_, _, err := w.SignInPasskey(w.ctx(), identity.PasskeyUse{ID: "key1", Was: passkey("").Data, Data: "later"}, identity.Browser{})
			return err
		})
		assert.Equal(t, 1, won)
	})
	t.Run("a panel gets its token once", func(t *testing.T) {
		w := open(t)
		mira := w.actor("mira")
		started := must(w.StartDevice(w.ctx(), panelRequest("web-1")))
		require.NoError(t, w.ApproveDevice(w.ctx(), mira, started.UserCode))
		won, _ := together(8, func(int) error { _, err := w.PollDevice(w.ctx(), started.DeviceCode); return err })
		assert.Equal(t, 1, won)
		assert.Len(t, must(w.Panels(w.ctx(), mira)), 1)
	})
	t.Run("guesses are counted", func(t *testing.T) {
		w := open(t)
		eve := w.actor("eve")
		_, failed := together(3*identity.MaxGuesses, func(int) error { _, err := w.DeviceByUserCode(w.ctx(), eve, "BBBB-BBBB"); return err })
		wrong := 0
		for _, err := range failed {
			if errors.Is(err, hub.ErrNotFound) {
				wrong++
			}
		}
		assert.Equal(t, identity.MaxGuesses, wrong)
	})
	t.Run("somebody new is one account", func(t *testing.T) {
		w := open(t)
		won, _ := together(6, func(int) error { _, _, err := w.SignIn(w.ctx(), external("mira"), identity.Browser{}); return err })
		assert.Equal(t, 6, won)
		assert.Len(t, must(w.Accounts(w.ctx(), hub.SystemActor("test"), identity.AccountQuery{})), 1)
	})
}
