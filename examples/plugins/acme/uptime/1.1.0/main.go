//go:build wasip1

// Command uptime shows how long the server has been up and how busy it was.
package main

import (
	"errors"
	"fmt"

	"github.com/souk-dev/souk/examples/plugins/panelapi"
	"github.com/souk-dev/souk/sandbox/wasm/guest"
)

func init() {
	guest.Handle("refresh", refresh)
	guest.Health(func() error {
		s, err := panelapi.ReadServer()
		if err == nil && s.Uptime < 0 {
			err = errors.New("the server says that it starts in the future")
		}
		return err
	})
}

func main() {}

func refresh([]byte) ([]byte, error) {
	s, err := panelapi.ReadServer()
	if err != nil {
		return nil, err
	}
	value, unit := fmt.Sprintf("%.1f", float64(s.Uptime)/3600), "hours"
	if s.Uptime > 48*3600 {
		value, unit = fmt.Sprintf("%.1f", float64(s.Uptime)/(24*3600)), "days"
	}
	card := panelapi.Card{
		Title:  "Uptime",
		Value:  value,
		Unit:   unit,
		Text:   s.Hostname,
		Level:  "ok",
		Series: s.History,
	}
	if len(s.Load) == 3 {
		card.Text = fmt.Sprintf("%s, load %.2f %.2f %.2f", s.Hostname, s.Load[0], s.Load[1], s.Load[2])
		if len(card.Series) == 0 { // from 15 minutes ago to now
			card.Series = []float64{s.Load[2], s.Load[1], s.Load[0]}
		}
	}
	return nil, panelapi.Show(card)
}
