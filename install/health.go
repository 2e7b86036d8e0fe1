package install

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/souk-dev/souk/catalog"
)

// baseline is what plugins said of themselves before anything was changed. Who was
// unhealthy before proves nothing by being unhealthy after.
type baseline map[catalog.PluginID]error

func (s *Store) health(ctx context.Context, p Installed) error {
	return s.call(ctx, "health", min(s.o.HookTimeout, s.o.Gate.Within), func(ctx context.Context) error { return s.o.Host.Health(ctx, p) })
}

// unhealthy reports whether the answer says so; not being able to tell does not.
func unhealthy(err error) bool { return err != nil && !errors.Is(err, ErrHealthUnknown) }

func (s *Store) measure(ctx context.Context, g Generation) baseline {
	b := make(baseline)
	for _, id := range order(g.Plugins) {
		if p := g.Plugins[id]; p.Enabled && s.live[id] {
			b[id] = s.health(ctx, p)
		}
	}
	return b
}

// gate waits until every plugin of the new generation gave Gate.OK good answers in
// a row, within Gate.Within. changed ones are asked unless they were unhealthy
// before; of the others those that were healthy before, so that an update that
// breaks its dependants is noticed.
func (s *Store) gate(ctx context.Context, g Generation, changed map[catalog.PluginID]bool, before baseline, say func(string)) error {
	var pending []Installed
	for _, id := range order(g.Plugins) {
		p := g.Plugins[id]
		was, known := before[id]
		switch {
		case !p.Enabled || !s.live[id]:
		case known && unhealthy(was):
			say(fmt.Sprintf("%s was not healthy before, so its health decides nothing", p.Ref))
		case changed[id] || known:
			pending = append(pending, p)
		}
	}
	end := time.NewTimer(s.o.Gate.Within)
	defer end.Stop()
	good := make(map[catalog.PluginID]int)
	for {
		var left []Installed
		var bad error
		for _, p := range pending {
			err := s.health(ctx, p)
			if unhealthy(err) {
				good[p.Plugin] = 0
				bad = errors.Join(bad, fmt.Errorf("%w: %s: %w", ErrUnhealthy, p.Ref, err))
				left = append(left, p)
				continue
			}
			if good[p.Plugin]++; good[p.Plugin] < s.o.Gate.OK {
				left = append(left, p)
			} else if err != nil {
				say(fmt.Sprintf("%s: %v; it is kept", p.Ref, err))
			}
		}
		if pending = left; len(pending) == 0 {
			return nil
		}
		again := time.NewTimer(s.o.Gate.Every)
		select {
		case <-again.C:
		case <-end.C:
			again.Stop()
			return bad // nil when the last answers were good, only late
		case <-ctx.Done():
			again.Stop()
			return context.Cause(ctx)
		}
	}
}
