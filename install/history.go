package install

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// maxMonth is how many transactions of one month are remembered: one every twenty
// minutes. Older ones of the month are dropped.
const maxMonth = 2000

// History returns the finished transactions, newest first.
func (s *Store) History() ([]Entry, error) {
	months, err := s.months()
	if err != nil {
		return nil, err
	}
	var out []Entry
	for _, file := range months {
		list, err := readLog[Entry](s.fs, file, maxHistory)
		if err != nil {
			return nil, err
		}
		slices.Reverse(list)
		out = append(out, list...)
	}
	return out, nil
}

// months returns the files of the history, newest first.
func (s *Store) months() ([]string, error) {
	names, err := s.names(historyDir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, n := range names {
		if strings.HasSuffix(n, logSuffix) && !strings.HasPrefix(n, ".") {
			out = append(out, path.Join(historyDir, n))
		}
	}
	slices.Reverse(out)
	return out, nil
}

// remember adds e to the history, once: a crash before the log of the transaction
// was removed makes it come again.
func (s *Store) remember(e Entry) error {
	file := path.Join(historyDir, e.Started.UTC().Format("2006-01")+logSuffix)
	list, err := readLog[Entry](s.fs, file, maxHistory)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(list, func(old Entry) bool { return old.ID == e.ID }) {
		return nil
	}
	list = append(list, e)
	list = list[max(0, len(list)-maxMonth):]
	var b []byte
	for _, e := range list {
		frame, err := encodeFrame(e)
		if err != nil {
			return err
		}
		b = append(b, frame...)
	}
	return s.fs.WriteFile(file, b, 0o600)
}

// finish writes down how the transaction ended and removes its log.
func (s *Store) finish(file string, e Entry) error {
	if err := s.remember(e); err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	if err := s.fs.Remove(file); err != nil {
		return err
	}
	return s.fs.SyncDir(txDir)
}
