package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// lab breaks things on purpose, so that one can see what the store says then.
type lab struct {
	news         func() int                      // how many waves of releases are still to come; nil: they are a hub's
	publish      func(ctx context.Context) error // brings out the next one
	sync         func(ctx context.Context) error // lets the panel hear of it
	registryDown atomic.Bool
	clockAhead   atomic.Bool
}

// jump is further than the demo catalog's freshest signature lasts.
const jump = 3 * 24 * time.Hour

// now is the panel's clock; the lab can set it ahead, and so make the catalog old.
func (l *lab) now() time.Time {
	if l.clockAhead.Load() {
		return time.Now().Add(jump)
	}
	return time.Now()
}

// outage stands before the registry and, when it is down, drops every connection.
func (l *lab) outage(registry http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.registryDown.Load() {
			panic(http.ErrAbortHandler)
		}
		registry.ServeHTTP(w, r)
	})
}

type labSwitch struct {
	Name, Title, What, Do, Undo string
	On, Off                     bool // Off: there is nothing to do any more
}

func (l *lab) switches() []labSwitch {
	clock := labSwitch{Name: "clock", Title: "Catalog out of date", What: "Sets this panel's clock ahead by three days, so that the catalog's signatures are past their time.",
		Do: "Let the catalog expire", Undo: "Set the clock right", On: l.clockAhead.Load()}
	if l.news == nil {
		return []labSwitch{clock}
	}
	news := labSwitch{Name: "news", Title: "News from the publishers", Do: "Publish the next releases",
		What: fmt.Sprintf("Builds, signs and publishes newer releases of some plugins, %d more times. The panel finds them at its next sync, which is made at once.", l.news())}
	if l.news() == 0 {
		news.What, news.Off = "All releases are out.", true
	}
	return []labSwitch{
		news,
		{Name: "registry", Title: "Registry down", What: "Every request to the registry is cut off. What is installed keeps running, and the last good catalog stays searchable.",
			Do: "Take the registry down", Undo: "Bring it back", On: l.registryDown.Load()},
		clock,
	}
}

type labTry struct{ Href, Title, What string }

var labTries = []labTry{
	{"/plugins/p/acme/forged", "A forged plugin", "it is in the catalog, but somebody else than its publisher signed it"},
	{"/plugins/p/northwind/shell", "A plugin that asks too much", "it wants to run programs, which this panel's policy forbids"},
	{"/plugins/p/northwind/quiet", "Two plugins that do not get along", "install Alerts first, then Quiet"},
	{"/plugins/p/acme/disk-report", "An update that wants more", "install Disk report, then publish the next releases here: the new one asks for the internet"},
	{"/plugins/p/northwind/notes", "A bad update", "install Notes, then publish the next releases here: 1.1.0 fails its health check and is rolled back by itself; the ones after bring the cure"},
}

// tries are about the samples, which a panel of a hub has not.
func (l *lab) tries() []labTry {
	if l.news == nil {
		return nil
	}
	return labTries
}

func (l *lab) change(w http.ResponseWriter, r *http.Request) {
	on, name := r.PostFormValue("on") == "1", r.PostFormValue("switch")
	if l.news == nil && name != "clock" {
		name = "" // the registry is the hub's
	}
	switch name {
	case "news":
		ctx := context.WithoutCancel(r.Context()) // going to another page does not stop the publishers
		if err := errors.Join(l.publish(ctx), l.sync(ctx)); err != nil {
			http.Error(w, "The releases could not be published: "+err.Error(), http.StatusInternalServerError)
			return
		}
	case "registry":
		l.registryDown.Store(on)
	case "clock":
		l.clockAhead.Store(on)
	default:
		http.Error(w, "There is no such switch.", http.StatusBadRequest)
		return
	}
	http.Redirect(w, r, "/lab", http.StatusSeeOther)
}
