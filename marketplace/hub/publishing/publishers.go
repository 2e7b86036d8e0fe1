package publishing

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

// Bounds of a publisher.
const (
	maxAbout   = 2000 // characters
	maxContact = 200
	maxProofs  = 20 // each is checked every day
)

// PublisherEdit is what an owner may say of a publisher. Namespace is looked at by
// [Service.CreatePublisher] only.
type PublisherEdit struct {
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`               // 1 to 60 characters
	Homepage  string `json:"homepage,omitempty"` // https
	About     string `json:"about,omitempty"`    // plain text, at most 2000 characters
	Contact   string `json:"contact,omitempty"`  // mail address, seen by moderators
}

func (e *PublisherEdit) check() error {
	p := catalog.Publisher{Namespace: "xx", Name: e.Name, Homepage: e.Homepage}
	if err := catalog.CheckText(e.Name, catalog.MaxPluginName); err != nil {
		return hub.Invalid("name", "%v", err)
	}
	if p.Check() != nil {
		return hub.Invalid("homepage", "must be an https address of at most %d bytes", catalog.MaxURL)
	}
	if err := checkProse(e.About, maxAbout); err != nil {
		return hub.Invalid("about", "%v", err)
	}
	return checkContact(e.Contact)
}

// CreatePublisher takes a namespace for the account that asks, which becomes its owner.
// The name must be free, not reserved, and not look like one that is taken
// ([hub.InvalidError] says which); an account can have [hub.Policy].MaxPublishers.
func (s *Service) CreatePublisher(ctx context.Context, a hub.Actor, in PublisherEdit) (hub.Publisher, error) {
	if err := a.May(hub.ActPublisherCreate, hub.Object{}); err != nil {
		return hub.Publisher{}, err
	}
	if a.Account == "" {
		return hub.Publisher{}, hub.ErrUnauthenticated
	}
	if err := checkNamespace(in.Namespace); err != nil {
		return hub.Publisher{}, hub.Invalid("namespace", "%v", err)
	}
	if err := in.check(); err != nil {
		return hub.Publisher{}, err
	}
	now, policy := s.now(), s.policy()
	return inUpdate(ctx, s, func(tx hub.Tx) (hub.Publisher, error) {
		owned, err := tx.Members().Count(ctx, hub.Eq("account", a.Account), hub.Eq("role", hub.MemberOwner))
		if err != nil {
			return hub.Publisher{}, err
		}
		if owned >= int64(policy.MaxPublishers) {
			return hub.Publisher{}, &hub.LimitError{What: fmt.Sprintf("%d publishers an account", policy.MaxPublishers)}
		}
		if err := freeNamespace(ctx, tx, in.Namespace); err != nil {
			return hub.Publisher{}, err
		}
		p := hub.Publisher{
			Namespace: in.Namespace, Name: in.Name, Homepage: in.Homepage, About: in.About, Contact: in.Contact,
			State: hub.PublisherActive, Created: now,
		}
		if err := tx.Publishers().Insert(ctx, &p); err != nil {
			return hub.Publisher{}, err
		}
		owner := hub.Member{Publisher: p.Namespace, Account: a.Account, Role: hub.MemberOwner, Added: now}
		if err := tx.Members().Put(ctx, &owner); err != nil {
			return hub.Publisher{}, err
		}
		if err := hub.Record(ctx, tx, a, now, hub.ActPublisherCreate, "publisher "+p.Namespace, map[string]string{"name": p.Name}); err != nil {
			return hub.Publisher{}, err
		}
		return p, hub.MarkChanged(ctx, tx, "")
	})
}

// EditPublisher changes what is said of a publisher. rev is the revision that was read;
// 0 overwrites whatever is there.
func (s *Service) EditPublisher(ctx context.Context, a hub.Actor, namespace string, rev int64, in PublisherEdit) (hub.Publisher, error) {
	if err := a.May(hub.ActPublisherEdit, hub.Object{Publisher: namespace}); err != nil {
		return hub.Publisher{}, err
	}
	if err := in.check(); err != nil {
		return hub.Publisher{}, err
	}
	return inUpdate(ctx, s, func(tx hub.Tx) (hub.Publisher, error) {
		p, err := tx.Publishers().Get(ctx, namespace)
		if err != nil {
			return p, err
		}
		if err := checkRev(rev, p.Rev); err != nil {
			return p, err
		}
		shown := p.Name != in.Name || p.Homepage != in.Homepage
		p.Name, p.Homepage, p.About, p.Contact = in.Name, in.Homepage, in.About, in.Contact
		if err := tx.Publishers().Update(ctx, &p); err != nil {
			return p, err
		}
		if err := hub.Record(ctx, tx, a, s.now(), hub.ActPublisherEdit, "publisher "+namespace, map[string]string{"name": p.Name, "homepage": p.Homepage}); err != nil {
			return p, err
		}
		if !shown {
			return p, nil
		}
		return p, hub.MarkChanged(ctx, tx, "")
	})
}

// Publisher returns what everybody may know of a publisher; Contact is empty.
func (s *Service) Publisher(ctx context.Context, namespace string) (hub.Publisher, error) {
	p, err := inView(ctx, s, func(tx hub.Tx) (hub.Publisher, error) { return tx.Publishers().Get(ctx, namespace) })
	p.Contact = ""
	return p, err
}

// PublisherQuery chooses publishers.
type PublisherQuery struct {
	Find     string // stands in the namespace; empty: any
	State    hub.PublisherState
	Verified bool   // only those with a proof that holds
	Cursor   string // of the page before
	Limit    int    // 0: [hub.DefaultPage]; at most [hub.MaxPage]
}

// Publishers lists publishers in the order of their namespaces; Contact is empty.
func (s *Service) Publishers(ctx context.Context, in PublisherQuery) (hub.Page[hub.Publisher], error) {
	q := hub.Query{}
	if in.Find != "" {
		q.Where = append(q.Where, hub.Has("namespace", in.Find))
	}
	if in.State != "" {
		q.Where = append(q.Where, hub.Eq("state", in.State))
	}
	if in.Verified {
		q.Where = append(q.Where, hub.Eq("verified", true))
	}
	return inView(ctx, s, func(tx hub.Tx) (hub.Page[hub.Publisher], error) {
		p, err := hub.ListPage(ctx, tx.Publishers(), q, in.Cursor, in.Limit, func(p hub.Publisher) []any { return []any{p.Namespace} })
		for i := range p.Items {
			p.Items[i].Contact = ""
		}
		return p, err
	})
}

// Inside is all of a publisher that its members and the hub's staff see.
type Inside struct {
	Publisher hub.Publisher  `json:"publisher"`
	Members   []hub.Member   `json:"members"`
	Signers   []hub.Signer   `json:"signers"`
	Proofs    []hub.Proof    `json:"proofs"`
	Trusted   []hub.Trusted  `json:"trusted"`
	Transfer  *hub.Transfer  `json:"transfer,omitempty"` // the one that is under way
	Plugins   []hub.Plugin   `json:"plugins"`
	Role      hub.MemberRole `json:"role,omitempty"` // of who asks
}

// Inside returns a publisher as its members see it. For others it is not there.
func (s *Service) Inside(ctx context.Context, a hub.Actor, namespace string) (Inside, error) {
	if err := a.May(hub.ActSubmissionRead, hub.Object{Publisher: namespace}); err != nil {
		return Inside{}, hide(err)
	}
	of := hub.Query{Where: []hub.Cond{hub.Eq("publisher", namespace)}}
	return inView(ctx, s, func(tx hub.Tx) (in Inside, err error) {
		in.Role = a.Memberships[namespace]
		if in.Publisher, err = tx.Publishers().Get(ctx, namespace); err != nil {
			return in, err
		}
		if in.Members, err = tx.Members().List(ctx, of); err != nil {
			return in, err
		}
		if in.Signers, err = tx.Signers().List(ctx, of); err != nil {
			return in, err
		}
		if in.Proofs, err = tx.Proofs().List(ctx, of); err != nil {
			return in, err
		}
		if in.Trusted, err = tx.Trusted().List(ctx, of); err != nil {
			return in, err
		}
		if in.Plugins, err = tx.Plugins().List(ctx, of); err != nil {
			return in, err
		}
		t, err := openTransfer(ctx, tx, namespace)
		if err == nil {
			in.Transfer = &t
		} else if !errors.Is(err, hub.ErrNotFound) {
			return in, err
		}
		return in, nil
	})
}

// Mine returns the publishers that who asks is a member of, by a token those that it is
// for.
func (s *Service) Mine(ctx context.Context, a hub.Actor) ([]hub.Publisher, error) {
	if a.Account == "" {
		return nil, hub.ErrUnauthenticated
	}
	if t := a.Token; t != nil && !slices.Contains(t.Verbs, hub.VerbRead) {
		return nil, fmt.Errorf("publishers: %w: the token lacks the scope %q", hub.ErrForbidden, hub.VerbRead)
	}
	return inView(ctx, s, func(tx hub.Tx) ([]hub.Publisher, error) {
		ms, err := tx.Members().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("account", a.Account)}})
		if err != nil {
			return nil, err
		}
		var out []hub.Publisher
		for _, m := range ms {
			if t := a.Token; t != nil && t.Publisher != "" && t.Publisher != m.Publisher {
				continue
			}
			p, err := tx.Publishers().Get(ctx, m.Publisher)
			if err != nil {
				return nil, err
			}
			out = append(out, p)
		}
		return out, nil
	})
}
