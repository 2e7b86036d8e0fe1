package portal

import (
	"net/http"
	"strconv"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/insight"
)

func (h *Handler) numbersRoutes() {
	h.own("GET /publish/{namespace}/plugins/{name}/numbers", h.numbers)
}

type numbersPage struct {
	Plugin hub.Plugin
	Title  string
	Link   string
	Spans  []staffFilter
	CSV    string
	Facts  []fact
	Plots  []plot
}

// fact is one number, with a word of what it is.
type fact struct{ Name, Value, Note string }

func sum(list []int64) (n int64) {
	for _, v := range list {
		n += v
	}
	return n
}

func last[T any](list []T) (v T) {
	if len(list) > 0 {
		v = list[len(list)-1]
	}
	return v
}

func (h *Handler) numbers(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	plugin, err := h.managedPlugin(r, a)
	if err != nil {
		return err
	}
	days, err := strconv.Atoi(r.URL.Query().Get("days"))
	if err != nil || days != 90 && days != 365 {
		days = 28
	}
	to := h.o.Env.Now()
	from := to.AddDate(0, 0, 1-days)
	n, err := h.o.Insight.Numbers(r.Context(), a, plugin.ID, from, to)
	if err != nil {
		return err
	}
	p := numbersPage{Plugin: plugin, Title: plugin.Name, Link: manageLink(plugin.ID)}
	if p.Title == "" {
		p.Title = plugin.ID
	}
	p.CSV = withQuery("/api/v1"+pluginLink(plugin.ID)+"/numbers.csv", "from", from.UTC().Format("2006-01-02T15:04:05Z"), "to", to.UTC().Format("2006-01-02T15:04:05Z"))
	for _, d := range []int{28, 90, 365} {
		p.Spans = append(p.Spans, staffFilter{Name: strconv.Itoa(d) + " days", URL: withQuery(p.Link+"/numbers", "days", strconv.Itoa(d)), Current: d == days})
	}
	p.Facts, p.Plots = h.factsOf(n), plotsOf(n)
	return h.show(w, r, a, http.StatusOK, "publish", "Numbers of "+p.Title, "numbers", p)
}

func (h *Handler) factsOf(n insight.Numbers) []fact {
	count := h.text.Number
	adopted := "nobody says"
	if a := last(n.Adoption); a > 0 {
		adopted = strconv.Itoa(int(a*100+.5)) + " %"
	}
	return []fact{
		{"Downloads", count(sum(n.Downloads)), count(n.DownloadsTotal) + " of all time"},
		{"Panels that run it", count(last(n.Active)), "today, of those that report numbers"},
		{"On the newest version", adopted, "of those panels"},
		{"Updates undone", count(sum(n.Rollbacks)), count(sum(n.Unhealthy)) + " failed health checks"},
		{"New ratings", count(sum(n.Ratings)), "less those taken back"},
	}
}

func plotsOf(n insight.Numbers) []plot {
	percent := func(list []float64) []int64 {
		out := make([]int64, len(list))
		for i, f := range list {
			out[i] = int64(f*100 + .5)
		}
		return out
	}
	rounded := func(list []float64) []int64 {
		out := make([]int64, len(list))
		for i, f := range list {
			out[i] = int64(f + .5)
		}
		return out
	}
	downloads := append([]plotLine{{Name: "all versions", Values: n.Downloads}}, seriesLines(n.DownloadsByVersion, "not said")...)
	return []plot{
		{ID: "downloads", Title: "Downloads", About: "Each release once a day and client.", Days: n.Days, Lines: downloads[:min(len(downloads), plotLines)]},
		{ID: "active", Title: "Active installs by version", About: "Panels that reported that they run it.", Days: n.Days, Lines: seriesLines(n.ActiveVersion, "not said")},
		{ID: "panels", Title: "Active installs by panel version", About: "The version of the panel itself.", Days: n.Days, Lines: seriesLines(n.ActivePanel, "not said")},
		{ID: "adoption", Title: "Adoption of the newest version", About: "Part of the active installs that run what was the newest stable version on that day.", Percent: true, Days: n.Days, Lines: []plotLine{{Name: "on the newest version", Values: percent(n.Adoption)}}},
		{ID: "trouble", Title: "Rollbacks and failed health checks", About: "How often a panel undid an update, or found the plugin not working.", Days: n.Days, Lines: []plotLine{{Name: "rollbacks", Values: n.Rollbacks}, {Name: "failed health checks", Values: n.Unhealthy}}},
		{ID: "ratings", Title: "Ratings", About: "Those that came on the day, less those that went, and the average stars of what came, 0 where nothing did.", Days: n.Days, Lines: []plotLine{{Name: "ratings", Values: n.Ratings}, {Name: "average stars, rounded", Values: rounded(n.RatingMean)}}},
	}
}
