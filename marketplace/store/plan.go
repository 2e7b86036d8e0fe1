package store

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/sandbox/phrase"
)

type planPage struct {
	*install.Plan
	Title    string
	Warnings []string
	ID       string
	Steps    []planStep
	Needs    []planNeed // to be agreed to: new ones first, then the riskiest
	Optional []planNeed
	Granted  int // permissions that the policy or an earlier consent allows already
	Verb     string
	Back     string
	High     bool // the risk is high: the focus goes to Cancel
	Widened  bool // something is asked for that was not before
	MayNot   bool // the actor may not agree to this risk
	ReadOnly bool
	Problem  *problem
	Consent  bool
	MainID   catalog.PluginID
	All      bool        // to update everything
	Groups   []needGroup // of All: what each plugin asks for, to be agreed to one by one
	Skipped  []skipped
	Without  []catalog.PluginID // what is left out of All
	Restarts []string           // names of what is stopped and started again
}

// needGroup is what one plugin of several asks for.
type needGroup struct {
	Plugin          catalog.PluginID
	Name, From, To  string
	Needs, Optional []planNeed
}

type planStep struct {
	install.Step
	Why       string // in the language of the pages
	Name      string
	Publisher string
	Signers   []string
	Granted   []sandbox.Ruling
	Dropped   []string // sentences of what it no longer asks for
	Icon      string
	NeededBy  []string // of a dependency: names
	Locked    bool     // Signers is who signed what is installed
}

type planNeed struct {
	install.Need
	Name   string // of the plugin
	Was    string // for a widened one: the sentence of what was granted
	Reason string // by the publisher
	Tick   bool   // a box of its own to tick: optional, or of high risk
	In     string // the version that asks for it newly; empty: asked for before, or not installed
}

// change reads what is asked for from a form.
func change(r *http.Request) (install.Change, error) {
	var c install.Change
	if err := r.ParseForm(); err != nil {
		return c, fmt.Errorf("%w: %w", errRequest, err)
	}
	do := r.PostForm.Get("do")
	if do == "rollback" {
		n, err := strconv.ParseUint(r.PostForm.Get("generation"), 10, 64)
		if err != nil || n == 0 {
			return c, fmt.Errorf("%w: generation %q is not a number", errRequest, oneLine(r.PostForm.Get("generation"), 40))
		}
		c.Rollback, c.Override = n, r.PostForm.Get("override") != ""
		return c, nil
	}
	if do == "update-all" {
		c.UpdateAll = true
		return c, nil
	}
	id, err := parsePlugin(r.PostForm.Get("plugin"))
	if err != nil {
		return c, err
	}
	switch do {
	case "install":
		c.Source = r.PostForm.Get("source")
		want := resolve.Want{Plugin: id}
		if v := r.PostForm.Get("version"); v != "" {
			if _, err := catalog.ParseVersion(v); err != nil {
				return c, fmt.Errorf("%w: %w", errRequest, err)
			}
			want.Range = "=" + v
		}
		c.Install = []resolve.Want{want}
	case "update":
		c.Update = []catalog.PluginID{id}
	case "remove":
		c.Remove = []catalog.PluginID{id}
	default:
		return c, fmt.Errorf("%w: %q is none of install, update, update-all, remove, rollback", errRequest, oneLine(do, 40))
	}
	return c, nil
}

// makePlan plans a change and shows the plan. It changes nothing.
func (h *shop) makePlan(w http.ResponseWriter, r *http.Request, _ Actor) error {
	c, err := change(r)
	if err != nil {
		return err
	}
	if c.UpdateAll {
		return h.makeWhole(w, r)
	}
	p, err := h.m.Plan(r.Context(), c)
	if err != nil {
		return err
	}
	http.Redirect(w, r, h.url("plans", p.ID()), http.StatusSeeOther)
	return nil
}

func (h *shop) plan(w http.ResponseWriter, r *http.Request, a Actor) error {
	p, err := h.m.PlanByID(r.PathValue("id"))
	if err != nil {
		return err
	}
	h.showPlan(w, r, a, p, nil)
	return nil
}

func (h *shop) showPlan(w http.ResponseWriter, r *http.Request, a Actor, p *install.Plan, why error) {
	v := h.planView(p, a)
	if all, ok := h.wholes.get(p.ID()); ok {
		v.All, v.Without, v.Skipped = true, all.without, h.skips(r.Context(), p, all)
		v.Back, v.Verb = h.url("updates"), "update"
		v.Groups = v.byPlugin()
	}
	status := http.StatusOK
	if why != nil {
		problem := h.explain(why)
		v.Problem, status = &problem, problem.Status
	}
	h.show(w, r, a, status, "plan", &page{Title: v.Title, Notices: h.shelfNotices(), Content: v})
}

