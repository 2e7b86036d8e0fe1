package sandbox

import (
	"fmt"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a permission. A person has to read it, so it is short.
const (
	MaxPermission = 512 // bytes of a permission, kind and target
	MaxName       = 100 // bytes of a scope, verb, topic, slot or name
)

// Kinds returns all kinds of permission.
func Kinds() []Kind {
	return []Kind{
		KindAPI, KindDB, KindEnv, KindEvent, KindExec, KindFSRead, KindFSWrite,
		KindJob, KindNetListen, KindNetOut, KindSecret, KindUI,
	}
}

// Kind returns what stands before the first colon. It is only known to be one of
// [Kinds] when p came from [Parse] or a [Set].
func (p Permission) Kind() Kind { k, _, _ := strings.Cut(string(p), ":"); return Kind(k) }

// Target returns what stands after the first colon, empty when there is none.
func (p Permission) Target() string { _, t, _ := strings.Cut(string(p), ":"); return t }

// Parse reads a permission and returns its canonical form, of which there is one:
// Parse(string(p)) == p for every p it returns. Host names are lower case ASCII
// (international ones in their xn-- form) without a final dot, addresses as
// [netip.Addr] writes them, IPv6 in brackets; ports decimal; paths absolute and
// cleaned as [path.Clean] does; schedules with single spaces.
//
// An unknown kind, a target of the wrong form, unprintable characters and more
// than [MaxPermission] bytes are errors.
func Parse(s string) (Permission, error) {
	if len(s) > MaxPermission {
		return "", fmt.Errorf("permission %.60q... is longer than %d bytes", s, MaxPermission)
	}
	k, target, ok := strings.Cut(s, ":")
	if !ok {
		return "", fmt.Errorf("permission %q is not kind:target", s)
	}
	canon, err := parseTarget(Kind(k), target)
	if err != nil {
		return "", fmt.Errorf("permission %q: %w", s, err)
	}
	if canon == target {
		return Permission(s), nil // no allocation for what is canonical already
	}
	return Permission(k + ":" + canon), nil
}

func parseTarget(k Kind, t string) (string, error) {
	switch k {
	case KindAPI, KindDB:
		scope, verb, ok := strings.Cut(t, ":")
		if !ok {
			return "", fmt.Errorf("want name:verb after %q", k+":")
		}
		if err := checkName(scope); err != nil {
			return "", err
		}
		return t, checkName(verb)
	case KindSecret, KindEvent, KindUI:
		return t, checkName(t)
	case KindEnv:
		return t, checkVariable(t)
	case KindFSRead, KindFSWrite, KindExec:
		return parsePath(t)
	case KindNetListen:
		return parsePort(t)
	case KindNetOut:
		return parseHostPort(t)
	case KindJob:
		return parseSchedule(t)
	}
	return "", fmt.Errorf("unknown kind %.40q", string(k))
}

// checkName allows lower-case letters, digits and single . - _ inside.
func checkName(s string) error {
	if s == "" || len(s) > MaxName {
		return fmt.Errorf("a name has 1 to %d characters", MaxName)
	}
	after := true // at the start, or after a separator
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			after = false
		case (c == '.' || c == '-' || c == '_') && !after:
			after = true
		default:
			return fmt.Errorf("name %q: want a-z, 0-9 and single . - _ between them", s)
		}
	}
	if after {
		return fmt.Errorf("name %q ends in a separator", s)
	}
	return nil
}

// checkVariable allows the names that POSIX gives to environment variables.
func checkVariable(s string) error {
	if s == "" || len(s) > MaxName {
		return fmt.Errorf("a variable's name has 1 to %d characters", MaxName)
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '_' && (i == 0 || c < '0' || c > '9') {
			return fmt.Errorf("variable %q: want letters, digits and _, not beginning with a digit", s)
		}
	}
	return nil
}

func parsePath(s string) (string, error) {
	if !strings.HasPrefix(s, "/") {
		return "", fmt.Errorf("path %q is not absolute", s)
	}
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("path %q is not valid UTF-8", s)
	}
	for _, r := range s {
		if !unicode.IsPrint(r) { // also keeps out what reorders text on a screen
			return "", fmt.Errorf("path %q has the unprintable character %U", s, r)
		}
	}
	return path.Clean(s), nil
}

func parsePort(s string) (string, error) {
	if s == "*" {
		return s, nil
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return "", fmt.Errorf("port %q is not 1 to 65535 or *", s)
	}
	if s[0] != '0' {
		return s, nil
	}
	return strconv.FormatUint(n, 10), nil
}

func parseHostPort(s string) (string, error) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return "", fmt.Errorf("want host:port, not %q", s)
	}
	host, err := parseHost(s[:i])
	if err != nil {
		return "", err
	}
	port, err := parsePort(s[i+1:])
	if err != nil {
		return "", err
	}
	if host == s[:i] && port == s[i+1:] {
		return s, nil
	}
	return host + ":" + port, nil
}

// parseHost reads *, *.example.com, a host name or an IP address.
func parseHost(s string) (string, error) {
	if s == "*" {
		return s, nil
	}
	if strings.HasPrefix(s, "[") {
		if !strings.HasSuffix(s, "]") {
			return "", fmt.Errorf("host %q: want [IPv6 address]", s)
		}
		a, err := netip.ParseAddr(s[1 : len(s)-1])
		if err != nil || !a.Is6() || a.Zone() != "" {
			return "", fmt.Errorf("host %q is not an IPv6 address in brackets, without a zone", s)
		}
		if a.Is4In6() {
			return a.Unmap().String(), nil
		}
		return "[" + a.String() + "]", nil
	}
	h := strings.TrimSuffix(asciiLower(s), ".")
	name := strings.TrimPrefix(h, "*.")
	last := name[strings.LastIndexByte(name, '.')+1:]
	if last != "" && last[0] >= '0' && last[0] <= '9' {
		// Resolvers read such names as numbers in several ways (127.1, 0x7f000001):
		// only the one with four decimal parts is taken.
		a, err := netip.ParseAddr(name)
		if err != nil || name != h {
			return "", fmt.Errorf("host %q is neither a name nor an IPv4 address", s)
		}
		return a.String(), nil
	}
	return h, checkHostName(name, s)
}

func checkHostName(name, whole string) error {
	if name == "" || len(name) > 253 {
		return fmt.Errorf("host %q: want 1 to 253 characters", whole)
	}
	start := 0
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '.' {
			c := name[i]
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return fmt.Errorf("host %q: want a-z, 0-9, - and . (international names in their xn-- form), a * only as the whole first label", whole)
			}
			continue
		}
		if n := i - start; n == 0 || n > 63 || name[start] == '-' || name[i-1] == '-' {
			return fmt.Errorf("host %q: a label has 1 to 63 characters and no hyphen at its ends", whole)
		}
		start = i + 1
	}
	return nil
}

// asciiLower leaves all but A to Z alone: lower-casing more could make ASCII out of
// what is not (the Kelvin sign becomes a k).
func asciiLower(s string) string {
	for i := range len(s) {
		if s[i] >= 'A' && s[i] <= 'Z' {
			b := []byte(s)
			for j, c := range b {
				if c >= 'A' && c <= 'Z' {
					b[j] = c + 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
