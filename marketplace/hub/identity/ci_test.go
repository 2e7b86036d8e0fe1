package identity_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/identity"
	"github.com/souk-dev/souk/marketplace/hub/signin"
)

const ciIssuer = "https://token.ci.example"

// run is a run of acme's release workflow.
func (w *world) run(tokenID string) identity.Workload {
	return identity.Workload{Issuer: ciIssuer, Kind: identity.KindGitHub, Subject: "repo:acme/backup", Repository: "acme/backup", RepositoryID: "1001", OwnerID: "77",
		Workflow: ".github/workflows/release.yml", Event: "push", Ref: "refs/tags/v1.2.0", Environment: "release", TokenID: tokenID, Expires: w.now().Add(5 * time.Minute)}
}

func ciRule() hub.Trusted {
	return hub.Trusted{Publisher: "acme", Plugin: "acme/backup", Issuer: ciIssuer, Repository: "acme/backup", Workflow: "release.yml", Ref: "refs/tags/v*"}
}

// exchange trusts the usual run and exchanges a token of it.
func (w *world) exchange(owner hub.Actor, tokenID string) string {
	w.t.Helper()
	owner = w.again(owner.Name)
	if _, err := w.AddTrusted(w.ctx(), owner, ciRule()); !errors.Is(err, hub.ErrExists) {
		require.NoError(w.t, err)
	}
	raw, expires, err := w.ExchangeCI(w.ctx(), w.run(tokenID))
	require.NoError(w.t, err)
	require.Equal(w.t, w.now().Add(15*time.Minute), expires)
	return raw
}

func TestExchangeCI(t *testing.T) {
	w := newWorld(t)
	mira := w.actor("mira")
	w.publisher("acme", map[string]hub.MemberRole{mira.Account: hub.MemberOwner})
	_, _, err := w.ExchangeCI(w.ctx(), w.run("before"))
	assert.ErrorIs(t, err, hub.ErrForbidden)
	assert.ErrorContains(t, err, `no publisher trusts the repository "acme/backup"`)

	raw := w.exchange(mira, "one")
	a, err := w.AuthenticateToken(w.ctx(), raw)
	require.NoError(t, err)
	assert.Equal(t, mira.Account, a.Account)
	assert.Equal(t, hub.TokenCI, a.Token.Kind)
	assert.Equal(t, "acme/backup .github/workflows/release.yml refs/tags/v1.2.0", a.Token.Workload)
	o := hub.Object{Publisher: "acme", Plugin: "acme/backup"}
	assert.NoError(t, a.May(hub.ActStagingPush, o))
	assert.NoError(t, a.May(hub.ActSubmissionSubmit, o))
	assert.ErrorIs(t, a.May(hub.ActStagingPush, hub.Object{Publisher: "acme", Plugin: "acme/other"}), hub.ErrForbidden)
	for _, act := range []hub.Action{hub.ActReleaseYank, hub.ActPublisherEdit, hub.ActTokenManage, hub.ActSubmissionRead, hub.ActRatingWrite} {
		assert.ErrorIs(t, a.May(act, o), hub.ErrForbidden, act)
	}
	w.pass(15*time.Minute - time.Second)
	_, err = w.AuthenticateToken(w.ctx(), raw)
	assert.NoError(t, err)
	w.pass(time.Second)
	_, err = w.AuthenticateToken(w.ctx(), raw)
	assert.ErrorIs(t, err, hub.ErrUnauthenticated)
	lines := w.audited(identity.ActExchangeCI)
	require.Len(t, lines, 1)
	assert.Contains(t, string(lines[0].Detail), `"repositoryId":"1001"`)
}

func TestCITokenIsExchangedOnce(t *testing.T) {
	w := newWorld(t)
	mira := w.actor("mira")
	w.publisher("acme", map[string]hub.MemberRole{mira.Account: hub.MemberOwner})
	w.exchange(mira, "one")
	_, _, err := w.ExchangeCI(w.ctx(), w.run("one"))
	assert.ErrorIs(t, err, hub.ErrUnauthenticated)
	assert.ErrorContains(t, err, "exchanged already")
	w.exchange(mira, "two")

	// Tidying up does not make it good again while the issuer's token is.
	w.pass(5*time.Minute - time.Second)
	must(w.Tidy(w.ctx()))
	late := w.run("one")
	late.Expires = w.now().Add(time.Second)
	_, _, err = w.ExchangeCI(w.ctx(), late)
	assert.ErrorContains(t, err, "exchanged already")
	late.TokenID, late.Expires = "three", w.now()
	_, _, err = w.ExchangeCI(w.ctx(), late)
	assert.ErrorIs(t, err, hub.ErrUnauthenticated, "expired")
	assert.ErrorContains(t, err, "has expired")
}

