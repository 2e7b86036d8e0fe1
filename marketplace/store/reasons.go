package store

import "github.com/souk-dev/souk/update"

// reasons says in the language of the pages why the policy decides as it does about an
// offer, the strongest reason first.
func (h *shop) reasons(o update.Offer, state update.State) (why []string) {
	if len(o.Decision.Because) != len(o.Decision.Why) {
		return o.Decision.Why
	}
	for i, says := range o.Decision.Because {
		s := h.said(says, o.Decision.Why[i])
		if hold, held := state.Holds[o.Plugin]; held && says.Key == "update.held" {
			s = h.holdWords(hold) + "."
		}
		why = append(why, oneLine(s, maxCause))
	}
	return why
}
