package publishing

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

const policyKey = "policy"

// policyAge is how old a policy that [PolicyFunc] returns may be: it is asked for on
// every request, and an administrator's change shall be felt by the next click.
const policyAge = time.Second

// PolicyFunc returns what goes into [hub.Env]: the policy that [Service.SetPolicy]
// wrote, read at most once a second. While the store does not answer it is the last
// one that was read, the defaults before that. now may be nil.
func PolicyFunc(store hub.Store, now func() time.Time) func() hub.Policy {
	if now == nil {
		now = time.Now
	}
	var (
		mu   sync.Mutex
		last = hub.Policy{}.WithDefaults()
		read time.Time
	)
	return func() hub.Policy {
		mu.Lock()
		defer mu.Unlock()
		if t := now(); read.IsZero() || t.Sub(read) >= policyAge || t.Before(read) {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			if p, _, err := readPolicy(ctx, store); err == nil {
				last = p.WithDefaults()
			}
			read = t
		}
		return last
	}
}

func readPolicy(ctx context.Context, store hub.Store) (p hub.Policy, rev int64, err error) {
	err = store.View(ctx, func(tx hub.Tx) error {
		p, rev = hub.Policy{}, 0
		s, err := tx.Settings().Get(ctx, policyKey)
		if errors.Is(err, hub.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		rev = s.Rev
		return json.Unmarshal([]byte(s.Value), &p)
	})
	return p, rev, err
}

// Policy returns the policy with its defaults filled in, and the revision to give to
// [Service.SetPolicy]; 0 while nobody wrote one. Anybody may read it: it says by which
// rules people are judged.
func (s *Service) Policy(ctx context.Context) (hub.Policy, int64, error) {
	p, rev, err := readPolicy(ctx, s.env.Store)
	return p.WithDefaults(), rev, err
}

// SetPolicy writes the policy. rev is what [Service.Policy] returned; when somebody else
// wrote in between it is [hub.ErrMoved].
func (s *Service) SetPolicy(ctx context.Context, a hub.Actor, rev int64, p hub.Policy) (int64, error) {
	if err := a.May(hub.ActPolicyEdit, hub.Object{}); err != nil {
		return 0, err
	}
	if err := checkPolicy(p); err != nil {
		return 0, err
	}
	value, err := json.Marshal(p)
	if err != nil {
		return 0, err
	}
	return inUpdate(ctx, s, func(tx hub.Tx) (int64, error) {
		set := hub.Setting{Key: policyKey, Rev: rev, Value: string(value)}
		var err error
		if rev == 0 {
			if err = tx.Settings().Insert(ctx, &set); errors.Is(err, hub.ErrExists) {
				err = hub.ErrMoved
			}
		} else {
			err = tx.Settings().Update(ctx, &set)
		}
		if err != nil {
			return 0, err
		}
		return set.Rev, hub.Record(ctx, tx, a, s.now(), hub.ActPolicyEdit, "policy", p)
	})
}

func checkPolicy(p hub.Policy) error {
	for field, n := range map[string]int{
		"reviewers": p.Reviewers, "reviewersGrown": p.ReviewersGrown, "minRatings": p.MinRatings, "ratingsDay": p.RatingsDay,
		"submissionsDay": p.SubmissionsDay, "reportsDay": p.ReportsDay, "maxPublishers": p.MaxPublishers,
		"scanAttempts": p.ScanAttempts, "hookAttempts": p.HookAttempts,
	} {
		if n < 0 || n > 100_000 {
			return hub.Invalid(field, "must be between 0 and 100000")
		}
	}
	if p.Reviewers > 10 || p.ReviewersGrown > 10 {
		return hub.Invalid("reviewers", "must be at most 10")
	}
	if p.PriorWeight < 0 || p.MaxPackage < 0 {
		return hub.Invalid("", "a number is negative")
	}
	for field, d := range map[string]time.Duration{
		"sessionIdle": p.SessionIdle, "sessionLife": p.SessionLife, "freshFor": p.FreshFor, "tokenLife": p.TokenLife,
		"ciTokenLife": p.CITokenLife, "deviceLife": p.DeviceLife, "scanTimeout": p.ScanTimeout, "proofEvery": p.ProofEvery,
		"proofGrace": p.ProofGrace, "transferCool": p.TransferCool,
	} {
		if d < 0 || d > 10*366*24*time.Hour {
			return hub.Invalid(field, "must be between 0 and ten years")
		}
	}
	return nil
}

// Categories returns all categories, in their order.
func (s *Service) Categories(ctx context.Context) ([]hub.Category, error) {
	return inView(ctx, s, func(tx hub.Tx) ([]hub.Category, error) {
		all, err := tx.Categories().List(ctx, hub.Query{})
		slices.SortFunc(all, func(a, b hub.Category) int {
			return cmp.Or(cmp.Compare(a.Position, b.Position), cmp.Compare(a.Slug, b.Slug))
		})
		return all, err
	})
}

// SetCategory adds a category or changes the one with its slug.
func (s *Service) SetCategory(ctx context.Context, a hub.Actor, c hub.Category) error {
	if err := a.May(hub.ActPolicyEdit, hub.Object{}); err != nil {
		return err
	}
	if err := checkSlug(c.Slug); err != nil {
		return hub.Invalid("slug", "%v", err)
	}
	if err := catalog.CheckText(c.Name, catalog.MaxPluginName); err != nil {
		return hub.Invalid("name", "%v", err)
	}
	if c.Summary != "" {
		if err := catalog.CheckText(c.Summary, catalog.MaxSummary); err != nil {
			return hub.Invalid("summary", "%v", err)
		}
	}
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		n, err := tx.Categories().Count(ctx)
		if err != nil {
			return err
		}
		if n >= maxCategories {
			return &hub.LimitError{What: fmt.Sprintf("%d categories", maxCategories)}
		}
		if err := tx.Categories().Put(ctx, &c); err != nil {
			return err
		}
		return hub.Record(ctx, tx, a, s.now(), hub.ActPolicyEdit, "category "+c.Slug, c)
	})
}

