package signin

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Workload is a run of a CI system, as its issuer swears to. All texts print, and have
// at most 1,024 bytes. What the issuer does not say is empty.
type Workload struct {
	Issuer  string // Issuer.URL
	Kind    Kind
	Subject string // the sub claim, for the audit log

	Repository   string // "acme/backup"; a name, which may be given up and taken by others
	RepositoryID string // what stays when the name changes hands
	Owner        string // "acme"
	OwnerID      string

	// Workflow is the file that defines the run, in the repository:
	// ".github/workflows/release.yml", ".gitlab-ci.yml".
	Workflow string
	// Job is the reusable workflow that the job's steps come from, with its repository
	// ("acme/shared/.github/workflows/publish.yml"), if that is not Workflow itself.
	Job         string
	Event       string // what started it: "push", "release"; GitLab: the pipeline's source
	Ref         string // "refs/heads/main", "refs/tags/v1.2.0"
	Environment string // the deployment environment, which may have reviewers of its own
	Commit      string
	RunID       string // of the run, or the pipeline; with Repository it leads to its log

	// TokenID is different for different tokens, 64 hexadecimal digits. TokenUntil is
	// when this one is refused for its age, so that its ID need not be remembered.
	TokenID    string
	TokenUntil time.Time
}

// gitHub and gitLab are the claims of the two. GitHub:
// https://docs.github.com/actions/reference/security/oidc. GitLab:
// https://docs.gitlab.com/ci/secrets/id_token_authentication/#token-payload.
func gitHub() ClaimMap {
	return ClaimMap{
		Repository: "repository", RepositoryID: "repository_id", Owner: "repository_owner", OwnerID: "repository_owner_id",
		Workflow: "workflow_ref", Ref: "ref", Environment: "environment", Commit: "sha", RunID: "run_id",
	}
}

func gitLab() ClaimMap {
	return ClaimMap{
		Repository: "project_path", RepositoryID: "project_id", Owner: "namespace_path", OwnerID: "namespace_id",
		Workflow: "ci_config_ref_uri", Ref: "ref_path", Environment: "environment", Commit: "sha", RunID: "pipeline_id",
	}
}

// read maps the claims of this issuer.
func (i Issuer) read(c claims) (Workload, error) {
	m := i.Claims
	switch i.Kind {
	case GitHub:
		m = gitHub()
	case GitLab:
		m = gitLab()
	}
	w := Workload{Issuer: i.URL, Kind: i.Kind}
	var err error
	if w.Subject, err = c.subject(); err != nil {
		return Workload{}, err
	}
	for _, f := range []struct {
		into *string
		name string
	}{
		{&w.Repository, m.Repository}, {&w.RepositoryID, m.RepositoryID}, {&w.Owner, m.Owner}, {&w.OwnerID, m.OwnerID},
		{&w.Workflow, m.Workflow}, {&w.Ref, m.Ref}, {&w.Environment, m.Environment}, {&w.Commit, m.Commit}, {&w.RunID, m.RunID},
	} {
		if f.name == "" {
			continue
		}
		if *f.into, err = c.text(f.name); err != nil {
			return Workload{}, err
		}
	}
	if w.Repository == "" {
		return Workload{}, fmt.Errorf("the token names no repository (claim %q)", m.Repository)
	}
	switch i.Kind {
	case GitHub:
		err = w.readGitHub(c)
	case GitLab:
		err = w.readGitLab(c)
	}
	if err != nil {
		return Workload{}, err
	}
	return w, nil
}

// complete refuses tokens of the two known issuers that lack what they always have, and
// names that they never have.
func (w *Workload) complete() error {
	for _, f := range []struct{ name, value string }{
		{"id of the repository", w.RepositoryID}, {"owner", w.Owner}, {"id of the owner", w.OwnerID},
		{"workflow", w.Workflow}, {"ref", w.Ref}, {"run", w.RunID},
	} {
		if f.value == "" {
			return fmt.Errorf("the token does not say the %s", f.name)
		}
	}
	odd := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./", r))
	}
	if strings.ContainsFunc(w.Repository, odd) || !strings.HasPrefix(w.Repository, w.Owner+"/") {
		return fmt.Errorf("the repository %.80q is not one of %.80q", w.Repository, w.Owner)
	}
	return nil
}

func (w *Workload) readGitHub(c claims) error {
	if err := w.complete(); err != nil {
		return err
	}
	var err error
	if w.Event, err = c.text("event_name"); err != nil {
		return err
	}
	job, err := c.text("job_workflow_ref")
	if err != nil {
		return err
	}
	file, ok := workflowFile(w.Workflow)
	if !ok {
		return errors.New("the workflow (workflow_ref) is not owner/repository/path@ref")
	}
	inside, ok := strings.CutPrefix(file, w.Repository+"/")
	if !ok {
		return errors.New("the workflow is of another repository than the run")
	}
	w.Workflow = inside
	if job == "" {
		return errors.New("the token does not say where the job's steps come from (job_workflow_ref)")
	}
	if job, ok = workflowFile(job); !ok {
		return errors.New("the job's workflow (job_workflow_ref) is not owner/repository/path@ref")
	}
	if job != file {
		w.Job = job
	}
	return nil
}

// workflowFile cuts the ref or commit off "acme/backup/.github/workflows/x.yml@refs/tags/a@b".
// A workflow's own name can hold "@", but no "/", so the first "@refs/" is the one.
func workflowFile(ref string) (string, bool) {
	file, _, ok := strings.Cut(ref, "@refs/")
	if !ok {
		at := strings.LastIndexByte(ref, '@')
		if at < 0 {
			return "", false
		}
		file = ref[:at]
	}
	return file, strings.Count(file, "/") >= 3 && (strings.HasSuffix(file, ".yml") || strings.HasSuffix(file, ".yaml"))
}

func (w *Workload) readGitLab(c claims) error {
	if err := w.complete(); err != nil {
		return err
	}
	var err error
	if w.Event, err = c.text("pipeline_source"); err != nil {
		return err
	}
	// "gitlab.com/acme/backup//.gitlab-ci.yml@refs/heads/main"; a project cannot be named
	// with "//", so the first one ends it.
	project, file, ok := strings.Cut(w.Workflow, "//")
	if !ok || !strings.HasSuffix(project, "/"+w.Repository) {
		return errors.New("the pipeline's file (ci_config_ref_uri) is of another project than the run")
	}
	at := strings.Index(file, "@refs/")
	if at < 1 {
		return errors.New("the pipeline's file (ci_config_ref_uri) has no ref")
	}
	w.Workflow = file[:at]
	return nil
}
