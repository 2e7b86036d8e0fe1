package publish

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/souk-dev/souk/catalog"
)

// Bounds of release notes: they are read by people who decide on an update, and a
// catalog carries them for every release.
const (
	MaxNotes   = 100  // notes of one release
	MaxNote    = 1000 // characters of a note or of the summary
	maxSection = 128 << 10
)

// Notes are typed release notes, each a line of inline Markdown. The zero value is
// empty, which no release may be.
type Notes struct {
	Summary  string   `json:"summary,omitempty"`  // one paragraph
	Breaking []string `json:"breaking,omitempty"` // what people have to change
	Security []string `json:"security,omitempty"`
	Added    []string `json:"added,omitempty"`
	Changed  []string `json:"changed,omitempty"`
	Fixed    []string `json:"fixed,omitempty"`
	Removed  []string `json:"removed,omitempty"`
}

// section is one kind of note with its heading.
type section struct {
	heading string
	list    *[]string
}

// sections returns the kinds in the order in which they are written: what people
// must know first.
func (n *Notes) sections() []section {
	return []section{
		{"Breaking", &n.Breaking}, {"Security", &n.Security}, {"Added", &n.Added},
		{"Changed", &n.Changed}, {"Fixed", &n.Fixed}, {"Removed", &n.Removed},
	}
}

// Empty reports whether nothing is said.
func (n Notes) Empty() bool { return n.Summary == "" && n.count() == 0 }

func (n *Notes) count() int {
	all := 0
	for _, s := range n.sections() {
		all += len(*s.list)
	}
	return all
}

// Check holds the notes to the bounds above and to what [Notes.Markdown] can write
// so that [ParseNotes] reads the same. Empty notes are in order here.
func (n Notes) Check() error {
	if all := n.count(); all > MaxNotes {
		return fmt.Errorf("%d notes are more than %d", all, MaxNotes)
	}
	if n.Summary != "" {
		if err := catalog.CheckText(n.Summary, MaxNote); err != nil {
			return fmt.Errorf("summary %w", err)
		}
		if _, isBullet := bullet(n.Summary); isBullet || strings.HasPrefix(n.Summary, "#") || fence(n.Summary) || reference.MatchString(n.Summary) {
			return fmt.Errorf("summary begins as a heading, a list, a block of code or a link reference does")
		}
	}
	for _, s := range n.sections() {
		for i, note := range *s.list {
			if err := catalog.CheckText(note, MaxNote); err != nil {
				return fmt.Errorf("%s[%d] %w", strings.ToLower(s.heading), i, err)
			}
		}
	}
	return nil
}

// Markdown writes the notes as a section of a changelog in the form of
// https://keepachangelog.com, without the heading of the version. Notes that
// [Notes.Check] refuses come out as something else than they are.
func (n Notes) Markdown() string {
	var parts []string
	if n.Summary != "" {
		parts = append(parts, n.Summary)
	}
	for _, s := range n.sections() {
		if len(*s.list) > 0 {
			parts = append(parts, "### "+s.heading+"\n\n- "+strings.Join(*s.list, "\n- "))
		}
	}
	return strings.Join(parts, "\n\n")
}

// NotesError says what is wrong with notes, and in which line, from 1.
type NotesError struct {
	Line   int
	Reason string
}

func (e *NotesError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// reference is a link reference definition, which stands at the end of changelogs.
var reference = regexp.MustCompile(`^\[[^\]]+\]:`)

// ParseNotes reads one section of a changelog: headings of the third level "Added",
// "Changed", "Deprecated", "Removed", "Fixed", "Security" or "Breaking", in any case
// and order, and lists below them. Text before the first heading is the summary; a
// list there counts as changed. A note may go on over indented lines; nested lists
// become notes of their own. What was deprecated is kept as changed, with that
// word before it. Errors are [*NotesError], with lines of the section.
func ParseNotes(markdown string) (Notes, error) { return parseNotes(markdown, 1) }

func parseNotes(markdown string, first int) (Notes, error) {
	p := notesParser{list: nil}
	if len(markdown) > maxSection {
		return Notes{}, &NotesError{first, fmt.Sprintf("has %d bytes, more than %d", len(markdown), maxSection)}
	}
	for i, line := range strings.Split(markdown, "\n") {
		if err := p.line(strings.TrimRight(strings.ReplaceAll(line, "\t", "  "), " \r")); err != "" {
			return Notes{}, &NotesError{first + i, err}
		}
		if p.n.count() > MaxNotes {
			return Notes{}, &NotesError{first + i, fmt.Sprintf("more than %d notes", MaxNotes)}
		}
	}
	if err := p.n.Check(); err != nil {
		return Notes{}, &NotesError{first, err.Error()}
	}
	return p.n, nil
}

// notesParser reads line by line.
type notesParser struct {
	n      Notes
	list   *[]string // where notes go; nil before the first heading
	prefix string    // of every note of the list
	open   *string   // what an indented or following line continues
}

// line returns what is wrong with it, or "".
func (p *notesParser) line(line string) string {
	text := strings.TrimSpace(line)
	switch note, isBullet := bullet(text); {
	case text == "" || reference.MatchString(text):
		p.open = nil
		return ""
	case fence(text):
		return "has a block of code; notes are lines of text"
	case strings.HasPrefix(line, "#"):
		return p.heading(text)
	case isBullet:
		if note == "" {
			return "is an empty note"
		}
		list := p.list
		if list == nil {
			list = &p.n.Changed
		}
		*list = append(*list, p.prefix+note)
		p.open = &(*list)[len(*list)-1]
		return ""
	case p.open != nil:
		*p.open += " " + text
		return ""
	case p.list != nil:
		return "is no note: begin it with \"- \""
	case p.n.Summary != "":
		p.n.Summary += " " + text
	default:
		p.n.Summary = text
	}
	p.open = &p.n.Summary
	return ""
}

func (p *notesParser) heading(text string) string {
	name := strings.ToLower(strings.TrimSpace(strings.TrimLeft(text, "#")))
	p.open, p.prefix = nil, ""
	switch name {
	case "breaking changes":
		name = "breaking"
	case "deprecated":
		name, p.prefix = "changed", "Deprecated: "
	}
	for _, s := range p.n.sections() {
		if strings.ToLower(s.heading) == name && strings.HasPrefix(text, "### ") {
			p.list = s.list
			return ""
		}
	}
	return fmt.Sprintf("%.60q is not one of the kinds of note: ### Added, Changed, Deprecated, Removed, Fixed, Security, Breaking", text)
}

// bullet returns the text of an item of a list.
func bullet(text string) (string, bool) {
	if text == "-" || text == "*" || text == "+" {
		return "", true
	}
	for _, mark := range []string{"- ", "* ", "+ "} {
		if rest, ok := strings.CutPrefix(text, mark); ok {
			return strings.TrimSpace(rest), true
		}
	}
	return "", false
}

func fence(text string) bool { return strings.HasPrefix(text, "```") || strings.HasPrefix(text, "~~~") }
