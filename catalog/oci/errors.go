package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"

	"github.com/souk-dev/souk/catalog"
)

// ErrUnauthorized means that the registry wants other credentials than it got. It
// always comes with [catalog.ErrUnavailable].
var ErrUnauthorized = errors.New("not authorized")

// errRefused means that an answer led where it must not; it is never retried.
var errRefused = errors.New("refused to follow")

// missing is the error for what a registry answered 404 to: catalog.ErrNotFound,
// and fs.ErrNotExist for those who think in files.
type missing struct{ what string }

func (e *missing) Error() string { return e.what + ": " + catalog.ErrNotFound.Error() }

func (e *missing) Is(target error) bool {
	return target == catalog.ErrNotFound || target == fs.ErrNotExist
}

// unreachable wraps err, met while doing what, so that it says ErrUnavailable,
// except when the caller gave up.
func unreachable(ctx context.Context, what string, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
	if errors.Is(err, catalog.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%s: %w: %w", what, catalog.ErrUnavailable, err)
}

// answered turns an unexpected status into an error and closes the body.
func answered(what string, resp *http.Response) error {
	defer resp.Body.Close()
	status := fmt.Sprintf("the registry answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	if said := diagnosis(resp.Body); said != "" {
		status += ", " + said
	}
	switch resp.StatusCode {
	case http.StatusNotFound:
		return &missing{what}
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%s: %w: %w: %s; check the credentials for %s", what, catalog.ErrUnavailable, ErrUnauthorized, status, resp.Request.URL.Host)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if after := resp.Header.Get("Retry-After"); after != "" {
			status += fmt.Sprintf("; it asks to wait, Retry-After: %.40q", after)
		}
	}
	return fmt.Errorf("%s: %w: %s", what, catalog.ErrUnavailable, status)
}

// diagnosis reads the first error of a registry's error document, for people. What
// a registry says is quoted, so that it cannot forge lines of a log.
func diagnosis(body io.Reader) string {
	b, err := io.ReadAll(io.LimitReader(body, 8<<10))
	if err != nil {
		return ""
	}
	var doc struct {
		Errors []struct{ Code, Message string } `json:"errors"`
	}
	if json.Unmarshal(b, &doc) != nil || len(doc.Errors) == 0 {
		return ""
	}
	return strings.TrimSpace(fmt.Sprintf("%.40q: %.200q", doc.Errors[0].Code, doc.Errors[0].Message))
}
