package scan

import (
	"math"
	"strings"
)

// cvss3 returns the base score of a CVSS 3.0 or 3.1 vector, see
// https://www.first.org/cvss/v3-1/specification-document#CVSS-v3-1-Equations.
func cvss3(vector string) (float64, bool) {
	if len(vector) > 300 || !strings.HasPrefix(vector, "CVSS:3.") {
		return 0, false
	}
	metric := make(map[string]string)
	for part := range strings.SplitSeq(vector, "/") {
		k, v, _ := strings.Cut(part, ":")
		metric[k] = v
	}
	known := true
	value := func(of string, values map[string]float64) float64 {
		v, ok := values[metric[of]]
		known = known && ok
		return v
	}
	impact := map[string]float64{"H": 0.56, "L": 0.22, "N": 0}
	privileges := map[string]float64{"N": 0.85, "L": 0.62, "H": 0.27}
	scopeChanged := metric["S"] == "C"
	if scopeChanged {
		privileges = map[string]float64{"N": 0.85, "L": 0.68, "H": 0.5}
	}
	value("S", map[string]float64{"U": 0, "C": 0})
	iss := 1 - (1-value("C", impact))*(1-value("I", impact))*(1-value("A", impact))
	exploit := 8.22 * value("AV", map[string]float64{"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2}) *
		value("AC", map[string]float64{"L": 0.77, "H": 0.44}) * value("PR", privileges) *
		value("UI", map[string]float64{"N": 0.85, "R": 0.62})
	if !known {
		return 0, false
	}
	base := 6.42 * iss
	if scopeChanged {
		base = 7.52*(iss-0.029) - 3.25*math.Pow(iss-0.02, 15)
	}
	switch {
	case base <= 0:
		return 0, true
	case scopeChanged:
		return roundUp(min(1.08*(base+exploit), 10)), true
	}
	return roundUp(min(base+exploit, 10)), true
}

// roundUp is Roundup of the specification, appendix A: free of floating-point surprises.
func roundUp(x float64) float64 {
	n := int(math.Round(x * 100_000))
	if n%10_000 == 0 {
		return float64(n) / 100_000
	}
	return float64(n/10_000+1) / 10
}

// scoreSeverity: https://www.first.org/cvss/v3-1/specification-document#Qualitative-Severity-Rating-Scale
func scoreSeverity(score float64) Severity {
	switch {
	case score >= 9:
		return SeverityCritical
	case score >= 7:
		return SeverityHigh
	case score >= 4:
		return SeverityMedium
	case score > 0:
		return SeverityLow
	}
	return SeverityInfo
}
