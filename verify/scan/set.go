package scan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/souk-dev/souk/verify"
)

// Bounds of a run.
const (
	DefaultTimeout     = 5 * time.Minute // of one scanner
	DefaultConcurrency = 4               // scanners at a time
	maxScanners        = 50              // in a Set; each is one report
	// grace is what a scanner has after its time to return by itself; then its
	// error is recorded without it.
	grace = 2 * time.Second
)

// Options of [NewSet].
type Options struct {
	// Scanners all have to say something: one that is not available is an error.
	Scanners []Scanner
	// Optional scanners may be unavailable. Then their report says so and decides
	// nothing. One that goes wrong in any other way is an error like all others.
	Optional []Scanner
	// Timeout is the time limit of each scanner; zero means DefaultTimeout. Waiting
	// for a place (see Concurrency) is part of it.
	Timeout time.Duration
	// Concurrency is how many scanners run at a time, over all runs of the Set; zero
	// means DefaultConcurrency.
	Concurrency int
	// Now is the clock of reports; nil means time.Now.
	Now func() time.Time
	// Log is told of panics, with their stack; nil means nobody.
	Log *slog.Logger
}

// Set runs several scanners over a release. It is safe for concurrent use.
type Set struct {
	opts    Options
	places  chan struct{}
	running sync.WaitGroup
}

// NewSet returns a Set, or an error when there is no scanner that must give a verdict,
// one is nil, or two have the same name.
func NewSet(opts Options) (*Set, error) {
	if len(opts.Scanners) == 0 {
		return nil, errors.New("scan: no scanner: nothing would be looked at")
	}
	seen := make(map[string]bool)
	for _, s := range slices.Concat(opts.Scanners, opts.Optional) {
		switch {
		case s == nil:
			return nil, errors.New("scan: a scanner is nil")
		case s.Name() == "" || seen[s.Name()]:
			return nil, fmt.Errorf("scan: scanner name %q is empty or given twice", s.Name())
		}
		seen[s.Name()] = true
	}
	if len(seen) > maxScanners {
		return nil, fmt.Errorf("scan: %d scanners, more than %d", len(seen), maxScanners)
	}
	if opts.Timeout < 0 || opts.Concurrency < 0 {
		return nil, errors.New("scan: a time limit or concurrency is negative")
	}
	if opts.Timeout == 0 {
		opts.Timeout = DefaultTimeout
	}
	if opts.Concurrency == 0 {
		opts.Concurrency = DefaultConcurrency
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	opts.Scanners, opts.Optional = slices.Clone(opts.Scanners), slices.Clone(opts.Optional)
	return &Set{opts: opts, places: make(chan struct{}, opts.Concurrency)}, nil
}

// Run gives the files to all scanners and returns what they say together, see
// [Result.Verdict]. It returns when all are done or out of time; there is always a
// report of each, in the order of Options. fsys has to be safe for concurrent use and
// unchanged until [Set.Wait] returns: a scanner that ignores its time limit goes on
// reading, keeps its place, and is no longer listened to.
func (s *Set) Run(ctx context.Context, fsys fs.FS, subject Subject) Result {
	all := slices.Concat(s.opts.Scanners, s.opts.Optional)
	result := Result{Subject: subject, Started: s.opts.Now().UTC(), Reports: make([]Report, len(all))}
	var wg sync.WaitGroup
	for i, scanner := range all {
		wg.Go(func() { result.Reports[i] = s.one(ctx, scanner, fsys, subject, i >= len(s.opts.Scanners)) })
	}
	wg.Wait()
	result.Finished = s.opts.Now().UTC()
	result.Verdict = decide(result.Reports)
	return result
}

// Wait returns when no scanner of the Set runs any more.
func (s *Set) Wait() { s.running.Wait() }

type outcome struct {
	report Report
	err    error
}

func (s *Set) one(ctx context.Context, scanner Scanner, fsys fs.FS, subject Subject, optional bool) Report {
	started := s.opts.Now().UTC()
	limit := fmt.Errorf("no result within %s: %w", s.opts.Timeout, context.DeadlineExceeded)
	ctx, cancel := context.WithTimeoutCause(ctx, s.opts.Timeout, limit)
	defer cancel()
	var out outcome
	select {
	case s.places <- struct{}{}:
		out = s.wait(ctx, s.start(ctx, scanner, fsys, subject))
	case <-ctx.Done():
		out.err = fmt.Errorf("no place to run: %w", context.Cause(ctx))
	}
	r, err := out.report, out.err
	r.Findings = slices.Clone(r.Findings) // it may be the scanner's own
	for i, f := range r.Findings {        // a scanner of somebody else's may not have done it
		r.Findings[i] = f.clean()
	}
	r.trim()
	r.Scanner, r.Started, r.Finished = scanner.Name(), started, s.opts.Now().UTC()
	switch {
	case err == nil && r.Verdict == verify.VerdictError:
		err = errors.New("the scanner gave no verdict and did not say why")
	case err == nil && ctx.Err() != nil:
		err = context.Cause(ctx) // whatever it says, it may have been cut short
	}
	if err != nil {
		r.Verdict, r.Error = verify.VerdictError, Printable(err.Error(), maxDetail)
		if errors.Is(err, ErrUnavailable) {
			r.Unavailable = true
			if optional {
				r.Verdict = verify.VerdictNotConfigured
			}
		}
	}
	return r
}

// start runs the scanner in a goroutine that the Set owns.
func (s *Set) start(ctx context.Context, scanner Scanner, fsys fs.FS, subject Subject) <-chan outcome {
	done := make(chan outcome, 1)
	s.running.Go(func() {
		defer func() { <-s.places }()
		defer func() {
			if p := recover(); p != nil {
				s.opts.Log.ErrorContext(ctx, "scanner panicked", "scanner", scanner.Name(), "panic", p, "stack", string(debug.Stack()))
				done <- outcome{err: fmt.Errorf("the scanner panicked: %v", p)}
			}
		}()
		var out outcome
		out.report, out.err = scanner.Scan(ctx, fsys, subject)
		done <- out
	})
	return done
}

// wait listens to a scanner until its time and grace are over.
func (s *Set) wait(ctx context.Context, done <-chan outcome) outcome {
	select {
	case out := <-done:
		return out
	case <-ctx.Done():
	}
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case out := <-done:
		return out
	case <-late.C:
		return outcome{err: fmt.Errorf("the scanner does not stop: %w", context.Cause(ctx))}
	}
}

