package hub_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
)

// thing is what the lines of testdata/authz.txt are about.
var thing = hub.Object{Publisher: "acme", Plugin: "acme/backup", Account: "acc_theirs"}

// askers are the words of the second column, in the order of each action's lines.
var askers = []string{
	"nobody", "user", "self", "maintainer", "owner", "maintainer-elsewhere", "owner-elsewhere", "reviewer", "moderator", "admin",
	"reviewer+self", "moderator+self", "admin+self", "reviewer+maintainer", "moderator+owner", "admin+owner", "owner+self",
	"suspended", "suspended+self", "suspended+owner", "suspended+reviewer", "suspended+moderator", "suspended+admin",
}

// shown are the columns.
func shown() []string {
	cols := []string{"fresh", "stale"}
	for _, v := range hub.Verbs() {
		cols = append(cols, string(v))
	}
	return append(cols, "all", "=publisher", "=plugin", "!publisher", "!plugin")
}

// asker makes the actor of a line.
func asker(t *testing.T, words string) hub.Actor {
	if words == "nobody" {
		return hub.Actor{}
	}
	a := hub.Actor{Account: "acc_asks", Memberships: map[string]hub.MemberRole{}}
	for w := range strings.SplitSeq(words, "+") {
		switch w {
		case "user":
		case "self":
			a.Account = thing.Account
		case "maintainer", "owner":
			a.Memberships[thing.Publisher] = hub.MemberRole(w)
		case "maintainer-elsewhere", "owner-elsewhere":
			role, _, _ := strings.Cut(w, "-")
			a.Memberships["globex"] = hub.MemberRole(role)
		case "reviewer", "moderator", "admin":
			a.Roles = append(a.Roles, hub.Role(w))
		case "suspended":
			a.Suspended = true
		default:
			t.Fatalf("who is %q?", w)
		}
	}
	return a
}

// with has the actor show what a column says.
func with(t *testing.T, a hub.Actor, column string) hub.Actor {
	all := hub.Verbs()
	switch column {
	case "fresh":
		a.Fresh = true
	case "stale":
	case "all":
		a.Token = &hub.Token{Verbs: all}
	case "=publisher":
		a.Token = &hub.Token{Verbs: all, Publisher: "acme"}
	case "=plugin":
		a.Token = &hub.Token{Verbs: all, Publisher: "acme", Plugin: "acme/backup"}
	case "!publisher":
		a.Token = &hub.Token{Verbs: all, Publisher: "globex"}
	case "!plugin":
		a.Token = &hub.Token{Verbs: all, Publisher: "acme", Plugin: "acme/other"}
	default:
		require.Contains(t, all, hub.Verb(column))
		a.Token = &hub.Token{Verbs: []hub.Verb{hub.Verb(column)}}
	}
	if a.Token != nil {
		a.Fresh = true // a token does not inherit it
	}
	return a
}

func cell(err error) string {
	switch {
	case err == nil:
		return "y"
	case errors.Is(err, hub.ErrUnauthenticated) && !errors.Is(err, hub.ErrForbidden):
		return "?"
	case errors.Is(err, hub.ErrNotFresh):
		return "f"
	case errors.Is(err, hub.ErrForbidden):
		return "."
	}
	return "error: " + err.Error()
}

func TestAuthorisationTable(t *testing.T) {
	file, err := os.Open("testdata/authz.txt")
	require.NoError(t, err)
	defer file.Close()
	seen := map[hub.Action][]string{}
	columns, cells := shown(), 0
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Fields(line)
		require.Len(t, f, 2+len(columns), "line %d", n)
		act, who := hub.Action(f[0]), f[1]
		seen[act] = append(seen[act], who)
		a := asker(t, who)
		for i, column := range columns {
			cells++
			err := with(t, a, column).May(act, thing)
			assert.Equal(t, f[2+i], cell(err), "line %d: %s by %s with %s: %v", n, act, who, column, err)
		}
	}
	require.NoError(t, lines.Err())

	rules := hub.Rules()
	for act := range rules {
		assert.Equal(t, askers, seen[act], "the lines of %s", act)
	}
	assert.Len(t, seen, len(rules), "the table is about the actions that there are")
	assert.Equal(t, len(rules)*len(askers)*len(columns), cells)
}

