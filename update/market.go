package update

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
)

// Actor is who applies what a Runner applies, in the history.
const Actor = "automatic updates"

// ErrBeyond means that a plan does more than the policy allowed.
var ErrBeyond = errors.New("the plan goes beyond what the policy allows")

// Market is what a Runner updates. It may be in use by people at the same time: what
// loses a race returns an error that wraps install.ErrBusy or install.ErrStalePlan.
// Implementations are safe for concurrent use.
type Market interface {
	// Sync fetches catalogs and advisories. That a source did not answer is an
	// error; what is known from before stays. The error may have a RetryAfter()
	// time.Duration in its chain.
	Sync(ctx context.Context) error
	// Facts tells how things are, without the network.
	Facts(ctx context.Context) (Facts, error)
	// Plan plans to bring installed plugins to exactly these releases. Whether
	// they are roots does not change, and what nothing needs any more stays.
	// Holds other than pins do not stand against it.
	Plan(ctx context.Context, to []catalog.Ref) (*install.Plan, error)
	// PlanRollback plans to go back to a generation.
	PlanRollback(ctx context.Context, generation uint64) (*install.Plan, error)
	// Apply applies a plan and waits for its end. Errors wrap those of install.
	Apply(ctx context.Context, p *install.Plan, a install.Approval) (*install.Transaction, error)
	// Health asks for an installed plugin as install.Host does.
	Health(ctx context.Context, id catalog.PluginID) error
	// SetEnabled stops a plugin, keeping its data, or lets it run again.
	SetEnabled(ctx context.Context, id catalog.PluginID, on bool, why string) error
}

// Fetcher is a Market that can download and verify what a plan needs before it is
// applied, so that a window is spent on the change alone.
type Fetcher interface {
	Fetch(ctx context.Context, p *install.Plan) error
}

// AdvisoryPoller is a Market that can fetch advisories by themselves, which is done
// more often than a whole sync.
type AdvisoryPoller interface {
	SyncAdvisories(ctx context.Context) error
}

// Excerpter is a Market that knows what a plugin wrote to its log; the last lines
// come with the event of a rollback.
type Excerpter interface {
	Excerpt(ctx context.Context, id catalog.PluginID) []string
}

// Keeper keeps the State of a Runner. A Save replaces all of it, durably; Load
// returns what was saved last, the zero State at first. They are not called at the
// same time.
type Keeper interface {
	Load(ctx context.Context) (State, error)
	Save(ctx context.Context, s State) error
}

// CheckPlan returns nil when a plan does nothing but apply allowed offers, without
// anything that a person would have to agree to; otherwise an error that wraps
// [ErrBeyond] and says what it is. A Runner applies no plan that does not pass, so
// what a solver adds to an update cannot slip in under it.
func CheckPlan(p *install.Plan, allowed []Offer) error {
	for _, need := range p.Consents {
		if !need.Optional {
			return fmt.Errorf("%w: %s needs an agreement: %s", ErrBeyond, need.Plugin, need.Sentence)
		}
	}
	for _, s := range p.Steps {
		ok := s.Action == install.ActUpdate && s.From != nil && slices.ContainsFunc(allowed, func(o Offer) bool {
			return o.Decision.Verdict == Auto && o.Source == s.Source && o.To.Ref == s.Release.Ref &&
				o.To.Digest == s.Release.Digest && o.From.Ref == s.From.Ref && o.From.Digest == s.From.Digest
		})
		if !ok {
			return fmt.Errorf("%w: %s %s", ErrBeyond, s.Action, s.Release.Ref)
		}
	}
	return nil
}

// changes returns the steps of a plan as the history names them.
func changes(p *install.Plan) []install.HistoryStep {
	var out []install.HistoryStep
	for _, s := range p.Steps {
		h := install.HistoryStep{Action: s.Action, Plugin: s.Release.Plugin}
		if s.From != nil {
			h.From = s.From.Version
		}
		if s.Action == install.ActRemove {
			h.From = s.Release.Version
		} else {
			h.To = s.Release.Version
		}
		out = append(out, h)
	}
	return out
}
