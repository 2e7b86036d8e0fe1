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
	return nil, panelapi.Show(panelapi.Card{
		Title: "Uptime",
		Value: fmt.Sprintf("%.1f", float64(s.Uptime)/(24*60*60)),
		Unit:  "days",
		Text:  s.Hostname,
	})
}
