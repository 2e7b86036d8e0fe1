package install

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/verify"
)

// PlanOptions say by which rules a Plan is made. The zero value grants nothing
// without asking and asks about no signer.
type PlanOptions struct {
	Policy sandbox.Policy // what the panel allows
	// Signers returns who may sign the release, from a catalog verified by now. A
	// plan asks when the one locked at first install is not among them. nil: the
	// question is put only after Apply was refused for it.
	Signers func(r catalog.Release) []verify.Identity
	Title   string // empty: made from the steps, in English
}

// Plan turns the solution of a request into what would be done, against the
// current generation. It decides every permission by o.Policy and by what was
// agreed to before: what is left to agree to is in Plan.Consents. A denied
// permission that a plugin can do without is left out with a warning; one that it
// cannot do without is an error wrapping [sandbox.ErrDenied] in a
// [*catalog.RefError]. A Plan without Steps changes nothing.
func (s *Store) Plan(res *resolve.Resolution, o PlanOptions) (*Plan, error) {
	base := s.Current()
	p := &planner{s: s, o: o, plan: &Plan{Base: base.N, Warnings: slices.Clone(res.Warnings), Consents: []Need{}, Made: s.o.Now()}}
	for _, c := range res.Chosen {
		if err := p.chosen(base, c); err != nil {
			return nil, err
		}
	}
	for _, r := range res.Removed {
		from, ok := base.Plugins[r.Release.Plugin]
		if !ok {
			continue
		}
		if slices.ContainsFunc(res.Chosen, func(c resolve.Chosen) bool { return c.Release.Plugin == r.Release.Plugin }) {
			return nil, &catalog.RefError{Op: "plan", Ref: r.Release.Ref, Err: errors.New("the solution both chooses and removes it")}
		}
		p.remove(from, r.Why)
	}
	for id, from := range base.Plugins {
		inSet := func(c resolve.Chosen) bool { return c.Release.Plugin == id }
		goes := func(r resolve.Removed) bool { return r.Release.Plugin == id }
		if !slices.ContainsFunc(res.Chosen, inSet) && !slices.ContainsFunc(res.Removed, goes) {
			return nil, &catalog.RefError{Op: "plan", Ref: from.Ref, Err: errors.New("the solution says nothing about it, so it was made for another set")}
		}
	}
	return p.done(s.known()), nil
}

// PlanRollback plans the way back to a kept generation: its releases, its data, and
// its grants as far as o.Policy still has them. It needs no network. An error wraps
// [catalog.ErrNotFound] when the generation is not kept.
func (s *Store) PlanRollback(n uint64, o PlanOptions) (*Plan, error) {
	base := s.Current()
	target, err := s.kept(n)
	if err != nil {
		return nil, err
	}
	if n == base.N {
		return nil, fmt.Errorf("generation %d is the current one", n)
	}
	if o.Title == "" {
		o.Title = fmt.Sprintf("Go back to generation %d", n)
	}
	p := &planner{s: s, o: o, plan: &Plan{Base: base.N, Rollback: n, Consents: []Need{}, Made: s.o.Now()}}
	for _, id := range order(target.Plugins) {
		to := target.Plugins[id]
		from, had := base.Plugins[id]
		if had && same(from, to) {
			continue
		}
		if err := s.allowed(to); err != nil {
			return nil, &catalog.RefError{Op: "go back to", Ref: to.Ref, Err: err}
		}
		st := Step{Action: ActInstall, Release: to.Release(), Root: to.Root, Why: fmt.Sprintf("generation %d has it", n)}
		if had {
			st.From, st.Action = &from, rollbackAction(from, to)
			if from.Data != to.Data {
				p.warn("%s goes back to its data of %s; what it has written since is not taken along", id, target.Time.UTC().Format("2 January 2006 15:04 MST"))
			}
		}
		if err := p.decide(&st, to.Consent); err != nil {
			return nil, err
		}
		p.add(st)
	}
	for _, id := range slices.Backward(order(base.Plugins)) {
		if _, stays := target.Plugins[id]; !stays {
			p.remove(base.Plugins[id], fmt.Sprintf("generation %d does not have it", n))
		}
	}
	return p.done(nil), nil
}

