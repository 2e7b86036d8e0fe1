package portal

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/identity"
)

// auditRow is a line of the audit log in words.
type auditRow struct {
	hub.Audit
	Who, What    string
	WhoLink      string
	Target, Link string // Target in words
	Details      []auditDetail
}

// auditDetail is a part of what a line says.
type auditDetail struct{ Name, Value string }

type adminAuditPage struct {
	Rows                 []auditRow
	Who, Target, Action  string
	People               []hub.Account // that Who could mean
	Actions              []string
	Filtered, TooManyWho bool
	Next                 string
}

func (h *Handler) adminAudit(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	ctx, q := r.Context(), r.URL.Query()
	p := adminAuditPage{
		Who: strings.TrimSpace(q.Get("who")), Target: strings.TrimSpace(q.Get("target")), Action: strings.TrimSpace(q.Get("action")), Actions: auditActions(),
	}
	p.Filtered = p.Who != "" || p.Target != "" || p.Action != ""
	f := hub.AuditQuery{Target: p.Target, Action: hub.Action(p.Action), Cursor: q.Get("after"), Limit: 50}
	page := hub.Page[hub.Audit]{}
	found, err := h.auditWho(ctx, a, &p)
	if err != nil {
		return err
	}
	if found != "" || p.Who == "" {
		f.Actor = found
		if page, err = hub.AuditLog(ctx, h.o.Env.Store, a, f); err != nil {
			return err
		}
	}
	if p.Rows, err = h.auditRows(ctx, page.Items); err != nil {
		return err
	}
	if page.Next != "" {
		p.Next = withQuery("/admin/audit", "who", p.Who, "target", p.Target, "action", p.Action, "after", page.Next)
	}
	return h.admin(w, r, a, "/admin/audit", "Audit log", "admin-audit", p)
}

// auditWho finds the account that a person means by a name, a mail address or an id. When
// several could be meant they stand in p.People.
func (h *Handler) auditWho(ctx context.Context, a hub.Actor, p *adminAuditPage) (string, error) {
	if p.Who == "" || strings.HasPrefix(p.Who, "acc_") {
		return p.Who, nil
	}
	const most = 20
	list, err := h.o.Identity.Accounts(ctx, a, identity.AccountQuery{Text: p.Who, Limit: most})
	if err != nil {
		return "", err
	}
	exact := slices.DeleteFunc(slices.Clone(list), func(acc hub.Account) bool { return !strings.EqualFold(acc.Name, p.Who) })
	for _, choice := range [][]hub.Account{list, exact} {
		if len(choice) == 1 {
			return choice[0].ID, nil
		}
	}
	p.People, p.TooManyWho = list, len(list) == most
	return "", nil
}

// auditActions are the actions that people look for.
func auditActions() []string {
	out := []string{
		string(hub.ActSubmissionMoved), string(identity.ActSignUp), string(identity.ActSignIn), string(identity.ActSignOut),
		string(identity.ActClaimAdmin), string(identity.ActSuspectKey), string(identity.ActExchangeCI), string(identity.ActPanelLinked),
	}
	for act := range hub.Rules() {
		out = append(out, string(act))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// auditRows adds to lines of the log names and where their target is.
func (h *Handler) auditRows(ctx context.Context, list []hub.Audit) ([]auditRow, error) {
	var ids, submissions []string
	for _, l := range list {
		kind, id, _ := strings.Cut(l.Target, " ")
		ids = append(append(ids, l.Actor, subjectAccount(hub.SubjectKind(kind), id)), accountsIn(l.Detail)...)
		if kind == string(hub.SubjectSubmission) {
			submissions = append(submissions, id)
		}
	}
	who, err := h.peopleOf(ctx, ids...)
	if err != nil {
		return nil, err
	}
	refs, err := h.submissionRefs(ctx, submissions)
	if err != nil {
		return nil, err
	}
	var out []auditRow
	for _, l := range list {
		kind, id, _ := strings.Cut(l.Target, " ")
		row := auditRow{Audit: l, Who: who.Name(l.Actor), What: word(l.Action), Target: l.Target, Link: targetLink(kind, id), Details: auditDetails(l.Detail, who)}
		if l.Actor != "" {
			row.WhoLink = withQuery("/admin/audit", "who", l.Actor)
		}
		switch {
		case refs[id] != "":
			row.Target = "submission " + refs[id]
		case kind == string(hub.SubjectAccount) && who[id] != "":
			row.Target = "account " + who[id]
		case kind == string(hub.SubjectRating):
			row.Target = subjectWords(hub.SubjectRating, id, who)
		}
		out = append(out, row)
	}
	return out, nil
}

// submissionRefs returns what submissions are of, "acme/backup@1.4.2" by id, for lines of
// the log that somebody may read.
func (h *Handler) submissionRefs(ctx context.Context, ids []string) (map[string]string, error) {
	out := map[string]string{}
	if len(ids) == 0 {
		return out, nil
	}
	err := h.o.Env.Store.View(ctx, func(tx hub.Tx) error {
		list, err := tx.Submissions().List(ctx, hub.Query{Where: []hub.Cond{hub.In("id", ids)}})
		for _, s := range list {
			out[s.ID] = s.Ref()
		}
		return err
	})
	return out, err
}

// targetLink is where the target of a line is looked at; empty when it is nowhere.
func targetLink(kind, id string) string {
	switch kind {
	case "submission":
		return "/review/" + url.PathEscape(id)
	case "account":
		return userLink(id)
	case "plugin":
		return pluginLink(id)
	case "release":
		plugin, _, _ := strings.Cut(id, "@")
		return pluginLink(plugin)
	case "publisher":
		return publisherLink(id)
	case "decision":
		return "/moderation/decisions/" + url.PathEscape(id)
	case "appeal":
		return "/moderation/appeals/" + url.PathEscape(id)
	case "advisory":
		return "/moderation/advisories/" + url.PathEscape(id)
	case "report":
		return "/moderation/reports/" + url.PathEscape(id)
	case "rating":
		return withQuery("/moderation/subject", "kind", "rating", "about", id)
	case "policy":
		return "/admin/policy"
	case "category":
		return "/admin/categories"
	case "reserved":
		return "/admin/reserved"
	}
	return ""
}

// accountsIn are the ids of accounts that stand in a detail.
func accountsIn(detail json.RawMessage) []string {
	var m map[string]any
	if json.Unmarshal(detail, &m) != nil {
		return nil
	}
	var out []string
	for _, v := range m {
		if s, ok := v.(string); ok && strings.HasPrefix(s, "acc_") {
			out = append(out, s)
		}
	}
	return out
}

// auditDetails writes a detail as names and values. What is no object is one value.
func auditDetails(detail json.RawMessage, who staffNames) []auditDetail {
	if len(detail) == 0 {
		return nil
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(detail, &m) != nil {
		return []auditDetail{{"", string(detail)}}
	}
	var out []auditDetail
	for _, name := range slices.Sorted(maps.Keys(m)) {
		value := auditValue(m[name], who)
		if value != "" {
			out = append(out, auditDetail{word(name), value})
		}
	}
	return out
}

func auditValue(raw json.RawMessage, who staffNames) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		if name, known := who[s]; known {
			return name
		}
		return s
	}
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return strings.Join(list, ", ")
	}
	if bytes.Equal(raw, []byte("null")) {
		return ""
	}
	return string(raw)
}
