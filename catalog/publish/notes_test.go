package publish_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
)

const changelog = `# Changelog

All notable changes are in this file, see [Keep a Changelog](https://keepachangelog.com).

## [Unreleased]

## [2.0.0] - 2026-05-18

The second edition,
all new.

### Added
- A *line* of the load
  of the last hour.
* Another.
	- A nested one.

### Breaking changes
- The settings moved.

### Deprecated
- The old card.

### Security
- A hole is closed.

## v1.0.1 - 2026-03-01 [YANKED]

- Repaired.

## [1.0.0](https://example.com/1.0.0) (2026-02-02)

` + "```\n## [0.9.0] is no heading here\n```" + `

## About this file

- nothing

[Unreleased]: https://example.com/compare
[2.0.0]: https://example.com/2.0.0
`

func TestParseChangelog(t *testing.T) {
	t.Parallel()
	all, err := publish.ParseChangelog([]byte(strings.ReplaceAll(changelog, "\n", "\r\n")))
	require.NoError(t, err)
	var got []string
	for _, e := range all {
		got = append(got, e.Version)
	}
	assert.Equal(t, []string{"Unreleased", "2.0.0", "1.0.1", "1.0.0"}, got)
	assert.Equal(t, 7, all[1].Line)
	assert.Equal(t, time.Date(2026, 5, 18, 0, 0, 0, 0, time.UTC), all[1].Date)
	assert.True(t, all[2].Yanked)
	assert.False(t, all[1].Yanked)

	notes, err := publish.FindNotes([]byte(changelog), "2.0.0")
	require.NoError(t, err)
	assert.Equal(t, publish.Notes{
		Summary:  "The second edition, all new.",
		Breaking: []string{"The settings moved."},
		Security: []string{"A hole is closed."},
		Added:    []string{"A *line* of the load of the last hour.", "Another.", "A nested one."},
		Changed:  []string{"Deprecated: The old card."},
	}, notes)
	again, err := publish.ParseNotes(notes.Markdown())
	require.NoError(t, err)
	assert.Equal(t, notes, again)

	notes, err = publish.FindNotes([]byte(changelog), "1.0.1")
	require.NoError(t, err)
	assert.Equal(t, publish.Notes{Changed: []string{"Repaired."}}, notes)
	_, err = publish.FindNotes([]byte(changelog), "3.0.0")
	require.ErrorIs(t, err, catalog.ErrNotFound)
	_, err = publish.FindNotes([]byte(changelog), "1.0.0")
	require.ErrorContains(t, err, "line 33: has a block of code")
}

func TestParseNotesRefuses(t *testing.T) {
	t.Parallel()
	for say, text := range map[string]string{
		"line 3: \"### Thanks\" is not one of the kinds": "Hello\n\n### Thanks\n- to all",
		"line 1: \"# Added\" is not one":                 "# Added\n- x",
		"line 2: is no note":                             "### Added\nwithout a mark",
		"line 2: is an empty note":                       "### Added\n-",
		"cannot see":                                     "- a\u202eb",
		"more than 100 notes":                            strings.Repeat("- x\n", publish.MaxNotes+1),
		"more than 1000":                                 "- " + strings.Repeat("x", publish.MaxNote+1),
		"bytes, more than":                               strings.Repeat("x\n", 100<<10),
	} {
		_, err := publish.ParseNotes(text)
		assert.ErrorContains(t, err, say)
	}
	_, err := publish.ParseNotes(strings.Repeat("- x\n", publish.MaxNotes))
	require.NoError(t, err)
	_, err = publish.ParseChangelog(make([]byte, catalog.MaxMedia+1))
	require.ErrorContains(t, err, "more than")
	_, err = publish.ParseChangelog([]byte("## 1.0.0 - 2026-13-40\n"))
	require.ErrorContains(t, err, "is no date")
}

// TestSampleChangelogs: what people write without kinds is read as well.
func TestSampleChangelogs(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../examples/plugins/acme/uptime/CHANGELOG.md")
	require.NoError(t, err)
	all, err := publish.ParseChangelog(b)
	require.NoError(t, err)
	require.NotEmpty(t, all)
	for _, e := range all {
		notes, err := e.Notes()
		require.NoError(t, err)
		assert.False(t, notes.Empty(), e.Version)
	}
}

func FuzzNotes(f *testing.F) {
	f.Add(changelog)
	f.Add("x\n- a\n  b\n### Added\n- c\n\n* d\n")
	f.Add("### Removed\n- - a\n- ## b\n- ``` c")
	f.Add("[a]: b\n~~~\n")
	f.Fuzz(func(t *testing.T, text string) {
		n, err := publish.ParseNotes(text)
		if err == nil {
			again, err := publish.ParseNotes(n.Markdown())
			require.NoError(t, err, "%q", n.Markdown())
			require.Equal(t, n, again)
		}
		all, err := publish.ParseChangelog([]byte(text))
		if err != nil {
			return
		}
		for _, e := range all {
			require.NotEmpty(t, e.Version)
			require.LessOrEqual(t, e.Line, 1+strings.Count(text, "\n"))
		}
	})
}
