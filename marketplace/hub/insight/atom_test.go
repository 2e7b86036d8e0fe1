package insight_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// This file holds a document to RFC 4287: the RELAX NG Compact schema of its appendix B
// with the Schematron assertions in it, and what the text demands beyond. It knows
// nothing of how feeds are made here.

const atomNS = "http://www.w3.org/2005/Atom"

type node struct {
	name     xml.Name
	attrs    map[string]string // "xml:base", or the local name of one without namespace
	children []*node
	text     string // all of it, of this element alone
}

func parseXML(b []byte) (*node, error) {
	dec := xml.NewDecoder(bytes.NewReader(b))
	dec.Strict = true
	var stack []*node
	var root *node
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			n := &node{name: tok.Name, attrs: map[string]string{}}
			for _, a := range tok.Attr {
				switch a.Name.Space {
				case "":
					n.attrs[a.Name.Local] = a.Value
				case "xml", "http://www.w3.org/XML/1998/namespace":
					n.attrs["xml:"+a.Name.Local] = a.Value
				}
			}
			if len(stack) > 0 {
				stack[len(stack)-1].children = append(stack[len(stack)-1].children, n)
			} else if root != nil {
				return nil, errors.New("two roots")
			} else {
				root = n
			}
			stack = append(stack, n)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(stack) > 0 {
				stack[len(stack)-1].text += string(tok)
			}
		case xml.Directive:
			return nil, errors.New("a document type")
		}
	}
	if root == nil || len(stack) > 0 {
		return nil, errors.New("no document")
	}
	return root, nil
}

// checkAtom returns everything that is wrong with an Atom feed document.
func checkAtom(b []byte) error {
	root, err := parseXML(b)
	if err != nil {
		return err
	}
	if root.name != (xml.Name{Space: atomNS, Local: "feed"}) {
		return fmt.Errorf("root is %v", root.name)
	}
	c := &atomCheck{}
	c.feed(root)
	return errors.Join(c.errs...)
}

type atomCheck struct{ errs []error }

func (c *atomCheck) bad(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf(format, args...))
}

// content holds the children of an element to how often each may be there; what is of
// another namespace is an extension.
func (c *atomCheck) content(n *node, allowed string) {
	times := map[string]int{}
	for _, child := range n.children {
		if child.name.Space == atomNS {
			times[child.name.Local]++
		} else if child.name.Space == "" {
			c.bad("%s has %s without a namespace", n.name.Local, child.name.Local)
		}
	}
	for _, one := range strings.Fields(allowed) {
		name, how := one[:len(one)-1], one[len(one)-1]
		switch n2 := times[name]; {
		case how == '1' && n2 != 1, how == '?' && n2 > 1:
			c.bad("%s has %d %s", n.name.Local, n2, name)
		}
		delete(times, name)
	}
	for name := range times {
		c.bad("%s has %s, which does not belong there", n.name.Local, name)
	}
	if strings.TrimSpace(n.text) != "" {
		c.bad("%s has text %q between its elements", n.name.Local, n.text)
	}
}

func (n *node) all(name string) (out []*node) {
	for _, child := range n.children {
		if child.name == (xml.Name{Space: atomNS, Local: name}) {
			out = append(out, child)
		}
	}
	return out
}

func (c *atomCheck) feed(n *node) {
	c.content(n, "author* category* contributor* generator? icon? id1 link* logo? rights? subtitle? title1 updated1 entry*")
	c.common(n)
	entries := n.all("entry")
	if len(n.all("author")) == 0 {
		for _, e := range entries {
			if len(e.all("author")) == 0 {
				c.bad("an atom:feed must have an atom:author unless all of its atom:entry children have one")
			}
		}
	}
	// Section 4.1.1: SHOULD have a link to itself; ours do.
	self := 0
	for _, l := range n.all("link") {
		if l.attrs["rel"] == "self" {
			self++
		}
	}
	if self != 1 {
		c.bad("the feed has %d links to itself", self)
	}
	seen := map[string]string{}
	for _, e := range entries {
		c.content(e, "author* category* content? contributor* id1 link* published? rights? source? summary? title1 updated1")
		c.common(e)
		if len(e.all("author")) == 0 && len(n.all("author")) == 0 {
			c.bad("an entry has no author")
		}
		alternate := false
		for _, l := range e.all("link") {
			alternate = alternate || l.attrs["rel"] == "" || l.attrs["rel"] == "alternate"
		}
		if !alternate && len(e.all("content")) == 0 {
			c.bad("an atom:entry must have at least one atom:link element with a rel attribute of 'alternate' or an atom:content")
		}
		for _, id := range e.all("id") {
			for _, u := range e.all("updated") {
				if before, twice := seen[id.text]; twice && before == u.text {
					c.bad("two entries have the id %s and the same time", id.text)
				}
				seen[id.text] = u.text
			}
		}
	}
}

var (
	mediaType = regexp.MustCompile(`^.+/.+$`)
	// Section 3.3: date-time of RFC 3339, with an upper case T, and Z when there is no offset.
	atomDate = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`)
)

// common holds the elements that feed and entry share to their patterns.
func (c *atomCheck) common(n *node) {
	for _, name := range []string{"title", "subtitle", "rights", "summary"} {
		for _, t := range n.all(name) {
			switch t.attrs["type"] {
			case "", "text", "html":
				if len(t.children) > 0 {
					c.bad("%s has elements in it", name)
				}
			case "xhtml":
				if len(t.children) != 1 || t.children[0].name != (xml.Name{Space: "http://www.w3.org/1999/xhtml", Local: "div"}) {
					c.bad("%s is xhtml and not a div", name)
				}
			default:
				c.bad("%s has the type %q", name, t.attrs["type"])
			}
		}
	}
	for _, name := range []string{"updated", "published"} {
		for _, d := range n.all(name) {
			if _, err := time.Parse(time.RFC3339, d.text); err != nil || !atomDate.MatchString(d.text) {
				c.bad("%s is %q", name, d.text)
			}
		}
	}
	for _, id := range n.all("id") {
		if u, err := url.Parse(id.text); err != nil || u.Scheme == "" || id.text != strings.TrimSpace(id.text) {
			c.bad("id %q is no absolute IRI", id.text)
		}
	}
	for _, name := range []string{"author", "contributor"} {
		for _, p := range n.all(name) {
			c.content(p, "name1 uri? email?")
			for _, e := range p.all("email") {
				if !strings.Contains(e.text, "@") {
					c.bad("email %q", e.text)
				}
			}
			for _, e := range p.all("name") {
				if strings.TrimSpace(e.text) == "" {
					c.bad("%s without a name", name)
				}
			}
		}
	}
	for _, cat := range n.all("category") {
		if _, ok := cat.attrs["term"]; !ok {
			c.bad("category without a term")
		}
	}
	alternates := map[string]bool{}
	for _, l := range n.all("link") {
		if u, err := url.Parse(l.attrs["href"]); err != nil || l.attrs["href"] == "" || !u.IsAbs() {
			c.bad("link to %q", l.attrs["href"])
		}
		if t, ok := l.attrs["type"]; ok && !mediaType.MatchString(t) {
			c.bad("link of type %q", t)
		}
		if rel, ok := l.attrs["rel"]; ok && rel == "" {
			c.bad("link with an empty rel")
		}
		if rel := l.attrs["rel"]; rel == "" || rel == "alternate" {
			key := l.attrs["type"] + " " + l.attrs["hreflang"]
			if alternates[key] {
				c.bad("two alternate links with the same type and language")
			}
			alternates[key] = true
		}
	}
}
