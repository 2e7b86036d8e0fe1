package identity

import (
	"context"

	"github.com/souk-dev/souk/marketplace/hub"
)

// MaxMark is how many notices are marked at a time.
const MaxMark = 200

// NoticeQuery says which notices to return, the newest first.
type NoticeQuery struct {
	Unread bool   // only those
	After  string // id of the last one of the page before
	Limit  int    // 0: 50; at most 200
}

// Notices returns what the hub has to tell the actor.
func (s *Service) Notices(ctx context.Context, actor hub.Actor, q NoticeQuery) ([]hub.Notice, error) {
	if err := actor.May(hub.ActNoticeRead, self(actor)); err != nil {
		return nil, err
	}
	query := hub.Query{Where: []hub.Cond{hub.Eq("account", actor.Account)}, Desc: true, Limit: pageLimit(q.Limit)}
	if q.Unread {
		query.Where = append(query.Where, hub.Unset("read_at"))
	}
	if q.After != "" {
		query.After = []any{q.After}
	}
	var list []hub.Notice
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		list, err = tx.Notices().List(ctx, query)
		return err
	})
	return list, err
}

func pageLimit(n int) int {
	if n <= 0 {
		return 50
	}
	return min(n, 200)
}

// UnreadCount returns how many notices the actor has not read.
func (s *Service) UnreadCount(ctx context.Context, actor hub.Actor) (int, error) {
	if err := actor.May(hub.ActNoticeRead, self(actor)); err != nil {
		return 0, err
	}
	var n int64
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		n, err = tx.Notices().Count(ctx, hub.Eq("account", actor.Account), hub.Unset("read_at"))
		return err
	})
	return int(n), err
}

// MarkRead marks notices of the actor's as read, [MaxMark] at a time; without ids all
// that are not, up to 1,000. One that is not the actor's is [hub.ErrNotFound], and none is
// marked then. It leaves no line in the audit log.
func (s *Service) MarkRead(ctx context.Context, actor hub.Actor, ids ...string) error {
	if err := actor.May(hub.ActNoticeRead, self(actor)); err != nil {
		return err
	}
	if len(ids) > MaxMark {
		return hub.Invalid("notices", "are more than %d", MaxMark)
	}
	now := s.now()
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		var list []hub.Notice
		for _, id := range ids {
			n, err := tx.Notices().Get(ctx, id)
			if err := theirs(actor, n.Account, "notice", id, err); err != nil {
				return err
			}
			list = append(list, n)
		}
		if len(ids) == 0 {
			var err error
			if list, err = tx.Notices().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("account", actor.Account), hub.Unset("read_at")}}); err != nil {
				return err
			}
		}
		for _, n := range list {
			if n.Read.IsZero() {
				n.Read = now
				if err := tx.Notices().Put(ctx, &n); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
