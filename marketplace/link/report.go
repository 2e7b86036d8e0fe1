package link

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/client"
)

const (
	maxTold   = 300       // releases in a report, as many as a hub takes
	tellAgain = time.Hour // after it did not work
)

// tell says once a day what runs here, where the panel's owner allows that.
func (l *Link) tell(ctx context.Context) {
	now, s := l.o.Now(), l.snapshot()
	l.mu.Lock()
	due := l.nextTell
	l.mu.Unlock()
	if s.Account == "" || now.Before(due) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*WriteWait)
	defer cancel()
	if err := l.share(ctx, s); err != nil {
		l.o.Log.Info("numbers were not told", "hub", l.hub.Address(), "error", l.explain(ctx, err, s.Token))
		l.mu.Lock()
		l.nextTell = now.Add(tellAgain)
		l.mu.Unlock()
	}
}

func (l *Link) share(ctx context.Context, s state) error {
	c := l.hub.WithToken(s.Token)
	// The wish is told once: who then decides otherwise at the hub is not overruled.
	if on := l.o.Telemetry; s.Shares == nil && on || s.Shares != nil && *s.Shares != on {
		if err := c.SetTelemetry(ctx, s.Panel, on); err != nil {
			return err
		}
		if err := l.update(func(now *state) bool { now.Shares = &on; return now.Token == s.Token }); err != nil {
			return err
		}
	}
	today := hub.Day(l.o.Now())
	if !l.o.Telemetry || s.Told >= today {
		return nil
	}
	r, until, err := l.numbers(s.Counted)
	if err != nil {
		return err
	}
	_, err = c.ReportInstalls(ctx, r)
	if err != nil && !errors.Is(err, hub.ErrForbidden) { // forbidden: the account's owner turned it off at the hub
		return err
	}
	return l.update(func(st *state) bool { st.Told, st.Counted = today, until; return st.Token == s.Token })
}

// numbers counts what there is to tell about the time since the last ones, and says until
// when that is.
func (l *Link) numbers(since time.Time) (r client.InstallReport, until time.Time, err error) {
	r = client.InstallReport{PanelVersion: l.o.PanelVersion, Installed: []client.Installed{}}
	for _, p := range l.o.Market.Installed() {
		if p.Enabled && len(r.Installed) < maxTold {
			r.Installed = append(r.Installed, client.Installed{Plugin: string(p.Plugin), Version: p.Version})
		}
	}
	history, err := l.o.Market.History()
	if err != nil {
		return r, until, err
	}
	until = l.o.Now().UTC()
	r.Day = hub.Day(until)
	for _, e := range history {
		if !e.Ended.After(since) || e.Ended.After(until) {
			continue
		}
		for _, c := range e.Changes {
			back, sick := judge(e, c)
			if back != "" {
				r.Rollbacks = add(r.Rollbacks, c.Plugin, back)
			}
			if sick != "" {
				r.Unhealthy = add(r.Unhealthy, c.Plugin, sick)
			}
		}
	}
	return r, until, nil
}

// judge says which version a change went back from, and which was found unhealthy.
func judge(e install.Entry, c install.HistoryStep) (back, sick string) {
	switch {
	case c.To == "" || c.Action == install.ActRemove:
	case e.State == install.StateFailed && strings.Contains(e.Error, install.ErrUnhealthy.Error()):
		// The error names the release that was not healthy; the others of the plan went back with it.
		if c.From != "" {
			back = c.To
		}
		if len(e.Changes) == 1 || strings.Contains(e.Error, string(c.Plugin)+"@"+c.To+":") {
			sick = c.To
		}
	case e.State == install.StateDone && c.From != "" && catalog.CompareVersions(c.To, c.From) < 0:
		back = c.From
	}
	return back, sick
}

func add(list []client.Happened, id catalog.PluginID, version string) []client.Happened {
	i := slices.IndexFunc(list, func(h client.Happened) bool { return h.Plugin == string(id) && h.Version == version })
	switch {
	case i >= 0:
		list[i].N++
	case len(list) < maxTold:
		list = append(list, client.Happened{Plugin: string(id), Version: version, N: 1})
	}
	return list
}
