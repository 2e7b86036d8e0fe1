package insight

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/souk-dev/souk/marketplace/hub"
)

// Numbers of delivery.
const (
	sendTimeout = 20 * time.Second // of a try, with its answer
	maxAnswer   = 16 << 10         // bytes of an answer that are read
	maxDetail   = 500              // characters of it that are kept
	fanOutPage  = 100              // hooks in one transaction
	keepLog     = 30 * 24 * time.Hour
)

// retryAfter returns how long to wait after so many tries; eight tries take about a day.
// Up to a tenth more, so that many that failed together do not come back together.
func retryAfter(attempts int) time.Duration {
	waits := []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 8 * time.Hour, 8 * time.Hour}
	w := waits[min(max(attempts, 1), len(waits))-1]
	n, err := rand.Int(rand.Reader, big.NewInt(int64(w/10)))
	if err != nil {
		return w
	}
	return w + time.Duration(n.Int64())
}

// message is the body of a webhook, as the specification recommends it.
type message struct {
	Type      hub.EventKind `json:"type"`
	Timestamp time.Time     `json:"timestamp"` // of the event
	Data      eventData     `json:"data"`
}

type eventData struct {
	Publisher string          `json:"publisher,omitempty"`
	Plugin    string          `json:"plugin,omitempty"`
	Version   string          `json:"version,omitempty"`
	Subject   string          `json:"subject,omitempty"`
	Title     string          `json:"title"`
	Link      string          `json:"link"`
	More      json.RawMessage `json:"more,omitempty"`
}

// deliveryID is the one id of an event's delivery to a hook, so that a fan-out that runs
// again adds nothing.
func deliveryID(event, hook string) string {
	sum := sha256.Sum256([]byte(event + " " + hook))
	return "dlv_" + hex.EncodeToString(sum[:16])
}

