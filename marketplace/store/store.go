package store

import (
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/souk-dev/souk/marketplace/ui"
)

// ContentSecurityPolicy is what the default shell sends with every page. A panel
// that sets [Options.Layout] sends its own policy; the pages need no source that
// is not in this one.
const ContentSecurityPolicy = ui.ContentSecurityPolicy

// ErrUnauthenticated is what [Options.Actor] returns, or wraps, when nobody is
// signed in: the answer is 401. Any other error of it is an internal error.
var ErrUnauthenticated = errors.New("nobody is signed in")

// Actor is who makes a request and what they may do. The zero value may do nothing.
type Actor struct {
	Name         string // as it stands in the history
	View         bool   // see the pages
	Install      bool   // plan, install, update, remove, roll back, hold; rate, vote and report
	ApproveRisky bool   // agree to permissions of high risk and to another signer
	Administer   bool   // change the update policy, fetch the catalogs now, link the panel to an account of the hub
}

// Page is what a panel's layout gets to show. All of it is safe markup.
type Page struct {
	Status int           // of the answer; the layout writes it after its own headers
	Title  string        // plain text
	Lang   string        // of the page, BCP 47: for the lang attribute of a layout that has no language of its own
	Dir    string        // "ltr" or "rtl", for the dir attribute
	Head   template.HTML // for the head: stylesheet and script
	Body   template.HTML // for the place where content goes, inside the panel's <main>
}

// Options are the decisions of the panel. Actor is required; the zero value of
// every other field is safe in production.
type Options struct {
	// BasePath is where the handler is mounted; it begins and ends with a slash.
	// Empty: "/plugins/".
	BasePath string
	// Actor says who makes a request. See ErrUnauthenticated.
	Actor func(*http.Request) (Actor, error)
	// Layout writes the page in the panel's own shell: its headers, the status, and
	// the page. nil: a plain shell of the store's own, with ContentSecurityPolicy.
	Layout func(w http.ResponseWriter, r *http.Request, p Page)
	// Isolated puts what the pages show into a shadow root, which the panel's own style
	// sheets do not reach: for a panel whose rules for plain elements would spoil the pages.
	// The tokens (--souk-*, set on .souk) come in all the same, and --souk-scheme ("light",
	// "dark") for the colours. The panel keeps what lies around the element: its width, and
	// what is done to a whole part of the page, such as opacity or a transformation.
	// Links to a fragment need the script. false: the panel's rules win where they apply.
	Isolated bool
	// Hosts are the names by which the panel is reached, without port:
	// "panel.example.org", or ".example.org" for every name below it. Requests
	// for any other name are refused, because a page of an attacker can point its
	// own name at this server. IP addresses and localhost are always accepted:
	// they cannot be rebound. Empty: only those.
	Hosts []string
	// Community is what a hub adds: reviews, reports, suggestions, the account; package
	// marketplace/link has one. nil: the pages have nothing of it.
	Community Community
	// CommunitySource is the name of the source whose plugins the hub speaks about; a
	// plugin of the same name in another source is another plugin. Empty: all of them.
	CommunitySource string
	// Language says in which language somebody reads, as a BCP 47 tag: what stands in their
	// account of the panel, or what [AcceptLanguage] finds. One that has no texts is
	// answered in English. nil: English.
	Language func(*http.Request) string
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger     // nil: nothing is logged
}

// Handler is the storefront. It is safe for concurrent use.
type Handler struct {
	o     Options
	shops map[string]*shop // by language
}

// shop is the storefront in one language.
type shop struct {
	m      Market
	o      Options
	text   *ui.Messages
	assets *ui.Assets
	pages  *template.Template
	mux    *http.ServeMux
	origin *http.CrossOriginProtection
	prose  *ui.Prose
	images *pictures
	sender *ui.Sender
	health *healthBook
	// setting is held while settings are compared and changed; all languages share it.
	setting *sync.Mutex
	wholes  *wholeShelf
	streams *streams
	routed  []route
}

var _ http.Handler = (*Handler)(nil)

var validBase = regexp.MustCompile(`^/([a-zA-Z0-9._~-]+/)*$`)

