package insight

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
)

// Options are what a Service is told. BaseURL is required.
type Options struct {
	// BaseURL is where people find the hub, https://hub.example.org/: feeds and mail
	// link to it, and the ids of feeds are made of it, so it should never change.
	BaseURL string
	// Title is the name of the marketplace in feeds and mail. Empty: "Plugins".
	Title string
	// Link returns where people read about an event. nil: BaseURL with
	// plugins/<publisher>/<name>, or advisories/<id> for what is not about a plugin.
	Link func(hub.Event) string
	// Guard decides where webhooks go. The zero value: public addresses only.
	Guard hub.Guard
	// TLS is used for webhooks; nil: the system's roots.
	TLS *tls.Config
	// Mailer sends digests of unread notices. nil: no mail is sent.
	Mailer Mailer
	// DisableAfter is how many deliveries given up in a row disable a hook. 0: 5.
	DisableAfter int
}

// modelEvery is how often a process computes its recommendations.
const modelEvery = time.Hour

// Service does what the package documentation says. Make it with [New], keep
// [Service.Run] running, and end with [Service.Close]. It is safe for concurrent use.
type Service struct {
	env    hub.Env
	o      Options
	base   *url.URL
	client *http.Client

	keys     keyring
	releases releaseCache
	counter  counter

	modelling sync.Mutex // held while a model is computed
	mu        sync.Mutex // guards model
	model     *model
	modelAt   time.Time
	docs      map[string]document // by plugin; used under modelling
}

// New returns a Service over env, whose Store must be set.
func New(env hub.Env, o Options) (*Service, error) {
	if env.Store == nil {
		return nil, errors.New("insight needs a store")
	}
	base, err := url.Parse(o.BaseURL)
	if err != nil || base.Scheme != "https" && base.Scheme != "http" || base.Host == "" || base.RawQuery != "" || base.Fragment != "" || base.User != nil {
		return nil, fmt.Errorf("insight: base URL %.100q is not an http address", o.BaseURL)
	}
	if !strings.HasSuffix(o.BaseURL, "/") {
		o.BaseURL += "/"
	}
	if o.Title == "" {
		o.Title = "Plugins"
	}
	if o.DisableAfter == 0 {
		o.DisableAfter = 5
	}
	if o.Link == nil {
		o.Link = func(e hub.Event) string {
			if e.Plugin != "" {
				return o.BaseURL + "plugins/" + e.Plugin
			}
			return o.BaseURL + "advisories/" + url.PathEscape(e.Subject)
		}
	}
	transport := o.Guard.Transport()
	transport.TLSClientConfig = o.TLS.Clone()
	return &Service{
		env: env.WithDefaults(), o: o, base: base,
		client: o.Guard.Client(transport, sendTimeout),
		docs:   map[string]document{},
	}, nil
}

// Run writes counters every [FlushEvery] and computes the recommendations every hour,
// until ctx ends; then it writes what is left, as [Service.Close] does without refusing
// more, and returns what came of that.
func (s *Service) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { s.keepModel(ctx) })
	s.keepFlushing(ctx)
	wg.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
	defer cancel()
	return s.flush(last)
}

// Close writes what was counted and not yet stored, and refuses what comes later. Run
// has to have returned.
func (s *Service) Close(ctx context.Context) error {
	s.counter.close()
	return s.flush(ctx)
}

// Handlers returns what does [hub.JobFanOut], [hub.JobDeliver] and [hub.JobNumbers].
func (s *Service) Handlers() map[string]hub.Handler {
	return map[string]hub.Handler{
		hub.JobFanOut:  s.fanOut,
		hub.JobDeliver: s.deliver,
		hub.JobNumbers: s.numbersJob,
	}
}

// Periodic returns the jobs that come by themselves: [hub.JobNumbers], each hour.
func (s *Service) Periodic() []hub.Periodic {
	return []hub.Periodic{{Kind: hub.JobNumbers, Every: time.Hour, Start: true}}
}

// numbersJob drops the keys of days that are over, and what was counted once on them;
// sends digests; and computes this process's recommendations.
func (s *Service) numbersJob(ctx context.Context, _ hub.Job) error {
	err := errors.Join(s.dropKeys(ctx), s.pruneDeliveries(ctx), s.digests(ctx))
	if err != nil {
		return err
	}
	return s.remodel(ctx)
}

// now is the time as the store keeps it.
func (s *Service) now() time.Time { return s.env.Now().UTC().Truncate(time.Microsecond) }

// policy is what the operator decides now, with its defaults.
func (s *Service) policy() hub.Policy { return s.env.Policy().WithDefaults() }
