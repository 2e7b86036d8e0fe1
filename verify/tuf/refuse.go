package tuf

import (
	"errors"
	"fmt"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/souk-dev/souk/verify"
)

// mixed marks a version that does not fit: not old, but of another catalog
// version than the rest.
func mixed(err error) error {
	if !errors.Is(err, &metadata.ErrBadVersionNumber{}) {
		return err
	}
	return fmt.Errorf("%w: it does not belong with the rest, files of several catalog versions are mixed: %s", verify.ErrUntrusted, cause(err))
}

// refuse says which check went wrong, in the words of package verify.
func (t *Trust) refuse(check string, err error) error {
	switch {
	case errors.Is(err, verify.ErrUntrusted), errors.Is(err, verify.ErrDigest),
		errors.Is(err, verify.ErrExpired), errors.Is(err, verify.ErrRollback):
	case errors.Is(err, &metadata.ErrExpiredMetadata{}):
		err = fmt.Errorf("%w: %s; the catalog was not renewed, or an old copy is served", verify.ErrExpired, cause(err))
	case errors.Is(err, &metadata.ErrBadVersionNumber{}):
		err = fmt.Errorf("%w: %s", verify.ErrRollback, cause(err))
	case errors.Is(err, &metadata.ErrLengthOrHashMismatch{}):
		err = fmt.Errorf("%w: %s", verify.ErrDigest, cause(err))
	case errors.Is(err, &metadata.ErrUnsignedMetadata{}):
		err = fmt.Errorf("%w: too few valid signatures by those who may sign it: %s", verify.ErrUntrusted, cause(err))
	default:
		err = fmt.Errorf("%w: %w", verify.ErrUntrusted, err)
	}
	return &verify.Error{Subject: t.name, Check: check, Err: err}
}

// cause is what go-tuf says, without the name of its error type.
func cause(err error) string {
	var (
		expired  *metadata.ErrExpiredMetadata
		version  *metadata.ErrBadVersionNumber
		content  *metadata.ErrLengthOrHashMismatch
		unsigned *metadata.ErrUnsignedMetadata
	)
	switch {
	case errors.As(err, &expired):
		return expired.Msg
	case errors.As(err, &version):
		return version.Msg
	case errors.As(err, &content):
		return content.Msg
	case errors.As(err, &unsigned):
		return unsigned.Msg
	}
	return err.Error()
}

// say writes a time for people.
func say(t time.Time) string { return t.UTC().Format(time.RFC3339) }
