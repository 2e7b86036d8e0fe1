package main

import (
	"context"
	"encoding/json"
	"time"
)

// during does something that can take long. From the first second on it says so on
// standard error, once a second up to ten and then every ten.
func (a *app) during(ctx context.Context, what string, do func(context.Context) error) error {
	return a.progress(ctx, func() string { return what }, do)
}

// progress is during, and asks what to say each time.
func (a *app) progress(ctx context.Context, what func() string, do func(context.Context) error) error {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-done:
				return
			case <-tick.C:
				if n <= 10 || n%10 == 0 {
					a.say("souk: %s, %d s ...", what(), n)
				}
			}
		}
	}()
	err := do(ctx)
	close(done)
	<-ended
	return err
}

// result prints v as JSON.
func (a *app) result(v any) error {
	e := json.NewEncoder(a.stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
