package scan_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/scan"
)

type fake struct {
	name string
	scan func(ctx context.Context) (scan.Report, error)
}

func (f fake) Name() string { return f.name }
func (f fake) Scan(ctx context.Context, _ fs.FS, _ scan.Subject) (scan.Report, error) {
	return f.scan(ctx)
}

func says(name string, v verify.Verdict, findings ...scan.Finding) fake {
	return fake{name, func(context.Context) (scan.Report, error) {
		return scan.Report{Verdict: v, Findings: findings}, nil
	}}
}

func fails(name string, err error) fake {
	return fake{name, func(context.Context) (scan.Report, error) { return scan.Report{}, err }}
}

func TestDecision(t *testing.T) {
	t.Parallel()
	pass, fail := says("pass", verify.VerdictPass), says("fail", verify.VerdictFail)
	nothing := says("nothing", verify.VerdictNotConfigured)
	broken := fails("broken", errors.New("out of disk"))
	gone := fails("gone", fmt.Errorf("clamd: %w", scan.ErrUnavailable))
	for name, c := range map[string]struct {
		all, optional []scan.Scanner
		want          verify.Verdict
	}{
		"pass":                        {all: []scan.Scanner{pass, nothing}, want: verify.VerdictPass},
		"nobody spoke":                {all: []scan.Scanner{nothing}, want: verify.VerdictNotConfigured},
		"one fails":                   {all: []scan.Scanner{pass, fail}, want: verify.VerdictFail},
		"error beats pass":            {all: []scan.Scanner{pass, broken}, want: verify.VerdictError},
		"error beats fail":            {all: []scan.Scanner{fail, broken}, want: verify.VerdictError},
		"says pass, finding blocks":   {all: []scan.Scanner{says("x", verify.VerdictPass, scan.Finding{})}, want: verify.VerdictFail},
		"gives no verdict":            {all: []scan.Scanner{pass, says("x", verify.VerdictError)}, want: verify.VerdictError},
		"unknown verdict":             {all: []scan.Scanner{pass, says("x", verify.Verdict(77))}, want: verify.VerdictError},
		"required and not there":      {all: []scan.Scanner{pass, gone}, want: verify.VerdictError},
		"optional and not there":      {all: []scan.Scanner{pass}, optional: []scan.Scanner{gone}, want: verify.VerdictPass},
		"optional and broken":         {all: []scan.Scanner{pass}, optional: []scan.Scanner{broken}, want: verify.VerdictError},
		"optional and fails":          {all: []scan.Scanner{pass}, optional: []scan.Scanner{fail}, want: verify.VerdictFail},
		"only optional, that is gone": {all: []scan.Scanner{nothing}, optional: []scan.Scanner{gone}, want: verify.VerdictNotConfigured},
	} {
		result := newSet(t, scan.Options{Scanners: c.all, Optional: c.optional}).Run(t.Context(), files(), subject)
		assert.Equal(t, c.want, result.Verdict, name)
		assert.Equal(t, c.want == verify.VerdictPass, result.Passed(), name)
		assert.Len(t, result.Reports, len(c.all)+len(c.optional), name)
	}
	result := newSet(t, scan.Options{Scanners: []scan.Scanner{pass}, Optional: []scan.Scanner{gone}}).Run(t.Context(), files(), subject)
	assert.True(t, result.Reports[1].Unavailable)
	assert.Equal(t, verify.VerdictNotConfigured, result.Reports[1].Verdict)
	assert.NotEmpty(t, result.Reports[1].Error)
	assert.False(t, result.Reports[0].Unavailable)
	assert.False(t, (scan.Result{}).Passed())
	assert.False(t, (scan.Result{Verdict: verify.VerdictPass}).Passed(), "no report bears it out")
}

func TestPanicIsAnError(t *testing.T) {
	t.Parallel()
	set := newSet(t, scan.Options{Scanners: []scan.Scanner{
		fake{"bad", func(context.Context) (scan.Report, error) { panic("index out of range") }}, says("good", verify.VerdictPass),
	}})
	result := set.Run(t.Context(), files(), subject)
	assert.Equal(t, verify.VerdictError, result.Verdict)
	assert.Contains(t, result.Reports[0].Error, "index out of range")
	assert.Equal(t, verify.VerdictPass, result.Reports[1].Verdict)
	set.Wait()
}

// TestTimeLimit: a scanner that says pass after its time did not look at everything.
func TestTimeLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := fake{"slow", func(ctx context.Context) (scan.Report, error) {
			<-ctx.Done()
			return scan.Report{Verdict: verify.VerdictPass}, nil
		}}
		quick := says("quick", verify.VerdictPass)
		set := newSet(t, scan.Options{Scanners: []scan.Scanner{slow, quick}, Timeout: time.Minute, Now: time.Now})
		result := set.Run(t.Context(), files(), subject)
		assert.Equal(t, verify.VerdictError, result.Verdict)
		assert.Contains(t, result.Reports[0].Error, "no result within 1m0s")
		assert.Equal(t, time.Minute, result.Reports[0].Finished.Sub(result.Reports[0].Started))
		assert.Equal(t, verify.VerdictPass, result.Reports[1].Verdict)
	})
}

