package install

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/sandbox/phrase"
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
	p := &planner{s: s, o: o, plan: &Plan{Base: base.N, Warnings: slices.Clone(res.Warnings), Cautions: slices.Clone(res.Cautions), Consents: []Need{}, Made: s.o.Now()}}
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
		p.remove(from, r.Why, r.Because)
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
		has := phrase.Of("install.because.has", "generation {0} has it", number(n))
		st := Step{Action: ActInstall, Release: to.Release(), Root: to.Root, Why: has.String(), Because: has}
		if had {
			st.From, st.Action = &from, rollbackAction(from, to)
			if from.Data != to.Data {
				p.warn(phrase.Of("install.data.back", "{0} goes back to its data of {1}; what it has written since is not taken along", id, target.Time.UTC()))
			}
		}
		if err := p.decide(&st, to.Consent); err != nil {
			return nil, err
		}
		p.add(st)
	}
	for _, id := range slices.Backward(order(base.Plugins)) {
		if _, stays := target.Plugins[id]; !stays {
			not := phrase.Of("install.because.not", "generation {0} does not have it", number(n))
			p.remove(base.Plugins[id], not.String(), not)
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

func (p *planner) warn(says phrase.Phrase) {
	p.plan.Warnings = append(p.plan.Warnings, says.String())
	p.plan.Cautions = append(p.plan.Cautions, says)
}

// number writes the number of a generation as a name: without separators.
func number(n uint64) string { return strconv.FormatUint(n, 10) }

// chosen adds the step for one release of the solution, when there is one to take.
func (p *planner) chosen(base Generation, c resolve.Chosen) error {
	r := c.Release
	st := Step{Action: ActInstall, Release: r, Root: c.Root, Why: c.Why, Because: c.Because}
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

func (p *planner) remove(from Installed, why string, because phrase.Phrase) {
	p.add(Step{
		Action: ActRemove, Release: from.Release(), From: &from, Root: from.Root, Why: why, Because: because,
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
			return &catalog.RefError{Op: "plan", Ref: st.Release.Ref, Err: &DeniedError{r}}
		case r.Verdict == sandbox.Denied:
			p.warn(phrase.Of("install.without", "{0} does without this: {1} {2}", id, r.Says, r.Because))
		case r.Verdict == sandbox.NeedsConsent:
			p.plan.Consents = append(p.plan.Consents, Need{
				ID: string(id) + " permission " + string(r.Permission), Plugin: id, Kind: NeedPermission, Ruling: r,
				Optional: without, Risk: r.Risk, Sentence: r.Sentence, Says: r.Says,
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
	var says phrase.Phrase
	if p.o.Signers != nil && !slices.ContainsFunc(p.o.Signers(st.Release), func(i verify.Identity) bool { return i.ID() == locked }) {
		says = phrase.Of("install.signer.other", "Was signed by {0} so far, who may not sign for it any more. Somebody else takes over.", locked)
	}
	if by, refused := p.s.refusedSigner(st.Release.Digest); refused {
		says = phrase.Of("install.signer.changed", "Was signed by {0} so far, and now by {1}.", locked, by)
	}
	if !says.IsZero() {
		p.plan.Consents = append(p.plan.Consents, Need{
			ID: string(id) + " signer " + locked, Plugin: id, Kind: NeedSigner, Risk: sandbox.RiskHigh, Sentence: says.String(), Says: says, New: true,
		})
	}
}

func (p *planner) done(known map[verify.Digest]string) *Plan {
	for _, st := range p.plan.Steps {
		if _, have := known[st.Release.Digest]; !have && p.plan.Rollback == 0 && st.Action != ActRemove {
			p.plan.Download += st.Release.Size
		}
	}
	switch {
	case p.o.Title != "":
		p.plan.Says = phrase.Raw(p.o.Title)
	case p.plan.Rollback != 0:
		p.plan.Says = phrase.Of("title.rollback", "Go back to generation {0}", number(p.plan.Rollback))
	default:
		p.plan.Says = title(p.plan.Steps)
	}
	p.plan.Title = p.plan.Says.String()
	return p.plan
}
