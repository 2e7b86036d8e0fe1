package insight_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/insight"
)

type mailer struct {
	sent []insight.Mail
	err  error
}

func (m *mailer) Send(_ context.Context, one insight.Mail) error {
	if m.err == nil {
		m.sent = append(m.sent, one)
	}
	return m.err
}

func TestDigest(t *testing.T) {
	t.Parallel()
	m := &mailer{}
	w := newWorld(t, insight.Options{Mailer: m, Title: "Acme Plugins"})
	silent := w.another(insight.Options{})
	notify := func(titles ...string) {
		w.update(func(ctx context.Context, tx hub.Tx) error {
			for _, title := range titles {
				if err := hub.Notify(ctx, tx, w.clock(), []string{w.ann.Account, w.bob.Account}, hub.Notice{Title: title}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	notify("one", "two")
	w.update(func(ctx context.Context, tx hub.Tx) error { // bob has read all of his
		for _, n := range rows(w, hub.Tx.Notices, hub.Eq("account", w.bob.Account)) {
			n.Read = w.now
			if err := tx.Notices().Put(ctx, &n); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, w.run(w.Service, hub.JobNumbers, ""))
	assert.Empty(t, m.sent, "the day is not over")
	w.set(w.now.AddDate(0, 0, 1))
	notify("of today")
	require.NoError(t, w.run(silent, hub.JobNumbers, ""))
	assert.Empty(t, m.sent, "off by default")
	m.err = errors.New("the mail server is away")
	assert.ErrorIs(t, w.run(w.Service, hub.JobNumbers, ""), m.err)
	m.err = nil
	for range 2 {
		require.NoError(t, w.run(w.Service, hub.JobNumbers, ""))
	}
	require.Len(t, m.sent, 1, "once")
	assert.Equal(t, "ann@example.org", m.sent[0].To)
	assert.Equal(t, "Acme Plugins: new for you", m.sent[0].Subject)
	assert.Contains(t, m.sent[0].Text, "- one\n- two\n")
	assert.NotContains(t, m.sent[0].Text, "of today")
	w.set(w.now.AddDate(0, 0, 1))
	w.update(func(ctx context.Context, tx hub.Tx) error {
		for range 60 {
			if err := hub.Notify(ctx, tx, w.now.AddDate(0, 0, -1), []string{w.bob.Account}, hub.Notice{Title: "many"}); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, w.run(w.Service, hub.JobNumbers, ""))
	require.Len(t, m.sent, 3)
	for _, one := range m.sent[1:] {
		assert.Contains(t, one.Text, "of today")
		if one.To == "bob@example.org" {
			assert.Equal(t, 29, strings.Count(one.Text, "- many"))
			assert.Contains(t, one.Text, "- and 31 more")
		}
	}
}
