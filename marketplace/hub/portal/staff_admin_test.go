package portal_test

import (
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/souk-dev/souk/marketplace/hub"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func (o *office) account(id string) hub.Account {
	o.t.Helper()
	var acc hub.Account
	o.read(func(tx hub.Tx) (err error) {
		acc, err = tx.Accounts().Get(o.t.Context(), id)
		return err
	})
	return acc
}

func TestAdminSystem(t *testing.T) {
	o := newOffice(t)
	page := pageWords(o.page(o.ada, "/admin"))
	for _, s := range []string{"Nothing needs you.", "root version 1", "timestamp", "the hub renews it", "in review 1", "Reviews are signed by key:"} {
		assert.Contains(t, page, s)
	}
	o.write(func(tx hub.Tx) error {
		s := o.sub.Submission
		s.ID, s.Rev, s.State = "sub_broken", 0, hub.StateScanError
		return tx.Submissions().Insert(t.Context(), &s)
	})
	assert.Contains(t, pageWords(o.page(o.ada, "/admin")), "1 submission waits because a scanner went wrong")
}

func TestAdminUsers(t *testing.T) {
	o := newOffice(t)
	page := pageWords(o.page(o.ada, "/admin/users"))
	assert.Contains(t, page, "uma.user@example.org")
	assert.Contains(t, page, "Rosa Review")
	assert.NotContains(t, pageWords(o.page(o.ada, "/admin/users?role=moderator")), "Rosa Review")
	assert.Contains(t, pageWords(o.page(o.ada, "/admin/users?find=uma.user@")), "Uma User")
	assert.Contains(t, pageWords(o.page(o.ada, "/admin/users?state=deleted")), "Nobody found")
	assert.NotContains(t, pageWords(o.page(o.mo, "/admin/users")), "example.org", "moderators see no addresses")

	at := "/admin/users/" + o.uma.Account
	assert.Contains(t, pageWords(o.page(o.ada, at)), "uma.user@example.org")
	assert.Contains(t, pageWords(o.page(o.ada, "/admin/users/"+o.olga.Account)), "acme (owner)")
	rev := itoa(o.account(o.uma.Account).Rev)
	o.posted(o.ada, at+"/roles", "rev", rev, "role", "reviewer", "role", "moderator")
	assert.ElementsMatch(t, []hub.Role{hub.RoleReviewer, hub.RoleModerator}, o.account(o.uma.Account).Roles)
	assert.Equal(t, http.StatusPreconditionFailed, o.post(o.ada, at+"/roles", "rev", rev).Status, "an old form")
	assert.Equal(t, http.StatusUnprocessableEntity, o.post(o.ada, at+"/roles", "rev", itoa(o.account(o.uma.Account).Rev), "role", "king").Status)
	assert.Contains(t, pageWords(o.page(o.ada, at)), "account roles")

	assert.Equal(t, http.StatusUnprocessableEntity, o.post(o.ada, at+"/suspend").Status, "no reason")
	o.posted(o.ada, at+"/suspend", "reason", "Sends spam.")
	assert.Equal(t, hub.AccountSuspended, o.account(o.uma.Account).State)
	page = pageWords(o.page(o.ada, at))
	assert.Contains(t, page, "Sends spam.")
	assert.Contains(t, page, "End the suspension")
	o.posted(o.ada, at+"/unsuspend")
	assert.Equal(t, hub.AccountActive, o.account(o.uma.Account).State)
	assert.Equal(t, http.StatusConflict, o.post(o.ada, at+"/unsuspend").Status)

	self := "/admin/users/" + o.ada.Account
	assert.Contains(t, pageWords(o.page(o.ada, self)), "This is you")
	assert.Equal(t, http.StatusForbidden, o.post(o.ada, self+"/roles", "rev", itoa(o.account(o.ada.Account).Rev)).Status)
	assert.Equal(t, http.StatusForbidden, o.post(o.ada, self+"/suspend", "reason", "x").Status)
	assert.Equal(t, http.StatusNotFound, o.get(o.ada, "/admin/users/acc_none").Status)

	// Dangerous things want a fresh proof: who has none is sent to give one, and nothing happens.
	o.write(func(tx hub.Tx) error {
		list, err := tx.Sessions().List(t.Context(), hub.Query{Where: []hub.Cond{hub.Eq("account", o.ada.Account)}})
		if err != nil {
			return err
		}
		for _, s := range list {
			s.Fresh = s.Fresh.Add(-time.Hour)
			if err := tx.Sessions().Put(t.Context(), &s); err != nil {
				return err
			}
		}
		return nil
	})
	before := o.account(o.uma.Account)
	a := o.post(o.ada, at+"/roles", "rev", itoa(before.Rev), "role", "admin")
	assert.Equal(t, http.StatusSeeOther, a.Status)
	assert.Equal(t, "/signin", a.To())
	assert.Equal(t, before.Roles, o.account(o.uma.Account).Roles)
	for _, path := range []string{"/admin/policy", "/admin/categories", "/admin/reserved", "/admin/reserved/remove"} {
		assert.Equal(t, "/signin", o.post(o.ada, path, "rev", "0").To(), path)
	}
	o.page(o.ada, "/admin/policy")
}

