package scan

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// MaxSBOM bounds a CycloneDX document, in bytes: some 30,000 components.
const MaxSBOM = 32 << 20

const maxSBOMDepth = 20 // components inside components

type cycloneComponent struct {
	Group      string             `json:"group"`
	Name       string             `json:"name"`
	Version    string             `json:"version"`
	PURL       string             `json:"purl"`
	Components []cycloneComponent `json:"components"`
}

// ReadCycloneDX reads the components of a CycloneDX document in its JSON form, of any
// version from 1.2 on (https://cyclonedx.org/docs/1.6/json/), those inside others too.
// A component without a readable purl is returned with its name and no Ecosystem: it
// is there, but nobody can look it up. Ecosystem and Name are as OSV has them.
func ReadCycloneDX(r io.Reader) ([]Component, error) {
	b, err := readAll(r, MaxSBOM)
	if err != nil {
		return nil, fmt.Errorf("sbom: %w", err)
	}
	var doc struct {
		Format     string             `json:"bomFormat"`
		Spec       string             `json:"specVersion"`
		Components []cycloneComponent `json:"components"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("sbom: %w", err)
	}
	if doc.Format != "CycloneDX" || !strings.HasPrefix(doc.Spec, "1.") {
		return nil, fmt.Errorf("sbom: bomFormat %.40q, specVersion %.40q: not CycloneDX 1", doc.Format, doc.Spec)
	}
	return flatten(nil, doc.Components, 0)
}

func flatten(out []Component, in []cycloneComponent, depth int) ([]Component, error) {
	if depth > maxSBOMDepth {
		return nil, fmt.Errorf("sbom: components are more than %d deep", maxSBOMDepth)
	}
	for _, c := range in {
		found, err := parsePURL(c.PURL)
		if err != nil {
			name := c.Name
			if c.Group != "" {
				name = c.Group + "/" + c.Name
			}
			found = Component{Name: name}
		}
		if found.Version == "" {
			found.Version = c.Version
		}
		if found.Name == "" {
			return nil, errors.New("sbom: a component has no name")
		}
		if out = append(out, found); len(out) > MaxComponents {
			return nil, fmt.Errorf("sbom: more than %d components", MaxComponents)
		}
		if out, err = flatten(out, c.Components, depth+1); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// isSBOM goes by the names that the specification recommends
// (https://cyclonedx.org/specification/overview/#recognized-file-patterns).
func isSBOM(name string) bool {
	base := strings.ToLower(name[strings.LastIndexByte(name, '/')+1:])
	return base == "bom.json" || base == "sbom.json" || strings.HasSuffix(base, ".cdx.json")
}
