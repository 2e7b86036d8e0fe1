package sandbox

import (
	"net/netip"
	"strings"
)

// Explain says in a sentence what p lets a plugin do, and how much harm that can
// do in the wrong hands. For the kinds that a panel registers itself (api, event,
// ui) the words are general and the risk high; [Policy.Decide] has the panel's
// own. A p that is not canonical is high and said to be unknown.
func Explain(p Permission) (sentence string, risk Risk) {
	if !canonical(p) {
		return "Asks for something unknown: " + string(p) + ".", RiskHigh
	}
	return explain(p)
}

func explain(p Permission) (string, Risk) {
	t := p.Target()
	switch p.Kind() {
	case KindNetOut:
		return explainNetOut(t)
	case KindNetListen:
		return explainNetListen(t)
	case KindFSRead:
		if t == "/" {
			return "Can read every file on this server.", RiskHigh
		}
		return "Can read " + t + " and everything in it.", pathRisk(t, privatePaths)
	case KindFSWrite:
		if t == "/" {
			return "Can change and delete every file on this server.", RiskHigh
		}
		return "Can change and delete " + t + " and everything in it.", min(pathRisk(t, privatePaths), pathRisk(t, systemPaths))
	case KindExec:
		if t == "/" {
			return "Can run every program on this server.", RiskHigh
		}
		return "Can run the program " + t + ", or every program in it if it is a folder.", RiskHigh
	case KindEnv:
		return "Can read the setting " + t + " of the server's environment.", RiskMedium
	case KindSecret:
		return "Can read the stored secret \u201c" + t + "\u201d.", RiskMedium
	case KindJob:
		if w := everyWord(t); w != "" {
			return "Can run by itself " + w + ".", RiskLow
		}
		return "Can run by itself on the schedule " + t + ".", RiskLow
	case KindDB:
		return explainDB(t)
	case KindAPI:
		scope, verb, _ := strings.Cut(t, ":")
		return "Can use the panel's interface \u201c" + scope + "\u201d to " + verb + ".", RiskHigh
	case KindEvent:
		return "Is told about \u201c" + t + "\u201d in the panel.", RiskHigh
	case KindUI:
		return "Can show something at \u201c" + t + "\u201d in the panel.", RiskHigh
	}
	return "Asks for something unknown: " + string(p) + ".", RiskHigh
}

func explainNetOut(t string) (string, Risk) {
	host, port := splitHostPort(t)
	on := ""
	if port != "*" {
		on = " on port " + port
	}
	if host == "*" {
		return "Can send data to any server on the internet" + on + ".", RiskHigh
	}
	if domain, ok := strings.CutPrefix(host, "*."); ok {
		risk := RiskMedium
		if !strings.Contains(domain, ".") { // *.com: anybody can have a name there
			risk = RiskHigh
		}
		return "Can send data to any server under " + domain + on + ".", risk
	}
	switch reach(host) {
	case reachHere:
		return "Can reach services of this server itself (" + host + ")" + on + ".", RiskHigh
	case reachLocal:
		return "Can reach " + host + " in the local network" + on + ".", RiskHigh
	}
	return "Can send data to " + host + on + ".", RiskMedium
}

type where uint8

const (
	reachOut   where = iota
	reachLocal       // private and link-local networks, cloud metadata services
	reachHere        // this machine
)

// reach says where an exact host is, as far as its name tells.
func reach(host string) where {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return reachHere
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	switch {
	case err != nil:
		if !strings.Contains(host, ".") || strings.HasSuffix(host, ".local") || strings.HasSuffix(host, ".internal") {
			return reachLocal
		}
		return reachOut
	case a.IsLoopback() || a.IsUnspecified():
		return reachHere
	case a.IsGlobalUnicast() && !a.IsPrivate():
		return reachOut
	}
	return reachLocal
}

func explainNetListen(t string) (string, Risk) {
	if t == "*" {
		return "Can accept connections from the network on any port.", RiskHigh
	}
	risk := RiskMedium
	if len(t) < 4 || len(t) == 4 && t < "1024" { // where people expect the system's own services
		risk = RiskHigh
	}
	return "Can accept connections from the network on port " + t + ".", risk
}

func explainDB(t string) (string, Risk) {
	name, verb, _ := strings.Cut(t, ":")
	switch verb {
	case "read":
		return "Can read the data store \u201c" + name + "\u201d.", RiskMedium
	case "write":
		return "Can change and delete what is in the data store \u201c" + name + "\u201d.", RiskMedium
	}
	return "Can do \u201c" + verb + "\u201d with the data store \u201c" + name + "\u201d.", RiskHigh
}

// pathRisk is high when the path has to do with one of the given ones.
func pathRisk(p string, with func(yield func(string) bool)) Risk {
	for q := range with {
		if pathCovers(p, q) || pathCovers(q, p) {
			return RiskHigh
		}
	}
	return RiskMedium
}

// privatePaths yields where a Unix system keeps what is nobody else's business.
func privatePaths(yield func(string) bool) {
	for _, p := range [...]string{
		"/boot", "/dev", "/etc", "/home", "/proc", "/root", "/run", "/sys", "/var/lib", "/var/run", "/var/spool",
	} {
		if !yield(p) {
			return
		}
	}
}

// systemPaths yields where a Unix system keeps its programs.
func systemPaths(yield func(string) bool) {
	for _, p := range [...]string{"/bin", "/lib", "/lib32", "/lib64", "/opt", "/sbin", "/usr"} {
		if !yield(p) {
			return
		}
	}
}
