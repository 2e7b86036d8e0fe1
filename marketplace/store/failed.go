package store

import (
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
)

// failedFor is how long a button says that the last try did not work. The history says
// so for longer.
const failedFor = 7 * 24 * time.Hour

// lastChange is the last that was done with a plugin.
type lastChange struct {
	entry install.Entry
	step  install.HistoryStep
}

// lastFailed returns the plugins whose last change failed, and not long ago. It comes from
// the history on the disk, so that a restart of the panel changes nothing.
func (h *shop) lastFailed() map[catalog.PluginID]lastChange {
	entries, err := h.m.History()
	if err != nil {
		return nil // the history page says what is wrong with it
	}
	out, seen := map[catalog.PluginID]lastChange{}, map[catalog.PluginID]bool{}
	oldest := h.o.Now().Add(-failedFor)
	for _, e := range entries {
		if e.Ended.Before(oldest) {
			break
		}
		for _, c := range e.Changes {
			if !seen[c.Plugin] && e.State == install.StateFailed {
				out[c.Plugin] = lastChange{e, c}
			}
			seen[c.Plugin] = true
		}
	}
	return out
}

// concerns reports whether what failed would be tried again: the release of which it was
// is still the one to have.
func (f lastChange) concerns(s standing) bool {
	switch {
	case f.step.Action == install.ActRemove:
		return s.Here != nil
	case s.Here == nil:
		return f.step.To == s.Newest
	}
	return s.Newer && f.step.To == s.Newest
}

// retry names the change that is planned again.
func (f lastChange) retry() string {
	switch {
	case f.step.Action == install.ActRemove:
		return "remove"
	case f.step.From != "":
		return "update"
	}
	return "install"
}

// failure is a change that did not work, in words.
type failure struct {
	Title string
	Text  string
	When  time.Time
	Cause string // what the plugin or the installer said
	URL   string // of the operation
}

// lastFailure returns what went wrong with a plugin last, unless something went
// well since.
func (h *shop) lastFailure(id catalog.PluginID) *failure {
	entries, err := h.m.History()
	if err != nil {
		return nil // the history page says what is wrong with it
	}
	for _, e := range entries {
		for _, c := range e.Changes {
			if c.Plugin != id {
				continue
			}
			if e.State != install.StateFailed {
				return nil
			}
			return h.failure(e, c)
		}
	}
	return nil
}

// failure puts a failed entry of the history into words.
func (h *shop) failure(e install.Entry, c install.HistoryStep) *failure {
	f := &failure{When: e.Ended, Cause: oneLine(e.Error, maxCause), URL: h.url("operations", e.ID)}
	switch {
	case c.From != "" && c.To != "":
		f.Title, f.Text = h.text.T("failed.update.title", c.To), h.text.T("failed.update.text", c.From)
	case c.To != "":
		f.Title, f.Text = h.text.T("failed.install.title", c.To), h.text.T("failed.install.text")
	default:
		f.Title, f.Text = h.text.T("failed.remove.title"), h.text.T("failed.remove.text")
	}
	return f
}
