package store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/search"
)

const (
	// readWait and actWait bound how long a page waits for the hub: the rest of it is
	// there without, and a person who does something waits a little longer.
	readWait = 2 * time.Second
	actWait  = 6 * time.Second

	maxReview = 4000 // characters of a review and of a report, as many as a hub takes
	maxReason = 2000
	maxCursor = 600 // bytes
	maxAuthor = 64
)

var reviewSorts = []string{"helpful", "newest", "stars"}

// reviewsTab is what people say about a plugin.
type reviewsTab struct {
	Plugin   catalog.PluginID
	Hub      hubName
	Account  Account
	Query    RatingsQuery
	Unknown  bool     // to the hub, or of another catalog than the hub's
	Problem  *problem // why there is nothing to show
	Ratings  Ratings
	Stars    []starRow // five first
	Sorts    []facet
	All      string // address without a filter
	Next     string
	First    string // address of the first page; empty: this is it
	Mine     *Rating
	Form     *reviewForm // nil: nobody may rate here now
	Linked   bool
	MayRate  bool // the actor may, once linked
	MayLink  bool
	Reported bool
}

// hubName is a hub for people.
type hubName struct{ Host, URL string }

func nameHub(address string) hubName {
	n := hubName{Host: oneLine(address, 200)}
	if u, err := url.Parse(address); err == nil && u.Host != "" && web(address) {
		n.Host, n.URL = oneLine(u.Host, 200), address
	}
	return n
}

// starRow is a line of the histogram.
type starRow struct {
	Stars   int
	N       int64
	URL     string // only these
	Current bool
}

// reviewForm is one's own rating, as written or as it stands.
type reviewForm struct {
	Stars   int
	Text    string
	Edit    bool
	Problem *problem
}

// reviewsOf returns the tab of a plugin. form is what was sent and refused; nil: nothing.
func (h *shop) reviewsOf(r *http.Request, a Actor, p catalog.Plugin, form *reviewForm) *reviewsTab {
	c := h.o.Community
	t := &reviewsTab{Plugin: p.ID, Account: h.account(), MayRate: a.Install, MayLink: a.Administer, Query: ratingsQuery(r.URL.Query()), Reported: r.URL.Query().Get("reported") == "1"}
	t.Hub, t.Linked = nameHub(t.Account.Hub), t.Account.State == LinkLinked
	if !h.ofHub(p) {
		t.Unknown = true
		return t
	}
	ctx, cancel := context.WithTimeout(r.Context(), readWait)
	defer cancel()
	var mine Rating
	var mineErr error
	var wait sync.WaitGroup
	if t.Linked && t.MayRate {
		wait.Go(func() { mine, mineErr = c.MyRating(ctx, p.ID) })
	}
	ratings, err := c.Ratings(ctx, p.ID, t.Query)
	wait.Wait()
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		t.Unknown = true
		return t
	case err != nil:
		why := h.explain(hubError(err))
		t.Problem = &why
	default:
		t.show(h, ratings)
	}
	if t.Account = h.account(); t.Account.State != LinkLinked { // the hub refused the panel just now
		t.Linked = false
	}
	switch {
	case !t.Linked || !t.MayRate:
	case form != nil:
		t.Form = form
		t.Form.Edit = mineErr == nil
	case mineErr == nil:
		clean(&mine)
		t.Mine = &mine
		t.Form = &reviewForm{Stars: mine.Stars, Text: mine.Text, Edit: true}
	case errors.Is(mineErr, catalog.ErrNotFound):
		t.Form = &reviewForm{}
	case t.Problem == nil:
		why := h.explain(hubError(mineErr))
		t.Problem = &why
	}
	return t
}

// ratingsQuery reads which reviews are asked for; what is unknown is left out.
func ratingsQuery(v url.Values) RatingsQuery {
	q := RatingsQuery{Sort: reviewSorts[0]}
	if s := v.Get("sort"); slices.Contains(reviewSorts, s) {
		q.Sort = s
	}
	if n, err := strconv.Atoi(v.Get("stars")); err == nil && n >= 1 && n <= 5 {
		q.Stars = n
	}
	if s := v.Get("cursor"); len(s) <= maxCursor && utf8.ValidString(s) {
		q.Cursor = s
	}
	return q
}

// values is a query as it stands in an address.
func (q RatingsQuery) values() url.Values {
	v := url.Values{}
	if q.Sort != "" && q.Sort != reviewSorts[0] {
		v.Set("sort", q.Sort)
	}
	if q.Stars > 0 {
		v.Set("stars", strconv.Itoa(q.Stars))
	}
	if q.Cursor != "" {
		v.Set("cursor", q.Cursor)
	}
	return v
}

func (h *shop) reviewsURL(id catalog.PluginID, q RatingsQuery) string {
	at := h.url("p", id.Publisher(), id.Name(), "reviews")
	if v := q.values(); len(v) > 0 {
		at += "?" + v.Encode()
	}
	return at
}

