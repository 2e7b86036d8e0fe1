package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The exit statuses.
const (
	exitDone   = 0
	exitFailed = 1 // it failed, or a check found errors
	exitUsage  = 2 // it was called wrongly
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the command: args without its name. It returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return newApp(stdout, stderr, os.Getenv).run(ctx, args)
}

// app is one run of the command.
type app struct {
	stdout io.Writer
	stderr io.Writer // safe for the progress line and the verb at once
	env    environment
	stdin  io.Reader
	now    func() time.Time
	poll   time.Duration // between two looks at a submission that is followed
}

// environment is everything that is read from the environment of the process. Only
// newApp reads it. Tokens are never printed.
type environment struct {
	hub    string // SOUK_HUB: address of a hub
	token  string // SOUK_TOKEN: token for it
	config string // where the user's settings are; empty: nowhere

	// In a CI job: its identity token, or where GitHub Actions gives one.
	jobToken     string // SOUK_ID_TOKEN
	actionsURL   string // ACTIONS_ID_TOKEN_REQUEST_URL
	actionsToken string // ACTIONS_ID_TOKEN_REQUEST_TOKEN
}

func newApp(stdout, stderr io.Writer, getenv func(string) string) *app {
	config, err := os.UserConfigDir()
	if err != nil {
		config = "" // `souk login` says that it cannot keep anything
	}
	return &app{
		stdout: stdout, stderr: &lockedWriter{w: stderr}, stdin: os.Stdin, now: time.Now, poll: time.Second,
		env: environment{
			hub: getenv("SOUK_HUB"), token: getenv("SOUK_TOKEN"), config: config, jobToken: getenv("SOUK_ID_TOKEN"),
			actionsURL: getenv("ACTIONS_ID_TOKEN_REQUEST_URL"), actionsToken: getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
		},
	}
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func (a *app) run(ctx context.Context, args []string) int {
	err := a.dispatch(ctx, args)
	if err == nil {
		return exitDone
	}
	if errors.Is(err, errFound) { // it was said already
		return exitFailed
	}
	if ctx.Err() != nil {
		a.say("souk: interrupted; nothing half done is left, run it again")
		return exitFailed
	}
	a.say("souk: %v", err)
	if next := (*adviceError)(nil); errors.As(err, &next) {
		a.say("  %s", next.advice)
	}
	if wrong := (*usageError)(nil); errors.As(err, &wrong) {
		return exitUsage
	}
	return exitFailed
}

// say prints a line for people.
func (a *app) say(format string, args ...any) {
	fmt.Fprintln(a.stderr, strings.TrimRight(fmt.Sprintf(format, args...), "\n"))
}

// print prints a line of the result.
func (a *app) print(format string, args ...any) error {
	_, err := fmt.Fprintf(a.stdout, format+"\n", args...)
	return err
}

// errFound means that a check found something, which was printed.
var errFound = errors.New("something was found")

// usageError means that the command was called wrongly.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usage(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// adviceError is an error with what to do next. It wraps the cause.
type adviceError struct {
	err    error
	advice string
}

func (e *adviceError) Error() string { return e.err.Error() }
func (e *adviceError) Unwrap() error { return e.err }

// advise says what to do about err; a nil err stays nil.
func advise(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &adviceError{err, fmt.Sprintf(format, args...)}
}
