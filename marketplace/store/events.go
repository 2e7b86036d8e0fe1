package store

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/souk-dev/souk/install"
)

const (
	heartbeat = 15 * time.Second // keeps proxies from closing a quiet stream
	// streamLife ends a stream so that the browser connects again and the panel
	// is asked again who this is: a session that ended stops seeing events.
	streamLife = 15 * time.Minute
	writeWait  = 30 * time.Second // for one event; a reader that takes longer is gone
)

// apiEvents streams operations as they move, as server-sent events with the number
// of the event as its id. A client that was cut off sends Last-Event-ID and misses
// nothing that is still remembered; ?after= does the same for a first connection.
func (h *shop) apiEvents(w http.ResponseWriter, r *http.Request, _ Actor) error {
	var after uint64
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = r.URL.Query().Get("after")
	}
	if last != "" {
		n, err := strconv.ParseUint(last, 10, 64)
		if err != nil {
			return fmt.Errorf("%w: the last event's id is not a number", errRequest)
		}
		after = n
	}
	ctx, cancel := context.WithTimeout(r.Context(), streamLife)
	events := make(chan install.Event)
	done := make(chan struct{})
	go func() { // ends with ctx, and is waited for below
		defer close(done)
		for e := range h.m.Events(ctx, after) {
			select {
			case events <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() {
		cancel()
		<-done
	}()

	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no")
	control := http.NewResponseController(w)
	send := func(s string) bool {
		// A server without deadlines cannot set one; it then waits longer.
		_ = control.SetWriteDeadline(time.Now().Add(writeWait))
		if _, err := w.Write([]byte(s)); err != nil {
			return false
		}
		return control.Flush() == nil
	}
	if !send("retry: 2000\n\n") {
		return nil
	}
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		select {
		case e := <-events:
			b, err := json.Marshal(h.operationJSON(e.Operation))
			if err != nil {
				h.o.Log.Error("event does not encode", "error", err)
				return nil
			}
			if !send(fmt.Sprintf("id: %d\nevent: operation\ndata: %s\n\n", e.Seq, b)) {
				return nil
			}
		case <-tick.C:
			if !send(": still here\n\n") {
				return nil
			}
		case <-done: // the market ends its stream: nothing more will come
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}
