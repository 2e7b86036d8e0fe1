package portal

import (
	"fmt"
	"html/template"
	"strings"

	"github.com/souk-dev/souk/marketplace/hub/insight"
)

// Sizes of a plot in units of its own; the page scales it.
const (
	plotWide, plotHigh   = 640, 190
	plotLeft, plotBottom = 44, 24 // for the numbers beside and below
	plotTop, plotRight   = 10, 8
	plotLines            = 5 // so many lines can be told apart
)

// plot is rows of numbers over days, drawn as lines.
type plot struct {
	ID, Title string
	About     string // a sentence: what is counted
	Percent   bool
	Days      []string
	Lines     []plotLine
}

type plotLine struct {
	Name   string
	Values []int64
	Sum    string // for the legend
}

// Empty reports whether there is nothing to draw.
func (p plot) Empty() bool {
	for _, l := range p.Lines {
		for _, v := range l.Values {
			if v != 0 {
				return false
			}
		}
	}
	return true
}

// top is the value of the uppermost line: a round number that nothing is above.
func (p plot) top() int64 {
	if p.Percent {
		return 100
	}
	most := int64(4)
	for _, l := range p.Lines {
		for _, v := range l.Values {
			most = max(most, v)
		}
	}
	for step := int64(1); ; step *= 10 {
		for _, m := range []int64{4, 8, 12, 20, 40} { // of which a quarter is whole
			if m*step >= most {
				return m * step
			}
		}
	}
}

// low is the value of the lowest line: more ratings can go than come on a day.
func (p plot) low() int64 {
	var least int64
	for _, l := range p.Lines {
		for _, v := range l.Values {
			least = min(least, v)
		}
	}
	return least
}

// SVG draws it. It has presentation attributes and classes only, which a strict policy
// allows, and no text by people.
func (p plot) SVG() template.HTML {
	var b strings.Builder
	high, low := p.top(), p.low()
	y := func(v int64) float64 {
		return plotTop + float64(high-v)/float64(high-low)*(plotHigh-plotTop-plotBottom)
	}
	x := func(i int) float64 {
		return plotLeft + float64(i)/float64(max(len(p.Days)-1, 1))*(plotWide-plotLeft-plotRight)
	}
	fmt.Fprintf(&b, "<svg class=\"hub-plot\" viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"%s-title\" focusable=\"false\">", plotWide, plotHigh, p.ID)
	fmt.Fprintf(&b, "<title id=\"%s-title\">%s, day by day; the same numbers are in the table below</title>", p.ID, template.HTMLEscapeString(p.Title))
	for i := int64(0); i <= 4; i++ {
		v := high * i / 4
		fmt.Fprintf(&b, "<line class=\"hub-plot-grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", plotLeft, plotWide-plotRight, y(v), y(v))
		if i%2 == 0 {
			fmt.Fprintf(&b, "<text class=\"hub-plot-text\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>", plotLeft-6, y(v)+4, p.label(v))
		}
	}
	for i, anchor := range map[int]string{0: "start", len(p.Days) / 2: "middle", len(p.Days) - 1: "end"} {
		if i >= 0 && i < len(p.Days) && (len(p.Days) > 2 || anchor != "middle") {
			fmt.Fprintf(&b, "<text class=\"hub-plot-text\" x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%s</text>", x(i), plotHigh-6, anchor, template.HTMLEscapeString(p.Days[i]))
		}
	}
	for n := len(p.Lines) - 1; n >= 0; n-- { // the first on top
		var d strings.Builder
		for i, v := range p.Lines[n].Values {
			fmt.Fprintf(&d, "%.1f,%.1f ", x(i), y(v))
		}
		fmt.Fprintf(&b, "<polyline class=\"hub-line hub-line-%d\" points=\"%s\" fill=\"none\" stroke-width=\"2\" stroke-linejoin=\"round\"/>", n, strings.TrimSpace(d.String()))
	}
	b.WriteString("</svg>")
	return template.HTML(b.String())
}

func (p plot) label(v int64) string {
	switch {
	case p.Percent:
		return fmt.Sprintf("%d %%", v)
	case v >= 1_000_000:
		return fmt.Sprintf("%gM", float64(v)/1_000_000)
	case v >= 10_000:
		return fmt.Sprintf("%gk", float64(v)/1000)
	}
	return fmt.Sprint(v)
}

// Table is the plot's numbers, newest day first: what stands beside the picture.
func (p plot) Table() []plotRow {
	out := make([]plotRow, 0, len(p.Days))
	for i := len(p.Days) - 1; i >= 0; i-- {
		row := plotRow{Day: p.Days[i]}
		for _, l := range p.Lines {
			if i < len(l.Values) {
				row.Cells = append(row.Cells, plotCell{l.Name, l.Values[i]})
			}
		}
		out = append(out, row)
	}
	return out
}

type plotRow struct {
	Day   string
	Cells []plotCell
}

type plotCell struct {
	Name string
	N    int64
}

// seriesLines makes lines of the largest series.
func seriesLines(list []insight.Series, unnamed string) []plotLine {
	var out []plotLine
	for _, s := range list[:min(len(list), plotLines)] {
		name := s.Name
		if name == "" {
			name = unnamed
		}
		out = append(out, plotLine{Name: name, Values: s.Values})
	}
	return out
}
