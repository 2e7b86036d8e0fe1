package link

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/souk-dev/souk/marketplace/store"
)

const (
	stateFile = "link.json"
	lockFile  = "link.lock"
	format    = 1
	maxState  = 16 << 10 // bytes of the file; it has a few hundred
)

// state is what a restart must not forget. It holds secrets: never log it.
type state struct {
	Format  int               `json:"format"`
	Hub     string            `json:"hub"`
	Key     []byte            `json:"key,omitempty"`     // seed of the Ed25519 key
	Token   string            `json:"token,omitempty"`   // empty: not linked
	Panel   string            `json:"panel,omitempty"`   // ids at the hub
	Account string            `json:"account,omitempty"` //
	Name    string            `json:"name,omitempty"`    // of the account
	Waiting *waiting          `json:"waiting,omitempty"`
	Lost    bool              `json:"lost,omitempty"`
	Problem store.LinkProblem `json:"problem,omitempty"`
	Shares  *bool             `json:"shares,omitempty"` // what the hub was told about telemetry; nil: nothing
	Told    int               `json:"told,omitempty"`   // last day that numbers were told of
	Counted time.Time         `json:"counted,omitzero"` // until when the history was counted
}

// waiting is a code that a person has to type.
type waiting struct {
	DeviceCode string    `json:"deviceCode"`
	UserCode   string    `json:"userCode"`
	URI        string    `json:"uri"`
	Until      time.Time `json:"until"`
	Interval   int       `json:"interval"` // seconds
}

// load reads the file. One of another hub begins anew: its token is not for this one.
func (l *Link) load() error {
	fresh := state{Format: format, Hub: l.hub.Address()}
	b, err := l.root.ReadFile(stateFile, maxState)
	if errors.Is(err, fs.ErrNotExist) {
		l.state = fresh
		return nil
	}
	if err != nil {
		return err
	}
	var s state
	if err := json.Unmarshal(b, &s); err != nil || s.Format != format || len(s.Key) != 0 && len(s.Key) != ed25519.SeedSize {
		return fmt.Errorf("%s is damaged or of a newer version: remove it, and link the panel again", l.root.Abs(stateFile))
	}
	if s.Hub != fresh.Hub {
		if s.Token != "" || s.Waiting != nil {
			fresh.Problem = store.LinkOtherHub
		}
		s = fresh
	}
	l.state = s
	return nil
}

func (l *Link) snapshot() state {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// update changes the state where f says that it still fits, and keeps it. What could not
// be written is not changed.
func (l *Link) update(f func(*state) bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.state
	if !f(&s) {
		return nil
	}
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	if err := l.root.WriteFile(stateFile, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("keep the link: %w", err)
	}
	l.state = s
	return nil
}

// forget returns the state of no link, for a reason.
func (s state) forget(why store.LinkProblem) state {
	return state{Format: format, Hub: s.Hub, Problem: why}
}