// fanOut makes the deliveries of an event.
func (s *Service) fanOut(ctx context.Context, j hub.Job) error {
	var e hub.Event
	err := s.env.Store.View(ctx, func(tx hub.Tx) error {
		list, err := tx.Events().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("id", j.Subject)}, Limit: 1})
		if len(list) == 1 {
			e = list[0]
		}
		return err
	})
	if err != nil || e.ID == "" {
		return err
	}
	body, err := json.Marshal(message{Type: e.Kind, Timestamp: e.At.UTC(), Data: eventData{
		Publisher: e.Publisher, Plugin: e.Plugin, Version: e.Version, Subject: e.Subject, Title: e.Title, Link: s.o.Link(e), More: e.Data,
	}})
	if err != nil {
		return err
	}
	var whose []string
	if e.Public {
		whose = append(whose, "")
	}
	if e.Publisher != "" {
		whose = append(whose, e.Publisher)
	}
	for after, more := "", true; more; {
		err := s.env.Store.Update(ctx, func(tx hub.Tx) error {
			hooks, err := tx.Hooks().List(ctx, hub.Query{Order: "id", Limit: fanOutPage, Where: []hub.Cond{
				hub.Eq("enabled", true), hub.In("publisher", whose), hub.InList("kinds", string(e.Kind)), hub.Gt("id", after),
			}})
			if err != nil {
				return err
			}
			for _, h := range hooks {
				if err := s.enqueue(ctx, tx, e, h, string(body)); err != nil {
					return err
				}
			}
			if more = len(hooks) == fanOutPage; more {
				after = hooks[len(hooks)-1].ID
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// enqueue makes one delivery. A hook whose maker may no longer know what it is sent is
// disabled instead.
func (s *Service) enqueue(ctx context.Context, tx hub.Tx, e hub.Event, h hub.Hook, body string) error {
	if h.Created.After(e.At) {
		return nil
	}
	ok, err := entitled(ctx, tx, h)
	if err != nil {
		return err
	}
	if !ok {
		h.Enabled, h.Reason = false, "who made it is no longer a member of the publisher, or suspended"
		return tx.Hooks().Update(ctx, &h)
	}
	d := hub.Delivery{
		ID: deliveryID(e.ID, h.ID), Hook: h.ID, Event: e.ID, Kind: e.Kind, Body: body, State: hub.DeliveryWaiting, Created: s.now(),
	}
	if err := tx.Deliveries().Insert(ctx, &d); errors.Is(err, hub.ErrExists) {
		return nil
	} else if err != nil {
		return err
	}
	return tx.Enqueue(ctx, hub.Job{Kind: hub.JobDeliver, Subject: d.ID})
}

// entitled reports whether the maker of a hook is an active account, and still a member
// of the publisher whose events it is sent.
func entitled(ctx context.Context, tx hub.Tx, h hub.Hook) (bool, error) {
	acc, err := tx.Accounts().Get(ctx, h.Account)
	if err == nil && h.Publisher != "" {
		_, err = tx.Members().Get(ctx, h.Publisher, h.Account)
	}
	if errors.Is(err, hub.ErrNotFound) {
		return false, nil
	}
	return err == nil && acc.State == hub.AccountActive, err
}

// deliver sends a delivery once.
func (s *Service) deliver(ctx context.Context, j hub.Job) error {
	var d hub.Delivery
	var h hub.Hook
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		if d, err = tx.Deliveries().Get(ctx, j.Subject); err != nil {
			return err
		}
		h, err = tx.Hooks().Get(ctx, d.Hook)
		return err
	})
	if errors.Is(err, hub.ErrNotFound) {
		return nil // deleted meanwhile, with its log
	}
	if err != nil || d.State != hub.DeliveryWaiting {
		return err
	}
	var t try
	if h.Enabled {
		t = s.send(ctx, h, d)
		if ctx.Err() != nil {
			return ctx.Err() // this process ends: no fault of the receiver
		}
	} else {
		t = try{detail: "the hook is disabled", final: true}
	}
	var wait time.Duration
	err = s.env.Store.Update(ctx, func(tx hub.Tx) (err error) {
		wait, err = s.keep(ctx, tx, d.ID, t)
		return err
	})
	if err != nil || wait == 0 {
		return err
	}
	return &hub.Snooze{After: wait}
}

// try is what came of sending.
type try struct {
	at     time.Time
	took   time.Duration
	status int // 0: no answer
	detail string
	ok     bool
	gone   bool // the receiver wants no more of it: 410
	final  bool // it was not even tried
}

// send sends a delivery. It never fails: what went wrong is in the try.
func (s *Service) send(ctx context.Context, h hub.Hook, d hub.Delivery) try {
	t := try{at: s.now()}
	sig, err := SignWebhook(h.Secret, d.Event, t.at, []byte(d.Body))
	if err != nil {
		t.detail = err.Error()
		return t
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader([]byte(d.Body)))
	if err != nil {
		t.detail = "the address cannot be read"
		return t
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "souk-hub")
	req.Header.Set(HeaderID, d.Event)
	req.Header.Set(HeaderTimestamp, strconv.FormatInt(t.at.Unix(), 10))
	req.Header.Set(HeaderSignature, sig)
	resp, err := s.client.Do(req)
	t.took = s.env.Now().Sub(t.at)
	if err != nil {
		if inner := (*url.Error)(nil); errors.As(err, &inner) {
			err = inner.Err // without the address, which may hold a token
		}
		t.detail = plain(err.Error())
		return t
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	t.took = s.env.Now().Sub(t.at)
	t.status, t.detail = resp.StatusCode, plain(string(answer))
	if err != nil {
		t.detail = "the answer broke off"
	}
	t.ok, t.gone = t.status >= 200 && t.status < 300, t.status == http.StatusGone
	return t
}

// plain makes what a stranger answered fit to be shown in a line.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > maxDetail {
		s = string(r[:maxDetail]) + "…"
	}
	return s
}

// keep writes down a try, and returns when to send again; 0: not at all.
func (s *Service) keep(ctx context.Context, tx hub.Tx, id string, t try) (time.Duration, error) {
	d, err := tx.Deliveries().Get(ctx, id)
	if errors.Is(err, hub.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	h, err := tx.Hooks().Get(ctx, d.Hook)
	if err != nil {
		return 0, err
	}
	if !t.final {
		d.Attempts++
		d.Tried, d.Took = t.at, t.took.Milliseconds()
	}
	d.Status, d.Detail = t.status, t.detail
	var wait time.Duration
	switch {
	case t.ok:
		d.State = hub.DeliveryDone
	case t.final || t.gone || d.Attempts >= s.policy().HookAttempts:
		d.State = hub.DeliveryFailed
	default:
		wait = retryAfter(d.Attempts)
	}
	if err := tx.Deliveries().Put(ctx, &d); err != nil {
		return 0, err
	}
	return wait, s.judge(ctx, tx, h, d, t)
}

// judge counts what came of a delivery for its hook, and disables one that never answers.
func (s *Service) judge(ctx context.Context, tx hub.Tx, h hub.Hook, d hub.Delivery, t try) error {
	switch {
	case d.State == hub.DeliveryDone && (h.Failures > 0 || t.at.Sub(h.Succeeded) > time.Minute): // not at each of many
		h.Failures, h.Succeeded = 0, t.at
		return tx.Hooks().Update(ctx, &h)
	case d.State != hub.DeliveryFailed || t.final:
		return nil
	}
	h.Failures++
	if !t.gone && h.Failures < s.o.DisableAfter {
		return tx.Hooks().Update(ctx, &h)
	}
	h.Enabled = false
	h.Reason = fmt.Sprintf("%d deliveries in a row were given up", h.Failures)
	if t.gone {
		h.Reason = "the receiver answered 410, it wants no more"
	}
	if err := tx.Hooks().Update(ctx, &h); err != nil {
		return err
	}
	now := s.now()
	if err := hub.Record(ctx, tx, hub.SystemActor(hub.JobDeliver), now, hub.ActHookManage, "hook "+h.ID, map[string]any{"did": "disable", "reason": h.Reason}); err != nil {
		return err
	}
	return hub.Notify(ctx, tx, now, []string{h.Account}, hub.Notice{
		Title: "A webhook was disabled", Text: h.Reason + ". Enable it again when its receiver answers.", Kind: "hook", Subject: h.ID,
	})
}

// pruneDeliveries deletes what the log no longer keeps.
func (s *Service) pruneDeliveries(ctx context.Context) error {
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		_, err := tx.Deliveries().DeleteWhere(ctx, hub.Lt("created", s.now().Add(-keepLog)), hub.Ne("state", hub.DeliveryWaiting))
		return err
	})
}