// A repository or its owner that gave up its name is not trusted under it.
func TestRepositoryResurrection(t *testing.T) {
	w := newWorld(t)
	mira := w.actor("mira")
	w.publisher("acme", map[string]hub.MemberRole{mira.Account: hub.MemberOwner})
	w.exchange(mira, "one")
	rules := must(w.TrustedRules(w.ctx(), w.again("mira"), "acme"))
	require.Len(t, rules, 1)
	assert.Equal(t, []string{"1001", "77"}, []string{rules[0].RepositoryID, rules[0].OwnerID})
	for i, change := range []func(*identity.Workload){
		func(r *identity.Workload) { r.RepositoryID = "2002" },
		func(r *identity.Workload) { r.OwnerID = "88" },
		func(r *identity.Workload) { r.RepositoryID = "" },
		func(r *identity.Workload) { r.OwnerID = "" },
	} {
		r := w.run(fmt.Sprint("again-", i))
		change(&r)
		_, _, err := w.ExchangeCI(w.ctx(), r)
		assert.ErrorIs(t, err, hub.ErrForbidden, i)
		assert.ErrorContains(t, err, "another than the one that published first")
	}
	w.exchange(mira, "control")

	// The owner says it anew, and it is learnt anew.
	require.NoError(t, w.RemoveTrusted(w.ctx(), w.again("mira"), rules[0].ID))
	must(w.AddTrusted(w.ctx(), w.again("mira"), ciRule()))
	r := w.run("moved")
	r.RepositoryID = "2002"
	_, _, err := w.ExchangeCI(w.ctx(), r)
	assert.NoError(t, err)
}

func TestRunsThatDiffer(t *testing.T) {
	w := newWorld(t)
	mira := w.actor("mira")
	w.publisher("acme", map[string]hub.MemberRole{mira.Account: hub.MemberOwner})
	rule := ciRule()
	rule.Environment = "release"
	must(w.AddTrusted(w.ctx(), w.again("mira"), rule))
	for name, change := range map[string]func(*identity.Workload){
		"issuer":      func(r *identity.Workload) { r.Issuer = "https://other.example" },
		"repository":  func(r *identity.Workload) { r.Repository = "acme/backup2" },
		"owner":       func(r *identity.Workload) { r.Repository = "evil/backup" },
		"workflow":    func(r *identity.Workload) { r.Workflow = ".github/workflows/test.yml" },
		"elsewhere":   func(r *identity.Workload) { r.Workflow = "x/.github/workflows/release.yml" },
		"job":         func(r *identity.Workload) { r.Job = "evil/shared/.github/workflows/x.yml" },
		"event":       func(r *identity.Workload) { r.Event = "pull_request_target" },
		"branch":      func(r *identity.Workload) { r.Ref = "refs/heads/v1" },
		"deeper tag":  func(r *identity.Workload) { r.Ref = "refs/tags/v1/x" },
		"no ref":      func(r *identity.Workload) { r.Ref = "" },
		"environment": func(r *identity.Workload) { r.Environment = "" },
	} {
		r := w.run("differs-" + name)
		change(&r)
		_, _, err := w.ExchangeCI(w.ctx(), r)
		assert.ErrorIs(t, err, hub.ErrForbidden, name)
	}
	for _, change := range []func(*identity.Workload){
		func(r *identity.Workload) { r.TokenID = "" },
		func(r *identity.Workload) { r.Issuer = "" },
		func(r *identity.Workload) { r.Repository = "" },
	} {
		r := w.run("incomplete")
		change(&r)
		_, _, err := w.ExchangeCI(w.ctx(), r)
		assert.Error(t, err)
	}
	r := w.run("control")
	r.Repository = "Acme/Backup" // the same there
	_, _, err := w.ExchangeCI(w.ctx(), r)
	assert.NoError(t, err)
}

