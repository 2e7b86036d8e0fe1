package scan

import (
	"errors"
	"fmt"
	"slices"
)

// osvRange is affected[].ranges[] of a record, see
// https://ossf.github.io/osv-schema/#affectedranges-field.
type osvRange struct {
	Type   string     `json:"type"`
	Events []osvEvent `json:"events"`
}

// osvEvent has one field set.
type osvEvent struct {
	Introduced   string `json:"introduced"`
	Fixed        string `json:"fixed"`
	LastAffected string `json:"last_affected"`
	Limit        string `json:"limit"`
}

const maxOSVEvents = 10_000 // of a range

var errNotComparable = errors.New("versions of this kind are not compared here")

// semverEcosystems are those whose ECOSYSTEM ranges are ordered as SemVer orders.
var semverEcosystems = []string{"Go", "npm", "crates.io"}

type osvPoint struct {
	at    semver
	start bool // before all versions
	kind  osvKind
}

type osvKind uint8

const (
	introduced osvKind = iota
	fixed
	lastAffected
)

// contains reports whether the version is in the range, by the evaluation of the
// schema. errNotComparable says that nobody can tell here.
func (r osvRange) contains(ecosystem string, v semver) (bool, error) {
	switch {
	case r.Type == "GIT":
		return false, errNotComparable // commits, not versions
	case r.Type == "SEMVER":
	case r.Type == "ECOSYSTEM" && slices.Contains(semverEcosystems, ecosystem):
	default:
		return false, errNotComparable
	}
	var points []osvPoint
	var limits []semver
	if len(r.Events) > maxOSVEvents {
		return false, fmt.Errorf("%w: %d events", errNotComparable, len(r.Events))
	}
	for _, e := range r.Events {
		for kind, text := range []string{introduced: e.Introduced, fixed: e.Fixed, lastAffected: e.LastAffected} {
			if text == "" {
				continue
			}
			p := osvPoint{kind: osvKind(kind), start: text == "0" && osvKind(kind) == introduced}
			if !p.start {
				var err error
				if p.at, err = parseSemver(text); err != nil {
					return false, fmt.Errorf("%w: %w", errNotComparable, err)
				}
			}
			points = append(points, p)
		}
		if e.Limit != "" && e.Limit != "*" {
			limit, err := parseSemver(e.Limit)
			if err != nil {
				return false, fmt.Errorf("%w: %w", errNotComparable, err)
			}
			limits = append(limits, limit)
		}
	}
	if len(limits) > 0 && !slices.ContainsFunc(limits, func(l semver) bool { return v.compare(l) < 0 }) {
		return false, nil
	}
	slices.SortStableFunc(points, func(a, b osvPoint) int {
		switch {
		case a.start && b.start:
			return 0
		case a.start:
			return -1
		case b.start:
			return 1
		}
		return a.at.compare(b.at)
	})
	in := false
	for _, p := range points {
		after := 1 // where v is, seen from p
		if !p.start {
			after = v.compare(p.at)
		}
		switch {
		case p.kind == introduced && after >= 0:
			in = true
		case p.kind == fixed && after >= 0, p.kind == lastAffected && after > 0:
			in = false
		}
	}
	return in, nil
}
