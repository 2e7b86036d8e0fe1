package publishing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/verify"
)

// TransferType says what a statement is about, so that a signature over it means
// nothing else.
const TransferType = "https://souk.dev/transfer/v1"

// statementGood is for how long a statement can be used after it was made.
const statementGood = 24 * time.Hour

// transferStatement is what a signer signs to hand a namespace over.
type transferStatement struct {
	Type      string    `json:"type"`
	Publisher string    `json:"publisher"`
	From      string    `json:"from"` // account
	To        string    `json:"to"`
	Issued    time.Time `json:"issued"`
}

// TransferStatement returns the text that a signer of the publisher signs to hand the
// namespace over to another account, see [Service.ProposeTransfer]. It is good for a day.
func (s *Service) TransferStatement(ctx context.Context, a hub.Actor, namespace, to string) (string, error) {
	if err := a.May(hub.ActTransferPropose, hub.Object{Publisher: namespace}); err != nil {
		return "", err
	}
	err := s.env.Store.View(ctx, func(tx hub.Tx) error { return mayReceive(ctx, tx, namespace, to) })
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(transferStatement{TransferType, namespace, a.Account, to, s.now().Truncate(time.Second)})
	return string(b), err
}

// mayReceive says why an account cannot be given a namespace.
func mayReceive(ctx context.Context, tx hub.Tx, namespace, to string) error {
	if _, err := tx.Publishers().Get(ctx, namespace); err != nil {
		return err
	}
	acc, err := tx.Accounts().Get(ctx, to)
	if errors.Is(err, hub.ErrNotFound) || err == nil && acc.State != hub.AccountActive {
		return hub.Invalid("to", "is not an active account")
	}
	return err
}

// openTransfer returns the hand-over of a namespace that is under way.
func openTransfer(ctx context.Context, tx hub.Tx, namespace string) (hub.Transfer, error) {
	all, err := tx.Transfers().List(ctx, hub.Query{Where: []hub.Cond{
		hub.Eq("publisher", namespace), hub.In("state", []hub.TransferState{hub.TransferProposed, hub.TransferAccepted}),
	}, Limit: 1})
	if err == nil && len(all) == 0 {
		err = hub.ErrNotFound
	}
	if err != nil {
		return hub.Transfer{}, err
	}
	return all[0], nil
}

// ProposeTransfer proposes to hand a namespace over. statement is what
// [Service.TransferStatement] returned, bundle the signature over its SHA-256 as
// `souk sign` makes it.
func (s *Service) ProposeTransfer(ctx context.Context, a hub.Actor, statement, bundle string) (hub.Transfer, error) {
	st, err := parseStatement(statement)
	if err != nil {
		return hub.Transfer{}, err
	}
	if err := a.May(hub.ActTransferPropose, hub.Object{Publisher: st.Publisher}); err != nil {
		return hub.Transfer{}, err
	}
	now := s.now()
	switch {
	case st.From != a.Account:
		return hub.Transfer{}, hub.Invalid("statement", "was made for another account")
	case st.Issued.After(now.Add(time.Minute)) || now.Sub(st.Issued) > statementGood:
		return hub.Transfer{}, hub.Invalid("statement", "is older than a day; make another one")
	case len(bundle) > verify.MaxBundle:
		return hub.Transfer{}, hub.Invalid("bundle", "has more than %d bytes", verify.MaxBundle)
	}
	all, err := s.Signers(ctx, st.Publisher)
	if err != nil {
		return hub.Transfer{}, err
	}
	signer, err := s.signedBy(ctx, st.Publisher, statement, bundle, validSigners(all, now))
	if err != nil {
		return hub.Transfer{}, err
	}
	return inUpdate(ctx, s, func(tx hub.Tx) (hub.Transfer, error) {
		if err := mayReceive(ctx, tx, st.Publisher, st.To); err != nil {
			return hub.Transfer{}, err
		}
		switch _, err := openTransfer(ctx, tx, st.Publisher); {
		case err == nil:
			return hub.Transfer{}, fmt.Errorf("a hand-over of %s is under way: %w", st.Publisher, hub.ErrExists)
		case !errors.Is(err, hub.ErrNotFound):
			return hub.Transfer{}, err
		}
		t := hub.Transfer{
			ID: hub.NewID("trf", now), Publisher: st.Publisher, From: a.Account, To: st.To, State: hub.TransferProposed,
			Statement: statement, Bundle: bundle, Signer: signer, Created: now,
		}
		if err := tx.Transfers().Insert(ctx, &t); err != nil {
			return t, err
		}
		return t, s.tellTransfer(ctx, tx, a, hub.ActTransferPropose, t, "is to be handed over to another account")
	})
}

