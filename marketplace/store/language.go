package store

import (
	"net/http"

	"golang.org/x/text/language"

	"github.com/souk-dev/souk/marketplace/ui"
)

// maxLanguages is the most bytes of Accept-Language that are read: browsers send a few tags.
const maxLanguages = 1000

// AcceptLanguage returns the language of the pages that fits a browser best, "en" when
// none does. It is a value for [Options.Language], for a panel whose own pages follow the
// browser too.
func AcceptLanguage(r *http.Request) string {
	header := r.Header.Get("Accept-Language")
	if header == "" || len(header) > maxLanguages {
		return "en"
	}
	wanted, _, err := language.ParseAcceptLanguage(header)
	if err != nil {
		return "en"
	}
	have := ui.Languages()
	tags := make([]language.Tag, len(have))
	for i, l := range have {
		tags[i] = language.Make(l)
	}
	_, i, confidence := language.NewMatcher(tags).Match(wanted...)
	if confidence == language.No {
		return "en"
	}
	return have[i]
}
