package insight

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/souk-dev/souk/marketplace/hub"
)

// Mail is a message to one person, in plain text.
type Mail struct {
	To      string // address
	Subject string // one line
	Text    string
}

// Mailer sends mail. An error means that it was not sent and is to be tried again.
type Mailer interface {
	Send(ctx context.Context, m Mail) error
}

// Bounds of mail.
const (
	maxDigest = 30     // notices in a mail
	maxMails  = 10_000 // notices of a day that are looked at
	onceMail  = "mail" // [hub.Once] of a digest
)

// digests sends each person one mail about the notices of yesterday that they have not
// read, once.
func (s *Service) digests(ctx context.Context) error {
	if s.o.Mailer == nil {
		return nil
	}
	day := hub.Day(s.now()) - 1
	unread := map[string][]hub.Notice{}
	people := map[string]hub.Account{}
	err := s.env.Store.View(ctx, func(tx hub.Tx) error {
		clear(unread)
		q := hub.Query{Order: "created", Where: []hub.Cond{hub.Unset("read_at"), hub.Ge("created", dayStart(day)), hub.Lt("created", dayStart(day+1))}}
		for total := 0; total < maxMails; {
			list, err := tx.Notices().List(ctx, q)
			if err != nil {
				return err
			}
			for _, n := range list {
				unread[n.Account] = append(unread[n.Account], n)
			}
			if total += len(list); len(list) < hub.MaxList {
				break
			}
			last := list[len(list)-1]
			q.After = []any{last.Created, last.ID}
		}
		for id := range unread {
			acc, err := tx.Accounts().Get(ctx, id)
			if err != nil && !errors.Is(err, hub.ErrNotFound) {
				return err
			}
			people[id] = acc
		}
		return nil
	})
	if err != nil {
		return err
	}
	var failed error
	for id, notices := range unread {
		if acc := people[id]; acc.Email != "" && acc.State != hub.AccountDeleted {
			failed = errors.Join(failed, s.digest(ctx, acc, day, notices))
		}
	}
	return failed
}

// digest sends one mail, unless it was sent before. When the process dies between sending
// and writing that down, it is sent twice.
func (s *Service) digest(ctx context.Context, acc hub.Account, day int, notices []hub.Notice) error {
	sent := hub.Once{Kind: onceMail, Key: fmt.Sprintf("%s %d", acc.ID, day), Created: s.now(), Expires: dayStart(day + 3)}
	err := s.env.Store.View(ctx, func(tx hub.Tx) error {
		_, err := tx.Onces().Get(ctx, sent.Kind, sent.Key)
		return err
	})
	if !errors.Is(err, hub.ErrNotFound) {
		return err // nil: it was sent
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Hello %s,\n\nnew for you:\n\n", acc.Name)
	for i, n := range notices {
		if i == maxDigest {
			fmt.Fprintf(&b, "- and %d more\n", len(notices)-i)
			break
		}
		fmt.Fprintf(&b, "- %s\n", n.Title)
	}
	fmt.Fprintf(&b, "\nRead all of it at %s\n", s.o.BaseURL)
	if err := s.o.Mailer.Send(ctx, Mail{To: acc.Email, Subject: s.o.Title + ": new for you", Text: b.String()}); err != nil {
		return fmt.Errorf("mail to account %s: %w", acc.ID, err)
	}
	return s.env.Store.Update(ctx, func(tx hub.Tx) error { return tx.Onces().Put(ctx, &sent) })
}
