package identity

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
)

// Kinds of CI system whose ways are known, as package signin writes them.
const (
	KindGitHub = "github"
	KindGitLab = "gitlab"
)

// AnyWorkflow, as a rule's workflow, is any file: whoever can push a branch can publish.
const AnyWorkflow = "*"

// Workload is a run of a CI system, after package signin has verified its token. The
// fields are those of signin.Workload; what the issuer does not say is empty.
type Workload struct {
	Issuer       string
	Kind         string // [KindGitHub], [KindGitLab], or another that has no ways of its own
	Subject      string
	Repository   string // "acme/backup"
	RepositoryID string // what stays when the name changes hands
	OwnerID      string
	Workflow     string // ".github/workflows/release.yml"
	Job          string // a reusable workflow the steps come from: not allowed by any rule
	Event        string // what started it
	Ref          string // "refs/tags/v1.2.0"
	Environment  string

	// TokenID names the token that was shown, and Expires is from when on it is refused
	// for its age. Both are required: a token is exchanged once.
	TokenID string
	Expires time.Time

	// Want is what the run wants to publish to, "acme/backup" or "acme"; empty when
	// there is one rule only that it meets.
	Want string
}

const (
	onceCI = "ci"
	// onceSlack is for clocks of several processes that differ.
	onceSlack = 10 * time.Minute
)

// ExchangeCI gives a run a token to push to staging and to submit with, bound to the
// publisher, and to the plugin if the rule says one, for Policy.CITokenLife. It acts for
// the account that made the rule, as long as that is a member.
//
// The ids of repository and owner that the rule's first use shows are kept, and others
// are refused later: a name that was given up and taken by somebody else is not trusted.
// A TokenID is good once; of two exchanges at a time one wins.
//
// Errors: [hub.ErrForbidden], with a sentence for the log of the run, when no rule
// allows it; [hub.ErrUnauthenticated] when the token was exchanged or has expired.
func (s *Service) ExchangeCI(ctx context.Context, w Workload) (raw string, expires time.Time, err error) {
	now, policy := s.now(), s.env.Policy()
	if w.Issuer == "" || w.Repository == "" || w.TokenID == "" {
		return "", time.Time{}, hub.Invalid("workload", "lacks issuer, repository or token id")
	}
	if !now.Before(w.Expires) {
		return "", time.Time{}, fmt.Errorf("exchange: %w: the workload's token has expired", hub.ErrUnauthenticated)
	}
	raw = newTokenText(hub.TokenCI)
	expires = now.Add(policy.CITokenLife)
	t := hub.Token{ID: hub.NewID("tok", now), Hash: hashOf(raw), Kind: hub.TokenCI, Name: w.Repository, Hint: raw[:tokenHint],
		Verbs: []hub.Verb{hub.VerbPush, hub.VerbSubmit}, Workload: w.String(), Created: now, Expires: expires}
	err = s.env.Store.Update(ctx, func(tx hub.Tx) error {
		once := hub.Once{Kind: onceCI, Key: hashOf(w.Issuer + "\x00" + w.TokenID), Created: now, Expires: w.Expires.Add(onceSlack)}
		if err := tx.Onces().Insert(ctx, &once); errors.Is(err, hub.ErrExists) {
			return fmt.Errorf("%w: this token was exchanged already", hub.ErrUnauthenticated)
		} else if err != nil {
			return err
		}
		rule, err := ruleFor(ctx, tx, w)
		if err != nil {
			return err
		}
		if err := mayAct(ctx, tx, rule); err != nil {
			return err
		}
		if rule.RepositoryID == "" {
			rule.RepositoryID = w.RepositoryID
		}
		if rule.OwnerID == "" {
			rule.OwnerID = w.OwnerID
		}
		rule.Used = now
		if err := tx.Trusted().Put(ctx, &rule); err != nil {
			return err
		}
		t.Account, t.Publisher, t.Plugin = rule.By, rule.Publisher, rule.Plugin
		if strings.Contains(w.Want, "/") {
			t.Plugin = w.Want // the rule allows it, perhaps among others
		}
		if err := tx.Tokens().Insert(ctx, &t); err != nil {
			return err
		}
		return hub.Record(ctx, tx, hub.Actor{Account: rule.By, Via: "workload " + w.Repository}, now, ActExchangeCI, "token "+t.ID, map[string]any{
			"rule": rule.ID, "publisher": t.Publisher, "plugin": t.Plugin, "issuer": w.Issuer, "repository": w.Repository,
			"repositoryId": w.RepositoryID, "workflow": w.Workflow, "ref": w.Ref, "environment": w.Environment, "expires": expires})
	})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("exchange: %w", err)
	}
	return raw, expires, nil
}

// String is the run for people: "acme/backup .github/workflows/release.yml refs/tags/v1.2.0".
func (w Workload) String() string {
	return strings.Join(strings.Fields(w.Repository+" "+w.Workflow+" "+w.Ref), " ")
}

