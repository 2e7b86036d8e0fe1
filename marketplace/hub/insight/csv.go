package insight

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"unicode"
)

// WriteCSV writes a line for each day (RFC 4180), and after the columns of the plugin as
// a whole one for each version's downloads and active installs. No cell begins with a
// character that a spreadsheet takes for the beginning of a formula.
func (n Numbers) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	head := []string{"day", "plugin", "downloads", "active", "adoption", "rollbacks", "unhealthy", "ratings", "rating_mean"}
	for _, s := range n.DownloadsByVersion {
		head = append(head, cell("downloads "+s.Name))
	}
	for _, s := range n.ActiveVersion {
		head = append(head, cell("active "+s.Name))
	}
	if err := out.Write(head); err != nil {
		return err
	}
	real := func(v float64) string { return strconv.FormatFloat(v, 'f', 4, 64) }
	whole := func(v int64) string { return strconv.FormatInt(v, 10) }
	for i, day := range n.Days {
		line := []string{
			cell(day), cell(n.Plugin), whole(n.Downloads[i]), whole(n.Active[i]), real(n.Adoption[i]),
			whole(n.Rollbacks[i]), whole(n.Unhealthy[i]), whole(n.Ratings[i]), real(n.RatingMean[i]),
		}
		for _, s := range n.DownloadsByVersion {
			line = append(line, whole(s.Values[i]))
		}
		for _, s := range n.ActiveVersion {
			line = append(line, whole(s.Values[i]))
		}
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// cell makes a text safe for spreadsheets (OWASP, CSV injection): what could begin a
// formula gets an apostrophe before it, and every space or character that cannot be seen
// is a plain space.
func cell(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.C, unicode.Z) {
			return ' '
		}
		return r
	}, s)
	if strings.ContainsAny(firstRune(strings.TrimLeft(s, " ")), "=+-@|%＝＋－＠") {
		return "'" + s
	}
	return s
}

func firstRune(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}