// planView works out how a plan is shown.
func (h *shop) planView(p *install.Plan, a Actor) planPage {
	v := planPage{Plan: p, Title: h.planTitle(p), Warnings: h.planWarnings(p), ID: p.ID(), ReadOnly: !a.Install, Back: h.url(), Verb: "apply"}
	names := map[catalog.PluginID]string{}
	for _, s := range p.Steps {
		name := oneLine(s.Release.Manifest.Name, 200)
		if name == "" {
			name = string(s.Release.Plugin)
		}
		names[s.Release.Plugin] = name
		step := planStep{Step: s, Why: h.said(s.Because, s.Why), Name: name, Publisher: s.Release.Plugin.Publisher()}
		if q, err := h.m.Plugin(s.Release.Plugin); err == nil { // no longer listed: its id says enough
			if q.Publisher.Name != "" {
				step.Publisher = oneLine(q.Publisher.Name, 100)
			}
			step.Signers = h.signers(q.Publisher)
		}
		if s.From != nil && s.From.Signer != "" {
			step.Signers, step.Locked = []string{h.signer(s.From.Signer)}, true
		}
		if b, ok := blob(s.Release, s.Release.Manifest.Icon); ok {
			step.Icon = h.mediaURL(s.Release.Ref, b)
		}
		for _, g := range s.Decision.Rulings {
			if g.Verdict == sandbox.Granted && s.Action != install.ActRemove {
				step.Granted = append(step.Granted, h.ruling(g))
			}
		}
		v.Granted += len(step.Granted)
		for _, gone := range s.Diff.Removed {
			sentence, _ := h.allows(gone.Permission)
			step.Dropped = append(step.Dropped, sentence)
		}
		if !s.Root && s.Action != install.ActRemove {
			step.NeededBy = h.neededBy(p, s.Release.Plugin)
		}
		v.Steps = append(v.Steps, step)
		if s.Root && v.MainID == "" {
			v.MainID = s.Release.Plugin
		}
	}
	if len(v.Steps) > 0 && v.MainID == "" {
		v.MainID = v.Steps[0].Release.Plugin
	}
	v.Verb, v.Back = h.verb(p, v.MainID)
	for _, n := range p.Consents {
		need := h.need(p, n, names[n.Plugin])
		if n.Risk == sandbox.RiskHigh && !n.Optional {
			v.High = true
		}
		v.Widened = v.Widened || n.New && n.Kind != install.NeedRevoked && hasFrom(p, n.Plugin)
		if n.Optional {
			v.Optional = append(v.Optional, need)
		} else {
			v.Needs = append(v.Needs, need)
		}
	}
	order := func(a, b planNeed) int {
		if a.New != b.New {
			if a.New {
				return -1
			}
			return 1
		}
		return int(a.Risk) - int(b.Risk)
	}
	slices.SortStableFunc(v.Needs, order)
	slices.SortStableFunc(v.Optional, order)
	v.Restarts = h.restarted(p)
	v.MayNot = v.High && !a.ApproveRisky
	v.Consent = len(v.Needs)+len(v.Optional) > 0
	return v
}

// byPlugin sorts what has to be agreed to by plugin, the riskiest plugin first, and gives
// each agreement a box of its own.
func (v planPage) byPlugin() (out []needGroup) {
	group := func(n planNeed) *needGroup {
		for i := range out {
			if out[i].Plugin == n.Plugin {
				return &out[i]
			}
		}
		g := needGroup{Plugin: n.Plugin, Name: n.Name}
		for _, s := range v.Steps {
			if s.Release.Plugin == n.Plugin {
				g.To = s.Release.Version
				if s.From != nil {
					g.From = s.From.Version
				}
			}
		}
		out = append(out, g)
		return &out[len(out)-1]
	}
	for _, n := range v.Needs {
		n.Tick = true
		g := group(n)
		g.Needs = append(g.Needs, n)
	}
	for _, n := range v.Optional {
		g := group(n)
		g.Optional = append(g.Optional, n)
	}
	slices.SortStableFunc(out, func(a, b needGroup) int { return a.risk() - b.risk() })
	return out
}

