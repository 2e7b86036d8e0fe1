package signin

import (
	"net/url"
	"path"
	"strings"
	"unicode"
)

const maxReturn = 1024 // bytes; it travels in a cookie

// SafeReturn returns where to lead somebody after they signed in: to if it is a plain
// path of this site with at most a query, else "/". An address of another site, in any
// of the spellings that browsers understand ("//evil", "/\evil", "/\t/evil"), is none.
// A fragment is dropped.
func SafeReturn(to string) string {
	bad := func(r rune) bool { return r == '\\' || r == unicode.ReplacementChar || !unicode.IsPrint(r) }
	if len(to) > maxReturn || !strings.HasPrefix(to, "/") || strings.ContainsFunc(to, bad) {
		return "/"
	}
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.ContainsFunc(u.Path, bad) {
		return "/"
	}
	clean := path.Clean(u.Path)
	if clean != "/" && strings.HasSuffix(u.Path, "/") {
		clean += "/"
	}
	if clean != u.Path { // "//", "/./" and "/../" mean different things to different readers
		return "/"
	}
	u.Fragment, u.RawFragment = "", ""
	return u.String()
}
