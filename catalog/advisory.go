package catalog

import (
	"slices"
	"time"
)

// Concerns reports whether the advisory is about this release: one of its Digests,
// or a version of its Plugin within its Range, or anything of its Publisher. Where
// Digests are given, they alone decide (and Plugin, when it stands beside them), so
// that a name's rightful owner is not hit by what somebody else published.
//
// Range is read as an advisory is meant: pre-releases count as the versions they
// are, and a range that cannot be read holds for all versions. Whether the advisory
// is about a signer is not known from a release: see [Advisory.ConcernsSigner].
// Rescinded or not makes no difference here: see [Advisory.Active].
func (a Advisory) Concerns(r Release) bool {
	switch {
	case len(a.Digests) > 0:
		return slices.Contains(a.Digests, r.Digest) && (a.Plugin == "" || a.Plugin == r.Plugin)
	case a.Plugin != "":
		return a.Plugin == r.Plugin && a.inRange(r.Version)
	}
	return a.Publisher != "" && a.Publisher == r.Plugin.Publisher()
}

// ConcernsSigner reports whether the advisory is about everything that the signer
// with this [verify.Identity.ID] signed.
func (a Advisory) ConcernsSigner(id string) bool { return a.Signer != "" && a.Signer == id }

// Active reports whether the advisory is in force at now: it is until the moment it
// is rescinded. The time of issue plays no part, since a clock that was set back
// must not lift an advisory.
func (a Advisory) Active(now time.Time) bool {
	return a.Rescinded.IsZero() || now.Before(a.Rescinded)
}

func (a Advisory) inRange(version string) bool {
	if a.Range == "" {
		return true
	}
	c, err := ParseRange(a.Range)
	if err != nil {
		return true // unreadable: better too many than too few
	}
	v, err := ParseVersion(version)
	if err != nil {
		return true
	}
	c.IncludePrerelease = true
	return c.Check(v)
}
