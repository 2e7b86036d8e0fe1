package install

import (
	"errors"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox/safefs"
)

// record is one line of a transaction's log. The log exists exactly as long as the
// transaction is not finished. It says what was intended and how far it came, for
// the history and for the Host; it never says which set is installed.
type record struct {
	What  string    `json:"what"`
	Time  time.Time `json:"time"`
	Tx    *Entry    `json:"tx,omitempty"`    // of recBegin
	State State     `json:"state,omitempty"` // of recFail: failed or cancelled
	Phase State     `json:"phase,omitempty"` // of recFail
	Error string    `json:"error,omitempty"` // of recFail
}

// What a record says.
const (
	recBegin = "begin" // the plan
	recStop  = "stop"  // from here on plugins are stopped
	recStart = "start" // from here on plugins are started
	recFail  = "fail"  // it will be undone, and why
)

// journal is the log of the running transaction.
type journal struct {
	fs *safefs.Root
	f  *safefs.File
}

// newJournal writes the first record; then the transaction exists.
func newJournal(r *safefs.Root, e Entry, now time.Time) (*journal, error) {
	f, err := r.Create(logFile(e.ID), 0o600)
	if err != nil {
		return nil, err
	}
	j := &journal{r, f}
	if err := j.write(record{What: recBegin, Time: now, Tx: &e}); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := r.SyncDir(txDir); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return j, nil
}

// write adds a record and makes it durable.
func (j *journal) write(rec record) error {
	b, err := encodeFrame(rec)
	if err != nil {
		return err
	}
	if _, err := j.f.Write(b); err != nil {
		return err
	}
	return j.f.Sync()
}

func (j *journal) close() error { return j.f.Close() }

// unfinished is a transaction as its log has it.
type unfinished struct {
	file    string
	entry   Entry
	stopped bool // the Host may have been called
	fail    *record
}

// readUnfinished reads a log. One without a whole first record never began.
func (s *Store) readUnfinished(file string) (u unfinished, begun bool, err error) {
	records, err := readLog[record](s.fs, file, maxLog)
	u.file = file
	if err != nil || len(records) == 0 {
		return u, false, err
	}
	if records[0].What != recBegin || records[0].Tx == nil {
		return u, false, errors.Join(ErrCorrupt, errors.New(file+" does not begin with the plan"))
	}
	u.entry = *records[0].Tx
	for _, r := range records {
		switch r.What {
		case recStop, recStart:
			u.stopped = true
		case recFail:
			u.fail = &r
		}
	}
	return u, true, nil
}

func changes(steps []Step) []HistoryStep {
	out := make([]HistoryStep, len(steps))
	for i, st := range steps {
		h := HistoryStep{Action: st.Action, Plugin: st.Release.Plugin}
		if st.From != nil {
			h.From = st.From.Version
		}
		if st.Action != ActRemove {
			h.To = st.Release.Version
		}
		out[i] = h
	}
	return out
}

// touched returns the plugins that are stopped or started by the changes.
func touched(c []HistoryStep) []catalog.PluginID {
	var out []catalog.PluginID
	for _, h := range c {
		if h.Action != ActKeep {
			out = append(out, h.Plugin)
		}
	}
	return out
}
