package portal

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
	"github.com/souk-dev/souk/marketplace/hub/insight"
)

func (h *Handler) pluginRoutes() {
	h.page("GET /plugins/{publisher}/{name}", h.plugin)
	h.page("GET /plugins/{publisher}/{name}/{tab}", h.plugin)
	h.own("POST /plugins/{publisher}/{name}/rating", h.rate)
	h.own("POST /plugins/{publisher}/{name}/rating/delete", h.unrate)
	h.own("POST /plugins/{publisher}/{name}/vote", h.vote)
	h.own("POST /plugins/{publisher}/{name}/answer", h.ratingAnswer)
	h.own("GET /report", h.reportPage)
	h.own("POST /report", h.report)
}

// release is a release with what is shown of it.
type release struct {
	hub.Release
	Shown string // its state, for people
}

type pluginPage struct {
	Tab        string
	Tabs       []staffFilter
	Plugin     hub.Plugin
	Publisher  hub.Publisher
	Latest     hub.Release // zero: nothing is published
	Manifest   catalog.Manifest
	Releases   []release
	Advisories []hub.Advisory
	Summary    community.Summary
	Downloads  int64
	Also       []insight.Recommendation
	Member     bool // of the publisher
	Feed       string
	Rated      *ratingsPart // on its tab
}

// Link is where the plugin's pages begin.
func (p pluginPage) Link() string { return pluginLink(p.Plugin.ID) }

// Manage is where its publisher works on it.
func (p pluginPage) Manage() string { return manageLink(p.Plugin.ID) }

// Runtime says how it runs.
func (p pluginPage) Runtime() string { return runtimeWords(p.Manifest.Runtime.Kind) }

func pluginOf(r *http.Request) string { return r.PathValue("publisher") + "/" + r.PathValue("name") }

// pluginFor returns a plugin to who may know of it: everybody when it is listed.
func (h *Handler) pluginFor(ctx context.Context, a hub.Actor, id string) (hub.Plugin, error) {
	p, err := h.o.Publishing.Plugin(ctx, id)
	if err == nil && p.State != hub.PluginListed && a.May(hub.ActSubmissionRead, hub.Object{Publisher: p.Publisher, Plugin: id}) != nil {
		err = hub.ErrNotFound
	}
	return p, err
}

func (h *Handler) plugin(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	ctx, id := r.Context(), pluginOf(r)
	p := pluginPage{Tab: r.PathValue("tab"), Feed: "/" + insight.FeedPath(insight.FeedPlugin, id)}
	if p.Tab != "" && p.Tab != "releases" && p.Tab != "permissions" && p.Tab != "ratings" {
		return hub.ErrNotFound
	}
	var err error
	if p.Plugin, err = h.pluginFor(ctx, a, id); err != nil {
		return err
	}
	if p.Publisher, err = h.o.Publishing.Publisher(ctx, p.Plugin.Publisher); err != nil {
		return err
	}
	_, p.Member = a.Memberships[p.Plugin.Publisher]
	releases, err := h.o.Publishing.Releases(ctx, id)
	if err != nil {
		return err
	}
	for _, one := range releases {
		p.Releases = append(p.Releases, release{one, releaseState(one)})
	}
	p.Latest, _ = hub.Speaks(releases)
	if p.Manifest, err = manifestOf(p.Latest.Manifest); err != nil {
		return err
	}
	adv, err := h.o.Community.Advisories(ctx, community.AdvisoryQuery{Plugin: id, Active: true})
	if err != nil {
		return err
	}
	p.Advisories = adv.Items
	if p.Summary, err = h.o.Community.Summary(ctx, id); err != nil && !errors.Is(err, hub.ErrNotFound) {
		return err // one that is not listed has none
	}
	link := p.Link()
	p.Tabs = []staffFilter{
		{Name: "About", URL: link, Current: p.Tab == ""},
		{Name: "Releases", URL: link + "/releases", N: count(int64(len(releases))), Current: p.Tab == "releases"},
		{Name: "Permissions", URL: link + "/permissions", N: count(int64(len(p.Manifest.Permissions))), Current: p.Tab == "permissions"},
		{Name: "Ratings", URL: link + "/ratings", N: count(p.Summary.Count), Current: p.Tab == "ratings"},
	}
	if err := h.pluginAside(ctx, &p); err != nil {
		return err
	}
	if p.Tab == "ratings" {
		if p.Rated, err = h.ratings(r, a, p); err != nil {
			return err
		}
	}
	return h.show(w, r, a, http.StatusOK, "plugins", p.Plugin.Name, "plugin", p)
}

