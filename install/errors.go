package install

import (
	"errors"
	"fmt"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox"
)

// Sentinels of this package.
var (
	// ErrBusy means that another process or another transaction holds the store.
	ErrBusy = errors.New("another installation is running")
	// ErrStalePlan means that the installed set changed since the plan was made.
	ErrStalePlan = errors.New("the plan is out of date: plugins changed since it was made")
	// ErrConsent means that the plan needs an agreement that was not given.
	ErrConsent = errors.New("a permission was not agreed to")
	// ErrUnhealthy means that a plugin did not become healthy in its trial.
	ErrUnhealthy = errors.New("health check failed")
	// ErrHealthUnknown is what a Host's Health wraps when it cannot tell.
	ErrHealthUnknown = errors.New("health is not known")
	// ErrNeedsRestart is what the Health of a Host wraps that loads plugins only when
	// the panel starts: what was installed is in place and runs from then on. It wraps
	// ErrHealthUnknown, so that the change is kept.
	ErrNeedsRestart = fmt.Errorf("%w: the panel has to be restarted first", ErrHealthUnknown)
	// ErrSigner means that somebody else signed than the one locked at first install.
	ErrSigner = errors.New("signed by somebody else than before")
	// ErrArchive means that a package has something in it that is never unpacked.
	ErrArchive = catalog.ErrArchive
	// ErrInDoubt means that the disk did not say whether a change is durable. The
	// store is read-only until Recover succeeds.
	ErrInDoubt = errors.New("the disk did not confirm the last change")
	// ErrCorrupt means that a file of the store is damaged.
	ErrCorrupt = errors.New("the store is damaged")
	// ErrModified means that an installed file is not what was installed.
	ErrModified = errors.New("an installed file was changed")
)

// Error says which part of a transaction went wrong, and whether everything is
// as it was before. It wraps the cause.
type Error struct {
	Op       string      // "install", "update", "remove", "roll back"
	Phase    State       // where it was
	Ref      catalog.Ref // which release, when it was one
	Restored bool        // the old set and its data are in place again
	Err      error
}

func (e *Error) Error() string {
	if e.Ref.Plugin == "" {
		return fmt.Sprintf("%s: %s: %v", e.Op, e.Phase, e.Err)
	}
	return fmt.Sprintf("%s %s: %s: %v", e.Op, e.Ref, e.Phase, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// DeniedError is a permission that a release cannot do without and that the panel denies. It
// wraps [sandbox.ErrDenied].
type DeniedError struct{ Ruling sandbox.Ruling }

func (e *DeniedError) Error() string {
	return fmt.Sprintf("%v: %s %s", sandbox.ErrDenied, e.Ruling.Sentence, e.Ruling.Why)
}

func (e *DeniedError) Unwrap() error { return sandbox.ErrDenied }
