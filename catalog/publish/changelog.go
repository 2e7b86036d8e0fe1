package publish

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/souk-dev/souk/catalog"
)

// maxEntries bounds the versions of a changelog that are read.
const maxChangelogEntries = 2000

// ChangelogEntry is what a changelog says of one version.
type ChangelogEntry struct {
	Version string    // as it is written, without brackets and a v before it: "1.2.0", "Unreleased"
	Date    time.Time // midnight UTC; zero: none is given
	Yanked  bool      // it is marked [YANKED]
	Line    int       // of its heading, from 1
	Text    string    // the section below the heading, Markdown
}

// Notes reads the section as [ParseNotes] does, with lines of the whole changelog in
// its errors.
func (e ChangelogEntry) Notes() (Notes, error) { return parseNotes(e.Text, e.Line+1) }

var (
	entryPattern = regexp.MustCompile(`^## +\[?v?([0-9][0-9A-Za-z.+-]*|[Uu]nreleased)\]?(?:\([^)]*\))?(.*)$`)
	datePattern  = regexp.MustCompile(`\b\d{4}-\d{2}-\d{2}\b`)
)

// ParseChangelog reads the headings of a changelog in the form of
// https://keepachangelog.com: "## [1.2.0] - 2026-05-18" or "## 1.2.0 - 2026-05-18".
// Other headings of the second level are passed over with what is below them. It
// reads at most [catalog.MaxMedia] bytes; what else is in the file is not judged.
func ParseChangelog(b []byte) ([]ChangelogEntry, error) {
	switch {
	case len(b) > catalog.MaxMedia:
		return nil, fmt.Errorf("changelog has %d bytes, more than %d", len(b), catalog.MaxMedia)
	case !utf8.Valid(b):
		return nil, fmt.Errorf("changelog is not valid UTF-8")
	}
	var out []ChangelogEntry
	var text []string
	open, fenced := false, false // below an entry; in a block of code
	end := func() {
		if open {
			out[len(out)-1].Text = strings.Join(text, "\n")
		}
		text, open = nil, false
	}
	for i, line := range strings.Split(string(b), "\n") {
		line = strings.TrimRight(line, "\r")
		if fence(strings.TrimSpace(line)) {
			fenced = !fenced
		}
		if fenced || !strings.HasPrefix(line, "## ") && !strings.HasPrefix(line, "# ") {
			text = append(text, line)
			continue
		}
		end()
		m := entryPattern.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if len(out) == maxChangelogEntries {
			return nil, fmt.Errorf("changelog has more than %d versions", maxChangelogEntries)
		}
		e := ChangelogEntry{Version: m[1], Line: i + 1, Yanked: strings.Contains(strings.ToUpper(m[2]), "[YANKED]")}
		if d := datePattern.FindString(m[2]); d != "" {
			date, err := time.Parse(time.DateOnly, d)
			if err != nil {
				return nil, &NotesError{i + 1, fmt.Sprintf("%s is no date", d)}
			}
			e.Date = date
		}
		out, open = append(out, e), true
	}
	end()
	return out, nil
}

// FindNotes returns the notes of a version in a changelog, or an error that wraps
// [catalog.ErrNotFound] when it has no entry for it.
func FindNotes(changelog []byte, version string) (Notes, error) {
	all, err := ParseChangelog(changelog)
	if err != nil {
		return Notes{}, err
	}
	for _, e := range all {
		if e.Version == version {
			return e.Notes()
		}
	}
	return Notes{}, fmt.Errorf("changelog has no entry for %s: %w", version, catalog.ErrNotFound)
}
