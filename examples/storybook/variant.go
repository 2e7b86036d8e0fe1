package main

import (
	"net/http"
	"slices"
	"strings"

	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/marketplace/store/storetest"
	"github.com/souk-dev/souk/marketplace/ui"
)

// variant is how a story is shown, as it stands in addresses: "dark.rtl.hub", in any
// order and without what is usual.
type variant struct {
	scheme string // "auto", "light" or "dark"
	words  string // "en", "de", "long" or "rtl"
	hub    bool   // for stories that do not decide it themselves
	// isolated: the pages are within a shadow root.
	isolated bool
}

// choice is one of the switches of the index.
type choice struct {
	Name    string
	Options []option
}

type option struct {
	Name, Value string
	Current     bool
}

var (
	schemes   = []string{"auto", "light", "dark"}
	languages = []string{"en", "de", "long", "rtl"}
	// tags are the languages as the store knows them.
	tags = map[string]string{"en": "en", "de": "de", "long": ui.PseudoLong, "rtl": ui.PseudoRight}
)

func parseVariant(s string) variant {
	v := variant{scheme: "auto", words: "en"}
	for word := range strings.SplitSeq(s, ".") {
		switch {
		case slices.Contains(schemes, word):
			v.scheme = word
		case slices.Contains(languages, word):
			v.words = word
		case word == "hub":
			v.hub = true
		case word == "isolated":
			v.isolated = true
		}
	}
	return v
}

func (v variant) String() string {
	s := v.scheme + "." + v.words
	if v.hub {
		s += ".hub"
	}
	if v.isolated {
		s += ".isolated"
	}
	return s
}

// choices are the switches, with what is chosen.
func (v variant) choices() []choice {
	yes := "without"
	if v.hub {
		yes = "hub"
	}
	mode := "native"
	if v.isolated {
		mode = "isolated"
	}
	return []choice{
		{"Colours", options(v.scheme, "auto", "As the browser", "light", "Light", "dark", "Dark")},
		{"Language", options(v.words, "en", "English", "de", "German", "long", "Long words (en-XA)", "rtl", "Right to left (en-XB)")},
		{"Hub", options(yes, "without", "Without a hub", "hub", "With a hub")},
		{"Mode", options(mode, "native", "Native", "isolated", "Isolated")},
	}
}

func options(current string, pairs ...string) (out []option) {
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, option{Value: pairs[i], Name: pairs[i+1], Current: pairs[i] == current})
	}
	return out
}

// apply makes the options of a store such that the story is shown like this.
func (v variant) apply(s *scene, o *store.Options) {
	tag := tags[v.words]
	o.Language = func(*http.Request) string { return tag }
	if v.hub && s.hub == nil {
		s.hub = storetest.NewHub()
	}
	o.Isolated = v.isolated
	if v.scheme != "auto" {
		o.Layout = v.layout
	}
}

// layout is a shell with fixed colours; the store's own follows the browser.
func (v variant) layout(w http.ResponseWriter, _ *http.Request, p store.Page) {
	w.Header().Set("Content-Security-Policy", store.ContentSecurityPolicy)
	w.WriteHeader(p.Status)
	_ = templates.ExecuteTemplate(w, "shell.html", struct { // the browser went away
		store.Page
		Scheme string
	}{p, v.scheme})
}
