package store

import (
	"html/template"
	"net/http"
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/update"
)

type updatesPage struct {
	Rows      []offerRow
	Tried     []triedRow // releases that were tried here and did not work
	Problem   *problem   // why the offers could not be worked out
	Frozen    bool
	State     update.State
	ReadOnly  bool
	Any       bool // something is installed at all
	Policy    []string
	MayChange bool
	Breaker   time.Time // until then nothing is applied by itself, for too much had to be taken back
	Soaks     []soakRow
}

// soakRow is an update that is being watched.
type soakRow struct {
	Title string
	Until time.Time
}

type offerRow struct {
	update.Offer
	Why      []string // of the verdict
	Dropped  []string // sentences of what it no longer asks for
	Name     string
	Icon     string
	Verdict  string // in words
	Kind     string // "ok", "warn", "info"
	Facts    []notice
	Added    []addition
	Notes    []noteView
	Standing standing
	Held     bool
	Failed   *failure
}

// addition is a permission that an update asks for beyond what was granted.
type addition struct {
	Sentence, Was string
	Risk          sandbox.Risk
}

type noteView struct {
	update.Note
	HTML     template.HTML
	Security []string // ids of the advisories about the installed version that it answers
	Breaking bool     // it breaks with the installed version
}

type triedRow struct {
	update.Failure
	Name, Text, Cause string
	Held              bool // not tried again by itself for now
}

func (h *shop) updates(w http.ResponseWriter, r *http.Request, a Actor) error {
	on := h.panel()
	c := updatesPage{State: h.m.UpdateState(), ReadOnly: !a.Install, Any: len(on.here) > 0}
	c.Frozen, c.MayChange = c.State.Frozen, a.Administer
	policy := h.m.UpdatePolicy()
	c.Policy = h.policySentences(policy, false)[:1]
	if until := c.State.Breaker(h.o.Now()); until.After(h.o.Now()) {
		c.Breaker = until
	}
	for _, s := range c.State.Soaks {
		if s.Until.After(h.o.Now()) {
			c.Soaks = append(c.Soaks, soakRow{oneLine(h.said(s.Says, s.Title), 200), s.Until})
		}
	}
	offers, err := h.m.Offers(r.Context())
	if err != nil {
		p := h.explain(err)
		c.Problem = &p
	}
	for _, o := range offers {
		row := h.offerRow(on, a, o, c.State)
		row.Why, row.Dropped = h.reasons(o, c.State), h.dropped(o)
		c.Rows = append(c.Rows, row)
	}
	for _, f := range c.State.Failures {
		t := triedRow{Failure: f, Name: string(f.Ref.Plugin), Cause: oneLine(f.Error, maxCause)}
		if p, ok := on.here[f.Ref.Plugin]; ok && p.Manifest.Name != "" {
			t.Name = oneLine(p.Manifest.Name, 200)
			t.Text = h.text.T("tried.back", f.Ref.Version, p.Version)
		} else {
			t.Text = h.text.T("tried.out", f.Ref.Version)
		}
		t.Held = f.Next.After(h.o.Now())
		c.Tried = append(c.Tried, t)
	}
	h.show(w, r, a, http.StatusOK, "updates", &page{Title: h.text.T("updates.title"), Nav: "updates", Notices: h.shelfNotices(), Content: c, Refresh: on.running()})
	return nil
}

// offerRow puts an offer into words.
func (h *shop) offerRow(on panel, a Actor, o update.Offer, state update.State) offerRow {
	row := offerRow{Offer: o, Name: oneLine(o.Name, 200), Failed: h.lastFailure(o.Plugin)}
	if row.Name == "" {
		row.Name = string(o.Plugin)
	}
	if b, ok := blob(o.To, o.To.Manifest.Icon); ok {
		row.Icon = h.mediaURL(o.To.Ref, b)
	}
	row.Standing = h.standing(on, a, catalog.Listing{ID: o.Plugin, Latest: o.To.Version}, o.Source)
	if q, err := h.m.Plugin(o.Plugin); err == nil {
		row.Standing = h.judge(row.Standing, q)
	}
	_, row.Held = state.Holds[o.Plugin]
	switch o.Decision.Verdict {
	case update.Auto:
		row.Verdict, row.Kind = h.text.T("offer.auto"), "ok"
	case update.Wait:
		row.Verdict, row.Kind = h.text.T("offer.wait"), "info"
		if !o.Decision.Until.IsZero() {
			row.Verdict = h.text.T("offer.wait.until", h.text.DateTime(o.Decision.Until))
		}
	case update.Held:
		row.Verdict, row.Kind = h.text.T("offer.held"), "info"
	default:
		row.Verdict, row.Kind = h.text.T("offer.ask"), "warn"
	}
	fact := func(on bool, kind, icon, text string) {
		if on {
			row.Facts = append(row.Facts, notice{Kind: kind, Icon: icon, Title: text})
		}
	}
	risk := o.Risk
	fact(len(risk.Security) > 0, "danger", "shield-check", h.text.T("fact.security"))
	fact(risk.Signer, "danger", "key-round", h.text.T("fact.signer"))
	fact(risk.Wider, "warn", "shield-alert", h.text.T("fact.wider"))
	fact(risk.Breaking, "warn", "triangle-alert", h.text.T("fact.breaking"))
	fact(risk.Major && !risk.Breaking, "warn", "triangle-alert", h.text.T("fact.major"))
	fact(risk.Native, "warn", "terminal", h.text.T("fact.native"))
	fact(risk.Data, "info", "database", h.text.T("fact.data"))
	fact(len(risk.Dependencies) > 0, "info", "package", h.text.N("fact.dependencies", len(risk.Dependencies)))
	for _, c := range slices.Concat(risk.Permissions.Added, risk.Permissions.Widened) {
		var add addition
		add.Sentence, add.Risk = h.sentence(c.Permission)
		if c.Was != "" {
			add.Was, _ = h.sentence(c.Was)
		}
		row.Added = append(row.Added, add)
	}
	slices.SortStableFunc(row.Added, func(a, b addition) int { return int(a.Risk) - int(b.Risk) })
	for _, n := range o.Notes {
		row.Notes = append(row.Notes, h.noteOf(o, n))
	}
	return row
}

// sentence says what a permission allows, in the panel's own words where it has them.
func (h *shop) sentence(p sandbox.Permission) (string, sandbox.Risk) {
	if set, err := sandbox.NewSet(p); err == nil {
		for _, r := range h.m.Policy().Decide(set, sandbox.Consent{}).Rulings {
			return h.ruling(r).Sentence, r.Risk
		}
	}
	return h.allows(p)
}