func TestAdminUsersPages(t *testing.T) {
	o := newOffice(t)
	o.write(func(tx hub.Tx) error {
		for i := range 60 {
			acc := hub.Account{ID: "acc_zz" + strconv.Itoa(100+i), Name: "Made " + strconv.Itoa(i), State: hub.AccountActive}
			if err := tx.Accounts().Insert(t.Context(), &acc); err != nil {
				return err
			}
		}
		return nil
	})
	first := o.page(o.ada, "/admin/users?find=Made")
	next := regexp.MustCompile(`href="(/admin/users\?after=[^"]+)"`).FindStringSubmatch(first)
	require.NotNil(t, next)
	second := pageWords(o.page(o.ada, html.UnescapeString(next[1])))
	assert.Contains(t, pageWords(first), "Made 59")
	assert.NotContains(t, pageWords(first), "Made 9 ")
	assert.Contains(t, second, "Made 9 ")
	assert.NotContains(t, second, "Made 59")
	assert.NotContains(t, second, "Next page")
}

// TestAdminPolicy holds the page to every field that a policy has.
func TestAdminPolicy(t *testing.T) {
	o := newOffice(t)
	page := o.page(o.ada, "/admin/policy")
	fields := reflect.TypeFor[hub.Policy]()
	var form []string
	for i := range fields.NumField() {
		f := fields.Field(i)
		name := f.Tag.Get("json")
		assert.Equal(t, 1, strings.Count(page, `name="`+name+`"`), name)
		if f.Type == reflect.TypeFor[time.Duration]() {
			form = append(form, name, strconv.Itoa(i+1), name+".unit", "hours")
		} else {
			form = append(form, name, "1")
		}
	}
	o.posted(o.ada, "/admin/policy", append(form, "rev", "0")...)
	is, rev, err := o.Hub.Publishing.Policy(t.Context())
	require.NoError(t, err)
	v := reflect.ValueOf(is)
	for i := range v.NumField() {
		switch f := v.Field(i).Interface().(type) {
		case bool:
			assert.True(t, f, fields.Field(i).Name)
		case int:
			assert.Equal(t, 1, f, fields.Field(i).Name)
		case int64:
			assert.EqualValues(t, 1<<20, f, fields.Field(i).Name)
		case float64:
			assert.EqualValues(t, 1, f, fields.Field(i).Name)
		case time.Duration:
			assert.Equal(t, time.Duration(i+1)*time.Hour, f, fields.Field(i).Name)
		}
	}
	page = o.page(o.ada, "/admin/policy")
	assert.Contains(t, page, `value="14"`)
	assert.Contains(t, page, `<option value="hours" selected>`)

	assert.Equal(t, http.StatusPreconditionFailed, o.post(o.ada, "/admin/policy", "rev", "0").Status, "an old form")
	for name, bad := range map[string][]string{
		"no number": {"reviewers", "many"}, "half": {"reviewers", "1.5"}, "negative": {"reviewers", "-1"}, "not a number": {"reviewers", "NaN"},
		"no unit": {"freshFor", "3", "freshFor.unit", "fortnights"}, "too long": {"freshFor", "999999999", "freshFor.unit", "days"}, "too many": {"reviewers", "11"},
	} {
		assert.Equal(t, http.StatusUnprocessableEntity, o.post(o.ada, "/admin/policy", append(bad, "rev", itoa(rev))...).Status, name)
	}
	o.posted(o.ada, "/admin/policy", "rev", itoa(rev)) // everything empty
	is, _, err = o.Hub.Publishing.Policy(t.Context())
	require.NoError(t, err)
	assert.Equal(t, hub.Policy{}.WithDefaults(), is)
}