// Every rule names standings, verbs and actions that there are, and lets somebody in.
func TestRulesAreWellFormed(t *testing.T) {
	for act, r := range hub.Rules() {
		assert.NotEmpty(t, r.Who, act)
		assert.Contains(t, hub.Verbs(), r.Verb, act)
		assert.NotContains(t, r.Who, hub.Anyone, "%s: what everybody may do needs no rule", act)
		for _, s := range append(slices.Clone(r.Who), r.Never...) {
			assert.Contains(t, hub.Standings(), s, act)
		}
		for _, s := range r.Who {
			assert.NotContains(t, r.Never, s, act)
		}
	}
}

// A token is never more than a session of the same person, whatever its scope and
// whatever the object.
func TestTokenIsNeverMoreThanItsAccount(t *testing.T) {
	allowed := 0
	for act := range hub.Rules() {
		for _, who := range askers {
			for _, o := range []hub.Object{thing, {}, {Publisher: "acme"}, {Publisher: "globex", Plugin: "globex/x"}, {Account: "acc_theirs"}} {
				session := with(t, asker(t, who), "fresh").May(act, o)
				for _, column := range shown()[2:] {
					if with(t, asker(t, who), column).May(act, o) == nil {
						allowed++
						assert.NoError(t, session, "%s by %s with %s on %v", act, who, column, o)
					}
				}
			}
		}
	}
	assert.Positive(t, allowed)
}

// A token that is bound to a publisher or plugin does nothing that is not about it.
func TestBoundTokenStaysWithin(t *testing.T) {
	within, outside := 0, 0
	for act, r := range hub.Rules() {
		if r.Fresh {
			continue
		}
		for _, who := range askers[1:] {
			a := asker(t, who)
			a.Memberships["globex"] = hub.MemberOwner
			for _, o := range []hub.Object{{}, {Account: thing.Account}, {Publisher: "globex"}, {Publisher: "globex", Plugin: "globex/backup"}} {
				assert.Error(t, with(t, a, "=publisher").May(act, o), "%s by %s on %v", act, who, o)
				assert.Error(t, with(t, a, "=plugin").May(act, o), "%s by %s on %v", act, who, o)
				outside++
			}
			assert.Error(t, with(t, a, "=plugin").May(act, hub.Object{Publisher: "acme", Account: thing.Account}), "%s by %s", act, who)
			if with(t, a, "=plugin").May(act, thing) == nil {
				within++
			}
		}
	}
	assert.Positive(t, within)
	assert.Positive(t, outside)
}

func TestUnknownActionIsForbidden(t *testing.T) {
	everything := hub.Actor{Account: "acc_asks", Roles: hub.Roles(), Fresh: true, Memberships: map[string]hub.MemberRole{"acme": hub.MemberOwner}}
	assert.ErrorIs(t, everything.May("plugin.steal", thing), hub.ErrForbidden)
	assert.ErrorIs(t, hub.Actor{}.May("plugin.steal", thing), hub.ErrForbidden)
	assert.NoError(t, everything.May(hub.ActAuditRead, thing))
}

func TestSystemIsNotBound(t *testing.T) {
	for act := range hub.Rules() {
		assert.NoError(t, hub.SystemActor("tidy").May(act, thing))
	}
}

// An empty account is nobody's: it does not make somebody who is not signed in the owner
// of what has no owner.
func TestNobodyOwnsNothing(t *testing.T) {
	for act := range hub.Rules() {
		assert.ErrorIs(t, hub.Actor{}.May(act, hub.Object{}), hub.ErrUnauthenticated, act)
	}
	assert.NotContains(t, hub.Actor{}.Standings(hub.Object{}), hub.Self)
	a := hub.Actor{Account: "acc_asks", Memberships: map[string]hub.MemberRole{}}
	assert.NotContains(t, a.Standings(hub.Object{}), hub.Owner)
	assert.NotContains(t, a.Standings(hub.Object{}), hub.Self)
}

func ExampleActor_May() {
	a := hub.Actor{Account: "acc_1", Memberships: map[string]hub.MemberRole{"acme": hub.MemberMaintainer}}
	fmt.Println(a.May(hub.ActSubmissionSubmit, hub.Object{Publisher: "acme"}))
	fmt.Println(a.May(hub.ActPublisherMembers, hub.Object{Publisher: "acme"}))
	a.Token = &hub.Token{Verbs: []hub.Verb{hub.VerbRead}}
	fmt.Println(a.May(hub.ActSubmissionSubmit, hub.Object{Publisher: "acme"}))
	// Output:
	// <nil>
	// publisher.members: not allowed
	// submission.submit: not allowed: the token lacks the scope "submit"
}
