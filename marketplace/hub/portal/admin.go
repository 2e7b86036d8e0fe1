package portal

import (
	"net/http"
	"slices"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
)

func (h *Handler) adminRoutes() {
	h.staff("GET /admin", hub.ActSystemRead, h.adminSystem)
	h.staff("GET /admin/users", hub.ActAccountList, h.adminUsers)
	h.staff("GET /admin/users/{id}", hub.ActAccountList, h.adminUser)
	h.staffForm("POST /admin/users/{id}/roles", hub.ActAccountList, h.adminRoles)
	h.staffForm("POST /admin/users/{id}/suspend", hub.ActAccountList, h.adminSuspend)
	h.staffForm("POST /admin/users/{id}/unsuspend", hub.ActAccountList, h.adminUnsuspend)
	h.staff("GET /admin/policy", hub.ActSystemRead, h.adminPolicy)
	h.staffForm("POST /admin/policy", hub.ActPolicyEdit, h.adminSetPolicy)
	h.staff("GET /admin/categories", hub.ActSystemRead, h.adminCategories)
	h.staffForm("POST /admin/categories", hub.ActPolicyEdit, h.adminSetCategory)
	h.staffForm("POST /admin/categories/{slug}/remove", hub.ActPolicyEdit, h.adminRemoveCategory)
	h.staff("GET /admin/reserved", hub.ActSystemRead, h.adminReserved)
	h.staffForm("POST /admin/reserved", hub.ActPolicyEdit, h.adminReserve)
	h.staffForm("POST /admin/reserved/remove", hub.ActPolicyEdit, h.adminUnreserve)
	h.staff("GET /admin/featured", hub.ActPluginFeature, h.adminFeatured)
	h.staffForm("POST /admin/featured", hub.ActPluginFeature, h.adminFeature)
	h.staff("GET /admin/audit", hub.ActAuditRead, h.adminAudit)
}

// admin shows one of the administrators' pages.
func (h *Handler) admin(w http.ResponseWriter, r *http.Request, a hub.Actor, area, title, content string, data any) error {
	return h.show(w, r, a, http.StatusOK, "admin", title, content, map[string]any{"Tabs": adminTabs(area), "Page": data})
}

// adminSystemPage is how the hub itself is.
type adminSystemPage struct {
	publishing.Status
	Roles  []adminRole
	Jobs   []adminJob
	States []adminState
	Todo   []string // what a person has to do, a sentence each
	Failed int      // jobs that were given up
}

// adminRole is a role of the catalog's trust in words.
type adminRole struct {
	publishing.RoleStatus
	For   string // what its signature says
	Left  string
	State string // "ok", "soon", "expired"
}

type adminJob struct {
	Kind, Words     string
	Waiting, Failed int
}

type adminState struct {
	State hub.State
	N     int64
}

func (h *Handler) adminSystem(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	s, err := h.o.Publishing.Status(r.Context(), a)
	if err != nil {
		return err
	}
	waiting, failed, err := h.o.Env.Store.Jobs(r.Context())
	if err != nil {
		return err
	}
	now := h.o.Env.Now()
	p := adminSystemPage{Status: s}
	for _, role := range s.Roles {
		one := adminRoleOf(role, now)
		p.Roles = append(p.Roles, one)
		if role.Due {
			p.Todo = append(p.Todo, "The role "+role.Name+" "+role.Note+".")
		}
	}
	for _, kind := range jobKinds(waiting, failed) {
		p.Jobs = append(p.Jobs, adminJob{kind, jobWords(kind), waiting[kind], failed[kind]})
		p.Failed += failed[kind]
	}
	for _, state := range submissionStates() {
		if n := s.Submissions[state]; n > 0 {
			p.States = append(p.States, adminState{state, n})
		}
	}
	if !s.Initialized {
		p.Todo = append(p.Todo, "The catalog was not made yet: start the hub with its root keys beside it.")
	}
	if s.Error != "" {
		p.Todo = append(p.Todo, "The catalog could not be written or checked: see below. The hub tries again by itself.")
	}
	if n := s.Submissions[hub.StateScanError]; n > 0 {
		p.Todo = append(p.Todo, plural(n, "submission waits because a scanner went wrong: have it tried again in the review queue.", "submissions wait because a scanner went wrong: have them tried again in the review queue."))
	}
	if p.Failed > 0 {
		p.Todo = append(p.Todo, plural(p.Failed, "job was given up after all tries. Its cause is in the hub’s log.", "jobs were given up after all tries. Their causes are in the hub’s log."))
	}
	return h.admin(w, r, a, "/admin", "System", "admin-system", p)
}

func adminRoleOf(role publishing.RoleStatus, now time.Time) adminRole {
	one := adminRole{RoleStatus: role, State: "ok", For: map[string]string{
		"root":      "Says which keys are valid. Its keys are kept offline, and people renew it.",
		"targets":   "Signs what the catalog has.",
		"snapshot":  "Says which parts belong together.",
		"timestamp": "Says that this is the newest. The hub renews it by itself.",
	}[role.Name]}
	switch left := role.Expires.Sub(now); {
	case left <= 0:
		one.State, one.Left = "expired", "has expired"
	case left < 48*time.Hour:
		one.Left = plural(int(left.Hours()), "hour", "hours")
	default:
		one.Left = plural(int(left.Hours()/24), "day", "days")
	}
	if role.Due && one.State == "ok" {
		one.State = "soon"
	}
	return one
}

// jobKinds returns the kinds that wait or failed, in a fixed order.
func jobKinds(maps ...map[string]int) []string {
	var out []string
	for _, m := range maps {
		for kind, n := range m {
			if n > 0 && !slices.Contains(out, kind) {
				out = append(out, kind)
			}
		}
	}
	slices.Sort(out)
	return out
}

// jobWords say what a kind of job does.
func jobWords(kind string) string {
	words := map[string]string{
		hub.JobValidate: "Validate a submission", hub.JobScan: "Scan a submission", hub.JobPublish: "Publish an approved release",
		hub.JobCatalog: "Write changes into the catalog", hub.JobRenew: "Keep the catalog fresh", hub.JobFanOut: "Hand an event to its webhooks",
		hub.JobDeliver: "Deliver a webhook", hub.JobProof: "Check a publisher’s proof", hub.JobTransfer: "Complete a hand-over",
		hub.JobTidy: "Delete what expired", hub.JobGarbage: "Remove what nothing names from the registry", hub.JobNumbers: "Compute daily figures",
	}[kind]
	if words == "" {
		return kind
	}
	return words
}
