package publishing

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

// AddProof begins a proof: of a domain ("acme.example") by DNS or by a file, whose
// Challenge the publisher then shows; or of a repository ("github.com/acme/backup"),
// which is proved when a CI job of it asks for a token. The first check is made at once.
//
//	dns:        a TXT record of the domain: souk-verify=<challenge>
//	well-known: https://<domain>/.well-known/souk-verify.txt with the line souk-verify=<challenge>
func (s *Service) AddProof(ctx context.Context, a hub.Actor, namespace string, kind hub.ProofKind, subject string) (hub.Proof, error) {
	if err := a.May(hub.ActPublisherProofs, hub.Object{Publisher: namespace}); err != nil {
		return hub.Proof{}, err
	}
	subject, err := proofSubject(kind, subject)
	if err != nil {
		return hub.Proof{}, err
	}
	now := s.now()
	return inUpdate(ctx, s, func(tx hub.Tx) (hub.Proof, error) {
		if _, err := tx.Publishers().Get(ctx, namespace); err != nil {
			return hub.Proof{}, err
		}
		all, err := proofs(ctx, tx, namespace)
		if err != nil {
			return hub.Proof{}, err
		}
		if len(all) >= maxProofs {
			return hub.Proof{}, &hub.LimitError{What: fmt.Sprintf("%d proofs a publisher", maxProofs)}
		}
		for _, p := range all {
			if p.Kind == kind && p.Subject == subject {
				return hub.Proof{}, fmt.Errorf("%s of %s: %w", kind, subject, hub.ErrExists)
			}
		}
		p := hub.Proof{
			ID: hub.NewID("prf", now), Publisher: namespace, Kind: kind, Subject: subject, Challenge: rand.Text(),
			State: hub.ProofPending, Detail: "was not looked for yet", Added: now, Due: now,
		}
		if err := tx.Proofs().Insert(ctx, &p); err != nil {
			return p, err
		}
		if err := hub.Record(ctx, tx, a, now, hub.ActPublisherProofs, "publisher "+namespace, map[string]any{"added": kind, "subject": subject}); err != nil {
			return p, err
		}
		if kind == hub.ProofRepository {
			return p, nil
		}
		return p, tx.Enqueue(ctx, hub.Job{Kind: hub.JobProof, Subject: p.ID})
	})
}

// proofSubject returns the one form of what is proved.
func proofSubject(kind hub.ProofKind, subject string) (string, error) {
	subject = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(subject), "."))
	switch kind {
	case hub.ProofDNS, hub.ProofWellKnown:
		if err := checkDomain(subject); err != nil {
			return "", hub.Invalid("subject", "%v", err)
		}
	case hub.ProofRepository:
		host, path, ok := strings.Cut(subject, "/")
		owner, repo, two := strings.Cut(path, "/")
		if !ok || !two || owner == "" || repo == "" || checkDomain(host) != nil || len(subject) > 300 || catalog.CheckText(path, 250) != nil {
			return "", hub.Invalid("subject", "must be a repository like github.com/acme/backup")
		}
	default:
		return "", hub.Invalid("kind", "must be dns, well-known or repository")
	}
	return subject, nil
}

// checkDomain accepts names of at least two labels, in ASCII; no addresses.
func checkDomain(name string) error {
	bad := errors.New("must be a domain like acme.example; an international one in its xn-- form")
	if _, err := netip.ParseAddr(name); err == nil || len(name) > 253 {
		return bad
	}
	labels := strings.Split(name, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
			return bad
		}
		for i := range len(l) {
			if c := l[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return bad
			}
		}
	}
	if last := labels[len(labels)-1]; len(labels) < 2 || last[0] >= '0' && last[0] <= '9' {
		return bad
	}
	return nil
}

func proofs(ctx context.Context, tx hub.Tx, namespace string) ([]hub.Proof, error) {
	return tx.Proofs().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("publisher", namespace)}})
}