// The rules are those of package signin, which has the tests of real tokens.
func TestRulesAgreeWithSignin(t *testing.T) {
	w := newWorld(t)
	mira := w.actor("mira")
	w.publisher("acme", map[string]hub.MemberRole{mira.Account: hub.MemberOwner})
	mira = w.again("mira")
	chance := rand.New(rand.NewPCG(3, 4))
	yes, no := 0, 0
	for _, rule := range []hub.Trusted{
		{Workflow: "release.yml"}, {Workflow: ".github/workflows/release.yml", Ref: "refs/heads/main"}, {Workflow: identity.AnyWorkflow, Ref: "refs/tags/*"},
		{Workflow: "release.yml", Environment: "release"}, {Workflow: ".gitlab-ci.yml", Ref: "refs/heads/[a-m]*"},
	} {
		rule.Publisher, rule.Issuer, rule.Repository = "acme", ciIssuer, "acme/backup"
		added := must(w.AddTrusted(w.ctx(), mira, rule))
		other := signin.Rule{Issuer: rule.Issuer, Repository: rule.Repository, Workflow: rule.Workflow, Environment: rule.Environment, Ref: rule.Ref}
		require.NoError(t, other.Check())
		for range 200 { // of the 1,152 that there are
			pick := func(of ...string) string { return of[chance.IntN(len(of))] }
			kind, repository := pick(identity.KindGitHub, identity.KindGitLab, "generic"), pick("acme/backup", "acme/backup", "ACME/backup", "acme/backup.x")
			workflow := pick("release.yml", ".github/workflows/release.yml", ".gitlab-ci.yml", "")
			ref, event := pick("refs/heads/main", "refs/tags/v1", "refs/tags/a/b", ""), pick("push", "push", "pull_request", "merge_request_event", "")
			environment := pick("release", "")
			run := identity.Workload{Issuer: ciIssuer, Kind: kind, Repository: repository, Workflow: workflow, Ref: ref, Event: event,
				Environment: environment, TokenID: fmt.Sprint(added.ID, yes+no), Expires: w.now().Add(time.Minute)}
			want := other.Matches(signin.Workload{Issuer: ciIssuer, Kind: signin.Kind(kind), Repository: repository, Workflow: workflow,
				Ref: ref, Event: event, Environment: environment})
			_, _, got := w.ExchangeCI(w.ctx(), run)
			require.Equal(t, want == nil, got == nil, "%+v by %+v: %v, %v", run, rule, want, got)
			if got == nil {
				yes++
			} else {
				no++
			}
		}
		require.NoError(t, w.RemoveTrusted(w.ctx(), mira, added.ID))
	}
	assert.Greater(t, yes, 20)
	assert.Greater(t, no, 100)
	assert.Equal(t, identity.KindGitHub, string(signin.GitHub))
	assert.Equal(t, identity.KindGitLab, string(signin.GitLab))
	assert.Equal(t, identity.AnyWorkflow, signin.AnyWorkflow)
}

func TestWhatARunWants(t *testing.T) {
	w := newWorld(t)
	mira := w.actor("mira")
	w.publisher("acme", map[string]hub.MemberRole{mira.Account: hub.MemberOwner})
	mira = w.again("mira")
	narrow, wide := ciRule(), ciRule()
	wide.Plugin = ""
	must(w.AddTrusted(w.ctx(), mira, narrow))
	must(w.AddTrusted(w.ctx(), mira, wide))
	_, err := w.AddTrusted(w.ctx(), mira, wide)
	assert.ErrorIs(t, err, hub.ErrExists)
	n := 0
	plugin := func(want string) (string, error) {
		n++
		r := w.run(fmt.Sprint("want-", n))
		r.Want = want
		raw, _, err := w.ExchangeCI(w.ctx(), r)
		if err != nil {
			return "", err
		}
		return must(w.AuthenticateToken(w.ctx(), raw)).Token.Plugin, nil
	}
	_, err = plugin("")
	assert.ErrorContains(t, err, "plugin has to be said: 2 rules")
	assert.Equal(t, "acme/backup", must(plugin("acme/backup")))
	assert.Equal(t, "acme/other", must(plugin("acme/other")), "the token is for what was wanted alone")
	assert.Equal(t, "", must(plugin("acme")))
	_, err = plugin("globex/x")
	assert.ErrorIs(t, err, hub.ErrForbidden)
}

