package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"syscall"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/marketplace/store/storetest"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/verify"
)

func problemStories() []story {
	ref := catalog.Ref{Plugin: "acme/backup", Version: "2.1.0"}
	of := func(err error) error { return &catalog.RefError{Op: "plan", Ref: ref, Err: err} }
	ask := form("do", "install", "plugin", "acme/backup")
	out := page("Problems",
		story{ID: "problem-page", Name: "No such page", Path: "nowhere", Status: 404},
		story{ID: "problem-missing", Name: "No such plugin", Path: "p/acme/nothing", Status: 404},
		story{ID: "problem-unauthenticated", Name: "Nobody is signed in", Status: 401, Set: func(s *scene) { s.err = store.ErrUnauthenticated }},
		story{ID: "problem-hidden", Name: "Somebody who may not look", Status: 403, Set: as(store.Actor{Name: "eve"})},
		story{ID: "problem-forbidden", Name: "Somebody who may only look tries to install", Path: "plans", Form: ask, Status: 403, Set: as(viewer)},
		story{ID: "problem-origin", Name: "A request of another website", Path: "plans", Form: ask, Status: 403, Header: http.Header{"Sec-Fetch-Site": {"cross-site"}}},
		story{ID: "problem-host", Name: "A name that is not the panel's", Status: 421, Host: "attacker.example", Plain: true},
		story{ID: "problem-request", Name: "A request that makes no sense", Path: "plans", Form: form("do", "dance", "plugin", "acme/backup"), Status: 400},
		story{ID: "problem-toobig", Name: "Too large a request", Path: "hold", Form: form("plugin", "acme/mailer", "why", strings.Repeat("a", 300<<10)), Status: 413},
		story{ID: "problem-late", Name: "Too late to cancel", Path: "operations/t9/cancel", Form: form(), Status: 409, Set: with(running(install.StateStarting, 0), func(m *storetest.Market) {
			m.CancelErr = fmt.Errorf("operation t9: %w", install.ErrTooLate)
		})},
		story{ID: "problem-consent", Name: "An agreement is missing", Path: applied(storetest.BackupPlan(storetest.NewMarket())), Form: form(), Status: 422, Set: planned(administrator)},
		story{ID: "problem-risk", Name: "Somebody agrees to a risk who may not", Path: applied(storetest.MailerPlan(storetest.NewMarket())), Form: form("consent", "acme/mailer permission net.out:*:*"), Status: 403, Set: plannedWider(operator)},
		story{ID: "problem-hub", Name: "The hub does not answer to an action", Path: "account/link", Form: form(), Status: 502, Set: hub(func(h *storetest.Hub) { h.Err = catalog.ErrUnavailable })},
		story{ID: "problem-unlinked", Name: "The hub does not accept the panel", Path: "p/acme/backup/reviews/delete", Form: form(), Status: 409, Set: hub(func(h *storetest.Hub) { h.ActErr = &store.RefusedError{Relink: true} })},
		story{ID: "problem-notyours", Name: "The hub does not allow it", Path: "p/acme/backup/reviews/delete", Form: form(), Status: 403, Set: hub(func(h *storetest.Hub) { h.ActErr = &store.RefusedError{Forbidden: true} })},
		story{ID: "problem-refused", Name: "The hub refuses it", Path: "p/acme/backup/reviews/helpful", Form: form("author", "acc_bob", "helpful", "1"), Status: 422, Set: hub(func(h *storetest.Hub) {
			h.ActErr = &store.RefusedError{Reason: "That review is not there any more."}
		})},
		story{ID: "problem-sync", Name: "A catalog cannot be fetched now", Path: "sync", Form: form(), Status: 502, Set: with(func(m *storetest.Market) { m.SyncErr = catalog.ErrUnavailable })},
	)
	for _, p := range []struct {
		kind   string
		status int
		err    error
	}{
		{"denied", 422, of(fmt.Errorf("exec:/bin/sh: %w", sandbox.ErrDenied))},
		{"space", 507, &install.Error{Op: "install", Phase: install.StateStaging, Ref: ref, Restored: true, Err: syscall.ENOSPC}},
		{"unavailable", 502, of(catalog.ErrUnavailable)},
		{"expired", 503, catalog.ErrExpired},
		{"rollback", 502, catalog.ErrRollback},
		{"stale", 409, install.ErrStalePlan},
		{"busy", 409, install.ErrBusy},
		{"closed", 503, install.ErrClosed},
		{"unhealthy", 502, &install.Error{Op: "update", Phase: install.StateChecking, Ref: ref, Restored: true, Err: fmt.Errorf("%w: connection refused by 10.0.0.5:25", install.ErrUnhealthy)}},
		{"blocked", 422, fmt.Errorf("SA-2026-7: %w", catalog.ErrBlocked)},
		{"archive", 422, of(fmt.Errorf("../../etc/passwd: %w", install.ErrArchive))},
		{"modified", 409, install.ErrModified},
		{"signer", 422, of(install.ErrSigner)},
		{"doubt", 503, install.ErrInDoubt},
		{"corrupt", 503, install.ErrCorrupt},
		{"budget", 503, resolve.ErrBudget},
		{"disk", 500, fs.ErrPermission},
		{"digest", 502, of(verify.ErrDigest)},
		{"untrusted", 502, &verify.Error{Subject: ref.String(), Check: "signature", Err: verify.ErrUntrusted}},
		{"timeout", 504, context.DeadlineExceeded},
		{"cancelled", 503, context.Canceled},
		{"internal", 500, errors.New("nobody foresaw this")},
	} {
		out = append(out, page("Problems", story{ID: "problem-" + p.kind, Name: p.kind, Path: "plans", Form: ask, Status: p.status, Set: with(func(m *storetest.Market) { m.PlanErr = p.err })})...)
	}
	return out
}

// applied is where the plan of a market is applied: its id is the hash of what is in it.
func applied(p *install.Plan) string { return "plans/" + p.ID() + "/apply" }

// planned is a market whose plan was made before the story begins.
func planned(a store.Actor) func(*scene) {
	return both(as(a), with(func(m *storetest.Market) { m.Made = map[string]*install.Plan{m.Next.ID(): m.Next} }))
}

func plannedWider(a store.Actor) func(*scene) {
	return both(as(a), with(wider, func(m *storetest.Market) { m.Made = map[string]*install.Plan{m.Next.ID(): m.Next} }))
}
