package signintest

import (
	"hash/crc32"
	"strconv"
	"strings"
)

// GitHubClaims are the claims of a GitHub Actions run, to be changed and given to
// [Issuer.Token]: repository "acme/backup", workflow "release.yml", ref
// "refs/tags/v1.2.0". Ids are made from names.
func GitHubClaims(audience, repository, workflow, ref string) map[string]any {
	owner, _, _ := strings.Cut(repository, "/")
	file := repository + "/.github/workflows/" + workflow + "@" + ref
	refType := "branch"
	if strings.HasPrefix(ref, "refs/tags/") {
		refType = "tag"
	}
	return map[string]any{
		"aud": audience, "sub": "repo:" + repository + ":ref:" + ref,
		"repository": repository, "repository_id": idOf(repository), "repository_visibility": "public",
		"repository_owner": owner, "repository_owner_id": idOf(owner),
		"workflow": strings.TrimSuffix(workflow, ".yml"), "workflow_ref": file, "workflow_sha": commit,
		"job_workflow_ref": file, "job_workflow_sha": commit,
		"ref": ref, "ref_type": refType, "ref_protected": "true", "sha": commit, "base_ref": "", "head_ref": "",
		"event_name": "push", "actor": "mira", "actor_id": "4711", "runner_environment": "github-hosted",
		"run_id": "8923456712", "run_number": "12", "run_attempt": "1",
	}
}

// GitLabClaims are the claims of a job of GitLab CI, to be changed and given to
// [Issuer.Token]: project "acme/tools/backup", file ".gitlab-ci.yml", ref
// "refs/heads/main". Ids are made from names.
func GitLabClaims(audience, project, file, ref string) map[string]any {
	namespace := project[:max(strings.LastIndexByte(project, '/'), 0)]
	refType, short := "branch", strings.TrimPrefix(ref, "refs/heads/")
	if tag, is := strings.CutPrefix(ref, "refs/tags/"); is {
		refType, short = "tag", tag
	}
	return map[string]any{
		"aud": audience, "sub": "project_path:" + project + ":ref_type:" + refType + ":ref:" + short,
		"namespace_id": idOf(namespace), "namespace_path": namespace, "project_id": idOf(project), "project_path": project,
		"user_id": "42", "user_login": "mira", "user_email": "mira@example.org",
		"pipeline_id": "1212", "pipeline_source": "push", "job_id": "3434",
		"ref": short, "ref_type": refType, "ref_path": ref, "ref_protected": "true",
		"runner_id": 1, "runner_environment": "gitlab-hosted", "sha": commit, "project_visibility": "public",
		"ci_config_ref_uri": "gitlab.example.org/" + project + "//" + file + "@" + ref, "ci_config_sha": commit,
	}
}

const commit = "714a629c0b401fdce83e847fc9589983fc6f46bc"

func idOf(name string) string {
	return strconv.FormatUint(uint64(crc32.ChecksumIEEE([]byte(name))), 10)
}