func parseStatement(statement string) (st transferStatement, err error) {
	d := json.NewDecoder(bytes.NewReader([]byte(statement)))
	d.DisallowUnknownFields()
	if len(statement) > 4096 || d.Decode(&st) != nil || st.Type != TransferType {
		return st, hub.Invalid("statement", "is not one of a hand-over: take it as it was given")
	}
	if b, err := json.Marshal(st); err != nil || string(b) != statement {
		return st, hub.Invalid("statement", "was changed: take it as it was given")
	}
	return st, nil
}

// signedBy returns who of the identities signed a text.
func (s *Service) signedBy(ctx context.Context, namespace, text, bundle string, who []verify.Identity) (string, error) {
	if len(who) == 0 {
		return "", fmt.Errorf("%s has no signer that is valid now: %w", namespace, hub.ErrState)
	}
	d := verify.DigestOf([]byte(text))
	r, err := s.o.Verifier.Verify(ctx, verify.Subject{Name: "hand-over of " + namespace, Digest: d, Signers: who},
		verify.Evidence{Manifest: []byte(text), Bundles: [][]byte{[]byte(bundle)}})
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return "", hub.Invalid("bundle", "is no signature over the statement by one of the publisher's signers")
	}
	return r.Signer().ID(), nil
}

// tellTransfer writes down, and says to both sides, what became of a hand-over.
func (s *Service) tellTransfer(ctx context.Context, tx hub.Tx, a hub.Actor, act hub.Action, t hub.Transfer, what string) error {
	now, title := s.now(), t.Publisher+" "+what
	n := hub.Notice{Title: title, Kind: "publisher", Subject: t.Publisher}
	if err := tellMembers(ctx, tx, now, t.Publisher, n); err != nil {
		return err
	}
	if _, err := tx.Members().Get(ctx, t.Publisher, t.To); errors.Is(err, hub.ErrNotFound) {
		if err := hub.Notify(ctx, tx, now, []string{t.To}, n); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	detail := map[string]any{"transfer": t.ID, "state": t.State, "from": t.From, "to": t.To, "signer": t.Signer}
	if err := hub.Record(ctx, tx, a, now, act, "publisher "+t.Publisher, detail); err != nil {
		return err
	}
	return hub.Emit(ctx, tx, now, hub.Event{Kind: hub.EventTransferChanged, Publisher: t.Publisher, Subject: t.ID, Title: title})
}

// AcceptTransfer accepts a hand-over, as the account it is to. It takes place after the
// cooldown of the policy, until when an owner can call it off.
func (s *Service) AcceptTransfer(ctx context.Context, a hub.Actor, id string) (hub.Transfer, error) {
	cool := s.policy().TransferCool
	return s.changeTransfer(ctx, id, func(tx hub.Tx, t *hub.Transfer) error {
		if err := a.May(hub.ActTransferAccept, hub.Object{Account: t.To}); err != nil {
			return hide(err)
		}
		if t.State != hub.TransferProposed {
			return fmt.Errorf("the hand-over is %s: %w", t.State, hub.ErrState)
		}
		t.State, t.Effective = hub.TransferAccepted, s.now().Add(cool)
		if err := tx.Enqueue(ctx, hub.Job{Kind: hub.JobTransfer, Subject: t.ID, At: t.Effective}); err != nil {
			return err
		}
		return s.tellTransfer(ctx, tx, a, hub.ActTransferAccept, *t, "will be handed over on "+t.Effective.Format(time.DateOnly)+", unless an owner calls it off")
	})
}

// CancelTransfer calls a hand-over off: an owner, who it is to, or a moderator.
func (s *Service) CancelTransfer(ctx context.Context, a hub.Actor, id, reason string) (hub.Transfer, error) {
	if reason != "" {
		if err := catalog.CheckText(reason, maxReason); err != nil {
			return hub.Transfer{}, hub.Invalid("reason", "%v", err)
		}
	}
	return s.changeTransfer(ctx, id, func(tx hub.Tx, t *hub.Transfer) error {
		if err := a.May(hub.ActTransferCancel, hub.Object{Publisher: t.Publisher, Account: t.To}); err != nil {
			return hide(err)
		}
		if t.State != hub.TransferProposed && t.State != hub.TransferAccepted {
			return fmt.Errorf("the hand-over is %s: %w", t.State, hub.ErrState)
		}
		t.State = hub.TransferCancelled
		return s.tellTransfer(ctx, tx, a, hub.ActTransferCancel, *t, "stays as it is, the hand-over was called off")
	})
}

func (s *Service) changeTransfer(ctx context.Context, id string, f func(hub.Tx, *hub.Transfer) error) (hub.Transfer, error) {
	return inUpdate(ctx, s, func(tx hub.Tx) (hub.Transfer, error) {
		t, err := tx.Transfers().Get(ctx, id)
		if err != nil {
			return t, err
		}
		if err := f(tx, &t); err != nil {
			return t, err
		}
		return t, tx.Transfers().Update(ctx, &t)
	})
}

// Transfers returns the hand-overs to and from the account that asks, newest first.
func (s *Service) Transfers(ctx context.Context, a hub.Actor) ([]hub.Transfer, error) {
	if err := notIn(a); err != nil {
		return nil, err
	}
	if a.Token != nil {
		return nil, fmt.Errorf("hand-overs: %w: needs a person who is signed in, not a token", hub.ErrForbidden)
	}
	return inView(ctx, s, func(tx hub.Tx) ([]hub.Transfer, error) {
		to, err := tx.Transfers().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("to_account", a.Account)}, Desc: true, Limit: 100})
		if err != nil {
			return nil, err
		}
		from, err := tx.Transfers().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("from_account", a.Account), hub.Ne("to_account", a.Account)}, Desc: true, Limit: 100})
		return append(to, from...), err
	})
}

