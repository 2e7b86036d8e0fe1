package publishing

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/sigstore"
)

// NewSigner names who may sign a publisher's releases: a public key, or an issuer and
// a subject.
type NewSigner struct {
	Key     string    `json:"key,omitempty"`     // PEM of a public key, ECDSA P-256 or Ed25519
	Issuer  string    `json:"issuer,omitempty"`  // https
	Subject string    `json:"subject,omitempty"` // exact
	From    time.Time `json:"from,omitzero"`     // zero: at once
	Until   time.Time `json:"until,omitzero"`    // zero: no end
}

// identity returns the one form of the identity.
func (n *NewSigner) identity() (verify.Identity, error) {
	if n.Key != "" {
		if n.Issuer != "" || n.Subject != "" {
			return verify.Identity{}, hub.Invalid("key", "stands beside an issuer or subject: give one or the other")
		}
		id, err := sigstore.KeyIdentity([]byte(n.Key))
		if err != nil {
			return id, hub.Invalid("key", "is not a public key in PEM, ECDSA P-256 or Ed25519")
		}
		return id, nil
	}
	u, err := url.Parse(n.Issuer)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(n.Issuer) > 1000 {
		return verify.Identity{}, hub.Invalid("issuer", "must be an https address, with a subject; or give a key")
	}
	if err := catalog.CheckText(n.Subject, 1000); err != nil {
		return verify.Identity{}, hub.Invalid("subject", "%v", err)
	}
	return verify.Identity{Issuer: n.Issuer, Subject: n.Subject}, nil
}

// Signers returns who may sign a publisher's releases, those that were revoked too.
// Anybody may know: the catalog says it.
func (s *Service) Signers(ctx context.Context, namespace string) ([]hub.Signer, error) {
	return inView(ctx, s, func(tx hub.Tx) ([]hub.Signer, error) {
		if _, err := tx.Publishers().Get(ctx, namespace); err != nil {
			return nil, err
		}
		return signers(ctx, tx, namespace)
	})
}

func signers(ctx context.Context, tx hub.Tx, namespace string) ([]hub.Signer, error) {
	return tx.Signers().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("publisher", namespace)}})
}

func signerID(namespace string, id verify.Identity) string { return namespace + " " + id.ID() }

// validSigners are those whose signature counts now.
func validSigners(all []hub.Signer, now time.Time) []verify.Identity {
	var out []verify.Identity
	for _, one := range all {
		if !one.Revoked.IsZero() || now.Before(one.From) || !one.Until.IsZero() && !now.Before(one.Until) {
			continue
		}
		out = append(out, one.Catalog().Identity)
	}
	return out
}

// AddSigner lets a key or identity sign a publisher's releases, as soon as the catalog
// says so. A new one makes the next release one that panels ask about, see identity
// continuity. One that was revoked cannot be added again.
func (s *Service) AddSigner(ctx context.Context, a hub.Actor, namespace string, in NewSigner) (hub.Signer, error) {
	if err := a.May(hub.ActPublisherSigners, hub.Object{Publisher: namespace}); err != nil {
		return hub.Signer{}, err
	}
	id, err := in.identity()
	if err != nil {
		return hub.Signer{}, err
	}
	now := s.now()
	if !in.Until.IsZero() && (!in.Until.After(in.From) || !in.Until.After(now)) {
		return hub.Signer{}, hub.Invalid("until", "must be in the future, and after from")
	}
	return inUpdate(ctx, s, func(tx hub.Tx) (hub.Signer, error) {
		if _, err := tx.Publishers().Get(ctx, namespace); err != nil {
			return hub.Signer{}, err
		}
		n, err := tx.Signers().Count(ctx, hub.Eq("publisher", namespace))
		if err != nil {
			return hub.Signer{}, err
		}
		if n >= catalog.MaxSigners {
			return hub.Signer{}, &hub.LimitError{What: fmt.Sprintf("%d signers a publisher", catalog.MaxSigners)}
		}
		one := hub.Signer{
			ID: signerID(namespace, id), Publisher: namespace, Key: id.Key, Issuer: id.Issuer, Subject: id.Subject,
			From: in.From, Until: in.Until, Added: now, By: a.Account,
		}
		if err := tx.Signers().Insert(ctx, &one); err != nil {
			return hub.Signer{}, err
		}
		if err := tellMembers(ctx, tx, now, namespace, hub.Notice{
			Title: "A signer was added to " + namespace, Text: id.ID(), Kind: "publisher", Subject: namespace,
		}); err != nil {
			return hub.Signer{}, err
		}
		if err := hub.Record(ctx, tx, a, now, hub.ActPublisherSigners, "publisher "+namespace, map[string]string{"added": id.ID()}); err != nil {
			return hub.Signer{}, err
		}
		return one, hub.MarkChanged(ctx, tx, "")
	})
}

// LimitSigner sets until when a signer may sign; zero takes the limit back. What it
// signed counts no longer than that either: see [Service.RevokeSigner].
func (s *Service) LimitSigner(ctx context.Context, a hub.Actor, namespace, id string, until time.Time) (hub.Signer, error) {
	if err := a.May(hub.ActPublisherSigners, hub.Object{Publisher: namespace}); err != nil {
		return hub.Signer{}, err
	}
	return s.changeSigner(ctx, a, namespace, id, map[string]any{"limited": id, "until": until}, func(one *hub.Signer) error {
		if !one.Revoked.IsZero() {
			return fmt.Errorf("the signer was revoked: %w", hub.ErrState)
		}
		if !until.IsZero() && !until.After(one.From) {
			return hub.Invalid("until", "must be after from")
		}
		one.Until = until
		return nil
	})
}

// RevokeSigner ends a signer for good, with a reason. A key's signature carries no
// trusted time, so that revoking a key revokes all that it signed: panels refuse to
// install those releases from the next sync on, until they are published anew with
// another signer.
func (s *Service) RevokeSigner(ctx context.Context, a hub.Actor, namespace, id, reason string) (hub.Signer, error) {
	if err := a.May(hub.ActPublisherSigners, hub.Object{Publisher: namespace}); err != nil {
		return hub.Signer{}, err
	}
	if err := catalog.CheckText(reason, maxReason); err != nil {
		return hub.Signer{}, hub.Invalid("reason", "%v", err)
	}
	return s.changeSigner(ctx, a, namespace, id, map[string]any{"revoked": id, "reason": reason}, func(one *hub.Signer) error {
		if !one.Revoked.IsZero() {
			return fmt.Errorf("the signer was revoked already: %w", hub.ErrState)
		}
		one.Revoked, one.Reason = s.now(), reason
		return nil
	})
}

func (s *Service) changeSigner(ctx context.Context, a hub.Actor, namespace, id string, detail any, change func(*hub.Signer) error) (hub.Signer, error) {
	return inUpdate(ctx, s, func(tx hub.Tx) (hub.Signer, error) {
		one, err := tx.Signers().Get(ctx, id)
		if err != nil {
			return hub.Signer{}, err
		}
		if one.Publisher != namespace {
			return hub.Signer{}, hub.ErrNotFound
		}
		if err := change(&one); err != nil {
			return hub.Signer{}, err
		}
		if err := tx.Signers().Put(ctx, &one); err != nil {
			return hub.Signer{}, err
		}
		if err := hub.Record(ctx, tx, a, s.now(), hub.ActPublisherSigners, "publisher "+namespace, detail); err != nil {
			return hub.Signer{}, err
		}
		return one, hub.MarkChanged(ctx, tx, "")
	})
}