// show fills in what the hub said.
func (t *reviewsTab) show(h *shop, r Ratings) {
	for i := range r.Items {
		clean(&r.Items[i])
	}
	t.Ratings = r
	link := func(change func(*RatingsQuery)) string {
		q := t.Query
		q.Cursor = ""
		change(&q)
		return h.reviewsURL(t.Plugin, q)
	}
	for n := 5; n >= 1; n-- {
		t.Stars = append(t.Stars, starRow{n, max(r.Histogram[n-1], 0), link(func(q *RatingsQuery) { q.Stars = n }), t.Query.Stars == n})
	}
	for _, s := range reviewSorts {
		t.Sorts = append(t.Sorts, facet{Value: s, Name: h.text.T("review.sort." + s), URL: link(func(q *RatingsQuery) { q.Sort = s }), Current: t.Query.Sort == s})
	}
	t.All = link(func(q *RatingsQuery) { q.Stars = 0 })
	if t.Query.Cursor != "" {
		t.First = link(func(*RatingsQuery) {})
	}
	if r.Next != "" && len(r.Next) <= maxCursor {
		t.Next = link(func(q *RatingsQuery) { q.Cursor = r.Next })
	}
}

// clean bounds what a hub says of a rating, and takes out what could trick the eye.
func clean(r *Rating) {
	r.Stars = min(max(r.Stars, 1), 5)
	if checkAuthor(r.Author) != nil {
		r.Author = "" // nobody can vote for it
	}
	r.Name, r.Version, r.Why = oneLine(r.Name, 200), oneLine(r.Version, 100), oneLine(r.Why, 500)
	r.Text, r.Answer = lines(r.Text), lines(r.Answer)
}

// lines makes text of foreign origin safe to stand in several lines.
func lines(s string) string {
	if len(s) > 4*maxReview {
		s = strings.ToValidUTF8(s[:4*maxReview], "") + "…"
	}
	return strings.Map(func(c rune) rune {
		if c != '\n' && unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) {
			return ' '
		}
		return c
	}, s)
}

// ofHub reports whether the hub speaks about this plugin: one of the same name in another
// source is another plugin.
func (h *shop) ofHub(p catalog.Plugin) bool {
	return h.o.CommunitySource == "" || p.Source == h.o.CommunitySource
}

// hubPlugin finds the plugin of a request that the hub speaks about.
func (h *shop) hubPlugin(r *http.Request) (catalog.Plugin, error) {
	p, err := h.lookUp(r)
	if err == nil && !h.ofHub(p) {
		err = fmt.Errorf("plugin %s is not of the hub: %w", p.ID, catalog.ErrNotFound)
	}
	return p, err
}

// act does something at the hub for a person, who waits for it.
func (h *shop) act(r *http.Request, f func(context.Context, Community) error) error {
	ctx, cancel := context.WithTimeout(r.Context(), actWait)
	defer cancel()
	return hubError(f(ctx, h.o.Community))
}

// hubError marks an error as one of the hub, where that makes a difference to people.
func hubError(err error) error {
	if errors.Is(err, catalog.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", errHub, err)
	}
	return err
}

// review reads a rating from a form; a sentence of what is missing otherwise.
func review(v url.Values) (form reviewForm, err error) {
	form.Text = strings.ReplaceAll(v.Get("text"), "\r\n", "\n")
	if n, err := strconv.Atoi(v.Get("stars")); err == nil {
		form.Stars = n
	} // else none, which is said below
	return form, checkReview(form.Stars, form.Text)
}

func checkReview(stars int, text string) error {
	if stars < 1 || stars > 5 {
		return wrong("review.wrong.stars", "choose one to five stars")
	}
	if n := utf8.RuneCountInString(text); n > maxReview {
		return wrong("review.wrong.long", "the text has {0} characters, more than {1}", n, maxReview)
	}
	return nil
}

func (h *shop) rate(w http.ResponseWriter, r *http.Request, a Actor) error {
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("%w: %w", errRequest, err)
	}
	p, err := h.hubPlugin(r)
	if err != nil {
		return err
	}
	form, err := review(r.PostForm)
	if err == nil {
		err = h.act(r, func(ctx context.Context, c Community) error { return c.Rate(ctx, p.ID, form.Stars, form.Text) })
	}
	if err != nil { // the page again, with what was written
		why := h.explain(err)
		form.Problem = &why
		return h.detailPage(w, r, a, p, "reviews", why.Status, &form)
	}
	http.Redirect(w, r, h.reviewsURL(p.ID, RatingsQuery{Sort: "newest"})+"#souk-mine", http.StatusSeeOther)
	return nil
}

func (h *shop) unrate(w http.ResponseWriter, r *http.Request, _ Actor) error {
	p, err := h.hubPlugin(r)
	if err != nil {
		return err
	}
	err = h.act(r, func(ctx context.Context, c Community) error { return c.DeleteRating(ctx, p.ID) })
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return err
	}
	http.Redirect(w, r, h.reviewsURL(p.ID, RatingsQuery{}), http.StatusSeeOther)
	return nil
}