// kept returns a generation that is kept.
func (s *Store) kept(n uint64) (Generation, error) {
	list, err := s.Generations()
	if err != nil {
		return Generation{}, err
	}
	for _, g := range list {
		if g.N == n {
			return g, nil
		}
	}
	return Generation{}, fmt.Errorf("generation %d: %w", n, catalog.ErrNotFound)
}

// same reports whether going from one to the other changes nothing that runs.
func same(a, b Installed) bool {
	return a.Digest == b.Digest && a.Source == b.Source && a.Object == b.Object && a.Data == b.Data &&
		a.Enabled == b.Enabled && a.Grants.Equal(b.Grants)
}

func rollbackAction(from, to Installed) Action {
	switch c := catalog.CompareVersions(to.Version, from.Version); {
	case c > 0:
		return ActUpdate
	case c < 0:
		return ActDowngrade
	}
	return ActReplace
}

// Release returns the installed plugin as the release it was when it was installed.
func (p Installed) Release() catalog.Release {
	return catalog.Release{Ref: p.Ref, Source: p.Source, Digest: p.Digest, Manifest: p.Manifest, Published: p.Published}
}

type planner struct {
	s    *Store
	o    PlanOptions
	plan *Plan
}

func (p *planner) warn(format string, args ...any) {
	p.plan.Warnings = append(p.plan.Warnings, fmt.Sprintf(format, args...))
}

// chosen adds the step for one release of the solution, when there is one to take.
func (p *planner) chosen(base Generation, c resolve.Chosen) error {
	r := c.Release
	st := Step{Action: ActInstall, Release: r, Root: c.Root, Why: c.Why}
	var given sandbox.Consent
	if from, had := base.Plugins[r.Plugin]; had {
		st.From, given = &from, from.Consent
		st.Root = c.Root || from.Root
		switch v := catalog.CompareVersions(r.Version, from.Version); {
		case from.Source != r.Source:
			return &catalog.RefError{Op: "plan", Ref: r.Ref, Err: fmt.Errorf("it is installed from source %q; a plugin of the same name from %q is another plugin, remove this one first", from.Source, r.Source)}
		case v == 0 && from.Digest != r.Digest:
			return &catalog.RefError{Op: "plan", Ref: r.Ref, Err: fmt.Errorf("%w: the release changed after it was installed, which a release never does", verify.ErrUntrusted)}
		case v == 0 && (from.Root || !c.Root): // asked for once is asked for until removed
			return nil
		case v == 0:
			st.Action = ActKeep
			p.add(st)
			return nil
		case v > 0:
			st.Action = ActUpdate
		default:
			st.Action = ActDowngrade
		}
	}
	if r.State == catalog.Withdrawn {
		return &catalog.RefError{Op: "plan", Ref: r.Ref, Err: fmt.Errorf("it was withdrawn: %s", r.Reason)}
	}
	if err := p.decide(&st, given); err != nil {
		return err
	}
	p.signer(st)
	p.add(st)
	return nil
}

// add adds a step to the plan.
func (p *planner) add(st Step) {
	st.Source = st.Release.Source
	p.plan.Steps = append(p.plan.Steps, st)
}

func (p *planner) remove(from Installed, why string) {
	p.add(Step{
		Action: ActRemove, Release: from.Release(), From: &from, Root: from.Root, Why: why,
		Diff: sandbox.DiffOf(from.Grants, sandbox.Set{}),
	})
}

// decide rules on every permission of a step and asks for what needs consent.
func (p *planner) decide(st *Step, given sandbox.Consent) error {
	want, optional, err := st.Release.Manifest.Wants()
	if err != nil {
		return &catalog.RefError{Op: "plan", Ref: st.Release.Ref, Err: err}
	}
	st.Decision = p.o.Policy.Decide(want, given)
	var had, wanted sandbox.Set
	if st.From != nil {
		had = st.From.Grants
		if wanted, _, err = st.From.Manifest.Wants(); err != nil {
			return &catalog.RefError{Op: "plan", Ref: st.From.Ref, Err: err}
		}
	}
	st.Diff = sandbox.DiffOf(had, want)
	id := st.Release.Plugin
	for _, r := range st.Decision.Rulings {
		without := optional.Has(r.Permission)
		switch {
		case r.Verdict == sandbox.Denied && !without:
			return &catalog.RefError{Op: "plan", Ref: st.Release.Ref, Err: fmt.Errorf("%w: %s %s", sandbox.ErrDenied, r.Sentence, r.Why)}
		case r.Verdict == sandbox.Denied:
			p.warn("%s does without this: %s %s", id, r.Sentence, r.Why)
		case r.Verdict == sandbox.NeedsConsent:
			p.plan.Consents = append(p.plan.Consents, Need{
				ID: string(id) + " permission " + string(r.Permission), Plugin: id, Kind: NeedPermission, Ruling: r,
				Optional: without, Risk: r.Risk, Sentence: r.Sentence,
				New: st.From != nil && !wanted.Covers(r.Permission),
			})
		}
	}
	return nil
}

