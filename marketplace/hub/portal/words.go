package portal

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/sandbox"
)

// webAddress returns an address that somebody gave if it is one of the web, else nothing.
func webAddress(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil {
		return ""
	}
	return s
}

// ask is a permission in words.
type ask struct {
	Sentence, Reason, Name string
	Risk                   string // "low", "medium", "high"
	Optional               bool
}

func explainPermission(p catalog.PermissionRequest) ask {
	sentence, risk := sandbox.Explain(p.Permission())
	return ask{Sentence: sentence, Reason: p.Reason, Name: string(p.Permission()), Risk: risk.String(), Optional: p.Optional}
}

// signerWords says who an identity (verify.Identity.ID) is.
func signerWords(id string) string {
	if hex, ok := strings.CutPrefix(id, "key:"); ok {
		return "key " + hex[:min(len(hex), 16)] + "…"
	}
	if rest, ok := strings.CutPrefix(id, "keyless:"); ok {
		issuer, subject, _ := strings.Cut(rest, "#")
		return subject + ", vouched for by " + strings.TrimPrefix(issuer, "https://")
	}
	return id
}

// manifestOf reads the manifest of a release or submission; the zero one when there is none.
func manifestOf(raw json.RawMessage) (m catalog.Manifest, err error) {
	if len(raw) == 0 {
		return m, nil
	}
	if err = json.Unmarshal(raw, &m); err != nil {
		return m, fmt.Errorf("kept manifest: %w", err)
	}
	return m, nil
}

// runtimeWords says how a plugin runs, for people who are not programmers.
func runtimeWords(kind string) string {
	switch kind {
	case catalog.RuntimeWASM:
		return "In a sandbox (WebAssembly)"
	case catalog.RuntimeProcess:
		return "As a confined program"
	case catalog.RuntimeStatic:
		return "Files only, no code on the server"
	}
	return kind
}

// releaseState says what may be done with a release; an active one has no state's name.
func releaseState(r hub.Release) string {
	switch {
	case r.State == catalog.Withdrawn, r.State == catalog.Yanked:
		return string(r.State)
	case r.Serial == 0:
		return "being published"
	case r.Paused:
		return "paused"
	}
	return "active"
}

// manageLink is where its publisher works on a plugin.
func manageLink(id string) string {
	p := catalog.PluginID(id)
	return publishLink(p.Publisher()) + "/plugins/" + url.PathEscape(p.Name())
}

func publishLink(namespace string) string { return "/publish/" + url.PathEscape(namespace) }

// cutLast cuts s around the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
