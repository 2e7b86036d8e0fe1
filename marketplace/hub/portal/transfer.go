package portal

import (
	"net/http"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/verify"
)

func (h *Handler) transferRoutes() {
	h.own("GET /publish/{namespace}/transfer", h.transfer)
	h.own("POST /publish/{namespace}/transfer/statement", h.transferStatement)
	h.own("POST /publish/{namespace}/transfer", h.transferPropose)
	h.own("POST /transfers/accept", h.transferAccept)
	h.own("POST /transfers/cancel", h.transferCancel)
}

type transferPage struct {
	insider
	Sender, Receiver string // names
	Statement        string // to be signed; empty: nobody is named yet
	Digest           string
	To               string
	Cool             string
}

func (h *Handler) transfer(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	return h.showTransfer(w, r, a, "", "")
}

func (h *Handler) showTransfer(w http.ResponseWriter, r *http.Request, a hub.Actor, to, statement string) error {
	in, err := h.inside(r, a, "/transfer")
	if err != nil {
		return err
	}
	cool := h.o.Env.Policy().WithDefaults().TransferCool
	p := transferPage{insider: in, Statement: statement, To: to, Cool: plural(int64(cool.Hours()/24), "day", "days")}
	if statement != "" {
		p.Digest = string(verify.DigestOf([]byte(statement)))
	}
	ids := []string{to}
	if in.Transfer != nil {
		ids = append(ids, in.Transfer.From, in.Transfer.To)
	}
	names, err := h.peopleOf(r.Context(), ids...)
	if err != nil {
		return err
	}
	if in.Transfer != nil {
		p.Sender, p.Receiver = names.Name(in.Transfer.From), names.Name(in.Transfer.To)
	} else if to != "" {
		p.Receiver = names.Name(to)
	}
	return h.show(w, r, a, http.StatusOK, "publish", "Hand over "+in.Publisher.Name, "transfer", p)
}

func (h *Handler) transferStatement(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	to := formText(r, "to")
	statement, err := h.o.Publishing.TransferStatement(r.Context(), a, r.PathValue("namespace"), to)
	if err != nil {
		return err
	}
	return h.showTransfer(w, r, a, to, statement)
}

func (h *Handler) transferPropose(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	t, err := h.o.Publishing.ProposeTransfer(r.Context(), a, r.PostFormValue("statement"), formText(r, "bundle"))
	if err != nil {
		return err
	}
	return done(w, r, publishLink(t.Publisher)+"/transfer", "sent")
}

func (h *Handler) transferAccept(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	if _, err := h.o.Publishing.AcceptTransfer(r.Context(), a, r.PostFormValue("id")); err != nil {
		return err
	}
	return done(w, r, "/publish", "accepted")
}

func (h *Handler) transferCancel(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	t, err := h.o.Publishing.CancelTransfer(r.Context(), a, r.PostFormValue("id"), formText(r, "reason"))
	if err != nil {
		return err
	}
	if _, member := a.Memberships[t.Publisher]; member {
		return done(w, r, publishLink(t.Publisher)+"/transfer", "called")
	}
	return done(w, r, "/publish", "called")
}
