//go:build wasip1

// Command uptime shows how long the server has been up.
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
	value, unit := fmt.Sprintf("%.1f", float64(s.Uptime)/3600), "hours"
	if s.Uptime > 48*3600 {
		value, unit = fmt.Sprintf("%.1f", float64(s.Uptime)/(24*3600)), "days"
	}
	return nil, panelapi.Show(panelapi.Card{
		Title: "Uptime",
		Value: value,
		Unit:  unit,
		Text:  s.Hostname,
	})
}