// ruleFor returns the one rule that allows the run.
func ruleFor(ctx context.Context, tx hub.Tx, w Workload) (hub.Trusted, error) {
	var met []hub.Trusted
	var why error
	for after := []any(nil); ; {
		list, err := tx.Trusted().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("issuer", w.Issuer),
			hub.Has("repository", w.Repository)}, After: after})
		if err != nil {
			return hub.Trusted{}, err
		}
		for _, rule := range list {
			if !sameRepository(rule, w) || w.Want != "" && w.Want != rule.Plugin && w.Want != rule.Publisher &&
				!(rule.Plugin == "" && strings.HasPrefix(w.Want, rule.Publisher+"/")) {
				continue
			}
			if err := matches(rule, w); err != nil {
				why = err
				continue
			}
			met = append(met, rule)
		}
		if len(list) < hub.MaxList {
			break
		}
		after = []any{list[len(list)-1].ID}
	}
	if len(met) > 1 && w.Want != "" { // the closest to what it wants
		for _, rule := range met {
			if rule.Plugin == w.Want || rule.Plugin == "" && rule.Publisher == w.Want {
				return rule, nil
			}
		}
	}
	switch {
	case len(met) == 1:
		return met[0], nil
	case len(met) > 1:
		return hub.Trusted{}, hub.Invalid("plugin", "has to be said: %d rules allow this run", len(met))
	case why != nil:
		return hub.Trusted{}, fmt.Errorf("%w: %w", hub.ErrForbidden, why)
	}
	return hub.Trusted{}, fmt.Errorf("%w: no publisher trusts the repository %.100q for this", hub.ErrForbidden, w.Repository)
}

// sameRepository compares names; case does not matter where it does not for the issuer.
func sameRepository(rule hub.Trusted, w Workload) bool {
	if w.Kind == KindGitHub || w.Kind == KindGitLab {
		return strings.EqualFold(rule.Repository, w.Repository)
	}
	return rule.Repository == w.Repository
}

// matches says in what the run differs from the rule for its repository. It is
// signin.Rule.Matches for rules without a reusable workflow, and held to it by a test.
func matches(rule hub.Trusted, w Workload) error {
	workflow := rule.Workflow
	if w.Kind == KindGitHub && !strings.Contains(workflow, "/") && workflow != AnyWorkflow {
		workflow = ".github/workflows/" + workflow
	}
	differs := func(field, want, got string) error {
		return fmt.Errorf("the %s is %.100q, the rule wants %.100q", field, got, want)
	}
	switch {
	case rule.Issuer != w.Issuer:
		return differs("issuer", rule.Issuer, w.Issuer)
	case !sameRepository(rule, w):
		return differs("repository", rule.Repository, w.Repository)
	case rule.RepositoryID != "" && rule.RepositoryID != w.RepositoryID, rule.OwnerID != "" && rule.OwnerID != w.OwnerID:
		return fmt.Errorf("the repository %.100q is another than the one that published first, or of another owner: make the rule anew if that is right", w.Repository)
	case rule.Workflow == "" || workflow != AnyWorkflow && workflow != w.Workflow:
		return differs("workflow", rule.Workflow, w.Workflow)
	case w.Job != "":
		return fmt.Errorf("the steps come from another workflow, %.100q", w.Job)
	case ofOutsiders(w):
		return fmt.Errorf("the run was started by %q, whose contents an outsider can choose", w.Event)
	case rule.Environment != "" && rule.Environment != w.Environment:
		return differs("environment", rule.Environment, w.Environment)
	case !matchRef(rule.Ref, w):
		return differs("ref", rule.Ref, w.Ref)
	}
	return nil
}

// matchRef compares with a pattern as in [path.Match]; a star does not match "/". An
// empty one is any branch or tag, and anything where refs are not known.
func matchRef(pattern string, w Workload) bool {
	if pattern == "" {
		known := w.Kind == KindGitHub || w.Kind == KindGitLab
		return !known || strings.HasPrefix(w.Ref, "refs/heads/") || strings.HasPrefix(w.Ref, "refs/tags/")
	}
	ok, err := path.Match(pattern, w.Ref)
	return err == nil && ok
}

// ofOutsiders says whether the run works on what somebody proposed, rather than on what
// the repository has.
func ofOutsiders(w Workload) bool {
	switch w.Event {
	case "pull_request", "pull_request_target", "workflow_run", "issue_comment":
		return w.Kind == KindGitHub
	case "merge_request_event", "external_pull_request_event":
		return w.Kind == KindGitLab
	}
	return false
}

// mayAct refuses a rule whose author may not publish any more.
func mayAct(ctx context.Context, tx hub.Tx, rule hub.Trusted) error {
	a, _, err := actorOf(ctx, tx, rule.By, "")
	switch {
	case errors.Is(err, hub.ErrUnauthenticated), err == nil && (a.Suspended || a.Memberships[rule.Publisher] == ""):
		return fmt.Errorf("%w: who made the rule is no member of %s any more", hub.ErrForbidden, rule.Publisher)
	case err != nil:
		return err
	}
	p, err := tx.Publishers().Get(ctx, rule.Publisher)
	if err != nil {
		return err
	}
	if p.State != hub.PublisherActive {
		return fmt.Errorf("%w: the publisher %s is suspended", hub.ErrForbidden, rule.Publisher)
	}
	return nil
}
