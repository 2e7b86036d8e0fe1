//go:build wasip1

// Command disk-report shows how full the disks are and when they will be.
package main

import (
	"encoding/json"
	"errors"
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
	card := report(s)
	if card.Text, err = forecast(s); err != nil {
		card.Text = "No forecast: " + err.Error()
	}
	return nil, panelapi.Show(card)
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

// forecast asks a service on the internet when the disks will be full. It sends how
// full they are, and not what the server is called.
func forecast(s panelapi.Server) (string, error) {
	body, err := json.Marshal(s.Disks)
	if err != nil {
		return "", err
	}
	r, err := panelapi.Do(panelapi.Fetch{Method: "POST", URL: "https://api.example.com/forecast", Body: string(body)})
	if err != nil {
		return "", err
	}
	var answer struct {
		Days int `json:"days"`
	}
	if r.Status != 200 || json.Unmarshal([]byte(r.Body), &answer) != nil || answer.Days < 0 {
		return "", errors.New("the service did not answer properly")
	}
	return fmt.Sprintf("Full in about %d days", answer.Days), nil
}
