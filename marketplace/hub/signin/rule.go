package signin

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// AnyWorkflow, as [Rule.Workflow], is any file. It has to be said, since then whoever may
// push a branch may publish.
const AnyWorkflow = "*"

const maxRule = 255 // bytes of a field

// Rule says which runs may publish. A publisher writes it; [Rule.Matches] compares.
type Rule struct {
	// Issuer is the URL of a configured [Issuer].
	Issuer string `json:"issuer"`
	// Repository is "acme/backup"; for GitHub and GitLab case does not matter, as it
	// does not there.
	Repository string `json:"repository"`
	// RepositoryID and OwnerID are recorded from the first run that matched, see
	// [Rule.Pinned]. Empty means that nothing was recorded, and does not match less.
	RepositoryID string `json:"repository_id,omitempty"`
	OwnerID      string `json:"owner_id,omitempty"`
	// Workflow is the file of the run: ".github/workflows/release.yml", for GitHub also
	// "release.yml". [AnyWorkflow] is any.
	Workflow string `json:"workflow"`
	// Job allows the run to use this reusable workflow for the job that publishes:
	// "acme/shared/.github/workflows/publish.yml". Empty means none.
	Job string `json:"job,omitempty"`
	// Environment is the deployment environment; empty means any, and none.
	Environment string `json:"environment,omitempty"`
	// Ref is a pattern for the branch or tag, as in [path.Match]: "refs/tags/v*". A star
	// does not match "/". Empty means any branch and any tag.
	Ref string `json:"ref,omitempty"`
}

// MismatchError says in what a run differs from a rule.
type MismatchError struct {
	Field     string // "repository", "repository id", "owner id", "workflow", "job", "event", "environment", "ref", "issuer"
	Want, Got string
}

func (e *MismatchError) Error() string {
	switch e.Field {
	case "repository id", "owner id":
		return fmt.Sprintf("the %s is %q, recorded was %q: the name belongs to somebody else now", e.Field, e.Got, e.Want)
	case "event":
		return fmt.Sprintf("the run was started by %q, whose contents an outsider can choose", e.Got)
	case "job":
		if e.Want == "" {
			return fmt.Sprintf("the job is of the reusable workflow %q, the rule allows none", e.Got)
		}
	}
	return fmt.Sprintf("the %s is %q, the rule wants %q", e.Field, e.Got, e.Want)
}

// Unwrap makes it an [ErrRefused].
func (e *MismatchError) Unwrap() error { return ErrRefused }

// Check says what is missing or wrong in a rule, before it is stored.
func (r Rule) Check() error {
	for _, f := range []struct{ name, value string }{{"issuer", r.Issuer}, {"repository", r.Repository}, {"workflow", r.Workflow}} {
		if f.value == "" {
			return fmt.Errorf("the %s is missing", f.name)
		}
	}
	for _, v := range []string{r.Issuer, r.Repository, r.RepositoryID, r.OwnerID, r.Workflow, r.Job, r.Environment, r.Ref} {
		if len(v) > maxRule {
			return fmt.Errorf("%.20q... is longer than %d bytes", v, maxRule)
		}
	}
	if r.Ref == "" {
		return nil
	}
	if _, err := path.Match(r.Ref, ""); err != nil {
		return fmt.Errorf("the pattern %q for the ref: %w", r.Ref, err)
	}
	if !strings.HasPrefix(r.Ref, "refs/heads/") && !strings.HasPrefix(r.Ref, "refs/tags/") {
		return errors.New("the ref begins with refs/heads/ or refs/tags/")
	}
	return nil
}

// Matches returns nil if the run is one that the rule allows, a [*MismatchError] that
// names the first field that differs, or what is wrong with the rule.
func (r Rule) Matches(w Workload) error {
	if err := r.Check(); err != nil {
		return fmt.Errorf("%w: the rule is not complete: %w", ErrRefused, err)
	}
	differs := func(field, want, got string) error { return &MismatchError{field, want, got} }
	same := func(a, b string) bool { return a == b }
	if w.Kind == GitHub || w.Kind == GitLab {
		same = strings.EqualFold // ASCII, see Workload.complete
	}
	workflow := r.Workflow
	if w.Kind == GitHub && !strings.Contains(workflow, "/") {
		workflow = ".github/workflows/" + workflow
	}
	switch {
	case r.Issuer != w.Issuer:
		return differs("issuer", r.Issuer, w.Issuer)
	case !same(r.Repository, w.Repository):
		return differs("repository", r.Repository, w.Repository)
	case r.RepositoryID != "" && r.RepositoryID != w.RepositoryID:
		return differs("repository id", r.RepositoryID, w.RepositoryID)
	case r.OwnerID != "" && r.OwnerID != w.OwnerID:
		return differs("owner id", r.OwnerID, w.OwnerID)
	case r.Workflow != AnyWorkflow && workflow != w.Workflow:
		return differs("workflow", r.Workflow, w.Workflow)
	case w.Job != "" && !same(r.Job, w.Job):
		return differs("job", r.Job, w.Job)
	case ofOutsiders(w):
		return differs("event", "", w.Event)
	case r.Environment != "" && r.Environment != w.Environment:
		return differs("environment", r.Environment, w.Environment)
	case !matchRef(r.Ref, w):
		return differs("ref", r.Ref, w.Ref)
	}
	return nil
}

// Pinned returns the rule with the ids of a run that matched it, unless it has some. Who
// stores that after the first publication is safe when the repository or its owner gives
// up the name and another takes it.
func (r Rule) Pinned(w Workload) Rule {
	if r.RepositoryID == "" {
		r.RepositoryID = w.RepositoryID
	}
	if r.OwnerID == "" {
		r.OwnerID = w.OwnerID
	}
	return r
}

// ofOutsiders says whether the run works on what somebody proposed rather than on what
// the repository has: the runs by which workflows were made to publish foreign code.
func ofOutsiders(w Workload) bool {
	switch w.Event {
	case "pull_request", "pull_request_target", "workflow_run", "issue_comment":
		return w.Kind == GitHub
	case "merge_request_event", "external_pull_request_event":
		return w.Kind == GitLab
	}
	return false
}

// matchRef compares the ref. An empty pattern is any branch or tag; of a generic issuer,
// which may know no refs, it is anything.
func matchRef(pattern string, w Workload) bool {
	if pattern == "" {
		return w.Kind == Generic || strings.HasPrefix(w.Ref, "refs/heads/") || strings.HasPrefix(w.Ref, "refs/tags/")
	}
	ok, err := path.Match(pattern, w.Ref)
	return ok && err == nil
}
