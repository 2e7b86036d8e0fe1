package portal

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
)

// policyField is a field of the policy as a sentence. One of the pointers is set.
type policyField struct {
	Name, Sentence, Hint string
	Unit                 string // of a number: "reviewers"

	flag   *bool
	number *int
	weight *float64
	size   *int64
	time   *time.Duration

	Value   string // as it stands in the field; empty: the default
	On      bool
	Default string // in words
	Units   []staffOption
}

// Flag, Time and Size say what kind of field it is.
func (f policyField) Flag() bool { return f.flag != nil }
func (f policyField) Time() bool { return f.time != nil }

// policyGroup is what belongs together.
type policyGroup struct {
	Title  string
	Fields []policyField
}

// policyGroups are all fields of a policy, bound to p.
func policyGroups(p *hub.Policy) []policyGroup {
	return []policyGroup{
		{"Review", []policyField{
			{Name: "autoApprove", flag: &p.AutoApprove, Sentence: "Publish without a reviewer what is harmless", Hint: "Only of verified publishers, when nothing is widened, the signer is the same as before, and every scanner says clean."},
			{Name: "reviewers", number: &p.Reviewers, Unit: "people", Sentence: "Approvals that a release needs"},
			{Name: "reviewersGrown", number: &p.ReviewersGrown, Unit: "people", Sentence: "Approvals that it needs when its risk grew"},
			{Name: "needVerified", flag: &p.NeedVerified, Sentence: "Only verified publishers may submit", Hint: "They have to prove a domain or a source repository first."},
			{Name: "scanTimeout", time: &p.ScanTimeout, Sentence: "Longest time of one scanner"},
			{Name: "scanAttempts", number: &p.ScanAttempts, Unit: "tries", Sentence: "Tries of a scanner that goes wrong, before a person decides"},
			{Name: "maxPackage", size: &p.MaxPackage, Unit: "MiB", Sentence: "Largest package, packed"},
		}},
		{"Publishers", []policyField{
			{Name: "maxPublishers", number: &p.MaxPublishers, Unit: "namespaces", Sentence: "Namespaces that one account may own"},
			{Name: "submissionsDay", number: &p.SubmissionsDay, Unit: "a day", Sentence: "Submissions of one account"},
			{Name: "proofEvery", time: &p.ProofEvery, Sentence: "Time between two checks of a proof"},
			{Name: "proofGrace", time: &p.ProofGrace, Sentence: "Time that a proof may fail before it is lost"},
			{Name: "transferCool", time: &p.TransferCool, Sentence: "Time between accepting a hand-over and its taking place", Hint: "In it, owners can still call it off."},
		}},
		{"Ratings and reports", []policyField{
			{Name: "needReceipt", flag: &p.NeedReceipt, Sentence: "Only who has it installed may rate", Hint: "Their linked panel proves it."},
			{Name: "minRatings", number: &p.MinRatings, Unit: "ratings", Sentence: "Ratings there must be before an average is shown"},
			{Name: "priorWeight", weight: &p.PriorWeight, Unit: "ratings", Sentence: "Weight of the mean of all plugins in the order by rating", Hint: "So that one rating of five stars does not stand before a thousand of four and a half."},
			{Name: "ratingsDay", number: &p.RatingsDay, Unit: "a day", Sentence: "Ratings of one account"},
			{Name: "reportsDay", number: &p.ReportsDay, Unit: "a day", Sentence: "Reports of one account"},
		}},
		{"Signing in and tokens", []policyField{
			{Name: "sessionIdle", time: &p.SessionIdle, Sentence: "Time after which a session that is not used ends"},
			{Name: "sessionLife", time: &p.SessionLife, Sentence: "Time after which every session ends"},
			{Name: "freshFor", time: &p.FreshFor, Sentence: "Time that a proof of the person lasts", Hint: "Dangerous things ask for one that is not older."},
			{Name: "tokenLife", time: &p.TokenLife, Sentence: "Longest life of an API token"},
			{Name: "ciTokenLife", time: &p.CITokenLife, Sentence: "Life of a token that a CI job gets"},
			{Name: "deviceLife", time: &p.DeviceLife, Sentence: "Time that a person has to type a panel’s code"},
		}},
		{"Webhooks", []policyField{
			{Name: "hookAttempts", number: &p.HookAttempts, Unit: "tries", Sentence: "Tries of a delivery before it is given up"},
		}},
	}
}