// TestDeafScanner: one that never stops holds its place and nothing else.
func TestDeafScanner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		deaf := fake{"deaf", func(context.Context) (scan.Report, error) {
			<-let
			return scan.Report{Verdict: verify.VerdictPass}, nil
		}}
		set := newSet(t, scan.Options{Scanners: []scan.Scanner{deaf}, Timeout: time.Minute, Concurrency: 1, Now: time.Now})
		result := set.Run(t.Context(), files(), subject)
		assert.Contains(t, result.Reports[0].Error, "does not stop")
		result = set.Run(t.Context(), files(), subject)
		assert.Contains(t, result.Reports[0].Error, "no place to run")
		assert.Equal(t, verify.VerdictError, result.Verdict)
		close(let)
		set.Wait()
		result = set.Run(t.Context(), files(), subject)
		assert.Equal(t, verify.VerdictPass, result.Verdict, "the place is free again")
	})
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the hub stops"))
	result := newSet(t, scan.Options{Scanners: []scan.Scanner{scan.Secrets()}}).Run(ctx, files("a", "b"), subject)
	assert.Equal(t, verify.VerdictError, result.Verdict)
	assert.Contains(t, result.Reports[0].Error, "the hub stops")
}

func TestConcurrencyIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		opts := scan.Options{Concurrency: 2, Now: time.Now}
		for i := range 6 {
			opts.Scanners = append(opts.Scanners, fake{fmt.Sprint("s", i), func(ctx context.Context) (scan.Report, error) {
				most.Store(max(most.Load(), now.Add(1)))
				defer now.Add(-1)
				select {
				case <-time.After(time.Second):
				case <-ctx.Done():
				}
				return scan.Report{Verdict: verify.VerdictPass}, nil
			}})
		}
		result := newSet(t, opts).Run(t.Context(), files(), subject)
		assert.Equal(t, verify.VerdictPass, result.Verdict)
		assert.Equal(t, int32(2), most.Load())
		assert.Equal(t, 3*time.Second, result.Finished.Sub(result.Started))
	})
}

func TestNewSetRefuses(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]scan.Options{
		"nothing":       {},
		"only optional": {Optional: []scan.Scanner{scan.Secrets()}},
		"nil":           {Scanners: []scan.Scanner{nil}},
		"twice":         {Scanners: []scan.Scanner{scan.Secrets()}, Optional: []scan.Scanner{scan.Secrets()}},
		"no name":       {Scanners: []scan.Scanner{says("", verify.VerdictPass)}},
		"negative":      {Scanners: []scan.Scanner{scan.Secrets()}, Timeout: -1},
	} {
		_, err := scan.NewSet(opts)
		assert.Error(t, err, name)
	}
}

func TestPredicate(t *testing.T) {
	t.Parallel()
	var many []scan.Finding
	for i := range 5000 { // of somebody else's scanner, that knows no bounds
		many = append(many, scan.Finding{Rule: fmt.Sprint("r", i), Severity: scan.SeverityInfo, Title: strings.Repeat("t\x1b", 200), Detail: strings.Repeat("d", 2000)})
	}
	many = append(many, scan.Finding{Rule: "worst", Title: "the worst"})
	set := newSet(t, scan.Options{Scanners: []scan.Scanner{says("foreign", verify.VerdictPass, many...), says("b", verify.VerdictPass, many[:2000]...)}})
	result := set.Run(t.Context(), files(), subject)
	require.Equal(t, verify.VerdictFail, result.Verdict)
	require.Len(t, result.Reports[0].Findings, scan.MaxFindings)
	assert.NotContains(t, result.Reports[0].Findings[1].Title, "\x1b")
	b, err := result.Predicate()
	require.NoError(t, err)
	assert.Less(t, len(b), scan.MaxPredicate)
	back, err := scan.ParsePredicate(b)
	require.NoError(t, err)
	assert.Equal(t, "worst", back.Reports[0].Findings[0].Rule)
	assert.Equal(t, 5001, len(back.Reports[0].Findings)+back.Reports[0].Dropped)
	assert.Len(t, result.Reports[0].Findings, scan.MaxFindings, "the result itself is as it was")

	for name, change := range map[string]func(*scan.Result){
		"verdict":   func(r *scan.Result) { r.Verdict = verify.VerdictPass },
		"no report": func(r *scan.Result) { r.Reports = nil },
	} {
		forged := back
		change(&forged)
		b, err := json.Marshal(forged)
		require.NoError(t, err)
		_, err = scan.ParsePredicate(b)
		assert.ErrorContains(t, err, "where its reports say", name)
	}
	_, err = scan.ParsePredicate(make([]byte, scan.MaxPredicate+1))
	require.Error(t, err)
}
