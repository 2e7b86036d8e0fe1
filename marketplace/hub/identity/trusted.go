package identity

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

const maxRuleText = 255 // bytes of a field of a rule

// TrustedRules returns a publisher's rules. Its members see them, and reviewers,
// moderators and administrators.
func (s *Service) TrustedRules(ctx context.Context, actor hub.Actor, publisher string) ([]hub.Trusted, error) {
	if err := actor.May(hub.ActSubmissionRead, hub.Object{Publisher: publisher}); err != nil {
		return nil, err
	}
	var list []hub.Trusted
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		list, err = tx.Trusted().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("publisher", publisher)}})
		return err
	})
	return list, err
}

// AddTrusted lets a workload publish for a publisher: Publisher, Plugin, Issuer,
// Repository, Workflow, Environment and Ref of rule; the rest is filled in. An owner does
// it, in a fresh session. Whether the hub knows the issuer is for the caller to check.
func (s *Service) AddTrusted(ctx context.Context, actor hub.Actor, rule hub.Trusted) (hub.Trusted, error) {
	if err := actor.May(hub.ActPublisherSigners, hub.Object{Publisher: rule.Publisher}); err != nil {
		return hub.Trusted{}, err
	}
	if err := checkRule(rule); err != nil {
		return hub.Trusted{}, err
	}
	now := s.now()
	rule.ID, rule.By, rule.Added, rule.Used = hub.NewID("tru", now), actor.Account, now, time.Time{}
	rule.RepositoryID, rule.OwnerID = "", ""
	err := s.env.Store.Update(ctx, func(tx hub.Tx) error {
		if _, err := tx.Publishers().Get(ctx, rule.Publisher); err != nil {
			return fmt.Errorf("publisher %s: %w", rule.Publisher, err)
		}
		have, err := tx.Trusted().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("publisher", rule.Publisher)}})
		if err != nil {
			return err
		}
		if len(have) >= MaxTrusted {
			return &hub.LimitError{What: fmt.Sprintf("%d trusted workloads of a publisher", MaxTrusted)}
		}
		for _, h := range have {
			if h.Plugin == rule.Plugin && h.Issuer == rule.Issuer && h.Repository == rule.Repository && h.Workflow == rule.Workflow &&
				h.Environment == rule.Environment && h.Ref == rule.Ref {
				return fmt.Errorf("this workload is trusted: %w", hub.ErrExists)
			}
		}
		if err := tx.Trusted().Insert(ctx, &rule); err != nil {
			return err
		}
		return hub.Record(ctx, tx, actor, now, hub.ActPublisherSigners, "publisher "+rule.Publisher, map[string]any{"trusted": rule.ID,
			"plugin": rule.Plugin, "issuer": rule.Issuer, "repository": rule.Repository, "workflow": rule.Workflow, "environment": rule.Environment, "ref": rule.Ref})
	})
	return rule, err
}

func checkRule(r hub.Trusted) error {
	for _, f := range []struct{ name, v string }{{"issuer", r.Issuer}, {"repository", r.Repository}, {"workflow", r.Workflow}} {
		if f.v == "" {
			return hub.Invalid(f.name, "is missing")
		}
	}
	for _, f := range []struct{ name, v string }{{"issuer", r.Issuer}, {"repository", r.Repository}, {"workflow", r.Workflow}, {"environment", r.Environment}, {"ref", r.Ref}} {
		if f.v == "" {
			continue
		}
		if len(f.v) > maxRuleText {
			return hub.Invalid(f.name, "is longer than %d bytes", maxRuleText)
		}
		if err := catalog.CheckText(f.v, maxRuleText); err != nil {
			return hub.Invalid(f.name, "%s", err)
		}
	}
	if r.Plugin != "" {
		if id, err := catalog.ParsePluginID(r.Plugin); err != nil || id.Publisher() != r.Publisher {
			return hub.Invalid("plugin", "is not one of the publisher")
		}
	}
	if r.Ref != "" {
		if _, err := path.Match(r.Ref, ""); err != nil {
			return hub.Invalid("ref", "is no pattern: %s", err)
		}
		if !strings.HasPrefix(r.Ref, "refs/heads/") && !strings.HasPrefix(r.Ref, "refs/tags/") {
			return hub.Invalid("ref", "does not begin with refs/heads/ or refs/tags/")
		}
	}
	return nil
}

// RemoveTrusted takes a rule back, and every token that was exchanged by it or another
// rule of the same account for the same publisher. An owner does it, in a fresh session.
func (s *Service) RemoveTrusted(ctx context.Context, actor hub.Actor, id string) error {
	now := s.now()
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		rule, err := tx.Trusted().Get(ctx, id)
		if errors.Is(err, hub.ErrNotFound) || err == nil && actor.May(hub.ActSubmissionRead, hub.Object{Publisher: rule.Publisher}) != nil {
			if actor.Account == "" && !actor.System {
				return actor.May(hub.ActPublisherSigners, hub.Object{})
			}
			return missing("trusted workload", id)
		}
		if err != nil {
			return err
		}
		if err := actor.May(hub.ActPublisherSigners, hub.Object{Publisher: rule.Publisher}); err != nil {
			return err
		}
		if err := tx.Trusted().Delete(ctx, id); err != nil {
			return err
		}
		n, err := hub.RevokeTokens(ctx, tx, now, hub.Eq("kind", hub.TokenCI), hub.Eq("publisher", rule.Publisher), hub.Eq("account", rule.By))
		if err != nil {
			return err
		}
		return hub.Record(ctx, tx, actor, now, hub.ActPublisherSigners, "publisher "+rule.Publisher, map[string]any{"distrusted": id, "tokensRevoked": n})
	})
}