// units of time, the largest first.
func policyUnits() []struct {
	name string
	of   time.Duration
} {
	return []struct {
		name string
		of   time.Duration
	}{{"days", 24 * time.Hour}, {"hours", time.Hour}, {"minutes", time.Minute}, {"seconds", time.Second}}
}

// inUnits writes a time in the largest unit that it is a whole number of.
func inUnits(d time.Duration) (n int64, unit string) {
	for _, u := range policyUnits() {
		if d%u.of == 0 && d != 0 {
			return int64(d / u.of), u.name
		}
	}
	return int64(d / time.Second), "seconds"
}

// fill writes the values into the fields. A field with the default's value is empty: so
// it follows the default.
func (f *policyField) fill(is, standard policyField) {
	switch {
	case is.flag != nil:
		f.On = *is.flag
	case is.number != nil:
		f.Default = strconv.Itoa(*standard.number)
		f.Value = unlessSame(strconv.Itoa(*is.number), f.Default)
	case is.weight != nil:
		f.Default = strconv.FormatFloat(*standard.weight, 'f', -1, 64)
		f.Value = unlessSame(strconv.FormatFloat(*is.weight, 'f', -1, 64), f.Default)
	case is.size != nil:
		mib := func(n int64) string { return strconv.FormatFloat(float64(n)/(1<<20), 'f', -1, 64) }
		f.Default = mib(*standard.size)
		f.Value = unlessSame(mib(*is.size), f.Default)
	case is.time != nil:
		n, unit := inUnits(*standard.time)
		f.Default = plural(n, strings.TrimSuffix(unit, "s"), unit)
		if *is.time != *standard.time {
			n, unit = inUnits(*is.time)
			f.Value = strconv.FormatInt(n, 10)
		}
		for _, u := range policyUnits() {
			f.Units = append(f.Units, staffOption{u.name, u.name, u.name == unit})
		}
	}
}

func unlessSame(is, standard string) string {
	if is == standard {
		return ""
	}
	return is
}

// read takes the value that a person typed.
func (f policyField) read(r *http.Request) error {
	text := strings.TrimSpace(r.PostFormValue(f.Name))
	if f.flag != nil {
		*f.flag = text == "1"
		return nil
	}
	n, err := 0.0, error(nil)
	if text != "" {
		if n, err = strconv.ParseFloat(text, 64); err != nil || math.IsNaN(n) || n < 0 || n > 1e9 {
			return hub.Invalid(f.Name, "(%s) must be a number, 0 or more", f.Sentence)
		}
	}
	whole := n == math.Trunc(n)
	switch {
	case f.number != nil && !whole, f.time != nil && !whole:
		return hub.Invalid(f.Name, "(%s) must be a whole number", f.Sentence)
	case f.number != nil:
		*f.number = int(n)
	case f.weight != nil:
		*f.weight = n
	case f.size != nil:
		*f.size = int64(n * (1 << 20))
	case f.time != nil:
		unit := r.PostFormValue(f.Name + ".unit")
		for _, u := range policyUnits() {
			if u.name == unit {
				if n > float64(math.MaxInt64/int64(u.of)) {
					return hub.Invalid(f.Name, "(%s) is too long", f.Sentence)
				}
				*f.time = time.Duration(n) * u.of
				return nil
			}
		}
		if text != "" {
			return hub.Invalid(f.Name, "(%s) lacks its unit", f.Sentence)
		}
	}
	return nil
}

type adminPolicyPage struct {
	Groups []policyGroup
	Rev    int64
}

func (h *Handler) adminPolicy(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	policy, rev, err := h.o.Publishing.Policy(r.Context())
	if err != nil {
		return err
	}
	standard := hub.Policy{}.WithDefaults()
	p := adminPolicyPage{Rev: rev, Groups: policyGroups(&policy)}
	for i, g := range policyGroups(&standard) {
		for j, f := range g.Fields {
			p.Groups[i].Fields[j].fill(p.Groups[i].Fields[j], f)
		}
	}
	return h.admin(w, r, a, "/admin/policy", "Policy", "admin-policy", p)
}

func (h *Handler) adminSetPolicy(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	rev, err := strconv.ParseInt(r.PostFormValue("rev"), 10, 64)
	if err != nil || rev < 0 {
		return hub.Invalid("rev", "is missing: open the page again")
	}
	var policy hub.Policy
	for _, g := range policyGroups(&policy) {
		for _, f := range g.Fields {
			if err := f.read(r); err != nil {
				return err
			}
		}
	}
	if _, err := h.o.Publishing.SetPolicy(r.Context(), a, rev, policy); err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	return done(w, r, "/admin/policy", "saved")
}
