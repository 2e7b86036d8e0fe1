package store

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
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

// apiEvents streams operations as they move, as server-sent events. The id of one is the
// run of the storefront and the number of the event. A client that was cut off sends
// Last-Event-ID and misses no state that an operation ended in; ?after= does the same for
// a first connection. One that comes with an id of another run, because the panel was
// started again, is first told to forget what it knows: event "reset"; what was going on
// then is found by its id in the history. What this run knows follows.
func (h *shop) apiEvents(w http.ResponseWriter, r *http.Request, a Actor) error {
	after, foreign, err := h.streams.after(r)
	if err != nil {
		return err
	}
	end, err := h.streams.open(a.Name)
	if err != nil {
		w.Header().Set("Retry-After", "60")
		return err
	}
	defer end()
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
	// The id alone is no event, but the browser remembers it: one that is cut off before
	// anything happened says which run of the panel it knows. Who has to forget is given it
	// with the word to do so, and not before.
	hello := "retry: 2000\nid: " + h.streams.id(after) + "\n"
	if foreign {
		hello += "event: reset\ndata: {}\n"
	}
	if !send(hello + "\n") {
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
			if !send(fmt.Sprintf("id: %s\nevent: operation\ndata: %s\n\n", h.streams.id(e.Seq), b)) {
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
