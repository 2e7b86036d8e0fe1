package store

import (
	"context"
	"net/http"
	"time"

	"github.com/souk-dev/souk/catalog"
)

type accountJSON struct {
	Hub     string      `json:"hub"`
	State   LinkState   `json:"state"`
	Name    string      `json:"name,omitempty"`
	Code    string      `json:"code,omitempty"`
	URL     string      `json:"url,omitempty"`
	Until   time.Time   `json:"until,omitzero"`
	Problem LinkProblem `json:"problem,omitempty"`
	Text    string      `json:"text,omitempty"`    // the problem for people
	Reasons []string    `json:"reasons,omitempty"` // that a report may have
}

func (h *shop) accountJSON(a Actor) accountJSON {
	s := h.accountOf(a)
	out := accountJSON{s.Account.Hub, s.State, s.Name, s.Code, s.URL, s.Until, s.Account.Problem, s.Problem, h.o.Community.Reasons()}
	if !a.Administer { // the code is for who may link
		out.Code = ""
	}
	return out
}

func (h *shop) apiAccount(w http.ResponseWriter, _ *http.Request, a Actor) error {
	h.writeJSON(w, http.StatusOK, h.accountJSON(a))
	return nil
}

func (h *shop) apiLink(w http.ResponseWriter, r *http.Request, a Actor) error {
	err := h.act(r, func(ctx context.Context, c Community) error {
		_, err := c.Link(ctx)
		return err
	})
	if err != nil {
		return err
	}
	h.writeJSON(w, http.StatusAccepted, h.accountJSON(a))
	return nil
}

func (h *shop) apiUnlink(w http.ResponseWriter, r *http.Request, a Actor) error {
	if err := h.act(r, func(ctx context.Context, c Community) error { return c.Unlink(ctx) }); err != nil {
		return err
	}
	h.writeJSON(w, http.StatusOK, h.accountJSON(a))
	return nil
}

type reviewJSON struct {
	Author    string    `json:"author"` // id, to say that it was helpful
	Name      string    `json:"name"`
	Stars     int       `json:"stars"`
	Text      string    `json:"text"` // plain
	Version   string    `json:"version,omitempty"`
	Proved    bool      `json:"proved"` // their panel showed that it is installed
	Helpful   int       `json:"helpful"`
	Voted     bool      `json:"voted"`
	Mine      bool      `json:"mine"`
	State     string    `json:"state"` // "shown", "held", "hidden"
	Why       string    `json:"why,omitempty"`
	Answer    string    `json:"answer,omitempty"`
	Answered  time.Time `json:"answered,omitzero"`
	Published time.Time `json:"published"`
}

func reviewOf(r Rating) reviewJSON {
	clean(&r)
	state := "shown"
	switch {
	case r.Held:
		state = "held"
	case r.Hidden:
		state = "hidden"
	}
	return reviewJSON{r.Author, r.Name, r.Stars, r.Text, r.Version, r.Proved, r.Helpful, r.Voted, r.Mine, state, r.Why, r.Answer, r.Answered, r.Published}
}

type reviewsJSON struct {
	Count     int64        `json:"count"`
	Histogram [5]int64     `json:"histogram"` // with one star first
	Mean      float64      `json:"mean"`      // 0: too few to say
	Reviews   []reviewJSON `json:"reviews"`
	Next      string       `json:"next"`
	Hub       string       `json:"hub"`
	Read      time.Time    `json:"read,omitzero"`
	Stale     bool         `json:"stale"` // the hub does not answer: this is what it said at read
}

func (h *shop) apiReviews(w http.ResponseWriter, r *http.Request, _ Actor) error {
	p, err := h.hubPlugin(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), readWait)
	defer cancel()
	got, err := h.o.Community.Ratings(ctx, p.ID, ratingsQuery(r.URL.Query()))
	if err != nil {
		return hubError(err)
	}
	out := reviewsJSON{got.Count, got.Histogram, got.Mean, []reviewJSON{}, got.Next, h.account().Hub, got.Read, got.Stale}
	for _, one := range got.Items {
		out.Reviews = append(out.Reviews, reviewOf(one))
	}
	h.writeJSON(w, http.StatusOK, out)
	return nil
}

// apiMyReview answers with the linked account's own review.
func (h *shop) apiMyReview(w http.ResponseWriter, r *http.Request, _ Actor) error {
	p, err := h.hubPlugin(r)
	if err != nil {
		return err
	}
	return h.writeMine(w, r, p.ID)
}

func (h *shop) writeMine(w http.ResponseWriter, r *http.Request, id catalog.PluginID) error {
	ctx, cancel := context.WithTimeout(r.Context(), readWait)
	defer cancel()
	mine, err := h.o.Community.MyRating(ctx, id)
	if err != nil {
		return hubError(err)
	}
	h.writeJSON(w, http.StatusOK, reviewOf(mine))
	return nil
}

func (h *shop) apiRate(w http.ResponseWriter, r *http.Request, _ Actor) error {
	p, err := h.hubPlugin(r)
	if err != nil {
		return err
	}
	var in struct {
		Stars int    `json:"stars"`
		Text  string `json:"text"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if err := checkReview(in.Stars, in.Text); err != nil {
		return err
	}
	if err := h.act(r, func(ctx context.Context, c Community) error { return c.Rate(ctx, p.ID, in.Stars, in.Text) }); err != nil {
		return err
	}
	return h.writeMine(w, r, p.ID)
}

func (h *shop) apiUnrate(w http.ResponseWriter, r *http.Request, _ Actor) error {
	p, err := h.hubPlugin(r)
	if err != nil {
		return err
	}
	if err := h.act(r, func(ctx context.Context, c Community) error { return c.DeleteRating(ctx, p.ID) }); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// apiHelpful says that a review was helpful (PUT), or takes that back (DELETE).
func (h *shop) apiHelpful(w http.ResponseWriter, r *http.Request, _ Actor) error {
	p, err := h.hubPlugin(r)
	if err != nil {
		return err
	}
	author := r.PathValue("author")
	if err := checkAuthor(author); err != nil {
		return err
	}
	yes := r.Method == http.MethodPut
	if err := h.act(r, func(ctx context.Context, c Community) error { return c.Vote(ctx, p.ID, author, yes) }); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *shop) apiReport(w http.ResponseWriter, r *http.Request, _ Actor) error {
	p, err := h.hubPlugin(r)
	if err != nil {
		return err
	}
	var in struct {
		Reason string `json:"reason"`
		Text   string `json:"text"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if err := h.checkReport(in.Reason, in.Text); err != nil {
		return err
	}
	if err := h.act(r, func(ctx context.Context, c Community) error { return c.Report(ctx, p.ID, in.Reason, in.Text) }); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *shop) apiTips(w http.ResponseWriter, r *http.Request, _ Actor) error {
	type tip struct {
		Plugin  catalog.PluginID `json:"plugin"`
		Name    string           `json:"name"`
		Summary string           `json:"summary"`
		Because string           `json:"because"` // name of an installed plugin
	}
	out := []tip{}
	for _, s := range h.suggestions(r, h.panel()) {
		out = append(out, tip(s))
	}
	h.writeJSON(w, http.StatusOK, map[string]any{"recommendations": out})
	return nil
}
