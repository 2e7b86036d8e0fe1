package browser

import (
	"os"
	"testing"
)

const chromium = "/usr/bin/chromium"

// need returns the binary that a variable of the environment names. Without it, or without
// a browser, the test is skipped; it fails where nothing may be (SOUK_TEST_REQUIRE=all).
func need(t *testing.T, variable string) string {
	t.Helper()
	say := t.Skipf
	if os.Getenv("SOUK_TEST_REQUIRE") == "all" {
		say = t.Fatalf
	}
	if _, err := os.Stat(chromium); err != nil {
		say("there is no browser: %v", err)
	}
	binary := os.Getenv(variable)
	if binary == "" {
		say("%s names no binary; .ci/run builds it", variable)
	}
	return binary
}