// signer asks when somebody else than the one locked may sign now, or did sign
// when it was tried.
func (p *planner) signer(st Step) {
	if st.From == nil || st.From.Signer == "" {
		return
	}
	id, locked := st.Release.Plugin, st.From.Signer
	sentence := ""
	if p.o.Signers != nil && !slices.ContainsFunc(p.o.Signers(st.Release), func(i verify.Identity) bool { return i.ID() == locked }) {
		sentence = fmt.Sprintf("Was signed by %s so far, who may not sign for it any more. Somebody else takes over.", locked)
	}
	if by, refused := p.s.refusedSigner(st.Release.Digest); refused {
		sentence = fmt.Sprintf("Was signed by %s so far, and now by %s.", locked, by)
	}
	if sentence != "" {
		p.plan.Consents = append(p.plan.Consents, Need{
			ID: string(id) + " signer " + locked, Plugin: id, Kind: NeedSigner, Risk: sandbox.RiskHigh, Sentence: sentence, New: true,
		})
	}
}

func (p *planner) done(known map[verify.Digest]string) *Plan {
	for _, st := range p.plan.Steps {
		if _, have := known[st.Release.Digest]; !have && p.plan.Rollback == 0 && st.Action != ActRemove {
			p.plan.Download += st.Release.Size
		}
	}
	if p.plan.Title = p.o.Title; p.plan.Title == "" {
		p.plan.Title = title(p.plan.Steps)
	}
	return p.plan
}

// title says in a few words what the steps do.
func title(steps []Step) string {
	var parts []string
	dependencies := 0
	verbs := []struct {
		action Action
		word   string
	}{{ActInstall, "Install"}, {ActUpdate, "Update"}, {ActDowngrade, "Downgrade"}, {ActReplace, "Replace"}, {ActKeep, "Keep"}, {ActRemove, "Remove"}}
	for _, v := range verbs {
		var names []string
		for _, st := range steps {
			switch {
			case st.Action != v.action:
			case v.action == ActInstall && !st.Root:
				dependencies++
			default:
				names = append(names, label(st))
			}
		}
		switch {
		case len(names) == 1:
			parts = append(parts, v.word+" "+names[0])
		case len(names) > 1:
			parts = append(parts, fmt.Sprintf("%s %d plugins", v.word, len(names)))
		}
		if v.action == ActInstall && dependencies > 0 {
			parts = append(parts, count(dependencies, len(parts) == 0))
		}
	}
	if len(parts) == 0 {
		return "Nothing to do"
	}
	out := parts[0]
	for i, part := range parts[1:] {
		sep := ", "
		if i == len(parts)-2 {
			sep = " and "
		}
		if !strings.HasPrefix(part, "1 ") && part[0] >= 'A' && part[0] <= 'Z' {
			part = strings.ToLower(part[:1]) + part[1:]
		}
		out += sep + part
	}
	return out
}

func count(n int, alone bool) string {
	word := "dependencies"
	if n == 1 {
		word = "dependency"
	}
	if alone {
		return fmt.Sprintf("Install %d %s", n, word)
	}
	return fmt.Sprintf("%d %s", n, word)
}

func label(st Step) string {
	name := st.Release.Manifest.Name
	if name == "" {
		name = string(st.Release.Plugin)
	}
	if st.Action == ActRemove {
		return name
	}
	if st.Action == ActUpdate || st.Action == ActDowngrade {
		return name + " to " + st.Release.Version
	}
	return name + " " + st.Release.Version
}