// A CI token acts for who made the rule, as long as that is an active member.
func TestRuleOfWhoLeft(t *testing.T) {
	for name, leaves := range map[string]func(*world, hub.Actor){
		"removed": func(w *world, a hub.Actor) { w.leave("acme", a.Account) },
		"suspended": func(w *world, a hub.Actor) {
			require.NoError(t, w.Suspend(w.ctx(), hub.SystemActor("test"), a.Account, "why"))
		},
		"deleted": func(w *world, a hub.Actor) {
			require.NoError(t, w.Delete(w.ctx(), w.again("mira"), identity.Deletion{}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			mira, tom := w.actor("mira"), w.actor("tom")
			w.publisher("acme", map[string]hub.MemberRole{mira.Account: hub.MemberOwner, tom.Account: hub.MemberOwner})
			raw := w.exchange(mira, "one")
			must(w.AuthenticateToken(w.ctx(), raw))
			leaves(w, mira)
			_, err := w.AuthenticateToken(w.ctx(), raw)
			assert.ErrorIs(t, err, hub.ErrUnauthenticated)
			_, _, err = w.ExchangeCI(w.ctx(), w.run("two"))
			assert.ErrorIs(t, err, hub.ErrForbidden)
		})
	}
	w := newWorld(t)
	mira := w.actor("mira")
	w.publisher("acme", map[string]hub.MemberRole{mira.Account: hub.MemberOwner})
	w.exchange(mira, "one")
	w.suspendPublisher("acme")
	_, _, err := w.ExchangeCI(w.ctx(), w.run("two"))
	assert.ErrorContains(t, err, "the publisher acme is suspended")
}

func TestTrustedRulesAreTheOwners(t *testing.T) {
	w := newWorld(t)
	mira, tom, eve := w.actor("mira"), w.actor("tom"), w.actor("eve")
	w.publisher("acme", map[string]hub.MemberRole{mira.Account: hub.MemberOwner, tom.Account: hub.MemberMaintainer})
	mira, tom = w.again("mira"), w.again("tom")
	stale := mira
	stale.Fresh = false
	for _, a := range []hub.Actor{{}, tom, eve, stale} {
		_, err := w.AddTrusted(w.ctx(), a, ciRule())
		assert.Error(t, err)
	}
	rule := must(w.AddTrusted(w.ctx(), mira, ciRule()))
	assert.Equal(t, mira.Account, rule.By)
	assert.Len(t, must(w.TrustedRules(w.ctx(), tom, "acme")), 1)
	_, err := w.TrustedRules(w.ctx(), eve, "acme")
	assert.ErrorIs(t, err, hub.ErrForbidden)
	assert.ErrorIs(t, w.RemoveTrusted(w.ctx(), hub.Actor{}, rule.ID), hub.ErrUnauthenticated)
	assert.ErrorIs(t, w.RemoveTrusted(w.ctx(), tom, rule.ID), hub.ErrForbidden)
	assert.ErrorIs(t, w.RemoveTrusted(w.ctx(), eve, rule.ID), hub.ErrNotFound)
	assert.ErrorIs(t, w.RemoveTrusted(w.ctx(), stale, rule.ID), hub.ErrNotFresh)

	raw, _, err := w.ExchangeCI(w.ctx(), w.run("one"))
	require.NoError(t, err)
	require.NoError(t, w.RemoveTrusted(w.ctx(), mira, rule.ID))
	_, err = w.AuthenticateToken(w.ctx(), raw)
	assert.ErrorIs(t, err, hub.ErrUnauthenticated, "its tokens go with it")
	assert.Len(t, w.audited(hub.ActPublisherSigners), 2)

	for _, change := range []func(*hub.Trusted){
		func(r *hub.Trusted) { r.Issuer = "" }, func(r *hub.Trusted) { r.Repository = "" }, func(r *hub.Trusted) { r.Workflow = "" },
		func(r *hub.Trusted) { r.Ref = "main" }, func(r *hub.Trusted) { r.Ref = "refs/tags/[" }, func(r *hub.Trusted) { r.Plugin = "globex/x" },
		func(r *hub.Trusted) { r.Environment = "a\x00b" },
	} {
		bad := ciRule()
		change(&bad)
		_, err := w.AddTrusted(w.ctx(), mira, bad)
		var invalid *hub.InvalidError
		assert.ErrorAs(t, err, &invalid)
	}
	// What the caller says was learnt is not believed.
	forged := ciRule()
	forged.RepositoryID, forged.By = "1", tom.Account
	got := must(w.AddTrusted(w.ctx(), mira, forged))
	assert.Empty(t, got.RepositoryID)
	assert.Equal(t, mira.Account, got.By)
}
