package store

import (
	"strings"

	"github.com/souk-dev/souk/catalog/search"
)

const maxTags = 12 // chips of tags: more is a wall, and the search box is beside it

// filters adds the tags that can be chosen, what was chosen, and, where nothing was
// found, the searches nearby that find something.
func (b *browsePage) filters(h *shop, q search.Query, tags []search.Count, link func(func(*search.Query)) string) {
	if q.Tag != "" {
		name := h.text.T("filter.tag", oneLine(q.Tag, 60))
		b.Chosen = append(b.Chosen, facet{Value: q.Tag, Name: name, URL: link(func(c *search.Query) { c.Tag = "" })})
	} else {
		for _, n := range tags[:min(len(tags), maxTags)] {
			if n.N < b.Total { // one that all have narrows nothing
				b.Tags = append(b.Tags, facet{Value: n.Value, Name: n.Value, URL: link(func(c *search.Query) { c.Tag = n.Value }), N: n.N})
			}
		}
	}
	if q.Publisher != "" {
		b.Chosen = append(b.Chosen, facet{Value: q.Publisher, Name: h.text.T("filter.publisher", oneLine(q.Publisher, 60)), URL: link(func(c *search.Query) { c.Publisher = "" })})
	}
	if b.Total > 0 || !b.Searching {
		return
	}
	way := func(key string, change func(*search.Query)) {
		c := q
		c.Offset, c.Limit = 0, 1
		change(&c)
		if n := h.m.Search(c).Total; n > 0 {
			b.Ways = append(b.Ways, facet{Name: h.text.T(key, c.Text), URL: link(change), N: n})
		}
	}
	if q.Category != "" {
		way("way.category", func(c *search.Query) { c.Category = "" })
	}
	if q.Tag != "" {
		way("way.tag", func(c *search.Query) { c.Tag = "" })
	}
	if q.Publisher != "" {
		way("way.publisher", func(c *search.Query) { c.Publisher = "" })
	}
	if words := strings.Fields(q.Text); len(words) > 1 {
		way("way.words", func(c *search.Query) { c.Text = strings.Join(words[:len(words)-1], " ") })
		way("way.words", func(c *search.Query) { c.Text = words[len(words)-1] })
	}
}
