package publishing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/verify/scan"
)

// Bounds of a check: what is looked for is one line.
const (
	proofTimeout = 20 * time.Second
	maxProofFile = 64 << 10 // bytes
	maxProofTXT  = 100      // records
	proofPrefix  = "souk-verify="
	// proofRetry is how soon a proof that never held is looked for again by itself.
	proofRetry = time.Hour
	// proofGiveUp is for how long that goes on.
	proofGiveUp = 14 * 24 * time.Hour
)

// ProofPath is where the file of a domain lies.
const ProofPath = "/.well-known/souk-verify.txt"

// Web fetches a file of a publisher's domain; *http.Client is one. It must follow no
// redirect, as what [hub.Guard.Client] returns does.
type Web interface {
	Do(*http.Request) (*http.Response, error)
}

// withDefaults fills in what looks outside.
func (s *Service) withDefaults() error {
	if s.o.Resolver == nil {
		s.o.Resolver = net.DefaultResolver
	}
	if s.web == nil {
		s.web = s.o.Guard.Client(s.o.Guard.Transport(), proofTimeout)
	}
	return nil
}

// proofJob checks a proof; without a subject it has all checked that are due.
func (s *Service) proofJob(ctx context.Context, j hub.Job) error {
	if j.Subject == "" {
		return s.proofsDue(ctx)
	}
	p, err := inView(ctx, s, func(tx hub.Tx) (hub.Proof, error) { return tx.Proofs().Get(ctx, j.Subject) })
	if err != nil {
		return unlessGone(err)
	}
	var fault error
	if p.Kind == hub.ProofRepository {
		fault = errors.New("no CI job of the repository asked for a token lately")
	} else {
		fault = s.seek(ctx, p)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	policy := s.policy()
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		now, err := tx.Proofs().Get(ctx, p.ID)
		if err != nil {
			return unlessGone(err)
		}
		if now.Kind == hub.ProofRepository && now.Due.After(s.now()) {
			return nil // a CI job asked meanwhile
		}
		return settle(ctx, tx, s.now(), &now, fault, policy.ProofGrace, policy.ProofEvery)
	})
}

func (s *Service) proofsDue(ctx context.Context) error {
	now := s.now()
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		due, err := tx.Proofs().List(ctx, hub.Query{Where: []hub.Cond{{Column: "due", Op: hub.OpLe, Value: now}}, Order: "due"})
		if err != nil {
			return err
		}
		for _, p := range due {
			given := p.State == hub.ProofLost || p.State == hub.ProofPending && now.Sub(p.Added) > proofGiveUp
			if given || p.Kind == hub.ProofRepository && p.State == hub.ProofPending {
				p.Due = now.Add(365 * 24 * time.Hour) // only when somebody asks
				if err := tx.Proofs().Put(ctx, &p); err != nil {
					return err
				}
				continue
			}
			if err := tx.Enqueue(ctx, hub.Job{Kind: hub.JobProof, Subject: p.ID}); err != nil {
				return err
			}
		}
		return nil
	})
}

// seek looks for a challenge. The error says for people what was seen instead.
func (s *Service) seek(ctx context.Context, p hub.Proof) error {
	ctx, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	want := proofPrefix + p.Challenge
	if p.Kind == hub.ProofDNS {
		records, err := s.o.Resolver.LookupTXT(ctx, p.Subject+".")
		if err != nil {
			return errors.New("the domain has no TXT records, or its name servers do not answer")
		}
		for _, r := range records[:min(len(records), maxProofTXT)] {
			if strings.TrimSpace(r) == want {
				return nil
			}
		}
		return fmt.Errorf("none of the %d TXT records is %s…", len(records), want[:len(proofPrefix)+4])
	}
	body, err := s.fetch(ctx, "https://"+p.Subject+ProofPath)
	if err != nil {
		return err
	}
	for line := range strings.Lines(body) {
		if strings.TrimSpace(line) == want {
			return nil
		}
	}
	return errors.New("the file is there and has another challenge or none")
}

func (s *Service) fetch(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Accept", "text/plain")
	req.Header.Set("User-Agent", "souk-hub")
	resp, err := s.web.Do(req)
	if err != nil {
		if errors.Is(err, hub.ErrRefused) {
			return "", errors.New("the domain leads to an address that is not public")
		}
		return "", errors.New("the web server does not answer over https")
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return "", fmt.Errorf("the file is answered with a redirect (%d), which is not followed", resp.StatusCode)
	case resp.StatusCode != http.StatusOK:
		return "", fmt.Errorf("the file is answered with status %d", resp.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxProofFile+1))
	switch {
	case err != nil:
		return "", errors.New("the file broke off")
	case len(b) > maxProofFile:
		return "", fmt.Errorf("the file has more than %d bytes", maxProofFile)
	}
	return string(b), nil
}

// settle writes the result of a check: fault is nil when the proof was seen. A proof
// that held is lost when every hourly check failed for the grace; checks that somebody
// asked for in between do not shorten it.
func settle(ctx context.Context, tx hub.Tx, now time.Time, p *hub.Proof, fault error, grace, every time.Duration) error {
	was, due := p.State, !now.Before(p.Due)
	p.Checked = now
	switch {
	case fault == nil:
		p.State, p.Detail, p.Failures, p.Due = hub.ProofHolds, "was seen", 0, now.Add(every)
		if p.Proved.IsZero() {
			p.Proved = now
		}
	case was == hub.ProofHolds:
		p.State, p.Failures, p.Due = hub.ProofFailing, 1, now.Add(proofRetry)
	case due:
		p.Failures++
		p.Due = now.Add(proofRetry)
		if was == hub.ProofFailing && time.Duration(p.Failures-1)*proofRetry >= grace {
			p.State = hub.ProofLost
		}
	}
	if fault != nil {
		p.Detail = scan.Printable(fault.Error(), maxReason)
	}
	if err := tx.Proofs().Put(ctx, p); err != nil {
		return err
	}
	if was == p.State {
		return nil
	}
	title := fmt.Sprintf("The proof of %s: %s", p.Subject, p.State)
	if p.State == hub.ProofFailing || p.State == hub.ProofLost {
		n := hub.Notice{Title: title, Text: p.Detail, Kind: "publisher", Subject: p.Publisher}
		if err := tellMembers(ctx, tx, now, p.Publisher, n); err != nil {
			return err
		}
	}
	if err := hub.Emit(ctx, tx, now, hub.Event{Kind: hub.EventProofChanged, Publisher: p.Publisher, Subject: p.ID, Title: title}); err != nil {
		return err
	}
	return verified(ctx, tx, p.Publisher)
}
