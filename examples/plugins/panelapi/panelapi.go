// Package panelapi is what the sample panel and its plugins agree on: the host
// functions and the JSON that goes through them. It is the kind of small package a
// panel publishes for the authors of its plugins; the functions of the plugin's side
// exist for GOOS=wasip1 alone.
//
//	function     permission                request    result
//	server.read  api:server:read           -          Server
//	ui.card      ui:dashboard.card         Card       -
//	kv.get       db:notes:read             Get        Value
//	kv.put       db:notes:write            Put        -
//	net.fetch    net.out:<host>:<port>     Fetch      Response
//
// The panel calls "refresh" of each plugin to have its card drawn again. A module
// imports only those functions that it uses.
package panelapi

// Server is how the server is doing.
type Server struct {
	Hostname string    `json:"hostname"`
	Uptime   int64     `json:"uptime"` // seconds
	Load     []float64 `json:"load"`   // averages over 1, 5 and 15 minutes
	Memory   Usage     `json:"memory"`
	Disks    []Disk    `json:"disks"`
	History  []float64 `json:"history,omitempty"` // one load a minute, oldest first
}

// Usage is how much there is of something and how much is used, in bytes.
type Usage struct {
	Total int64 `json:"total"`
	Used  int64 `json:"used"`
}

// Percent returns the used part, 0 to 100.
func (u Usage) Percent() float64 {
	if u.Total <= 0 {
		return 0
	}
	return min(100, 100*float64(u.Used)/float64(u.Total))
}

// Disk is a mounted file system.
type Disk struct {
	Mount string `json:"mount"`
	Usage
}

// Card is what a plugin shows on the dashboard: text and numbers, never HTML.
type Card struct {
	Title  string    `json:"title"`
	Value  string    `json:"value,omitempty"` // what is read first: "12.4"
	Unit   string    `json:"unit,omitempty"`  // "days"
	Text   string    `json:"text,omitempty"`
	Level  string    `json:"level,omitempty"`  // "ok", "warn" or "danger"; empty: neutral
	Series []float64 `json:"series,omitempty"` // a small line, oldest first
	Rows   []Row     `json:"rows,omitempty"`
}

// Row is a line of a Card.
type Row struct {
	Label   string  `json:"label"`
	Value   string  `json:"value"`
	Percent float64 `json:"percent,omitempty"` // a bar, 0 to 100
}

// Get asks for what is stored under a key.
type Get struct {
	Key string `json:"key"`
}

// Value is what is stored; not Found and empty when there is nothing.
type Value struct {
	Value string `json:"value"`
	Found bool   `json:"found"`
}

// Put stores a value under a key.
type Put struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Fetch is an HTTP request.
type Fetch struct {
	Method string `json:"method,omitempty"` // empty: GET
	URL    string `json:"url"`
	Body   string `json:"body,omitempty"`
}

// Response is the answer to a Fetch.
type Response struct {
	Status int    `json:"status"`
	Body   string `json:"body"`
}
