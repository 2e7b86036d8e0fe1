package hub

import "context"

// AuditQuery chooses lines of the audit log. The zero value is all of them.
type AuditQuery struct {
	Actor  string // account; empty: any
	Target string // "submission sub_…"; empty: any
	Action Action // empty: any
	Cursor string // of the page before
	Limit  int    // 0: [DefaultPage]; at most [MaxPage]
}

// AuditLog returns the audit log, newest first, to administrators.
func AuditLog(ctx context.Context, s Store, a Actor, q AuditQuery) (Page[Audit], error) {
	if err := a.May(ActAuditRead, Object{}); err != nil {
		return Page[Audit]{}, err
	}
	var where []Cond
	if q.Actor != "" {
		where = append(where, Eq("actor", q.Actor))
	}
	if q.Target != "" {
		where = append(where, Eq("target", q.Target))
	}
	if q.Action != "" {
		where = append(where, Eq("action", q.Action))
	}
	var page Page[Audit]
	err := s.View(ctx, func(tx Tx) error {
		var err error
		page, err = ListPage(ctx, tx.Audit(), Query{Where: where, Desc: true}, q.Cursor, q.Limit,
			func(l Audit) []any { return []any{l.Seq} })
		return err
	})
	return page, err
}
