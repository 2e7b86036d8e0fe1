package update

import (
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox"
)

// source is a snapshot with its advisories in force by what they are about.
type source struct {
	*catalog.Snapshot
	plugin    map[catalog.PluginID][]*catalog.Advisory
	publisher map[string][]*catalog.Advisory
	other     []*catalog.Advisory // by digest or signer alone
}

func newSource(s *catalog.Snapshot, now time.Time) *source {
	x := &source{s, make(map[catalog.PluginID][]*catalog.Advisory), make(map[string][]*catalog.Advisory), nil}
	all := s.Advisories()
	for i := range all {
		switch a := &all[i]; {
		case !a.Active(now):
		case a.Plugin != "":
			x.plugin[a.Plugin] = append(x.plugin[a.Plugin], a)
		case a.Publisher != "":
			x.publisher[a.Publisher] = append(x.publisher[a.Publisher], a)
		default:
			x.other = append(x.other, a)
		}
	}
	return x
}

// about returns the advisories in force that may concern a plugin.
func (s *source) about(id catalog.PluginID) []*catalog.Advisory {
	return slices.Concat(s.plugin[id], s.publisher[id.Publisher()], s.other)
}

// mayStillSign reports whether the signer that was locked when p was installed may
// sign for its publisher at now. Where none was locked there is none to lose.
func (s *source) mayStillSign(p install.Installed, now time.Time) bool {
	if p.Signer == "" {
		return true
	}
	for _, a := range s.about(p.Plugin) {
		if a.Action != catalog.ActionWarn && a.ConcernsSigner(p.Signer) {
			return false
		}
	}
	owner, _ := s.Publisher(p.Plugin.Publisher())
	return slices.ContainsFunc(owner.Signers, func(x catalog.Signer) bool {
		return x.ID() == p.Signer && x.Revoked.IsZero() && !now.Before(x.From) &&
			(x.Until.IsZero() || now.Before(x.Until))
	})
}

func (f *finder) risk(i int) RiskDiff {
	to, from := &f.newer[i], &f.from
	was, is := &from.Manifest, &to.Manifest
	r := RiskDiff{
		Native:   is.Runtime.Kind == catalog.RuntimeProcess && was.Runtime.Kind != catalog.RuntimeProcess,
		Major:    otherMajor(from.Version, to.Version),
		Breaking: f.breaking[i],
		Signer:   !f.locked,
		Data:     is.DataSchema != was.DataSchema,
		Age:      max(f.in.Now.Sub(to.Published), 0),
	}
	r.Permissions, r.Wider = permissions(from, is)
	for _, d := range is.Dependencies {
		before := slices.ContainsFunc(was.Dependencies, func(e catalog.Dependency) bool { return e.ID == d.ID && !e.Optional })
		if !d.Optional && !before && !f.have[d.ID] {
			r.Dependencies = append(r.Dependencies, d.ID)
		}
	}
	for _, a := range f.advisories {
		switch {
		case a.Concerns(*to):
			r.Warned = append(r.Warned, a.ID)
		case a.Concerns(release(*from)) && answers(a, *to):
			r.Security = append(r.Security, a.ID)
		}
	}
	old, err := f.src.Release(from.Ref)
	if err == nil && old.Digest == from.Digest && old.Size > 0 && to.Size > 0 {
		r.SizeFactor = float64(to.Size) / float64(old.Size)
	}
	return r
}

// permissions compares what two releases ask for, and says whether the new one asks
// for more than was granted. An optional permission that was asked for before and
// refused stays refused and is nothing new.
func permissions(from *install.Installed, is *catalog.Manifest) (d sandbox.Diff, wider bool) {
	asked, _, errWas := from.Manifest.Wants()
	wants, optional, err := is.Wants()
	if err != nil || errWas != nil {
		return d, true // cannot be read: nobody can have agreed to it
	}
	for p := range wants.All() {
		if !from.Grants.Covers(p) && !(optional.Has(p) && asked.Covers(p)) {
			wider = true
		}
	}
	return sandbox.DiffOf(asked, wants), wider
}

// otherMajor reports whether SemVer lets b break what relies on a: another major
// version, or before 1.0 another minor one.
func otherMajor(a, b string) bool {
	va, errA := catalog.ParseVersion(a)
	vb, errB := catalog.ParseVersion(b)
	if errA != nil || errB != nil {
		return true
	}
	return va.Major() != vb.Major() || va.Major() == 0 && va.Minor() != vb.Minor()
}
