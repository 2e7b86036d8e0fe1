package store

import (
	"strings"

	"github.com/souk-dev/souk/update"
)

// reasons says in the language of the pages why the policy decides as it does about an
// offer. They are worked out from the same facts as update.Policy.Decide does; what only
// that knows is taken over from it.
func (h *shop) reasons(o update.Offer, state update.State, policy update.Policy) (why []string) {
	now := h.o.Now()
	because := func(on bool, key string, args ...any) {
		if on {
			why = append(why, h.text.T("why."+key, args...))
		}
	}
	if hold, held := state.Holds[o.Plugin]; held && hold.Blocks(o.To.Version, now) {
		why = append(why, h.holdWords(hold)+".")
	}
	because(state.Frozen, "frozen")
	r := o.Risk
	ids := make([]string, 0, len(r.Dependencies))
	for _, id := range r.Dependencies {
		ids = append(ids, string(id))
	}
	because(r.Signer, "signer")
	because(r.Wider, "wider")
	because(r.Native, "native")
	because(r.Major, "major", o.From.Version)
	because(r.Breaking, "breaking", o.From.Version)
	because(len(ids) > 0, "dependencies", strings.Join(ids, ", "))
	because(len(r.Warned) > 0, "warned", strings.Join(r.Warned, ", "))
	because(r.Data && !policy.Data, "data")
	because(policy.Mode == update.ModeAsk, "ask")
	because(policy.Mode == update.ModeSecurity && len(r.Security) == 0, "security")
	said := func(begin string) (rest string, ok bool) { // what Decide knows and we do not
		for _, s := range o.Decision.Why {
			if rest, ok = strings.CutPrefix(s, begin); ok {
				return rest, true
			}
		}
		return "", false
	}
	if _, waits := said("It has to be out for "); waits { // not so a release that answers an advisory first
		because(true, "age", h.span(minAge(policy)), h.text.DateTime(o.To.Published.Add(minAge(policy))))
	}
	if f, failed := state.Poisoned(o.To.Digest); failed && f.Next.After(now) {
		because(true, "failed", h.text.DateTime(f.Next))
	}
	breaker := state.Breaker(now)
	because(breaker.After(now), "breaker", h.text.DateTime(breaker))
	for _, s := range state.Soaks {
		if s.Until.After(now) {
			because(true, "soak", h.text.DateTime(s.Until))
			break
		}
	}
	because(h.expired(o.Source), "expired")
	if ro := o.To.Rollout; ro != nil {
		because(ro.Paused, "paused")
		because(!ro.Paused && !update.InRollout(ro, update.Bucket(state.Secret, o.To.Ref)), "rollout", ro.Percent)
	}
	if o.Decision.Verdict == update.Auto {
		if o.Decision.Until.After(now) {
			because(true, "window", h.text.DateTime(o.Decision.Until))
		} else {
			because(true, "now")
		}
	}
	if cause, ok := said("It cannot be applied for now: "); ok {
		because(true, "problem", oneLine(strings.TrimSuffix(cause, "."), maxCause))
	}
	if len(why) == 0 { // something that is decided by what is not seen here
		for _, s := range o.Decision.Why {
			why = append(why, oneLine(s, maxCause))
		}
	}
	return why
}
