package publishing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/verify/tuf"
)

// rootDue is how long before its end a root has to be renewed by those who hold its
// keys: long enough for two people to meet.
const rootDue = 60 * 24 * time.Hour

// Status says how the catalog and its keys are, for administrators.
func (s *Service) Status(ctx context.Context, a hub.Actor) (Status, error) {
	if err := a.May(hub.ActSystemRead, hub.Object{}); err != nil {
		return Status{}, err
	}
	out := Status{Attester: s.o.Attester.Identity().ID(), Submissions: make(map[hub.State]int64)}
	err := s.env.Store.View(ctx, func(tx hub.Tx) error {
		st, _, err := readSigned(ctx, tx)
		if err != nil {
			return err
		}
		out.Published, out.Checked, out.Error, out.Failed = st.Published, st.Checked, st.Error, st.Failed
		if out.Waiting, err = tx.Changes().Count(ctx); err != nil {
			return err
		}
		for state := range hub.Transitions() {
			if !state.Open() {
				continue
			}
			if out.Submissions[state], err = tx.Submissions().Count(ctx, hub.Eq("state", state)); err != nil {
				return err
			}
		}
		kept, err := tx.Catalog().Get(ctx, mainCatalog)
		out.Serial = kept.Serial
		if errors.Is(err, hub.ErrNotFound) {
			return nil
		}
		out.Initialized = true
		return err
	})
	if err != nil || !out.Initialized {
		return out, err
	}
	r, err := s.repository(ctx)
	if err != nil {
		return out, err
	}
	is, now := r.Status(), s.now()
	role := func(name string, r tuf.RoleStatus, keys []tuf.Key) RoleStatus {
		one := RoleStatus{Name: name, Version: r.Version, Expires: r.Expires, Keys: []string{}}
		for _, k := range keys {
			one.Keys = append(one.Keys, k.ID())
		}
		left := r.Expires.Sub(now)
		switch {
		case left <= 0:
			one.Due, one.Note = true, "has expired: panels accept nothing new"
		case name == "root" && left < rootDue:
			one.Due, one.Note = true, fmt.Sprintf("ends in %d days: those who hold the root keys have to renew it", int(left.Hours()/24))
		}
		return one
	}
	out.Roles = []RoleStatus{
		role("root", is.Root, nil), role("targets", is.Targets, s.o.Keys.Targets),
		role("snapshot", is.Snapshot, s.o.Keys.Snapshot), role("timestamp", is.Timestamp, s.o.Keys.Timestamp),
	}
	return out, nil
}