// transferJob completes a hand-over whose cooldown is over; without a subject all such.
func (s *Service) transferJob(ctx context.Context, j hub.Job) error {
	if j.Subject == "" {
		return s.env.Store.Update(ctx, func(tx hub.Tx) error {
			due, err := tx.Transfers().List(ctx, hub.Query{Where: []hub.Cond{
				hub.Eq("state", hub.TransferAccepted), {Column: "effective", Op: hub.OpLe, Value: s.now()},
			}})
			for _, t := range due {
				if err := tx.Enqueue(ctx, hub.Job{Kind: hub.JobTransfer, Subject: t.ID}); err != nil {
					return err
				}
			}
			return err
		})
	}
	system := hub.SystemActor(j.Kind)
	_, err := s.changeTransfer(ctx, j.Subject, func(tx hub.Tx, t *hub.Transfer) error {
		if t.State != hub.TransferAccepted {
			return nil
		}
		if wait := t.Effective.Sub(s.now()); wait > 0 {
			return &hub.Snooze{After: wait}
		}
		if err := mayReceive(ctx, tx, t.Publisher, t.To); err != nil {
			t.State = hub.TransferCancelled // the other account is gone or suspended
			return s.tellTransfer(ctx, tx, system, hub.ActTransferCancel, *t, "stays as it is: "+err.Error())
		}
		t.State = hub.TransferDone
		if err := s.tellTransfer(ctx, tx, system, hub.ActTransferAccept, *t, "was handed over"); err != nil {
			return err
		}
		return replaceMembers(ctx, tx, s.now(), *t)
	})
	return unlessGone(err)
}

// replaceMembers makes the new owner the only member. Nothing that acted for the old
// ones acts any more: their tokens and workloads go, and with them the proofs of who
// the publisher was. Signers stay, so that what they signed stays installable; the new
// owner revokes them when that is right.
func replaceMembers(ctx context.Context, tx hub.Tx, now time.Time, t hub.Transfer) error {
	all, err := members(ctx, tx, t.Publisher)
	if err != nil {
		return err
	}
	for _, m := range all {
		if m.Account != t.To {
			if err := removeMember(ctx, tx, now, t.Publisher, m.Account); err != nil {
				return err
			}
		}
	}
	for _, table := range []func() (int64, error){
		func() (int64, error) { return tx.Tokens().DeleteWhere(ctx, hub.Eq("publisher", t.Publisher)) },
		func() (int64, error) { return tx.Trusted().DeleteWhere(ctx, hub.Eq("publisher", t.Publisher)) },
		func() (int64, error) { return tx.Proofs().DeleteWhere(ctx, hub.Eq("publisher", t.Publisher)) },
	} {
		if _, err := table(); err != nil {
			return err
		}
	}
	if err := tx.Members().Put(ctx, &hub.Member{Publisher: t.Publisher, Account: t.To, Role: hub.MemberOwner, Added: t.Effective}); err != nil {
		return err
	}
	if err := verified(ctx, tx, t.Publisher); err != nil {
		return err
	}
	return hub.MarkChanged(ctx, tx, "")
}
