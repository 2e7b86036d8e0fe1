package browser

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/audits"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// startBrowser starts a browser, in which each person gets a profile of their own.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.ExecPath(chromium),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.WindowSize(1280, 900))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {})) // it logs each event that it does not know
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Run(ctx))
	return ctx
}

// tellOnPolicy makes what the pages' policy refused, and what Trusted Types refused, a line
// of the console.
const tellOnPolicy = `addEventListener('securitypolicyviolation', e => console.error('policy ' + e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample))`

// listen notes whatever the browser complains about.
func (v *visitor) listen() {
	v.t.Helper()
	complain := func(format string, args ...any) {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.problems = append(v.problems, fmt.Sprintf(format, args...))
	}
	chromedp.ListenTarget(v.ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			complain("exception: %s", e.ExceptionDetails.Error())
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
				for _, a := range e.Args {
					complain("console: %s", a.Value)
				}
			}
		case *cdplog.EventEntryAdded:
			if e.Entry.Level == cdplog.LevelError {
				complain("log: %s %s", e.Entry.Text, e.Entry.URL)
			}
		case *audits.EventIssueAdded:
			if d := e.Issue.Details; d != nil && d.ContentSecurityPolicyIssueDetails != nil {
				csp := d.ContentSecurityPolicyIssueDetails
				complain("policy: %s %s", csp.ViolatedDirective, csp.BlockedURL)
			}
		}
	})
	require.NoError(v.t, chromedp.Run(v.ctx, cdplog.Enable(), network.Enable(), audits.Enable(), onNewDocument(tellOnPolicy)))
}

// onNewDocument runs a script in every page before its own.
func onNewDocument(script string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(script).Do(ctx)
		return err
	})
}