// New returns the storefront of a market.
func New(m Market, o Options) (*Handler, error) {
	if m == nil {
		return nil, errors.New("store: the market is nil")
	}
	if o.Actor == nil {
		return nil, errors.New("store: Options.Actor is nil: say who may do what, there is no way to leave it out")
	}
	if o.BasePath == "" {
		o.BasePath = "/plugins/"
	}
	if !validBase.MatchString(o.BasePath) {
		return nil, fmt.Errorf("store: Options.BasePath %q does not begin and end with a slash, or holds more than letters, digits and ._~-", o.BasePath)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	for _, h := range o.Hosts {
		if h == "" || strings.ContainsAny(h, "/:* ") {
			return nil, fmt.Errorf("store: Options.Hosts: %q is not a host name without port", h)
		}
	}
	h := &Handler{o: o, shops: map[string]*shop{}}
	assets, err := ui.NewAssets(o.BasePath + "assets/")
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	prose, images, health, sender := ui.NewProse(), newPictures(), new(healthBook), new(ui.Sender)
	setting, wholes, streams := new(sync.Mutex), new(wholeShelf), newStreams()
	for _, lang := range append(ui.Languages(), ui.PseudoLong, ui.PseudoRight) {
		s := &shop{m: m, o: o, assets: assets, mux: http.NewServeMux(), origin: http.NewCrossOriginProtection(), prose: prose, images: images, sender: sender, health: health, setting: setting, wholes: wholes, streams: streams}
		if s.text, err = ui.NewMessages(lang); err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		if s.pages, err = s.parse(); err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		s.routes()
		h.shops[lang] = s
	}
	return h, nil
}

// right is what a route asks of the actor.
type right uint8

const (
	mayView right = iota
	mayInstall
	mayAdminister
)

func (a Actor) may(r right) bool {
	switch r {
	case mayView:
		return a.View
	case mayInstall:
		return a.View && a.Install
	}
	return a.View && a.Administer
}

// action answers a request of somebody who may make it. An error that it returns
// is explained to the person; it has then written nothing.
type action func(w http.ResponseWriter, r *http.Request, a Actor) error

func (h *shop) routes() {
	page := func(pattern string, need right, f action) { h.handle(pattern, need, f, h.fail) }
	page("GET {$}", mayView, h.browse)
	page("GET p/{publisher}/{name}", mayView, h.detail)
	page("GET p/{publisher}/{name}/{tab}", mayView, h.detail)
	page("GET p/{publisher}/{name}/health", mayView, h.healthOf)
	page("GET p/{publisher}/{name}/screenshots/{n}", mayView, h.gallery)
	page("GET media/{publisher}/{name}/{version}/{title...}", mayView, h.media)
	page("GET compare", mayView, h.comparePage)
	page("GET publishers/{publisher}", mayView, h.publisher)
	page("GET installed", mayView, h.installed)
	page("GET updates", mayView, h.updates)
	page("GET history", mayView, h.history)
	page("GET settings", mayView, h.settings)
	page("GET plans/{id}", mayView, h.plan)
	page("GET operations/{id}", mayView, h.operation)
	page("POST plans", mayInstall, h.makePlan)
	page("POST plans/{id}/apply", mayInstall, h.applyPlan)
	page("POST operations/{id}/cancel", mayInstall, h.cancel)
	page("POST operations/{id}/retry", mayInstall, h.retry)
	page("POST hold", mayInstall, h.hold)
	page("POST unhold", mayInstall, h.unhold)
	page("POST sync", mayAdminister, h.sync)
	page("POST settings/updates", mayAdminister, h.saveUpdates)
	page("POST settings/freeze", mayAdminister, h.freeze)
	page("POST forgive", mayInstall, h.forgive)
	if h.o.Community != nil {
		page("POST p/{publisher}/{name}/reviews", mayInstall, h.rate)
		page("POST p/{publisher}/{name}/reviews/delete", mayInstall, h.unrate)
		page("POST p/{publisher}/{name}/reviews/helpful", mayInstall, h.helpful)
		page("GET p/{publisher}/{name}/report", mayInstall, h.report)
		page("POST p/{publisher}/{name}/report", mayInstall, h.sendReport)
		page("POST account/link", mayAdminister, h.link)
		page("GET account/unlink", mayAdminister, h.askUnlink)
		page("POST account/unlink", mayAdminister, h.unlink)
	}
	page("{path...}", mayView, func(http.ResponseWriter, *http.Request, Actor) error { return errNoPage })

	api := func(pattern string, need right, f action) { h.handle(pattern, need, f, h.failJSON) }
	api("GET api/v1/openapi.json", mayView, h.apiDocument)
	api("GET api/v1/plugins", mayView, h.apiPlugins)
	api("GET api/v1/plugins/{publisher}/{name}", mayView, h.apiPlugin)
	api("GET api/v1/plugins/{publisher}/{name}/versions", mayView, h.apiVersions)
	api("GET api/v1/plugins/{publisher}/{name}/readme", mayView, h.apiReadme)
	api("GET api/v1/plugins/{publisher}/{name}/screenshots/{n}", mayView, h.apiScreenshot)
	api("GET api/v1/compare", mayView, h.apiCompare)
	api("GET api/v1/publishers/{publisher}", mayView, h.apiPublisher)
	api("GET api/v1/installed", mayView, h.apiInstalled)
	api("GET api/v1/updates", mayView, h.apiUpdates)
	api("GET api/v1/history", mayView, h.apiHistory)
	api("GET api/v1/events", mayView, h.apiEvents)
	api("GET api/v1/operations/{id}", mayView, h.apiOperation)
	api("DELETE api/v1/operations/{id}", mayInstall, h.apiCancel)
	api("POST api/v1/operations/{id}/retry", mayInstall, h.apiRetry)
	api("DELETE api/v1/failures/{digest}", mayInstall, h.apiForgive)
	api("GET api/v1/settings", mayView, h.apiSettings)
	api("GET api/v1/settings/updates", mayView, h.apiUpdatesSettings)
	api("PUT api/v1/settings/updates", mayAdminister, h.apiSetUpdates)
	api("PUT api/v1/holds/{publisher}/{name}", mayInstall, h.apiHold)
	api("DELETE api/v1/holds/{publisher}/{name}", mayInstall, h.apiUnhold)
	api("POST api/v1/sync", mayAdminister, h.apiSync)
	api("POST api/v1/plans", mayInstall, h.apiMakePlan)
	api("GET api/v1/plans/{id}", mayView, h.apiPlan)
	api("POST api/v1/plans/{id}/apply", mayInstall, h.apiApply)
	if h.o.Community != nil {
		api("GET api/v1/plugins/{publisher}/{name}/reviews", mayView, h.apiReviews)
		api("GET api/v1/plugins/{publisher}/{name}/reviews/mine", mayInstall, h.apiMyReview)
		api("PUT api/v1/plugins/{publisher}/{name}/reviews/mine", mayInstall, h.apiRate)
		api("DELETE api/v1/plugins/{publisher}/{name}/reviews/mine", mayInstall, h.apiUnrate)
		api("PUT api/v1/plugins/{publisher}/{name}/reviews/{author}/helpful", mayInstall, h.apiHelpful)
		api("DELETE api/v1/plugins/{publisher}/{name}/reviews/{author}/helpful", mayInstall, h.apiHelpful)
		api("POST api/v1/plugins/{publisher}/{name}/reports", mayInstall, h.apiReport)
		api("GET api/v1/account", mayView, h.apiAccount)
		api("POST api/v1/account/link", mayAdminister, h.apiLink)
		api("DELETE api/v1/account/link", mayAdminister, h.apiUnlink)
		api("GET api/v1/recommendations", mayView, h.apiTips)
	}
	api("api/", mayView, h.apiNothing)

	h.mux.Handle("GET "+h.url("assets/"), h.assets)
}

// ServeHTTP answers requests below BasePath.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin")
	header.Set("X-Frame-Options", "SAMEORIGIN") // the policy of the default shell says it too; a Layout may have none
	s := h.shop(r)
	if !s.hostAllowed(r.Host) {
		s.refuseHost(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// shop returns the storefront in the language of who asks.
func (h *Handler) shop(r *http.Request) *shop {
	lang := ""
	if h.o.Language != nil {
		lang = h.o.Language(r)
	}
	if s, ok := h.shops[lang]; ok {
		return s
	}
	base, _, _ := strings.Cut(strings.ToLower(lang), "-")
	if s, ok := h.shops[base]; ok {
		return s
	}
	return h.shops["en"]
}
