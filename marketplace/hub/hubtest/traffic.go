package hubtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

// seedTraffic makes up downloads, installs and what went wrong: with weekends, growth, and
// versions that take over from those before them.
func (w *Town) seedTraffic(ctx context.Context, s Show, say func(string)) error {
	if s.Days == 0 {
		return nil
	}
	random := rand.New(rand.NewPCG(3, 4))
	today, began := hub.Day(time.Now()), hub.Day(time.Now())-s.Days+1
	versions := map[catalog.PluginID][]Plugin{}
	for _, x := range s.Plugins {
		versions[x.Manifest.ID] = append(versions[x.Manifest.ID], x)
	}
	var batch []hub.Tally
	for k, id := range s.ids() {
		size := 40 + random.IntN(400)/(k+1)
		for day := began; day <= today; day++ {
			week := []float64{1, 1.1, 1.15, 1.1, 1, .6, .55}[(day+3)%7]
			grown := float64(day-began) / float64(s.Days)
			one := made{random: random, day: day, plugin: string(id), panels: grown}
			shares := sharesOn(versions[id], today-day)
			for v, x := range versions[id] {
				n := int64(float64(size) * week * (.5 + grown) * (.85 + .3*random.Float64()) * shares[v])
				batch = append(batch, one.of(x.Manifest.Version, n)...)
			}
			for _, other := range s.ids() {
				if other > id && day > today-28 {
					batch = append(batch, hub.Tally{Day: day, Kind: hub.TallyPair, Plugin: string(id), Detail: string(other), N: int64(random.IntN(9))})
				}
			}
		}
	}
	for chunk := range slices.Chunk(batch, 2000) {
		if _, err := w.Hub.Store.Tally(ctx, chunk); err != nil {
			return err
		}
	}
	say(fmt.Sprintf("%d days of traffic", s.Days))
	return nil
}

// sharesOn is which part of a plugin's panels runs each version, some days ago. A new
// version is taken by most within a month.
func sharesOn(versions []Plugin, daysAgo int) []float64 {
	out := make([]float64, len(versions))
	left := 1.0
	for v := len(versions) - 1; v >= 0; v-- {
		since := versions[v].Age.Hours()/24 - float64(daysAgo)
		switch {
		case v == 0:
			out[v] = left
		case since > 0:
			out[v] = left * min(.2+since/40, .92)
		}
		left -= out[v]
	}
	return out
}

// made makes up a day of one plugin.
type made struct {
	random *rand.Rand
	day    int
	plugin string
	panels float64 // 0 to 1: how many have the newer panel
}

func (m made) of(version string, downloads int64) []hub.Tally {
	tally := func(kind, detail string, n int64) hub.Tally {
		return hub.Tally{Day: m.day, Kind: kind, Plugin: m.plugin, Version: version, Detail: detail, N: n}
	}
	if downloads == 0 {
		return nil
	}
	active := downloads * 3
	newer := int64(float64(active) * (.3 + .6*m.panels))
	out := []hub.Tally{
		tally(hub.TallyDownload, "", downloads), tally(hub.TallyActive, "3.0.0", newer), tally(hub.TallyActive, "2.9.4", active-newer),
	}
	if m.random.IntN(12) == 0 {
		out = append(out, tally(hub.TallyRollback, "", 1+m.random.Int64N(3)))
	}
	if m.random.IntN(8) == 0 {
		out = append(out, tally(hub.TallyUnhealthy, "", 1+m.random.Int64N(5)))
	}
	return out
}