// Result is what all scanners say together. Its JSON form is the predicate of
// [PredicateType].
type Result struct {
	Subject  Subject     `json:"subject"`
	Started  verify.Time `json:"started"`
	Finished verify.Time `json:"finished"`
	// Verdict: error when any scanner has an error or ran out of time; else fail when
	// any fails or a finding blocks; else pass when any passes; else not configured.
	Verdict verify.Verdict `json:"verdict"`
	Reports []Report       `json:"reports"`
}

// Passed reports whether the verdict is pass, and whether the reports bear it out.
func (r Result) Passed() bool {
	return r.Verdict == verify.VerdictPass && decide(r.Reports) == verify.VerdictPass
}

func decide(reports []Report) verify.Verdict {
	passed, failed := false, false
	for _, r := range reports {
		switch r.Verdict {
		case verify.VerdictPass:
			passed = true
		case verify.VerdictFail:
			failed = true
		case verify.VerdictNotConfigured:
		default:
			return verify.VerdictError
		}
		failed = failed || slices.ContainsFunc(r.Findings, Finding.Blocks)
	}
	switch {
	case len(reports) == 0:
		return verify.VerdictError
	case failed:
		return verify.VerdictFail
	case passed:
		return verify.VerdictPass
	}
	return verify.VerdictNotConfigured
}

// MaxPredicate bounds a published result, in bytes: with the base64 of its envelope
// it stays below [verify.MaxBundle].
const MaxPredicate = 512 << 10

// Predicate returns the result as it is published: without components, which an SBOM
// is for, and with as many findings, the worst of each report, as MaxPredicate allows.
func (r Result) Predicate() (json.RawMessage, error) {
	r.Reports = slices.Clone(r.Reports)
	for keep := MaxFindings; ; keep /= 2 {
		for i := range r.Reports {
			p := &r.Reports[i]
			p.Components = nil
			if over := len(p.Findings) - keep; over > 0 {
				p.Findings, p.Dropped = p.Findings[:keep:keep], p.Dropped+over
			}
		}
		b, err := json.Marshal(r)
		switch {
		case err != nil:
			return nil, fmt.Errorf("scan: encode result: %w", err)
		case len(b) <= MaxPredicate:
			return b, nil
		case keep == 0:
			return nil, fmt.Errorf("scan: the result has %d bytes, more than %d", len(b), MaxPredicate)
		}
	}
}

// ParsePredicate reads what Predicate writes. It refuses a verdict that does not
// follow from the reports. Who made it, and about which release, a signature says.
func ParsePredicate(b []byte) (Result, error) {
	if len(b) > MaxPredicate {
		return Result{}, fmt.Errorf("scan: result has %d bytes, more than %d", len(b), MaxPredicate)
	}
	var r Result
	if err := json.Unmarshal(b, &r); err != nil {
		return Result{}, fmt.Errorf("scan: result: %w", err)
	}
	if want := decide(r.Reports); r.Verdict != want {
		return Result{}, fmt.Errorf("scan: result says %s where its reports say %s", r.Verdict, want)
	}
	return r, nil
}
