package portal

import (
	"context"
	"net/http"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
)

func (h *Handler) publishRoutes() {
	h.own("GET /publish", h.publish)
	h.own("POST /publish", h.publisherCreate)
	h.own("GET /publish/{namespace}", h.overview)
	h.settingsRoutes()
	h.trustRoutes()
	h.transferRoutes()
	h.manageRoutes()
	h.numbersRoutes()
	h.submissionRoutes()
}

// publishTabs are the pages of one publisher.
func publishTabs(namespace, current string) []staffFilter {
	at := publishLink(namespace)
	return marked([]staffFilter{
		{Name: "Overview", URL: at}, {Name: "Profile", URL: at + "/settings"}, {Name: "Members", URL: at + "/members"},
		{Name: "Signers", URL: at + "/signers"}, {Name: "Trusted builds", URL: at + "/trusted"}, {Name: "Proofs", URL: at + "/proofs"},
		{Name: "Webhooks", URL: at + "/hooks"}, {Name: "Hand-over", URL: at + "/transfer"},
	}, at+current)
}

// insider is what every page of one publisher shows.
type insider struct {
	publishing.Inside
	Tabs  []staffFilter
	Owner bool // who asks may change it
}

// inside returns a publisher to who belongs to it, and to the hub's staff.
func (h *Handler) inside(r *http.Request, a hub.Actor, tab string) (insider, error) {
	in, err := h.o.Publishing.Inside(r.Context(), a, r.PathValue("namespace"))
	if err != nil {
		return insider{}, err
	}
	return insider{in, publishTabs(in.Publisher.Namespace, tab), in.Role == hub.MemberOwner && !a.Suspended}, nil
}

// openStates are those in which somebody or something has to act.
func openStates() []hub.State {
	var out []hub.State
	for state := range hub.Transitions() {
		if state.Open() {
			out = append(out, state)
		}
	}
	return out
}

// submissionRow is a submission in a list, with what to do next.
type submissionRow struct {
	hub.Submission
	Next string
}

func submissionRows(list []hub.Submission) []submissionRow {
	var out []submissionRow
	for _, s := range list {
		out = append(out, submissionRow{s, nextStep(s.State)})
	}
	return out
}

// nextStep says who has to do what.
func nextStep(s hub.State) string {
	switch s {
	case hub.StateDraft:
		return "Push the package and submit it."
	case hub.StateSubmitted, hub.StateValidating, hub.StateScanning:
		return "The hub is checking it. Nothing to do for you."
	case hub.StateScanError:
		return "A scanner did not work. A person of the hub decides."
	case hub.StateNeedsChanges:
		return "Look at what was found, change it, and submit again."
	case hub.StateInReview:
		return "A reviewer looks at it. Nothing to do for you."
	case hub.StateApproved:
		return "It is being published. Nothing to do for you."
	case hub.StateRejected:
		return "Read why. You can appeal."
	case hub.StatePublished:
		return "Done: it is in the catalog."
	case hub.StateYanked:
		return "It is kept from new installs."
	case hub.StateWithdrawn:
		return "It was given up."
	}
	return ""
}

type mineRow struct {
	hub.Publisher
	Role hub.MemberRole
}

// handOver is a hand-over to the person.
type handOver struct {
	hub.Transfer
	Sender string
}

type publishPage struct {
	Mine      []mineRow
	Open      []submissionRow
	HandOvers []handOver
	Most      int // publishers that one account may own
}

// openShown is how many open submissions of one publisher stand on the first page.
const openShown = 20

func (h *Handler) publish(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	ctx := r.Context()
	p := publishPage{Most: h.o.Env.Policy().WithDefaults().MaxPublishers}
	mine, err := h.o.Publishing.Mine(ctx, a)
	if err != nil {
		return err
	}
	for _, m := range mine {
		p.Mine = append(p.Mine, mineRow{m, a.Memberships[m.Namespace]})
		open, err := h.o.Publishing.Submissions(ctx, a, publishing.SubmissionFilter{Publisher: m.Namespace, States: openStates(), Limit: openShown})
		if err != nil {
			return err
		}
		p.Open = append(p.Open, submissionRows(open.Items)...)
	}
	if p.HandOvers, err = h.handOvers(ctx, a); err != nil {
		return err
	}
	return h.show(w, r, a, http.StatusOK, "publish", "Publish", "publish", p)
}