func (h *shop) helpful(w http.ResponseWriter, r *http.Request, _ Actor) error {
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("%w: %w", errRequest, err)
	}
	p, err := h.hubPlugin(r)
	if err != nil {
		return err
	}
	author := r.PostForm.Get("author")
	if err := checkAuthor(author); err != nil {
		return err
	}
	yes := r.PostForm.Get("helpful") == "1"
	if err := h.act(r, func(ctx context.Context, c Community) error { return c.Vote(ctx, p.ID, author, yes) }); err != nil {
		return err
	}
	http.Redirect(w, r, h.reviewsURL(p.ID, ratingsQuery(r.PostForm))+"#review-"+url.PathEscape(author), http.StatusSeeOther)
	return nil
}

// checkAuthor holds the id of who wrote a review to what an id can be.
func checkAuthor(s string) error {
	if s == "" || len(s) > maxAuthor || strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
		return fmt.Errorf("review: %w", catalog.ErrNotFound)
	}
	return nil
}

type reportPage struct {
	card
	Hub     hubName
	Linked  bool
	MayLink bool
	Reasons []facet
	Reason  string
	Text    string
	Problem *problem
}

func (h *shop) report(w http.ResponseWriter, r *http.Request, a Actor) error {
	p, err := h.hubPlugin(r)
	if err != nil {
		return err
	}
	return h.reportForm(w, r, a, p, http.StatusOK, reportPage{})
}

func (h *shop) reportForm(w http.ResponseWriter, r *http.Request, a Actor, p catalog.Plugin, status int, c reportPage) error {
	account := h.account()
	c.card = h.describe(h.panel(), a, p).card
	c.Hub, c.Linked, c.MayLink = nameHub(account.Hub), account.State == LinkLinked, a.Administer
	for _, reason := range h.o.Community.Reasons() {
		name := reason
		if key := "report.reason." + reason; h.text.Has(key) {
			name = h.text.T(key)
		}
		c.Reasons = append(c.Reasons, facet{Value: reason, Name: name, Current: reason == c.Reason})
	}
	h.show(w, r, a, status, "report", &page{Title: h.text.T("report.title", c.Name), Nav: "browse", Content: c})
	return nil
}

func (h *shop) sendReport(w http.ResponseWriter, r *http.Request, a Actor) error {
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("%w: %w", errRequest, err)
	}
	p, err := h.hubPlugin(r)
	if err != nil {
		return err
	}
	c := reportPage{Reason: r.PostForm.Get("reason"), Text: strings.ReplaceAll(r.PostForm.Get("text"), "\r\n", "\n")}
	if err = h.checkReport(c.Reason, c.Text); err == nil {
		err = h.act(r, func(ctx context.Context, community Community) error {
			return community.Report(ctx, p.ID, c.Reason, c.Text)
		})
	}
	if err != nil {
		why := h.explain(err)
		c.Problem = &why
		return h.reportForm(w, r, a, p, why.Status, c)
	}
	http.Redirect(w, r, h.url("p", p.ID.Publisher(), p.ID.Name(), "reviews")+"?reported=1", http.StatusSeeOther)
	return nil
}

func (h *shop) checkReport(reason, text string) error {
	if !slices.Contains(h.o.Community.Reasons(), reason) {
		return wrong("report.wrong.reason", "choose a reason")
	}
	switch n := utf8.RuneCountInString(strings.TrimSpace(text)); {
	case n == 0:
		return wrong("report.wrong.text", "say what you saw")
	case n > maxReason:
		return wrong("review.wrong.long", "the text has {0} characters, more than {1}", n, maxReason)
	}
	return nil
}

// tips are plugins for who has what is installed here, as cards; none when the hub has
// none or does not answer.
func (h *shop) tips(r *http.Request, on panel, a Actor) []card {
	var out []card
	for _, s := range h.suggestions(r, on) {
		p, err := h.m.Plugin(s.Plugin)
		if err != nil || len(out) == shelfLength {
			continue // not in any catalog here
		}
		c := h.card(on, a, search.Hit{Listing: p.Listing, Source: p.Source, Stats: p.Stats}, "tips")
		c.Because = s.Because
		out = append(out, c)
	}
	return out
}

// suggestions are those of the hub that can be had here and are not installed.
func (h *shop) suggestions(r *http.Request, on panel) []Suggestion {
	if h.o.Community == nil || len(on.here) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), readWait)
	defer cancel()
	list, err := h.o.Community.Recommend(ctx, 2*shelfLength)
	if err != nil {
		h.o.Log.Debug("suggestions", "error", err)
		return nil
	}
	out := []Suggestion{}
	for _, s := range list {
		p, err := h.m.Plugin(s.Plugin)
		if _, here := on.here[s.Plugin]; err != nil || here || p.Latest == "" || !h.ofHub(p) {
			continue
		}
		s.Name, s.Summary = h.words(p.Listing)
		s.Because = oneLine(s.Because, 200)
		out = append(out, s)
	}
	return out
}
