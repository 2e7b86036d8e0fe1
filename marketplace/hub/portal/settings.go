package portal

import (
	"net/http"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
)

func (h *Handler) settingsRoutes() {
	h.own("GET /publish/{namespace}/settings", h.settings)
	h.own("POST /publish/{namespace}/settings", h.settingsEdit)
	h.own("GET /publish/{namespace}/members", h.members)
	h.own("POST /publish/{namespace}/members", h.memberSet)
	h.own("POST /publish/{namespace}/members/remove", h.memberRemove)
	h.own("GET /publish/{namespace}/signers", h.signers)
	h.own("POST /publish/{namespace}/signers", h.signerAdd)
	h.own("POST /publish/{namespace}/signers/limit", h.signerLimit)
	h.own("POST /publish/{namespace}/signers/revoke", h.signerRevoke)
}

func (h *Handler) settings(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	in, err := h.inside(r, a, "/settings")
	if err != nil {
		return err
	}
	return h.show(w, r, a, http.StatusOK, "publish", "Profile of "+in.Publisher.Name, "settings", in)
}

func (h *Handler) settingsEdit(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	rev, err := formInt(r, "rev")
	if err != nil {
		return err
	}
	ns := r.PathValue("namespace")
	if _, err := h.o.Publishing.EditPublisher(r.Context(), a, ns, int64(rev), publishing.PublisherEdit{
		Name: formText(r, "name"), Homepage: formText(r, "homepage"), About: formText(r, "about"), Contact: formText(r, "contact"),
	}); err != nil {
		return err
	}
	return done(w, r, publishLink(ns)+"/settings", "saved")
}

type memberRow struct {
	hub.Member
	Name string
	You  bool
}

type membersPage struct {
	insider
	Rows []memberRow
}

func (h *Handler) members(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	in, err := h.inside(r, a, "/members")
	if err != nil {
		return err
	}
	var ids []string
	for _, m := range in.Members {
		ids = append(ids, m.Account)
	}
	names, err := h.peopleOf(r.Context(), ids...)
	if err != nil {
		return err
	}
	p := membersPage{insider: in}
	for _, m := range in.Members {
		p.Rows = append(p.Rows, memberRow{m, names.Name(m.Account), m.Account == a.Account})
	}
	return h.show(w, r, a, http.StatusOK, "publish", "Members of "+in.Publisher.Name, "members", p)
}

func (h *Handler) memberSet(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	ns := r.PathValue("namespace")
	if err := h.o.Publishing.SetMember(r.Context(), a, ns, formText(r, "account"), hub.MemberRole(r.PostFormValue("role"))); err != nil {
		return err
	}
	return done(w, r, publishLink(ns)+"/members", "saved")
}

func (h *Handler) memberRemove(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	ns, account := r.PathValue("namespace"), r.PostFormValue("account")
	if err := h.o.Publishing.RemoveMember(r.Context(), a, ns, account); err != nil {
		return err
	}
	if account == a.Account {
		return done(w, r, "/publish", "left")
	}
	return done(w, r, publishLink(ns)+"/members", "removed")
}

type signersPage struct {
	insider
	Rows []signerRow
}

func (h *Handler) signers(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	in, err := h.inside(r, a, "/signers")
	if err != nil {
		return err
	}
	return h.show(w, r, a, http.StatusOK, "publish", "Signers of "+in.Publisher.Name, "signers", signersPage{in, signerRows(in.Signers, h.o.Env.Now())})
}

// formDay reads a day that a browser's date field gave: its beginning in UTC. An empty
// one is the zero time.
func formDay(r *http.Request, field string) (time.Time, error) {
	s := formText(r, field)
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return t, hub.Invalid(field, "must be a day like 2026-12-31")
	}
	return t, nil
}

func (h *Handler) signerAdd(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	until, err := formDay(r, "until")
	if err != nil {
		return err
	}
	n := publishing.NewSigner{Issuer: formText(r, "issuer"), Subject: formText(r, "subject"), Until: until}
	if key := formText(r, "key"); key != "" {
		n.Key = key + "\n" // which trimming took
	}
	ns := r.PathValue("namespace")
	if _, err := h.o.Publishing.AddSigner(r.Context(), a, ns, n); err != nil {
		return err
	}
	return done(w, r, publishLink(ns)+"/signers", "added")
}

func (h *Handler) signerLimit(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	until, err := formDay(r, "until")
	if err != nil {
		return err
	}
	ns := r.PathValue("namespace")
	if _, err := h.o.Publishing.LimitSigner(r.Context(), a, ns, r.PostFormValue("id"), until); err != nil {
		return err
	}
	return done(w, r, publishLink(ns)+"/signers", "saved")
}

func (h *Handler) signerRevoke(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	if r.PostFormValue("sure") != "1" {
		return hub.Invalid("sure", "must be ticked: revoking cannot be taken back")
	}
	ns := r.PathValue("namespace")
	if _, err := h.o.Publishing.RevokeSigner(r.Context(), a, ns, r.PostFormValue("id"), formText(r, "reason")); err != nil {
		return err
	}
	return done(w, r, publishLink(ns)+"/signers", "revoked")
}