// handOvers are those to the person that are under way.
func (h *Handler) handOvers(ctx context.Context, a hub.Actor) ([]handOver, error) {
	all, err := h.o.Publishing.Transfers(ctx, a)
	if err != nil {
		return nil, err
	}
	var out []handOver
	var ids []string
	for _, t := range all {
		if t.To == a.Account && (t.State == hub.TransferProposed || t.State == hub.TransferAccepted) {
			out, ids = append(out, handOver{Transfer: t}), append(ids, t.From)
		}
	}
	names, err := h.peopleOf(ctx, ids...)
	for i := range out {
		out[i].Sender = names.Name(out[i].From)
	}
	return out, err
}

func (h *Handler) publisherCreate(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	p, err := h.o.Publishing.CreatePublisher(r.Context(), a, publishing.PublisherEdit{
		Namespace: formText(r, "namespace"), Name: formText(r, "name"),
	})
	if err != nil {
		return err
	}
	return done(w, r, publishLink(p.Namespace), "added")
}

// pluginRow is a plugin in its publisher's overview.
type pluginRow struct {
	hub.Plugin
	Downloads, Active int64 // in 28 days; yesterday
	Mean              float64
	Ratings           int64
}

// Manage is where its publisher works on it.
func (p pluginRow) Manage() string { return manageLink(p.ID) }

type overviewPage struct {
	insider
	Rows     []pluginRow
	Recent   []submissionRow
	Next     string
	NoSigner bool // nothing can be published yet
}

// glanceDays is the time that an overview's downloads are of.
const glanceDays = 28

func (h *Handler) overview(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	in, err := h.inside(r, a, "")
	if err != nil {
		return err
	}
	p := overviewPage{insider: in, NoSigner: true}
	for _, s := range signerRows(in.Signers, h.o.Env.Now()) {
		p.NoSigner = p.NoSigner && s.State != "active"
	}
	if p.Rows, err = h.glance(r.Context(), in.Plugins); err != nil {
		return err
	}
	list, err := h.o.Publishing.Submissions(r.Context(), a, publishing.SubmissionFilter{
		Publisher: in.Publisher.Namespace, Cursor: r.URL.Query().Get("after"), Limit: 10,
	})
	if err != nil {
		return err
	}
	p.Recent = submissionRows(list.Items)
	if list.Next != "" {
		p.Next = withQuery(publishLink(in.Publisher.Namespace), "after", list.Next)
	}
	return h.show(w, r, a, http.StatusOK, "publish", in.Publisher.Name, "overview", p)
}

// glance adds a few numbers to a publisher's plugins, in one look at the store.
func (h *Handler) glance(ctx context.Context, plugins []hub.Plugin) ([]pluginRow, error) {
	cards, err := h.cards(ctx, plugins)
	if err != nil {
		return nil, err
	}
	today := hub.Day(h.o.Env.Now())
	var out []pluginRow
	err = h.o.Env.Store.View(ctx, func(tx hub.Tx) error {
		out = out[:0]
		for _, c := range cards {
			row := pluginRow{Plugin: c.Plugin, Mean: c.Mean, Ratings: c.Ratings}
			for _, q := range []struct {
				n    *int64
				kind string
				from int
				to   int
			}{{&row.Downloads, hub.TallyDownload, today - glanceDays + 1, today}, {&row.Active, hub.TallyActive, today - 1, today - 1}} {
				sums, err := tx.Totals(ctx, hub.TotalQuery{Kind: q.kind, Plugin: c.ID, From: q.from, To: q.to, By: []string{"plugin"}})
				if err != nil {
					return err
				}
				for _, s := range sums {
					*q.n += s.N
				}
			}
			out = append(out, row)
		}
		return nil
	})
	return out, err
}