// proofOf loads a proof of a publisher.
func proofOf(ctx context.Context, tx hub.Tx, namespace, id string) (hub.Proof, error) {
	p, err := tx.Proofs().Get(ctx, id)
	if err == nil && p.Publisher != namespace {
		return hub.Proof{}, hub.ErrNotFound
	}
	return p, err
}

// CheckProof has a proof checked now. It is done by a job; the proof's Checked tells.
func (s *Service) CheckProof(ctx context.Context, a hub.Actor, namespace, id string) error {
	if err := a.May(hub.ActPublisherProofs, hub.Object{Publisher: namespace}); err != nil {
		return err
	}
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		p, err := proofOf(ctx, tx, namespace, id)
		if err != nil {
			return err
		}
		if p.Kind == hub.ProofRepository {
			return fmt.Errorf("a repository is proved by a CI job of it that asks for a token: %w", hub.ErrState)
		}
		if s.now().Sub(p.Checked) < time.Minute {
			return &hub.LimitError{What: "a check a minute", After: time.Minute}
		}
		return tx.Enqueue(ctx, hub.Job{Kind: hub.JobProof, Subject: p.ID})
	})
}

// RemoveProof forgets a proof.
func (s *Service) RemoveProof(ctx context.Context, a hub.Actor, namespace, id string) error {
	if err := a.May(hub.ActPublisherProofs, hub.Object{Publisher: namespace}); err != nil {
		return err
	}
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		p, err := proofOf(ctx, tx, namespace, id)
		if err != nil {
			return err
		}
		if err := tx.Proofs().Delete(ctx, id); err != nil {
			return err
		}
		if err := hub.Record(ctx, tx, a, s.now(), hub.ActPublisherProofs, "publisher "+namespace, map[string]any{"removed": p.Kind, "subject": p.Subject}); err != nil {
			return err
		}
		return verified(ctx, tx, namespace)
	})
}

// Proofs returns what a publisher has shown and holds, for everybody: without
// challenges and without what was never seen.
func (s *Service) Proofs(ctx context.Context, namespace string) ([]hub.Proof, error) {
	return inView(ctx, s, func(tx hub.Tx) ([]hub.Proof, error) {
		all, err := proofs(ctx, tx, namespace)
		var out []hub.Proof
		for _, p := range all {
			if holds(p) {
				p.Challenge, p.Detail = "", ""
				out = append(out, p)
			}
		}
		return out, err
	})
}

// holds reports whether a proof counts: one that fails does so while its grace runs.
func holds(p hub.Proof) bool { return p.State == hub.ProofHolds || p.State == hub.ProofFailing }

// verified makes the publisher's Verified what its proofs say.
func verified(ctx context.Context, tx hub.Tx, namespace string) error {
	p, err := tx.Publishers().Get(ctx, namespace)
	if err != nil {
		return err
	}
	all, err := proofs(ctx, tx, namespace)
	if err != nil {
		return err
	}
	now := false
	for _, one := range all {
		now = now || holds(one)
	}
	if now == p.Verified {
		return nil
	}
	p.Verified = now
	return tx.Publishers().Update(ctx, &p)
}

// ProveRepository notes that a CI job of the repository ("github.com/acme/backup") acted
// for the publisher, where that is one of its proofs. The caller verified the job's
// identity.
func (s *Service) ProveRepository(ctx context.Context, namespace, repository string) error {
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		return ProveRepository(ctx, tx, s.now(), namespace, repository)
	})
}

// ProveRepository is [Service.ProveRepository] within a transaction.
func ProveRepository(ctx context.Context, tx hub.Tx, now time.Time, namespace, repository string) error {
	all, err := proofs(ctx, tx, namespace)
	if err != nil {
		return err
	}
	for _, p := range all {
		if p.Kind != hub.ProofRepository || p.Subject != strings.ToLower(repository) {
			continue
		}
		if err := settle(ctx, tx, now, &p, nil, 0, repositoryGood); err != nil {
			return err
		}
	}
	return nil
}

// repositoryGood is how long a repository counts as proved after a CI job of it.
const repositoryGood = 180 * 24 * time.Hour
