package sandbox

import (
	"net/netip"
	"strings"

	"github.com/souk-dev/souk/sandbox/phrase"
)

// Explain says in a sentence what p lets a plugin do, and how much harm that can
// do in the wrong hands. For the kinds that a panel registers itself (api, event,
// ui) the words are general and the risk high; [Policy.Decide] has the panel's
// own. A p that is not canonical is high and said to be unknown.
func Explain(p Permission) (sentence string, risk Risk) {
	says, risk := Describe(p)
	return says.String(), risk
}

// Describe is [Explain] for a page in any language.
func Describe(p Permission) (sentence phrase.Phrase, risk Risk) {
	if !canonical(p) {
		return unknown(p), RiskHigh
	}
	return explain(p)
}

func unknown(p Permission) phrase.Phrase {
	return phrase.Of("permission.unknown", "Asks for something unknown: {0}.", p)
}

func explain(p Permission) (phrase.Phrase, Risk) {
	t := p.Target()
	switch p.Kind() {
	case KindNetOut:
		return explainNetOut(t)
	case KindNetListen:
		return explainNetListen(t)
	case KindFSRead:
		if t == "/" {
			return phrase.Of("permission.fs.read.all", "Can read every file on this server."), RiskHigh
		}
		return phrase.Of("permission.fs.read", "Can read {0} and everything in it.", t), pathRisk(t, privatePaths)
	case KindFSWrite:
		if t == "/" {
			return phrase.Of("permission.fs.write.all", "Can change and delete every file on this server."), RiskHigh
		}
		return phrase.Of("permission.fs.write", "Can change and delete {0} and everything in it.", t), min(pathRisk(t, privatePaths), pathRisk(t, systemPaths))
	case KindExec:
		if t == "/" {
			return phrase.Of("permission.exec.all", "Can run every program on this server."), RiskHigh
		}
		return phrase.Of("permission.exec", "Can run the program {0}, or every program in it if it is a folder.", t), RiskHigh
	case KindEnv:
		return phrase.Of("permission.env", "Can read the setting {0} of the server's environment.", t), RiskMedium
	case KindSecret:
		return phrase.Of("permission.secret", "Can read the stored secret “{0}”.", t), RiskMedium
	case KindJob:
		return explainJob(t), RiskLow
	case KindDB:
		return explainDB(t)
	case KindAPI:
		scope, verb, _ := strings.Cut(t, ":")
		return phrase.Of("permission.api", "Can use the panel's interface “{0}” to {1}.", scope, verb), RiskHigh
	case KindEvent:
		return phrase.Of("permission.event", "Is told about “{0}” in the panel.", t), RiskHigh
	case KindUI:
		return phrase.Of("permission.ui", "Can show something at “{0}” in the panel.", t), RiskHigh
	}
	return unknown(p), RiskHigh
}

func explainJob(t string) phrase.Phrase {
	switch t {
	case "@hourly":
		return phrase.Of("permission.job.hourly", "Can run by itself every hour.")
	case "@daily":
		return phrase.Of("permission.job.daily", "Can run by itself every day.")
	case "@weekly":
		return phrase.Of("permission.job.weekly", "Can run by itself every week.")
	case "@monthly":
		return phrase.Of("permission.job.monthly", "Can run by itself every month.")
	case "@yearly":
		return phrase.Of("permission.job.yearly", "Can run by itself every year.")
	}
	return phrase.Of("permission.job", "Can run by itself on the schedule {0}.", t)
}

func explainNetOut(t string) (phrase.Phrase, Risk) {
	host, port := splitHostPort(t)
	any := port == "*"
	if host == "*" {
		if any {
			return phrase.Of("permission.net.any", "Can send data to any server on the internet."), RiskHigh
		}
		return phrase.Of("permission.net.any.port", "Can send data to any server on the internet on port {0}.", port), RiskHigh
	}
	if domain, ok := strings.CutPrefix(host, "*."); ok {
		risk := RiskMedium
		if !strings.Contains(domain, ".") { // *.com: anybody can have a name there
			risk = RiskHigh
		}
		if any {
			return phrase.Of("permission.net.under", "Can send data to any server under {0}.", domain), risk
		}
		return phrase.Of("permission.net.under.port", "Can send data to any server under {0} on port {1}.", domain, port), risk
	}
	switch r := reach(host); {
	case r == reachHere && any:
		return phrase.Of("permission.net.here", "Can reach services of this server itself ({0}).", host), RiskHigh
	case r == reachHere:
		return phrase.Of("permission.net.here.port", "Can reach services of this server itself ({0}) on port {1}.", host, port), RiskHigh
	case r == reachLocal && any:
		return phrase.Of("permission.net.local", "Can reach {0} in the local network.", host), RiskHigh
	case r == reachLocal:
		return phrase.Of("permission.net.local.port", "Can reach {0} in the local network on port {1}.", host, port), RiskHigh
	case any:
		return phrase.Of("permission.net.host", "Can send data to {0}.", host), RiskMedium
	}
	return phrase.Of("permission.net.host.port", "Can send data to {0} on port {1}.", host, port), RiskMedium
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

func explainNetListen(t string) (phrase.Phrase, Risk) {
	if t == "*" {
		return phrase.Of("permission.listen.any", "Can accept connections from the network on any port."), RiskHigh
	}
	risk := RiskMedium
	if len(t) < 4 || len(t) == 4 && t < "1024" { // where people expect the system's own services
		risk = RiskHigh
	}
	return phrase.Of("permission.listen", "Can accept connections from the network on port {0}.", t), risk
}

func explainDB(t string) (phrase.Phrase, Risk) {
	name, verb, _ := strings.Cut(t, ":")
	switch verb {
	case "read":
		return phrase.Of("permission.db.read", "Can read the data store “{0}”.", name), RiskMedium
	case "write":
		return phrase.Of("permission.db.write", "Can change and delete what is in the data store “{0}”.", name), RiskMedium
	}
	return phrase.Of("permission.db", "Can do “{0}” with the data store “{1}”.", verb, name), RiskHigh
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