// RemoveCategory removes a category; plugins that are filed under it stay so until
// their next release.
func (s *Service) RemoveCategory(ctx context.Context, a hub.Actor, slug string) error {
	if err := a.May(hub.ActPolicyEdit, hub.Object{}); err != nil {
		return err
	}
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		if _, err := tx.Categories().Get(ctx, slug); err != nil {
			return err
		}
		if err := tx.Categories().Delete(ctx, slug); err != nil {
			return err
		}
		return hub.Record(ctx, tx, a, s.now(), hub.ActPolicyEdit, "category "+slug, map[string]bool{"removed": true})
	})
}

// Reserved returns the names that nobody can take. Anybody may read them.
func (s *Service) Reserved(ctx context.Context) ([]hub.Reserved, error) {
	return inView(ctx, s, func(tx hub.Tx) ([]hub.Reserved, error) { return tx.Reserved().List(ctx, hub.Query{}) })
}

// Reserve keeps a name from everybody: a namespace ("souk") or a plugin ("acme/backup").
// Who has it keeps it.
func (s *Service) Reserve(ctx context.Context, a hub.Actor, name, reason string) error {
	if err := a.May(hub.ActPolicyEdit, hub.Object{}); err != nil {
		return err
	}
	if _, err := catalog.ParsePluginID(name); err != nil && checkNamespace(name) != nil {
		return hub.Invalid("name", "is neither a namespace nor publisher/name")
	}
	if err := catalog.CheckText(reason, maxReason); err != nil {
		return hub.Invalid("reason", "%v", err)
	}
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		if err := tx.Reserved().Put(ctx, &hub.Reserved{Name: name, Reason: reason, Added: s.now()}); err != nil {
			return err
		}
		return hub.Record(ctx, tx, a, s.now(), hub.ActPolicyEdit, "reserved "+name, map[string]string{"reason": reason})
	})
}

// Unreserve gives a reserved name free.
func (s *Service) Unreserve(ctx context.Context, a hub.Actor, name string) error {
	if err := a.May(hub.ActPolicyEdit, hub.Object{}); err != nil {
		return err
	}
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		if _, err := tx.Reserved().Get(ctx, name); err != nil {
			return err
		}
		if err := tx.Reserved().Delete(ctx, name); err != nil {
			return err
		}
		return hub.Record(ctx, tx, a, s.now(), hub.ActPolicyEdit, "reserved "+name, map[string]bool{"removed": true})
	})
}

const (
	maxCategories = 100 // people choose from them
	maxReason     = 300 // characters of a reason that is shown beside something
)

func checkSlug(s string) error {
	if checkNamespace(s) != nil {
		return errors.New("must be 2 to 40 of a-z, 0-9 and single inner hyphens, beginning with a letter")
	}
	return nil
}
