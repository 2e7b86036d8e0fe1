package portal

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/identity"
)

// usersRows is how many accounts stand on a page.
const usersRows = 50

type adminUsersPage struct {
	Rows          []hub.Account
	Find          string
	Roles, States []staffOption
	Filtered      bool
	Admin         bool // sees mail addresses, and each account's page
	Next          string
}

func (h *Handler) adminUsers(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	q := r.URL.Query()
	f := identity.AccountQuery{
		Text: strings.TrimSpace(q.Get("find")), Role: hub.Role(q.Get("role")), State: hub.AccountState(q.Get("state")), After: q.Get("after"), Limit: usersRows + 1,
	}
	list, err := h.o.Identity.Accounts(r.Context(), a, f)
	if err != nil {
		return err
	}
	section, tabs := sharedTabs(a, "/admin/users")
	p := adminUsersPage{
		Rows: list[:min(len(list), usersRows)], Find: f.Text, Filtered: f.Text != "" || f.Role != "" || f.State != "", Admin: section == "admin",
		Roles:  optionsOf("any role", string(f.Role), hub.Roles()),
		States: optionsOf("any state", string(f.State), []hub.AccountState{hub.AccountActive, hub.AccountSuspended, hub.AccountDeleted}),
	}
	if len(list) > usersRows {
		p.Next = withQuery("/admin/users", "find", f.Text, "role", string(f.Role), "state", string(f.State), "after", p.Rows[usersRows-1].ID)
	}
	return h.show(w, r, a, http.StatusOK, section, "People", "admin-users", map[string]any{"Tabs": tabs, "Page": p})
}

// adminUserPage is one account for an administrator.
type adminUserPage struct {
	hub.Account
	Memberships []hub.Member
	Roles       []roleChoice
	Self        bool
	Past        []auditRow // the newest lines of the audit log about it
}

// roleChoice is a role that an account has or not.
type roleChoice struct {
	Role  hub.Role
	Means string
	Has   bool
}

func roleChoices(acc hub.Account) []roleChoice {
	means := map[hub.Role]string{
		hub.RoleReviewer:  "Decides about submissions.",
		hub.RoleModerator: "Decides about reports and appeals, and withdraws releases.",
		hub.RoleAdmin:     "People, roles, policy, categories, reserved names, and the system.",
	}
	var out []roleChoice
	for _, r := range hub.Roles() {
		out = append(out, roleChoice{r, means[r], slices.Contains(acc.Roles, r)})
	}
	return out
}

func (h *Handler) adminUser(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	ctx := r.Context()
	acc, err := h.someAccount(ctx, a, r.PathValue("id"))
	if err != nil {
		return err
	}
	p := adminUserPage{Account: acc, Roles: roleChoices(acc), Self: acc.ID == a.Account}
	err = h.o.Env.Store.View(ctx, func(tx hub.Tx) (err error) {
		p.Memberships, err = tx.Members().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("account", acc.ID)}})
		return err
	})
	if err != nil {
		return err
	}
	past, err := hub.AuditLog(ctx, h.o.Env.Store, a, hub.AuditQuery{Target: "account " + acc.ID, Limit: maxBeside})
	if err != nil {
		return err
	}
	if p.Past, err = h.auditRows(ctx, past.Items); err != nil {
		return err
	}
	return h.admin(w, r, a, "/admin/users", acc.Name, "admin-user", p)
}

// someAccount is an account of somebody else, for administrators. Their own is not asked
// for here: [identity.Service.Account] gives everybody their own.
func (h *Handler) someAccount(ctx context.Context, a hub.Actor, id string) (hub.Account, error) {
	if err := a.May(hub.ActSystemRead, hub.Object{}); err != nil {
		return hub.Account{}, hub.ErrNotFound
	}
	return h.o.Identity.Account(ctx, a, id)
}

func userLink(id string) string { return "/admin/users/" + url.PathEscape(id) }

func (h *Handler) adminRoles(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	acc, err := h.someAccount(r.Context(), a, r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := formRev(r, acc.Rev); err != nil {
		return err
	}
	roles := []hub.Role{}
	for _, role := range r.PostForm["role"] {
		roles = append(roles, hub.Role(role))
	}
	if _, err := h.o.Identity.SetRoles(r.Context(), a, acc.ID, roles); err != nil {
		return err
	}
	return done(w, r, userLink(acc.ID), "saved")
}

func (h *Handler) adminSuspend(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	acc, err := h.someAccount(r.Context(), a, r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := h.o.Identity.Suspend(r.Context(), a, acc.ID, formText(r, "reason")); err != nil {
		return err
	}
	return done(w, r, userLink(acc.ID), "decided")
}

func (h *Handler) adminUnsuspend(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	acc, err := h.someAccount(r.Context(), a, r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := h.o.Identity.Unsuspend(r.Context(), a, acc.ID); err != nil {
		return err
	}
	return done(w, r, userLink(acc.ID), "restored")
}
