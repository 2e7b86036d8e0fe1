//go:build race

package publishing_test

// stride is how many steps the kill test goes at a time: under the race detector, which
// looks for something else and makes SQLite ten times as slow, not every one is tried.
const stride = 9
