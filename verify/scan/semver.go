package scan

import (
	"cmp"
	"fmt"
	"strings"
)

// semver is a version of SemVer 2, which is also what Go and npm compare by. Numbers
// stay text, since they have no bound.
type semver struct {
	core [3]string
	pre  []string
}

const maxSemver = 256 // bytes; longer ones are not versions but attacks

// parseSemver reads a version, with or without a leading v. Build metadata is ignored.
func parseSemver(s string) (semver, error) {
	var v semver
	bad := func() (semver, error) { return semver{}, fmt.Errorf("%.60q is not a semantic version", s) }
	if len(s) > maxSemver {
		return bad()
	}
	text, _, _ := strings.Cut(strings.TrimPrefix(s, "v"), "+")
	text, pre, hasPre := strings.Cut(text, "-")
	core := strings.Split(text, ".")
	if len(core) != 3 {
		return bad()
	}
	for i, c := range core {
		if !numeric(c) {
			return bad()
		}
		v.core[i] = trimZeros(c)
	}
	if !hasPre {
		return v, nil
	}
	v.pre = strings.Split(pre, ".")
	for _, p := range v.pre {
		if p == "" || strings.Trim(p, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-") != "" {
			return bad()
		}
	}
	return v, nil
}

func numeric(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func trimZeros(s string) string {
	if t := strings.TrimLeft(s, "0"); t != "" {
		return t
	}
	return "0"
}

func compareNumbers(a, b string) int {
	a, b = trimZeros(a), trimZeros(b)
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// compare orders versions: https://semver.org/#spec-item-11.
func (v semver) compare(w semver) int {
	for i := range v.core {
		if c := compareNumbers(v.core[i], w.core[i]); c != 0 {
			return c
		}
	}
	switch {
	case len(v.pre) == 0 || len(w.pre) == 0:
		return cmp.Compare(len(w.pre), len(v.pre)) // a pre-release is less
	}
	for i := range min(len(v.pre), len(w.pre)) {
		a, b := v.pre[i], w.pre[i]
		c := 0
		switch {
		case numeric(a) && numeric(b):
			c = compareNumbers(a, b)
		case numeric(a):
			c = -1
		case numeric(b):
			c = 1
		default:
			c = strings.Compare(a, b)
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(v.pre), len(w.pre))
}
