package store

import (
	"net/http"
	"strconv"
)

// galleryPage is one screenshot of a plugin, and the way to those beside it.
type galleryPage struct {
	shot
	Plugin         string // its name
	Back           string // address of the plugin's page
	N, Of          int    // counted from 1
	Previous, Next string // addresses; empty: there is none
}

// gallery shows the screenshot whose number stands in the address, counted from 1.
func (h *shop) gallery(w http.ResponseWriter, r *http.Request, a Actor) error {
	id, err := pluginID(r)
	if err != nil {
		return err
	}
	p, err := h.m.Plugin(id)
	if err != nil {
		return err
	}
	on := h.panel()
	d := h.describe(on, a, p)
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil || n < 1 || n > len(d.Shots) {
		return errNoPage
	}
	c := galleryPage{shot: d.Shots[n-1], Plugin: d.Name, N: n, Of: len(d.Shots), Back: h.url("p", id.Publisher(), id.Name())}
	if n > 1 {
		c.Previous = d.Shots[n-2].Page
	}
	if n < len(d.Shots) {
		c.Next = d.Shots[n].Page
	}
	h.show(w, r, a, http.StatusOK, "gallery", &page{Title: h.text.T("gallery.title", c.Plugin), Nav: "browse", Notices: h.shelfNotices(), Content: c, Refresh: on.running()})
	return nil
}
