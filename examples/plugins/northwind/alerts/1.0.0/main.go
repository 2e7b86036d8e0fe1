//go:build wasip1

// Command alerts shows what on the server needs somebody's attention.
package main

import (
	"fmt"
	"strconv"

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
	card := panelapi.Card{Title: "Alerts", Level: "ok", Text: "Nothing needs your attention"}
	alert := func(label, value string) {
		card.Rows = append(card.Rows, panelapi.Row{Label: label, Value: value})
	}
	if p := s.Memory.Percent(); p >= 90 {
		alert("Memory", fmt.Sprintf("%.0f %% used", p))
	}
	for _, d := range s.Disks {
		if p := d.Percent(); p >= 90 {
			alert("Disk "+d.Mount, fmt.Sprintf("%.0f %% used", p))
		}
	}
	if len(s.Load) > 0 && s.Load[0] >= 8 {
		alert("Load", fmt.Sprintf("%.1f in the last minute", s.Load[0]))
	}
	card.Value, card.Unit = strconv.Itoa(len(card.Rows)), "alerts"
	if len(card.Rows) > 0 {
		card.Level, card.Text = "danger", s.Hostname
	}
	return nil, panelapi.Show(card)
}
