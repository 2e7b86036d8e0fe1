package identity

import (
	"context"
	"encoding/json"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
)

// MaxExport is how many records of a kind an export has. Who has more finds it said.
const MaxExport = 100_000

// export is the document of [Service.Export].
type export struct {
	Made        time.Time        `json:"made"`
	Account     hub.Account      `json:"account"`
	Identities  []hub.Identity   `json:"identities"`
	Passkeys    []hub.Passkey    `json:"passkeys"`
	Sessions    []hub.Session    `json:"sessions"`
	Tokens      []hub.Token      `json:"tokens"`
	Panels      []hub.Panel      `json:"panels"`
	Memberships []hub.Member     `json:"memberships"`
	Transfers   []hub.Transfer   `json:"transfers"`
	Trusted     []hub.Trusted    `json:"trusted"`
	Signers     []hub.Signer     `json:"signers"`
	Submissions []hub.Submission `json:"submissions"`
	Reviews     []hub.Review     `json:"reviews"`
	Comments    []hub.Comment    `json:"comments"`
	Ratings     []hub.Rating     `json:"ratings"`
	Votes       []vote           `json:"votes"`
	Reports     []hub.Report     `json:"reports"`
	Decisions   []hub.Decision   `json:"decisions"`
	Appeals     []hub.Appeal     `json:"appeals"`
	Advisories  []hub.Advisory   `json:"advisories"`
	Hooks       []hub.Hook       `json:"hooks"`
	Notices     []hub.Notice     `json:"notices"`
	Audit       []hub.Audit      `json:"audit"`
	// Truncated names what has more than MaxExport records.
	Truncated []string `json:"truncated,omitempty"`
}

type vote struct {
	Plugin  string    `json:"plugin"`
	Author  string    `json:"author"`
	Created time.Time `json:"created"`
}

// Export returns everything that the hub has about the actor, as JSON: what they are,
// have, wrote and did. It holds no secret: neither tokens nor their hashes.
func (s *Service) Export(ctx context.Context, actor hub.Actor) ([]byte, error) {
	if err := actor.May(hub.ActAccountExport, self(actor)); err != nil {
		return nil, err
	}
	now := s.now()
	var e export
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		e = export{Made: now}
		if e.Account, err = tx.Accounts().Get(ctx, actor.Account); err != nil {
			return err
		}
		var votes []hub.Vote
		for _, gather := range []func() error{
			from(ctx, &e, "identities", &e.Identities, tx.Identities(), "account", func(v hub.Identity) []any { return []any{v.Issuer, v.Subject} }),
			from(ctx, &e, "passkeys", &e.Passkeys, tx.Passkeys(), "account", func(v hub.Passkey) []any { return []any{v.ID} }),
			from(ctx, &e, "sessions", &e.Sessions, tx.Sessions(), "account", func(v hub.Session) []any { return []any{v.Hash} }),
			from(ctx, &e, "tokens", &e.Tokens, tx.Tokens(), "account", func(v hub.Token) []any { return []any{v.ID} }),
			from(ctx, &e, "panels", &e.Panels, tx.Panels(), "account", func(v hub.Panel) []any { return []any{v.ID} }),
			from(ctx, &e, "memberships", &e.Memberships, tx.Members(), "account", func(v hub.Member) []any { return []any{v.Publisher, v.Account} }),
			from(ctx, &e, "transfers", &e.Transfers, tx.Transfers(), "from_account", func(v hub.Transfer) []any { return []any{v.ID} }),
			from(ctx, &e, "transfers", &e.Transfers, tx.Transfers(), "to_account", func(v hub.Transfer) []any { return []any{v.ID} }),
			from(ctx, &e, "trusted", &e.Trusted, tx.Trusted(), "added_by", func(v hub.Trusted) []any { return []any{v.ID} }),
			from(ctx, &e, "signers", &e.Signers, tx.Signers(), "added_by", func(v hub.Signer) []any { return []any{v.ID} }),
			from(ctx, &e, "submissions", &e.Submissions, tx.Submissions(), "created_by", func(v hub.Submission) []any { return []any{v.ID} }),
			from(ctx, &e, "reviews", &e.Reviews, tx.Reviews(), "reviewer", func(v hub.Review) []any { return []any{v.ID} }),
			from(ctx, &e, "comments", &e.Comments, tx.Comments(), "author", func(v hub.Comment) []any { return []any{v.ID} }),
			from(ctx, &e, "ratings", &e.Ratings, tx.Ratings(), "account", func(v hub.Rating) []any { return []any{v.Plugin, v.Account} }),
			from(ctx, &e, "votes", &votes, tx.Votes(), "voter", func(v hub.Vote) []any { return []any{v.Plugin, v.Author, v.Voter} }),
			from(ctx, &e, "reports", &e.Reports, tx.Reports(), "created_by", func(v hub.Report) []any { return []any{v.ID} }),
			from(ctx, &e, "decisions", &e.Decisions, tx.Decisions(), "decided_by", func(v hub.Decision) []any { return []any{v.ID} }),
			from(ctx, &e, "appeals", &e.Appeals, tx.Appeals(), "created_by", func(v hub.Appeal) []any { return []any{v.ID} }),
			from(ctx, &e, "advisories", &e.Advisories, tx.Advisories(), "issued_by", func(v hub.Advisory) []any { return []any{v.ID} }),
			from(ctx, &e, "hooks", &e.Hooks, tx.Hooks(), "account", func(v hub.Hook) []any { return []any{v.ID} }),
			from(ctx, &e, "notices", &e.Notices, tx.Notices(), "account", func(v hub.Notice) []any { return []any{v.ID} }),
			from(ctx, &e, "audit", &e.Audit, tx.Audit(), "actor", func(v hub.Audit) []any { return []any{v.Seq} }),
		} {
			if err := gather(); err != nil {
				return err
			}
		}
		for _, v := range votes {
			e.Votes = append(e.Votes, vote{v.Plugin, v.Author, v.Created})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(e, "", "\t")
}

// from returns a function that adds all records of the account to a list.
func from[V any](ctx context.Context, e *export, what string, into *[]V, table hub.Table[V], column string, key func(V) []any) func() error {
	account := e.Account.ID
	return func() error {
		for after := []any(nil); ; {
			list, err := table.List(ctx, hub.Query{Where: []hub.Cond{hub.Eq(column, account)}, After: after})
			if err != nil {
				return err
			}
			if *into = append(*into, list...); len(list) < hub.MaxList {
				return nil
			}
			if len(*into) >= MaxExport {
				e.Truncated = append(e.Truncated, what)
				return nil
			}
			after = key(list[len(list)-1])
		}
	}
}