// risk is the highest risk of what has to be agreed to; the lower the number, the higher.
func (g needGroup) risk() int {
	worst := int(sandbox.RiskLow) + 1
	for _, n := range g.Needs {
		worst = min(worst, int(n.Risk))
	}
	return worst
}

// need adds to a consent what a person wants to know beside it.
func (h *shop) need(p *install.Plan, n install.Need, name string) planNeed {
	n.Sentence = h.needSaid(n)
	out := planNeed{Need: n, Name: name, Tick: n.Optional || n.Risk == sandbox.RiskHigh || n.Kind == install.NeedSigner || n.Kind == install.NeedRevoked}
	if name == "" {
		out.Name = string(n.Plugin)
	}
	for _, s := range p.Steps {
		if s.Release.Plugin != n.Plugin {
			continue
		}
		if n.Kind == install.NeedRevoked {
			why, _ := h.revocations(s.Release.Ref, s.Release.Digest, "", out.Name)
			out.Sentence = strings.Join(append([]string{h.text.T("need.revoked", out.Name, s.Release.Version)}, why...), " ")
		}
		if n.New && n.Kind == install.NeedPermission && s.From != nil {
			out.In = s.Release.Version
		}
		for _, w := range s.Diff.Widened {
			if w.Permission == n.Ruling.Permission && w.Was != "" {
				out.Was, _ = h.allows(w.Was)
			}
		}
		for _, q := range s.Release.Manifest.Permissions {
			if q.Permission() == n.Ruling.Permission {
				out.Reason = oneLine(q.Reason, 500)
			}
		}
	}
	return out
}

func hasFrom(p *install.Plan, id catalog.PluginID) bool {
	return slices.ContainsFunc(p.Steps, func(s install.Step) bool { return s.Release.Plugin == id && s.From != nil })
}

// verb is the word on the button that applies a plan, and where Cancel leads.
func (h *shop) verb(p *install.Plan, id catalog.PluginID) (verb, back string) {
	if p.Rollback != 0 {
		return "rollback", h.url("history")
	}
	verb, back = "apply", h.url()
	for _, s := range p.Steps {
		if s.Release.Plugin == id {
			switch s.Action {
			case install.ActInstall, install.ActUpdate, install.ActRemove, install.ActDowngrade:
				verb = string(s.Action)
			}
			back = h.url("p", id.Publisher(), id.Name())
		}
	}
	return verb, back
}

// risky reports whether somebody needs ApproveRisky to agree to these consents.
func risky(p *install.Plan, consents []string) bool {
	return slices.ContainsFunc(p.Consents, func(n install.Need) bool {
		return (n.Risk == sandbox.RiskHigh || n.Kind == install.NeedSigner) && slices.Contains(consents, n.ID)
	})
}

// apply starts a plan with what was agreed to.
func (h *shop) apply(r *http.Request, a Actor, consents []string) (install.Operation, *install.Plan, error) {
	p, err := h.m.PlanByID(r.PathValue("id"))
	if err != nil {
		return install.Operation{}, nil, err
	}
	if len(p.Steps) == 0 {
		return install.Operation{}, nil, fmt.Errorf("%w: the plan changes nothing", errRequest)
	}
	for _, id := range consents {
		if !slices.ContainsFunc(p.Consents, func(n install.Need) bool { return n.ID == id }) {
			return install.Operation{}, nil, fmt.Errorf("%w: the plan does not ask for %q", errRequest, oneLine(id, 100))
		}
	}
	if risky(p, consents) && !a.ApproveRisky {
		return install.Operation{}, p, errMayNotRisk
	}
	for _, n := range p.Consents {
		if !n.Optional && !slices.Contains(consents, n.ID) {
			return install.Operation{}, p, &sayError{install.ErrConsent, phrase.Raw(h.said(n.Says, n.Sentence))}
		}
	}
	op, err := h.m.Apply(r.Context(), p.ID(), install.Approval{Actor: a.Name, Consents: consents})
	return op, p, err
}

func (h *shop) applyPlan(w http.ResponseWriter, r *http.Request, a Actor) error {
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("%w: %w", errRequest, err)
	}
	op, p, err := h.apply(r, a, r.PostForm["consent"])
	if p != nil && (errors.Is(err, install.ErrConsent) || errors.Is(err, errMayNotRisk)) {
		h.showPlan(w, r, a, p, err) // the form again, with what is missing
		return nil
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, h.url("operations", op.ID), http.StatusSeeOther)
	return nil
}
