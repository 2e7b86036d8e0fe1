package main

import (
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/marketplace/store/storetest"
)

func reviewsStories() []story {
	const path = "p/acme/backup/reviews"
	return page("Reviews and reports",
		story{ID: "reviews", Name: "With one's own", Path: path, Set: hub()},
		story{ID: "reviews-write", Name: "Not written yet", Path: path, Set: hub(func(h *storetest.Hub) { h.Mine = nil })},
		story{ID: "reviews-held", Name: "One's own is held", Path: path, Set: hub(func(h *storetest.Hub) { h.Mine.Held, h.Mine.Why = true, "many at once" })},
		story{ID: "reviews-hidden", Name: "One's own was hidden", Path: path, Set: hub(func(h *storetest.Hub) { h.Mine.Hidden, h.Mine.Why = true, "It names a person." })},
		story{ID: "reviews-unlinked", Name: "Not linked to an account", Path: path, Set: hub(func(h *storetest.Hub) { h.Linked.State = store.LinkNone })},
		story{ID: "reviews-unlinked-operator", Name: "Not linked, and not yours to link", Path: path, Set: both(as(operator), hub(func(h *storetest.Hub) { h.Linked.State = store.LinkNone }))},
		story{ID: "reviews-viewer", Name: "Somebody who may only look", Path: path, Set: both(as(viewer), hub())},
		story{ID: "reviews-stars", Name: "Only those with three stars, none", Path: path + "?stars=3&sort=newest", Set: hub(func(h *storetest.Hub) { h.Rated.Items = nil })},
		story{ID: "reviews-few", Name: "Too few for an average", Path: path, Set: hub(func(h *storetest.Hub) {
			h.Rated.Count, h.Rated.Histogram, h.Rated.Mean, h.Rated.Items, h.Rated.Next = 1, [5]int64{0, 0, 0, 1, 0}, 0, h.Rated.Items[:1], ""
		})},
		story{ID: "reviews-none", Name: "Nobody wrote yet", Path: path, Set: hub(func(h *storetest.Hub) { h.Rated, h.Mine = store.Ratings{Read: now}, nil })},
		story{ID: "reviews-page-two", Name: "A later page", Path: path + "?cursor=more", Set: hub()},
		story{ID: "reviews-stale", Name: "The hub does not answer: what it said before", Path: path, Set: hub(func(h *storetest.Hub) { h.Rated.Stale, h.Rated.Read = true, now.Add(-3*time.Hour) })},
		story{ID: "reviews-offline", Name: "The hub does not answer", Path: path, Set: hub(func(h *storetest.Hub) { h.Err = catalog.ErrUnavailable })},
		story{ID: "reviews-unknown", Name: "The hub does not know the plugin", Path: path, Set: hub(func(h *storetest.Hub) { h.Err = catalog.ErrNotFound })},
		story{ID: "reviews-refused", Name: "The hub refuses a review", Path: path, Form: form("stars", "4", "text", "Call me at 555-0100"), Status: 422, Set: hub(func(h *storetest.Hub) {
			h.ActErr, h.Mine = &store.RefusedError{Reason: "A review must not hold telephone numbers."}, nil
		})},
		story{ID: "reviews-no-stars", Name: "A review without stars", Path: path, Form: form("text", "Good."), Status: 400, Set: hub(func(h *storetest.Hub) { h.Mine = nil })},
		story{ID: "report", Name: "Report", Path: "p/acme/backup/report", Set: hub()},
		story{ID: "report-unlinked", Name: "Report, not linked", Path: "p/acme/backup/report", Set: hub(func(h *storetest.Hub) { h.Linked.State = store.LinkNone })},
		story{ID: "report-empty", Name: "A report without a word", Path: "p/acme/backup/report", Form: form("reason", "malware", "text", " "), Status: 400, Set: hub()},
		story{ID: "report-sent", Name: "A report that arrived", Path: "p/acme/backup/report", Form: form("reason", "malware", "text", "It mines coins."), Set: hub()},
	)
}
