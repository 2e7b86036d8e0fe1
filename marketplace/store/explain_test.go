package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/verify"
)

// TestEveryErrorIsExplained: status, kind, title, sentence and what next of each
// error that a market answers with, as JSON and as a page.
func TestEveryErrorIsExplained(t *testing.T) {
	t.Parallel()
	ref := catalog.Ref{Plugin: "acme/backup", Version: "2.1.0"}
	for _, c := range []struct {
		err    error
		status int
		kind   string
		says   string
	}{
		{&verify.Error{Subject: "acme/backup@2.1.0", Check: "signature", Err: verify.ErrUntrusted}, 502, "untrusted", "signature"},
		{&verify.Error{Subject: "acme/backup@2.1.0", Check: "digest", Err: verify.ErrDigest}, 502, "digest", "does not match"},
		{fmt.Errorf("%w: %w", verify.ErrUntrusted, verify.ErrDigest), 502, "digest", "does not match"},
		{conflict(), 409, "conflict", "Cannot install Deploy"},
		{&catalog.RefError{Op: "plan", Ref: ref, Err: fmt.Errorf("exec:/bin/sh: %w", sandbox.ErrDenied)}, 422, "denied", "acme/backup@2.1.0"},
		{install.ErrConsent, 422, "consent", "not agreed"},
		{&install.Error{Op: "install", Phase: install.StateStaging, Ref: ref, Restored: true, Err: &fs.PathError{Op: "write", Path: "/var/secret", Err: syscall.ENOSPC}}, 507, "space", "as it was before"},
		{fmt.Errorf("get: %w", catalog.ErrUnavailable), 502, "unavailable", "did not answer"},
		{catalog.ErrExpired, 503, "expired", "old copy"},
		{catalog.ErrRollback, 502, "rollback", "older"},
		{install.ErrStalePlan, 409, "stale", "no longer fits"},
		{install.ErrBusy, 409, "busy", "one change"},
		{install.ErrClosed, 503, "closed", "stopping"},
		{fmt.Errorf("operation t3: %w", install.ErrTooLate), 409, "late", "ended"},
		{&install.Error{Op: "update", Phase: install.StateChecking, Ref: ref, Restored: true, Err: install.ErrUnhealthy}, 502, "unhealthy", "run as it should"},
		{fmt.Errorf("SA-7: %w", catalog.ErrBlocked), 422, "blocked", "forbids"},
		{catalog.ErrNotFound, 404, "missing", "does not exist"},
		{fmt.Errorf("../../etc: %w", install.ErrArchive), 422, "archive", "never unpacks"},
		{install.ErrModified, 409, "modified", "not what was installed"},
		{install.ErrSigner, 422, "signer", "another signer"},
		{install.ErrInDoubt, 503, "doubt", "not certain"},
		{install.ErrCorrupt, 503, "corrupt", "keeps track"},
		{resolve.ErrBudget, 503, "budget", "tangled"},
		{fs.ErrPermission, 500, "disk", "refused"},
		{context.DeadlineExceeded, 504, "timeout", "in time"},
		{context.Canceled, 503, "cancelled", "stopped"},
		{errors.New("nil map at /var/secret"), 500, "internal", "nobody foresaw"},
	} {
		m := newMarket()
		m.PlanErr = c.err
		h := shop(t, m, admin)
		w := do(h, http.MethodPost, "/plugins/api/v1/plans", `{"updateAll":true}`, "Content-Type", asJSON)
		assert.Equal(t, c.status, w.Code, c.kind)
		var p struct {
			Type, Title, Detail, Next, ID string
			Status                        int
			Restored                      *bool
			Conflict                      *struct{ Lines []any }
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
		assert.Equal(t, "urn:souk:problem:"+c.kind, p.Type)
		assert.Equal(t, c.status, p.Status)
		assert.Contains(t, p.Detail, c.says)
		for _, s := range []string{p.Title, p.Detail, p.Next} {
			assert.NotEmpty(t, s, c.kind)
			assert.NotContains(t, s, "⟦", c.kind)
			assert.NotContains(t, s, "{0}", c.kind)
		}
		assert.NotContains(t, w.Body.String(), "/var/secret", "something of the server is given away")
		assert.Equal(t, c.kind == "conflict", p.Conflict != nil)
		if c.kind == "unhealthy" {
			require.NotNil(t, p.Restored)
			assert.True(t, *p.Restored)
		}

		w = post(h, "/plugins/plans", map[string][]string{"do": {"update-all"}})
		assert.Equal(t, c.status, w.Code, c.kind)
		wellFormed(t, w.Body.String())
		assert.NotContains(t, w.Body.String(), "/var/secret")
		if c.kind == "conflict" {
			for _, s := range []string{"needs kiln/redis", "install orbit/deploy 2.0.3", "was yanked"} {
				assert.Contains(t, w.Body.String(), s)
			}
		}
	}
}

func TestInternalErrorsAreLoggedUnderTheirID(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	m := newMarket()
	m.PlanErr = errors.New("the cause")
	h := shop(t, m, admin, func(o *store.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	w := do(h, http.MethodPost, "/plugins/api/v1/plans", `{"updateAll":true}`, "Content-Type", asJSON)
	var p struct{ ID, Next string }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
	require.NotEmpty(t, p.ID)
	assert.Contains(t, p.Next, p.ID)
	assert.Contains(t, log.String(), p.ID)
	assert.Contains(t, log.String(), "the cause")
}
