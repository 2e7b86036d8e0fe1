package scan

// Component is something a plugin is built from.
type Component struct {
	Ecosystem string `json:"ecosystem,omitempty"` // as OSV names it, "Go", "npm"; empty: not known
	Name      string `json:"name"`
	Version   string `json:"version,omitempty"`
	PURL      string `json:"purl,omitempty"`
	File      string `json:"file"` // that says so
}
