package hub

import (
	"errors"
	"fmt"
	"time"

	"github.com/souk-dev/souk/catalog"
)

// Sentinels of this package. The faces of the hub map them to an HTTP status.
var (
	// ErrNotFound means that it is not there, or that who asks may not know it is.
	ErrNotFound = catalog.ErrNotFound
	// ErrExists means that the name or record is taken.
	ErrExists = errors.New("already there")
	// ErrMoved means that somebody else changed the record since it was read.
	ErrMoved = errors.New("changed meanwhile, read it again")
	// ErrForbidden means that who asks may not do this.
	ErrForbidden = errors.New("not allowed")
	// ErrUnauthenticated means that nobody is signed in, or that what was shown is
	// not (or no longer) valid.
	ErrUnauthenticated = errors.New("not signed in")
	// ErrState means that it cannot be done in the state the thing is in.
	ErrState = errors.New("not possible in this state")
	// ErrUnavailable means that the database or a service that the hub needs does not
	// answer; nothing was changed, and trying again later helps.
	ErrUnavailable = errors.New("unavailable, try again later")
)

// InvalidError says which field of what somebody sent is wrong, and why.
type InvalidError struct {
	Field  string // "homepage"; empty: the whole of it
	Reason string // a sentence without its subject: "must be an https address"
}

func (e *InvalidError) Error() string {
	if e.Field == "" {
		return e.Reason
	}
	return e.Field + " " + e.Reason
}

// Invalid returns an [*InvalidError].
func Invalid(field, format string, args ...any) error {
	return &InvalidError{field, fmt.Sprintf(format, args...)}
}

// LimitError means that somebody did something too often or has too many of
// something. After is when to try again; zero when waiting does not help.
type LimitError struct {
	What  string // "20 submissions a day"
	After time.Duration
}

func (e *LimitError) Error() string { return "limit reached: " + e.What }

// ErrNotFresh means that the person has to prove themselves again before this: sign in
// once more. It wraps [ErrForbidden].
var ErrNotFresh = fmt.Errorf("%w: sign in again to do this", ErrForbidden)
