package hub

import (
	"log/slog"
	"time"
)

// Policy is what the hub's operator decides. [Policy.WithDefaults] fills in what is
// zero.
type Policy struct {
	// AutoApprove publishes without a reviewer what a verified publisher submits, when
	// nothing is widened, the signer is the one of the release before, and every
	// scanner says clean. False: a person decides about everything.
	AutoApprove bool `json:"autoApprove"`
	// Reviewers is how many have to approve; ReviewersGrown how many where risk grew. 0: 1 and 2.
	Reviewers      int `json:"reviewers"`
	ReviewersGrown int `json:"reviewersGrown"`
	// NeedVerified refuses submissions of publishers without a proof.
	NeedVerified bool `json:"needVerified"`
	// NeedReceipt accepts ratings only with a panel's receipt of an installed release.
	NeedReceipt bool `json:"needReceipt"`
	// MinRatings is how many ratings there must be before an average is shown. 0: 3.
	MinRatings int `json:"minRatings"`
	// PriorWeight is C of the Bayesian mean. 0: 10.
	PriorWeight float64 `json:"priorWeight"`
	// RatingsDay, SubmissionsDay and ReportsDay bound an account's day. 0: 20, 20, 20.
	RatingsDay     int `json:"ratingsDay"`
	SubmissionsDay int `json:"submissionsDay"`
	ReportsDay     int `json:"reportsDay"`
	// MaxPublishers is how many namespaces an account may own. 0: 5.
	MaxPublishers int `json:"maxPublishers"`
	// MaxPackage is the most bytes of a package, packed. 0: 64 MiB.
	MaxPackage int64 `json:"maxPackage"`

	SessionIdle  time.Duration `json:"sessionIdle"`  // 0: 7 days
	SessionLife  time.Duration `json:"sessionLife"`  // 0: 30 days
	FreshFor     time.Duration `json:"freshFor"`     // 0: 15 minutes
	TokenLife    time.Duration `json:"tokenLife"`    // longest; 0: 366 days
	CITokenLife  time.Duration `json:"ciTokenLife"`  // 0: 15 minutes
	DeviceLife   time.Duration `json:"deviceLife"`   // 0: 15 minutes
	ScanTimeout  time.Duration `json:"scanTimeout"`  // of one scanner; 0: 5 minutes
	ScanAttempts int           `json:"scanAttempts"` // 0: 3
	ProofEvery   time.Duration `json:"proofEvery"`   // 0: a day
	ProofGrace   time.Duration `json:"proofGrace"`   // a proof that fails for so long is lost; 0: 7 days
	TransferCool time.Duration `json:"transferCool"` // 0: 7 days
	HookAttempts int           `json:"hookAttempts"` // 0: 8, over about a day
}

// WithDefaults returns the policy with the values above where it has zero.
func (p Policy) WithDefaults() Policy {
	orInt := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	orTime := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	const day = 24 * time.Hour
	orInt(&p.Reviewers, 1)
	orInt(&p.ReviewersGrown, 2)
	orInt(&p.MinRatings, 3)
	orInt(&p.RatingsDay, 20)
	orInt(&p.SubmissionsDay, 20)
	orInt(&p.ReportsDay, 20)
	orInt(&p.MaxPublishers, 5)
	orInt(&p.ScanAttempts, 3)
	orInt(&p.HookAttempts, 8)
	if p.PriorWeight == 0 {
		p.PriorWeight = 10
	}
	if p.MaxPackage == 0 {
		p.MaxPackage = 64 << 20
	}
	orTime(&p.SessionIdle, 7*day)
	orTime(&p.SessionLife, 30*day)
	orTime(&p.FreshFor, 15*time.Minute)
	orTime(&p.TokenLife, 366*day)
	orTime(&p.CITokenLife, 15*time.Minute)
	orTime(&p.DeviceLife, 15*time.Minute)
	orTime(&p.ScanTimeout, 5*time.Minute)
	orTime(&p.ProofEvery, day)
	orTime(&p.ProofGrace, 7*day)
	orTime(&p.TransferCool, 7*day)
	return p
}

// Env is what every service is given. Store is required.
type Env struct {
	Store Store
	// Policy is asked for at each use, so that an administrator's change takes effect
	// at once in every process. nil: the defaults.
	Policy func() Policy
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger     // nil: nothing is logged
}

// WithDefaults returns the environment with its defaults filled in.
func (e Env) WithDefaults() Env {
	if e.Policy == nil {
		defaults := Policy{}.WithDefaults()
		e.Policy = func() Policy { return defaults }
	}
	if e.Now == nil {
		e.Now = time.Now
	}
	if e.Log == nil {
		e.Log = slog.New(slog.DiscardHandler)
	}
	return e
}
