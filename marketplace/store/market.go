package store

import (
	"context"
	"iter"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/mirror"
	"github.com/souk-dev/souk/catalog/search"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/update"
	"github.com/souk-dev/souk/verify"
)

// Market is what the pages show and what their buttons call. The facade in package
// marketplace implements it. All methods are called concurrently.
type Market interface {
	Shelf
	Machine
	Updater
	Planner
	Recorder
}

// Shelf is what can be had.
type Shelf interface {
	// Search finds plugins in the catalogs held; it does no network I/O.
	Search(q search.Query) search.Result
	// Sources says how each catalog stands, in the operator's order.
	Sources() []mirror.Status
	// Sync fetches all catalogs now.
	Sync(ctx context.Context) error
	// Plugin returns everything known of one plugin, or catalog.ErrNotFound.
	Plugin(id catalog.PluginID) (catalog.Plugin, error)
	// Media returns a blob of a release by its title, checked against its digest.
	Media(ctx context.Context, r catalog.Release, title string) (data []byte, mediaType string, err error)
}

// Machine is what is installed here and may be.
type Machine interface {
	Installed() []install.Installed
	// Health is nil when the plugin is well, wraps install.ErrHealthUnknown when
	// that cannot be told, and otherwise says what is wrong.
	Health(ctx context.Context, id catalog.PluginID) error
	Policy() sandbox.Policy
	// Panel returns the version of the panel's plugin API and the platform, which
	// releases are held to; what is empty is not checked.
	Panel() (api, platform string)
}

// Updater is what could be newer, and what holds it back.
type Updater interface {
	Offers(ctx context.Context) ([]update.Offer, error)
	UpdateState() update.State
	UpdatePolicy() update.Policy
	// SetUpdatePolicy sets another policy, also for the next start.
	SetUpdatePolicy(ctx context.Context, p update.Policy) error
	// Freeze stops all automatic updates, or lets them go on.
	Freeze(ctx context.Context, on bool) error
	// Forgive lets a release that did not work here be tried again by itself.
	Forgive(ctx context.Context, d verify.Digest) error
	Hold(ctx context.Context, id catalog.PluginID, h update.Hold) error
	Unhold(ctx context.Context, id catalog.PluginID) error
}

// Planner changes what is installed: first a plan, then its application.
type Planner interface {
	// Plan says what a change would do. No solution is a *resolve.Conflict.
	Plan(ctx context.Context, c install.Change) (*install.Plan, error)
	// PlanByID returns a plan made before; one that is too old is catalog.ErrNotFound.
	PlanByID(id string) (*install.Plan, error)
	// Apply starts a plan and returns at once.
	Apply(ctx context.Context, planID string, a install.Approval) (install.Operation, error)
}

// Recorder is what goes on and what was done.
type Recorder interface {
	Operation(id string) (install.Operation, error)
	Operations() []install.Operation // newest first
	Cancel(id string) error
	// Events yields what happens after the event numbered after, until ctx ends.
	Events(ctx context.Context, after uint64) iter.Seq[install.Event]
	History() ([]install.Entry, error) // newest first
	// Generations returns the sets kept, newest first; the first is the current one.
	Generations() ([]install.Generation, error)
}
