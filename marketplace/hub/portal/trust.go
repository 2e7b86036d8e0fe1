package portal

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
	"github.com/souk-dev/souk/marketplace/hub/signin"
)

func (h *Handler) trustRoutes() {
	h.own("GET /publish/{namespace}/trusted", h.trusted)
	h.own("POST /publish/{namespace}/trusted", h.trustedAdd)
	h.own("POST /publish/{namespace}/trusted/remove", h.trustedRemove)
	h.own("GET /publish/{namespace}/proofs", h.proofs)
	h.own("POST /publish/{namespace}/proofs", h.proofAdd)
	h.own("POST /publish/{namespace}/proofs/check", h.proofCheck)
	h.own("POST /publish/{namespace}/proofs/remove", h.proofRemove)
}

// workflow is a file to copy into a repository.
type workflow struct{ File, Text string }

type trustedRow struct {
	hub.Trusted
	System string // the issuer, for people
	Author string
	Copy   workflow
}

type trustedPage struct {
	insider
	Rows    []trustedRow
	Issuers []staffOption
}

// systemName names a CI system for people.
func systemName(i signin.Issuer) string {
	host := i.URL
	if u, err := url.Parse(i.URL); err == nil && u.Host != "" {
		host = u.Host
	}
	switch {
	case i.Kind == signin.GitHub && i.URL == signin.GitHubIssuer:
		return "GitHub Actions"
	case i.Kind == signin.GitHub:
		return "GitHub Actions at " + host
	case i.Kind == signin.GitLab:
		return "GitLab CI at " + host
	}
	return host
}

func (h *Handler) issuers() []signin.Issuer {
	if h.o.Issuers == nil {
		return nil
	}
	return h.o.Issuers.All()
}

func (h *Handler) trusted(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	in, err := h.inside(r, a, "/trusted")
	if err != nil {
		return err
	}
	p := trustedPage{insider: in}
	known := map[string]signin.Issuer{}
	for _, i := range h.issuers() {
		known[i.URL] = i
		p.Issuers = append(p.Issuers, staffOption{Value: i.URL, Name: systemName(i)})
	}
	var ids []string
	for _, t := range in.Trusted {
		ids = append(ids, t.By)
	}
	names, err := h.peopleOf(r.Context(), ids...)
	if err != nil {
		return err
	}
	for _, t := range in.Trusted {
		row := trustedRow{Trusted: t, System: t.Issuer, Author: names.Name(t.By)}
		if i, ok := known[t.Issuer]; ok {
			row.System, row.Copy = systemName(i), h.workflowFor(t, i)
		}
		p.Rows = append(p.Rows, row)
	}
	return h.show(w, r, a, http.StatusOK, "publish", "Trusted builds of "+in.Publisher.Name, "trusted", p)
}

// workflowFor writes the file by which a job publishes under a rule. What a person gave
// stands in it nowhere but as the name of the file, which is shown and not run.
func (h *Handler) workflowFor(t hub.Trusted, i signin.Issuer) workflow {
	run := "souk submit . --hub " + h.o.BaseURL + " --key souk.pem"
	switch i.Kind {
	case signin.GitHub:
		file := t.Workflow
		if file == "*" || file == "" {
			file = "release.yml"
		}
		return workflow{".github/workflows/" + file, `name: release
on:
  push:
    tags: ["v*"]
permissions:
  contents: read
  id-token: write # lets the job say who it is; no stored token is needed
jobs:
  publish:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-go@v5
      - run: go install github.com/souk-dev/souk/marketplace/cmd/souk@latest
      - name: Write the signing key
        run: printf '%s\n' "$SOUK_KEY" > souk.pem
        env:
          SOUK_KEY: ${{ secrets.SOUK_KEY }}
      - run: ` + run + "\n"}
	case signin.GitLab:
		return workflow{".gitlab-ci.yml", `publish:
  rules:
    - if: $CI_COMMIT_TAG
  image: golang:latest
  id_tokens:
    SOUK_ID_TOKEN: # lets the job say who it is; no stored token is needed
      aud: ` + i.Audience + `
  script:
    - go install github.com/souk-dev/souk/marketplace/cmd/souk@latest
    - cp "$SOUK_KEY" souk.pem # a variable of type file
    - ` + run + "\n"}
	}
	return workflow{"your build", fmt.Sprintf("# a token of the job for the audience %s, in the file id-token\n%s --identity-token-file id-token\n", i.Audience, run)}
}

func (h *Handler) trustedAdd(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	ns := r.PathValue("namespace")
	rule := hub.Trusted{
		Publisher: ns, Issuer: r.PostFormValue("issuer"), Repository: formText(r, "repository"), Workflow: formText(r, "workflow"),
		Environment: formText(r, "environment"), Ref: formText(r, "ref"),
	}
	if name := formText(r, "plugin"); name != "" {
		rule.Plugin = ns + "/" + name
	}
	known := false
	for _, i := range h.issuers() {
		known = known || i.URL == rule.Issuer
	}
	if !known {
		return hub.Invalid("issuer", "is not a build system that this hub takes tokens of")
	}
	if _, err := h.o.Identity.AddTrusted(r.Context(), a, rule); err != nil {
		return err
	}
	return done(w, r, publishLink(ns)+"/trusted", "added")
}

// trustedRemove takes a rule back. It goes by the rule's id alone; the publisher in the
// address must be the rule's, so that what is seen is what is done.
func (h *Handler) trustedRemove(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	in, err := h.inside(r, a, "/trusted")
	if err != nil {
		return err
	}
	id, ns := r.PostFormValue("id"), in.Publisher.Namespace
	for _, t := range in.Trusted {
		if t.ID == id {
			if err := h.o.Identity.RemoveTrusted(r.Context(), a, id); err != nil {
				return err
			}
			return done(w, r, publishLink(ns)+"/trusted", "removed")
		}
	}
	return hub.ErrNotFound
}

type proofRow struct {
	hub.Proof
	Record string // what to show
	URL    string // where, for a file
}

type proofsPage struct {
	insider
	Rows []proofRow
}

func (h *Handler) proofs(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	in, err := h.inside(r, a, "/proofs")
	if err != nil {
		return err
	}
	p := proofsPage{insider: in}
	for _, one := range in.Proofs {
		p.Rows = append(p.Rows, proofRow{one, "souk-verify=" + one.Challenge, "https://" + one.Subject + publishing.ProofPath})
	}
	return h.show(w, r, a, http.StatusOK, "publish", "Proofs of "+in.Publisher.Name, "proofs", p)
}

func (h *Handler) proofAdd(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	ns := r.PathValue("namespace")
	if _, err := h.o.Publishing.AddProof(r.Context(), a, ns, hub.ProofKind(r.PostFormValue("kind")), formText(r, "subject")); err != nil {
		return err
	}
	return done(w, r, publishLink(ns)+"/proofs", "added")
}

func (h *Handler) proofCheck(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	ns := r.PathValue("namespace")
	if err := h.o.Publishing.CheckProof(r.Context(), a, ns, r.PostFormValue("id")); err != nil {
		return err
	}
	return done(w, r, publishLink(ns)+"/proofs", "proved")
}

func (h *Handler) proofRemove(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	ns := r.PathValue("namespace")
	if err := h.o.Publishing.RemoveProof(r.Context(), a, ns, r.PostFormValue("id")); err != nil {
		return err
	}
	return done(w, r, publishLink(ns)+"/proofs", "removed")
}