// count is how many there are, as a tab says it; none is not said.
func count(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// alsoShown is how many recommendations stand beside a plugin.
const alsoShown = 4

// pluginAside finds what stands beside the text: numbers, and what else fits.
func (h *Handler) pluginAside(ctx context.Context, p *pluginPage) error {
	err := h.o.Env.Store.View(ctx, func(tx hub.Tx) error {
		sum, err := tx.Totals(ctx, hub.TotalQuery{Kind: hub.TallyDownload, Plugin: p.Plugin.ID, To: hub.Day(h.o.Env.Now()), By: []string{"plugin"}})
		for _, s := range sum {
			p.Downloads += s.N
		}
		return err
	})
	if err != nil || p.Tab != "" || p.Plugin.State != hub.PluginListed {
		return err
	}
	p.Also, err = h.o.Insight.Recommend(ctx, []catalog.PluginID{catalog.PluginID(p.Plugin.ID)}, alsoShown)
	return err
}

// ratingsPart is what the ratings' tab shows.
type ratingsPart struct {
	List    []community.RatingView
	Bars    []bar
	Sorts   []staffFilter
	Stars   int
	Next    string
	Mine    *hub.Rating
	Reason  string     // why the person cannot rate, a sentence; empty: they can
	Answers staffNames // names of who answered
}

// bar is one line of the histogram.
type bar struct {
	Stars int
	N     int64
	URL   string // only these; none when there are none
	Share int    // percent
}

func (h *Handler) ratings(r *http.Request, a hub.Actor, p pluginPage) (*ratingsPart, error) {
	ctx, q := r.Context(), r.URL.Query()
	sort := community.Sort(q.Get("sort"))
	if sort != community.SortHelpful && sort != community.SortStars {
		sort = community.SortNewest
	}
	stars, err := strconv.Atoi(q.Get("stars"))
	if err != nil || stars < 1 || stars > 5 {
		stars = 0
	}
	out := &ratingsPart{Stars: stars}
	list, err := h.o.Community.Ratings(ctx, a, community.RatingsQuery{Plugin: p.Plugin.ID, Sort: sort, Stars: stars, Cursor: q.Get("after")})
	if err != nil {
		return nil, err
	}
	out.List = list.Items
	at := p.Link() + "/ratings"
	only := ""
	if stars > 0 {
		only = strconv.Itoa(stars)
	}
	if list.Next != "" {
		out.Next = withQuery(at, "sort", string(sort), "stars", only, "after", list.Next)
	}
	for _, s := range []struct {
		by   community.Sort
		name string
	}{{community.SortNewest, "Newest"}, {community.SortHelpful, "Most helpful"}, {community.SortStars, "Most stars"}} {
		out.Sorts = append(out.Sorts, staffFilter{Name: s.name, URL: withQuery(at, "sort", string(s.by), "stars", only), Current: s.by == sort})
	}
	for n := 5; n >= 1; n-- {
		b := bar{Stars: n, N: p.Summary.Histogram[n-1]}
		if b.N > 0 {
			b.Share = int(b.N * 100 / max(p.Summary.Count, 1))
			b.URL = withQuery(at, "stars", strconv.Itoa(n))
		}
		out.Bars = append(out.Bars, b)
	}
	var who []string
	for _, one := range out.List {
		who = append(who, one.AnswerBy)
	}
	if out.Answers, err = h.peopleOf(ctx, who...); err != nil {
		return nil, err
	}
	return out, h.mayRate(ctx, a, p, out)
}

// mayRate finds the person's own rating, or says why they can have none.
func (h *Handler) mayRate(ctx context.Context, a hub.Actor, p pluginPage, out *ratingsPart) error {
	if a.Account == "" {
		out.Reason = "Sign in to rate this plugin."
		return nil
	}
	mine, err := h.o.Community.RatingOf(ctx, a, p.Plugin.ID)
	switch {
	case err == nil:
		out.Mine = &mine
	case !errors.Is(err, hub.ErrNotFound):
		return err
	}
	switch {
	case p.Member:
		out.Reason = "You belong to its publisher, so you answer ratings instead of giving one."
	case a.May(hub.ActRatingWrite, hub.Object{Publisher: p.Plugin.Publisher, Plugin: p.Plugin.ID, Account: a.Account}) != nil:
		out.Reason = "Your account may not rate."
	case p.Plugin.State != hub.PluginListed:
		out.Reason = "A plugin that is not listed cannot be rated."
	case h.o.Env.Policy().NeedReceipt && (out.Mine == nil || !out.Mine.Proved):
		out.Reason = "This hub takes ratings from panels only, which prove that the plugin is installed: rate it where you use it."
	}
	return nil
}