func TestAdminNames(t *testing.T) {
	o := newOffice(t)
	assert.Contains(t, pageWords(o.page(o.ada, "/admin/categories")), "No categories yet")
	o.posted(o.ada, "/admin/categories", "slug", "backup", "name", "Backup", "summary", "Keeps copies.", "position", "2")
	assert.Contains(t, pageWords(o.page(o.ada, "/admin/categories?edit=backup")), "Change Backup")
	assert.Equal(t, http.StatusUnprocessableEntity, o.post(o.ada, "/admin/categories", "slug", "Back up", "name", "x").Status)
	assert.Equal(t, http.StatusUnprocessableEntity, o.post(o.ada, "/admin/categories", "slug", "backup", "name", "x", "position", "first").Status)
	o.posted(o.ada, "/admin/categories/backup/remove")
	assert.Equal(t, http.StatusNotFound, o.post(o.ada, "/admin/categories/backup/remove").Status)
	assert.Contains(t, pageWords(o.page(o.ada, "/admin/categories")), "No categories yet")

	assert.Contains(t, pageWords(o.page(o.ada, "/admin/reserved")), "No name is reserved")
	o.posted(o.ada, "/admin/reserved", "name", "Souk", "reason", "It is ours.")
	page := pageWords(o.page(o.ada, "/admin/reserved"))
	assert.Contains(t, page, "souk It is ours.")
	assert.Contains(t, pageWords(o.page(o.ada, "/admin/reserved?find=zzz")), "None of them fits")
	assert.Equal(t, http.StatusUnprocessableEntity, o.post(o.ada, "/admin/reserved", "name", "a b", "reason", "x").Status)
	o.posted(o.ada, "/admin/reserved/remove", "name", "souk")
	assert.Equal(t, http.StatusNotFound, o.post(o.ada, "/admin/reserved/remove", "name", "souk").Status)

	assert.Contains(t, pageWords(o.page(o.mo, "/admin/featured")), "None is featured")
	assert.Contains(t, pageWords(o.page(o.mo, "/admin/featured?find=back")), "acme/backup")
	o.posted(o.mo, "/admin/featured", "plugin", "acme/backup", "featured", "1")
	assert.Contains(t, pageWords(o.page(o.ada, "/admin/featured")), "Take it off")
	assert.Equal(t, http.StatusNotFound, o.post(o.mo, "/admin/featured", "plugin", "acme/none", "featured", "1").Status)
	o.posted(o.ada, "/admin/featured", "plugin", "acme/backup")
	assert.Contains(t, pageWords(o.page(o.ada, "/admin/featured")), "None is featured")
}

func TestAdminAudit(t *testing.T) {
	o := newOffice(t)
	page := pageWords(o.page(o.ada, "/admin/audit"))
	assert.Contains(t, page, "submission moved")
	assert.Contains(t, page, "submission acme/backup@1.1.0")
	assert.Contains(t, page, "account Uma User")
	o.posted(o.rosa, "/review/"+o.sub.ID+"/decide", "round", "1", "digest", o.sub.Digest, "verdict", "reject", "text", "Too wide.")
	page = pageWords(o.page(o.ada, "/admin/audit?who=rosa+review&action=review.decide"))
	assert.Contains(t, page, "Rosa Review")
	assert.Contains(t, page, "text Too wide.")
	assert.Contains(t, page, "reviewer Rosa Review", "ids are names")
	assert.NotContains(t, page, "Olga Owner")
	assert.Contains(t, pageWords(o.page(o.ada, "/admin/audit?who="+o.rosa.Account)), "Too wide.")
	assert.Contains(t, pageWords(o.page(o.ada, "/admin/audit?target=submission+"+o.sub.ID)), "Too wide.")
	page = pageWords(o.page(o.ada, "/admin/audit?who=review"))
	assert.Contains(t, page, "Whom do you mean?")
	assert.Contains(t, page, "Rick Review")
	assert.Contains(t, pageWords(o.page(o.ada, "/admin/audit?who=nobody+at+all")), "Nothing found")
	assert.Contains(t, o.page(o.ada, "/admin/audit"), `/review/`+o.sub.ID)
	for range 60 {
		o.posted(o.ada, "/admin/reserved", "name", "souk", "reason", "It is ours.")
	}
	first := o.page(o.ada, "/admin/audit?target=reserved+souk")
	next := regexp.MustCompile(`href="(/admin/audit\?after=[^"]+)"`).FindStringSubmatch(first)
	require.NotNil(t, next)
	second := pageWords(o.page(o.ada, html.UnescapeString(next[1])))
	assert.Equal(t, 50, strings.Count(pageWords(first), "reason It is ours."))
	assert.Equal(t, 10, strings.Count(second, "reason It is ours."))
	assert.Equal(t, http.StatusUnprocessableEntity, o.get(o.ada, "/admin/audit?after=x").Status)
}
