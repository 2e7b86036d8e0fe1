package main

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog/search"
	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/marketplace/store/storetest"
)

// story is one state of one page.
type story struct {
	ID   string // part of its address: lower case letters, digits and dashes
	Page string // heading that it stands under
	Name string // what can be seen
	Path string // below the store
	Set  func(*scene)
	Form url.Values // is posted to Path; nil: Path is fetched
	// Status is what is answered, after redirects; 0: 200.
	Status int
	Header http.Header // of the request
	Host   string      // the request is for; empty: the server's own
	Plain  bool        // the answer is text and no page
	// Offline says that pictures cannot be fetched, which a browser complains about.
	Offline bool
	// Press and Type are what only the script shows: what is pressed, by selector, and
	// what is typed into the search field, once the page is there.
	Press string
	Type  string
}

// scene is what a story plays in. It begins as the sample market, seen by somebody who
// may do everything, without a hub.
type scene struct {
	market *storetest.Market
	actor  store.Actor
	err    error          // nobody is signed in, or that cannot be told
	hub    *storetest.Hub // nil: as the reader of the book chooses
	slow   time.Duration  // that a search by words takes
	more   []func(*store.Options)
}

var (
	administrator = store.Actor{Name: "ada", View: true, Install: true, ApproveRisky: true, Administer: true}
	operator      = store.Actor{Name: "olaf", View: true, Install: true} // may not agree to risks
	viewer        = store.Actor{Name: "vic", View: true}
)

// all returns every story, in the order of the book.
func all() []story {
	return slices.Concat(
		browseStories(), detailStories(), compareStories(), planStories(), operationStories(), installedStories(), updatesStories(),
		healthStories(), historyStories(), settingsStories(), policyStories(), setsStories(), reviewsStories(), problemStories(), isolatedStories(),
	)
}

var validID = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// check refuses a book in which a story cannot be found.
func check(stories []story) error {
	seen := map[string]bool{}
	for _, s := range stories {
		if !validID.MatchString(s.ID) || seen[s.ID] || s.Page == "" || s.Name == "" {
			return fmt.Errorf("story %q of %q: its id is taken or malformed, or its page or name is missing", s.ID, s.Page)
		}
		seen[s.ID] = true
	}
	return nil
}

// page returns stories of one page.
func page(name string, stories ...story) []story {
	for i := range stories {
		stories[i].Page = name
	}
	return stories
}

// as returns a scene seen by somebody.
func as(a store.Actor) func(*scene) { return func(s *scene) { s.actor = a } }

// with returns a scene whose market is changed.
func with(change ...func(*storetest.Market)) func(*scene) {
	return func(s *scene) {
		for _, f := range change {
			f(s.market)
		}
	}
}

// both returns a scene that is changed several ways.
func both(change ...func(*scene)) func(*scene) {
	return func(s *scene) {
		for _, f := range change {
			f(s)
		}
	}
}

// hub returns a scene with a hub.
func hub(change ...func(*storetest.Hub)) func(*scene) {
	return func(s *scene) {
		if s.hub == nil {
			s.hub = storetest.NewHub()
		}
		for _, f := range change {
			f(s.hub)
		}
	}
}

// form returns what a form sends.
func form(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

// slowMarket is a market whose searches by words take their time.
type slowMarket struct {
	store.Market
	takes time.Duration
}

func (m slowMarket) Search(q search.Query) search.Result {
	if q.Text != "" {
		time.Sleep(m.takes)
	}
	return m.Market.Search(q)
}
