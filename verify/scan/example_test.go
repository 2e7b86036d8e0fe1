package scan_test

import (
	"context"
	"fmt"
	"testing/fstest"

	"github.com/souk-dev/souk/verify/scan"
)

// A release with a token in it fails, and the report says where without repeating it.
func ExampleSet_Run() {
	files := fstest.MapFS{
		"README.md":   {Data: []byte("Backs up your servers.\n")},
		"deploy.conf": {Data: []byte("# uploads the build\ntoken = npm_" + "kD7sPq2Lw9ZxV4bN8mR1tY6uH3jF5gC0aE2i\n")},
	}
	set, err := scan.NewSet(scan.Options{Scanners: []scan.Scanner{scan.Secrets(), scan.Archives(), scan.Native()}})
	if err != nil {
		panic(err)
	}
	result := set.Run(context.Background(), files, scan.Subject{Plugin: "acme/backup", Version: "1.4.2", Runtime: scan.RuntimeWASM})

	fmt.Println(result.Verdict)
	for _, report := range result.Reports {
		fmt.Println(report.Scanner, report.Verdict)
		for _, f := range report.Findings {
			fmt.Printf("  %s:%d: %s (%s), %s\n", f.File, f.Line, f.Title, f.Severity, f.Detail)
		}
	}
	// Output:
	// fail
	// secrets fail
	//   deploy.conf:2: npm token (high), begins with "npm_", 40 characters
	// archives pass
	// native pass
}

func ExampleSimilar() {
	known := []string{"acme", "cloudbackup", "monitoring"}
	for _, name := range []string{"acme", "acrne", "cloud-backup", "cludobackup", "gardening"} {
		if match, ok := scan.Similar(name, known); ok {
			fmt.Printf("%s looks like %s: %s\n", name, match.Name, match.Why)
		} else {
			fmt.Println(name)
		}
	}
	// Output:
	// acme
	// acrne looks like acme: it looks the same
	// cloud-backup looks like cloudbackup: it looks the same
	// cludobackup looks like cloudbackup: two letters differ
	// gardening
}
