package sandbox

import "fmt"

// String returns "high", "medium" or "low".
func (r Risk) String() string {
	switch r {
	case RiskHigh:
		return "high"
	case RiskMedium:
		return "medium"
	case RiskLow:
		return "low"
	}
	return fmt.Sprintf("risk(%d)", uint8(r))
}

// MarshalText writes what String returns; a value that is none of the risks is an error.
func (r Risk) MarshalText() ([]byte, error) {
	if r > RiskLow {
		return nil, fmt.Errorf("no such risk: %d", uint8(r))
	}
	return []byte(r.String()), nil
}

// UnmarshalText reads what MarshalText writes.
func (r *Risk) UnmarshalText(b []byte) error {
	for _, known := range []Risk{RiskHigh, RiskMedium, RiskLow} {
		if string(b) == known.String() {
			*r = known
			return nil
		}
	}
	return fmt.Errorf("risk %.40q is not high, medium or low", b)
}

// String returns "denied", "needs consent" or "granted".
func (v Verdict) String() string {
	switch v {
	case Denied:
		return "denied"
	case NeedsConsent:
		return "needs consent"
	case Granted:
		return "granted"
	}
	return fmt.Sprintf("verdict(%d)", uint8(v))
}

// MarshalText writes what String returns; a value that is none of the verdicts is an error.
func (v Verdict) MarshalText() ([]byte, error) {
	if v > Granted {
		return nil, fmt.Errorf("no such verdict: %d", uint8(v))
	}
	return []byte(v.String()), nil
}

// UnmarshalText reads what MarshalText writes.
func (v *Verdict) UnmarshalText(b []byte) error {
	for _, known := range []Verdict{Denied, NeedsConsent, Granted} {
		if string(b) == known.String() {
			*v = known
			return nil
		}
	}
	return fmt.Errorf("verdict %.40q is not granted, needs consent or denied", b)
}
