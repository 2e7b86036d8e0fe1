//go:build wasip1

// Command disk-report shows how full the disks are.
package main

import (
	"fmt"

	"github.com/souk-dev/souk/examples/plugins/panelapi"
	"github.com/souk-dev/souk/sandbox/wasm/guest"
)

func init() { guest.Handle("refresh", refresh) }

func main() {}

func refresh([]byte) ([]byte, error) {
	s, err := panelapi.ReadServer()
	if err != nil {
		return nil, err
	}
	return nil, panelapi.Show(report(s))
}

func report(s panelapi.Server) panelapi.Card {
	card := panelapi.Card{Title: "Disks", Unit: "% used", Level: "ok"}
	fullest := 0.0
	for _, d := range s.Disks {
		fullest = max(fullest, d.Percent())
		card.Rows = append(card.Rows, panelapi.Row{
			Label:   d.Mount,
			Value:   fmt.Sprintf("%.1f of %.1f GiB", float64(d.Used)/(1<<30), float64(d.Total)/(1<<30)),
			Percent: d.Percent(),
		})
	}
	if fullest >= 90 {
		card.Level = "danger"
	} else if fullest >= 75 {
		card.Level = "warn"
	}
	card.Value = fmt.Sprintf("%.0f", fullest)
	return card
}
