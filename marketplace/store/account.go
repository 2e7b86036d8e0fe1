package store

import (
	"context"
	"net/http"
	"time"
)

// lookAgain is how often a page is loaded again that waits for a person at the hub.
const lookAgain = 5 * time.Second

// accountSection is how the link to a hub stands, in the settings.
type accountSection struct {
	Account
	Hub     hubName
	Page    hubName // where the code is typed
	Problem string  // in words
	MayLink bool
	Ask     bool // whether it shall be unlinked
}

// account is the account, with words of the hub made safe.
func (h *shop) account() Account {
	a := h.o.Community.Account()
	a.Name, a.Code = oneLine(a.Name, 200), oneLine(a.Code, 40)
	if a.State == LinkWaiting && !h.o.Now().Before(a.Until) {
		a.State, a.Problem = LinkNone, LinkExpired // before who polls has noticed
	}
	return a
}

// accountOf returns the section; nil without a hub.
func (h *shop) accountOf(a Actor) *accountSection {
	if h.o.Community == nil {
		return nil
	}
	s := &accountSection{Account: h.account(), MayLink: a.Administer}
	s.Hub, s.Page = nameHub(s.Account.Hub), nameHub(s.URL)
	if key := "link.problem." + string(s.Account.Problem); s.Account.Problem != "" && h.text.Has(key) {
		s.Problem = h.text.T(key, s.Hub.Host)
	}
	return s
}

func (h *shop) link(w http.ResponseWriter, r *http.Request, _ Actor) error {
	err := h.act(r, func(ctx context.Context, c Community) error {
		_, err := c.Link(ctx)
		return err
	})
	if err != nil {
		return err
	}
	http.Redirect(w, r, h.url("settings")+"#souk-account", http.StatusSeeOther)
	return nil
}

// askUnlink asks before the link is ended.
func (h *shop) askUnlink(w http.ResponseWriter, r *http.Request, a Actor) error {
	s := h.accountOf(a)
	if s.State == LinkNone {
		http.Redirect(w, r, h.url("settings")+"#souk-account", http.StatusSeeOther)
		return nil
	}
	h.show(w, r, a, http.StatusOK, "unlink", &page{Title: h.text.T("account.unlink.title"), Nav: "settings", Content: s})
	return nil
}

func (h *shop) unlink(w http.ResponseWriter, r *http.Request, _ Actor) error {
	if err := h.act(r, func(ctx context.Context, c Community) error { return c.Unlink(ctx) }); err != nil {
		return err
	}
	http.Redirect(w, r, h.url("settings")+"#souk-account", http.StatusSeeOther)
	return nil
}
