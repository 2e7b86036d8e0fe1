package update

import (
	"fmt"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
)

// Input is everything a Policy decides by. The zero value of a field is its absence.
type Input struct {
	Now      time.Time
	From     string          // the installed version
	To       catalog.Release // what is offered
	Risk     RiskDiff        // what it changes
	Fix      bool            // the first release that answers an advisory: does not wait for its age
	Hold     *Hold           // what a person said about the plugin
	Frozen   bool            // a person stopped all automatic updates
	Failure  *Failure        // what happened when this very release was tried here
	Bucket   int             // this panel's, 0 to Buckets-1, see [Bucket]
	Breaker  time.Time       // until then too many went wrong for another try
	Soaking  time.Time       // until then an earlier change is being watched
	Expires  time.Time       // of the catalog that has the release; zero: not checked
	Problem  string          // why it could not be planned or applied the last time, for now
	LastTook time.Duration   // of the last run, see [Policy.Begin]
}

// Decide says what becomes of an offer without a person, and why, in sentences. Of
// several reasons the strongest decides: Held before Ask before Wait before Auto; Why
// has all of them, strongest first. It is pure: the same input gives the same answer.
func (p Policy) Decide(in Input) Decision {
	held := p.held(in)
	ask := p.asks(in)
	wait, until := p.waits(in)
	d := Decision{Verdict: Auto, Why: append(append(held, ask...), wait...)}
	switch {
	case len(held) > 0:
		d.Verdict = Held
	case len(ask) > 0:
		d.Verdict = Ask
	case len(wait) > 0:
		d.Verdict, d.Until = Wait, until
	default:
		start, err := p.Begin(in.Now, in.LastTook)
		switch {
		case err != nil: // asks has said so
		case start.After(in.Now):
			d.Until = start
			d.Why = []string{"It will be applied in the next window, from " + at(start) + "."}
		default:
			d.Why = []string{"The policy allows it now."}
		}
	}
	return d
}

// held gives the reasons why a person does not want it.
func (p Policy) held(in Input) (why []string) {
	if in.Hold != nil && in.Hold.Blocks(in.To.Version, in.Now) {
		why = append(why, "It is "+in.Hold.Sentence()+".")
	}
	if in.Frozen {
		why = append(why, "All automatic updates are frozen.")
	}
	return why
}

// asks gives the reasons why a person has to decide.
func (p Policy) asks(in Input) (why []string) {
	because := func(on bool, format string, args ...any) {
		if on {
			why = append(why, fmt.Sprintf(format, args...))
		}
	}
	if err := p.Validate(); err != nil {
		because(true, "The update policy is not valid: %v.", err)
	}
	r := in.Risk
	because(r.Signer, "Somebody else signs for it than for the installed version.")
	because(r.Wider, "It asks for more permissions than were granted.")
	because(r.Native, "It brings native code, which the installed version does not have.")
	because(r.Major, "It is another major version than %s.", in.From)
	because(r.Breaking, "Its publisher says that it breaks with %s.", in.From)
	because(len(r.Dependencies) > 0, "It needs %s, which is not installed.", join(r.Dependencies))
	because(len(r.Warned) > 0, "There is a warning about it: %s.", strings.Join(r.Warned, ", "))
	because(r.Data && !p.Data, "It changes the form of its data.")
	because(p.Mode == ModeAsk, "The policy asks a person about every update.")
	because(p.Mode == ModeSecurity && len(r.Security) == 0, "The policy applies by itself only what answers an advisory.")
	return why
}

// waits gives the reasons why it is too early, and the first time at which none of
// them is left, zero when that is not known.
func (p Policy) waits(in Input) (why []string, until time.Time) {
	known := true
	before := func(t time.Time, reason string) {
		if in.Now.Before(t) {
			why = append(why, reason)
			until = latest(until, t)
		}
	}
	never := func(on bool, reason string) {
		if on {
			why = append(why, reason)
			known = false
		}
	}
	if !in.Fix {
		ripe := in.To.Published.Add(p.minAge())
		before(ripe, fmt.Sprintf("It has to be out for %s, until %s.", age(p.minAge()), at(ripe)))
	}
	if f := in.Failure; f != nil {
		before(f.Next, fmt.Sprintf("It did not work here (%s: %s). It is tried again from %s on.", times(f.Count), f.Error, at(f.Next)))
	}
	before(in.Breaker, "Too many updates had to be taken back: nothing is applied until "+at(in.Breaker)+".")
	before(in.Soaking, "An earlier update is being watched until "+at(in.Soaking)+", so that it can be taken back by itself.")
	never(!in.Expires.IsZero() && in.Now.After(in.Expires), "The catalog expired on "+at(in.Expires)+": nothing is applied from it until it was fetched again.")
	never(in.Problem != "", "It cannot be applied for now: "+in.Problem+".")
	if ro := in.To.Rollout; ro != nil {
		never(ro.Paused, "Its publisher paused it.")
		never(!ro.Paused && !InRollout(ro, in.Bucket), fmt.Sprintf("Its publisher offers it to %d %% of all panels so far, and not yet to this one.", ro.Percent))
	}
	if !known {
		until = time.Time{}
	}
	return why, until
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// at writes a time for people, in the zone that it has.
func at(t time.Time) string { return t.Format("2 January 2006 15:04 MST") }

// age writes a duration for people: in days when it is several, else in hours.
func age(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day && d%day == 0:
		return fmt.Sprintf("%d days", d/day)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%.0f hours", d.Hours())
	}
	return span(d)
}

func times(n int) string {
	if n == 1 {
		return "tried once"
	}
	return fmt.Sprintf("tried %d times", n)
}

// join writes names for people: "a/b, c/d and e/f".
func join(ids []catalog.PluginID) string {
	var b strings.Builder
	for i, id := range ids {
		switch {
		case i == 0:
		case i == len(ids)-1:
			b.WriteString(" and ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(string(id))
	}
	return b.String()
}
