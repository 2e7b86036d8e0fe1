package install

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox"
)

// agreed is what an Approval comes to.
type agreed struct {
	permissions map[catalog.PluginID][]sandbox.Permission
	signers     map[catalog.PluginID]bool
}

// check compares an approval with what the plan asks. Agreeing to less than what
// is required is [ErrConsent] with the sentences; agreeing to more is an error too,
// since then it was another plan that somebody read.
func (a Approval) check(p *Plan) (agreed, error) {
	out := agreed{make(map[catalog.PluginID][]sandbox.Permission), make(map[catalog.PluginID]bool)}
	var missing []string
	for _, n := range p.Consents {
		if !slices.Contains(a.Consents, n.ID) {
			if !n.Optional {
				missing = append(missing, fmt.Sprintf("%s: %s", n.Plugin, n.Sentence))
			}
			continue
		}
		switch n.Kind {
		case NeedSigner:
			out.signers[n.Plugin] = true
		case NeedRevoked: // grants nothing
		default:
			out.permissions[n.Plugin] = append(out.permissions[n.Plugin], n.Ruling.Permission)
		}
	}
	for _, id := range a.Consents {
		if !slices.ContainsFunc(p.Consents, func(n Need) bool { return n.ID == id }) {
			return out, fmt.Errorf("the plan does not ask for %.200q", id)
		}
	}
	if len(missing) > 0 {
		return out, fmt.Errorf("%w: %s", ErrConsent, strings.Join(missing, " "))
	}
	return out, nil
}

// grants returns what a step's plugin is granted, and the record of what a person
// agreed to: what was agreed to before and is still wanted, and what is new.
func (a agreed) grants(st Step, given sandbox.Consent, by string, now time.Time) (sandbox.Set, sandbox.Consent, error) {
	added := a.permissions[st.Release.Plugin]
	newly, err := sandbox.NewSet(added...)
	if err != nil {
		return sandbox.Set{}, sandbox.Consent{}, err
	}
	granted, err := st.Decision.Granted().Union(newly)
	if err != nil {
		return sandbox.Set{}, sandbox.Consent{}, err
	}
	var still []sandbox.Permission
	for _, r := range st.Decision.Rulings {
		if r.Verdict == sandbox.Granted && given.Set.Covers(r.Permission) {
			still = append(still, r.Permission)
		}
	}
	set, err := sandbox.NewSet(append(still, added...)...)
	if err != nil {
		return sandbox.Set{}, sandbox.Consent{}, err
	}
	c := sandbox.Consent{Set: set, By: given.By, At: given.At}
	if len(added) > 0 {
		c.By, c.At = by, now
	}
	if set.Len() == 0 {
		c = sandbox.Consent{}
	}
	return granted, c, nil
}
