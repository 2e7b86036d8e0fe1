package publish_test

import (
	"context"
	"fmt"
	"testing/fstest"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
)

// A check says what is wrong, where, and what to do.
func ExampleValidate() {
	files := fstest.MapFS{
		"plugin.json": {Data: []byte(`{
  "format": 1, "id": "acme/theme", "version": "1.1.0", "name": "Theme", "summary": "Dark.", "license": "MIT",
  "runtime": {"kind": "static"},
  "docs": "README.md", "changelog": "CHANGELOG.md"
}`)},
		"CHANGELOG.md": {Data: []byte("# Changelog\n\n## [1.1.0] - 2026-05-18\n\n### Breaking\n\n- The old colours are gone.\n")},
	}
	before := catalog.Release{Ref: catalog.Ref{Plugin: "acme/theme", Version: "1.0.0"}}
	for _, p := range publish.Validate(context.Background(), publish.Input{Files: files, Previous: []catalog.Release{before}}) {
		fmt.Println(p)
	}
	// Output:
	// plugin.json:1:1: warning: there is no icon (icon-missing)
	// plugin.json:2:47: warning: version: the notes name something that breaks or was removed since 1.0.0 without a new major version (semver-breaking)
	// plugin.json:4:11: error: docs: there is no file "README.md" (file-missing)
	// warning: there is no file with the text of the licence MIT (licence-file-missing)
}

// Notes are a section of a changelog.
func ExampleFindNotes() {
	notes, err := publish.FindNotes([]byte("# Changelog\n\n## [1.1.0] - 2026-05-18\n\n### Added\n\n- A card.\n"), "1.1.0")
	fmt.Println(notes.Added, err)
	// Output: [A card.] <nil>
}
