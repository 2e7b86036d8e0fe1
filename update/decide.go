package update

import (
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox/phrase"
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
	d := Decision{Verdict: Auto, Because: append(append(held, ask...), wait...)}
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
			d.Because = []phrase.Phrase{phrase.Of("update.window", "It will be applied in the next window, from {0}.", start)}
		default:
			d.Because = []phrase.Phrase{phrase.Of("update.now", "The policy allows it now.")}
		}
	}
	for _, why := range d.Because {
		d.Why = append(d.Why, why.String())
	}
	return d
}

// held gives the reasons why a person does not want it.
func (p Policy) held(in Input) (why []phrase.Phrase) {
	if in.Hold != nil && in.Hold.Blocks(in.To.Version, in.Now) {
		why = append(why, phrase.Of("update.held", "It is {0}.", in.Hold.Says()))
	}
	if in.Frozen {
		why = append(why, phrase.Of("update.frozen", "All automatic updates are frozen."))
	}
	return why
}

// asks gives the reasons why a person has to decide.
func (p Policy) asks(in Input) (why []phrase.Phrase) {
	because := func(on bool, says phrase.Phrase) {
		if on {
			why = append(why, says)
		}
	}
	if err := p.Validate(); err != nil {
		because(true, phrase.Of("update.invalid", "The update policy is not valid: {0}.", err))
	}
	r := in.Risk
	because(r.Signer, phrase.Of("update.signer", "Somebody else signs for it than for the installed version."))
	because(r.Wider, phrase.Of("update.wider", "It asks for more permissions than were granted."))
	because(r.Native, phrase.Of("update.native", "It brings native code, which the installed version does not have."))
	because(r.Major, phrase.Of("update.major", "It is another major version than {0}.", in.From))
	because(r.Breaking, phrase.Of("update.breaking", "Its publisher says that it breaks with {0}.", in.From))
	because(len(r.Dependencies) > 0, phrase.Of("update.dependencies", "It needs {0}, which is not installed.", phrase.And(r.Dependencies)))
	because(len(r.Warned) > 0, phrase.Of("update.warned", "There is a warning about it: {0}.", phrase.Commas(r.Warned)))
	because(r.Data && !p.Data, phrase.Of("update.data", "It changes the form of its data."))
	because(p.Mode == ModeAsk, phrase.Of("update.ask", "The policy asks a person about every update."))
	because(p.Mode == ModeSecurity && len(r.Security) == 0, phrase.Of("update.security", "The policy applies by itself only what answers an advisory."))
	return why
}

// waits gives the reasons why it is too early, and the first time at which none of
// them is left, zero when that is not known.
func (p Policy) waits(in Input) (why []phrase.Phrase, until time.Time) {
	known := true
	before := func(t time.Time, reason phrase.Phrase) {
		if in.Now.Before(t) {
			why = append(why, reason)
			until = latest(until, t)
		}
	}
	never := func(on bool, reason phrase.Phrase) {
		if on {
			why = append(why, reason)
			known = false
		}
	}
	if !in.Fix {
		ripe := in.To.Published.Add(p.minAge())
		before(ripe, phrase.Of("update.young", "It has to be out for {0}, until {1}.", age(p.minAge()), ripe))
	}
	if f := in.Failure; f != nil {
		before(f.Next, phrase.Of("update.failed", "It did not work here ({0}: {1}). It is tried again from {2} on.", times(f.Count), f.Error, f.Next))
	}
	before(in.Breaker, phrase.Of("update.breaker", "Too many updates had to be taken back: nothing is applied until {0}.", in.Breaker))
	before(in.Soaking, phrase.Of("update.soaking", "An earlier update is being watched until {0}, so that it can be taken back by itself.", in.Soaking))
	never(!in.Expires.IsZero() && in.Now.After(in.Expires), phrase.Of("update.expired", "The catalog expired on {0}: nothing is applied from it until it was fetched again.", in.Expires))
	never(in.Problem != "", phrase.Of("update.problem", "It cannot be applied for now: {0}.", in.Problem))
	if ro := in.To.Rollout; ro != nil {
		never(ro.Paused, phrase.Of("update.paused", "Its publisher paused it."))
		never(!ro.Paused && !InRollout(ro, in.Bucket), phrase.Of("update.rollout", "Its publisher offers it to {0} % of all panels so far, and not yet to this one.", ro.Percent))
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
func age(d time.Duration) phrase.Phrase {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day && d%day == 0:
		return phrase.Of("age.days", "{0} days", int(d/day))
	case d >= 2*time.Hour:
		return phrase.Of("age.hours", "{0} hours", int((d+30*time.Minute)/time.Hour))
	}
	return phrase.Raw(span(d))
}

func times(n int) phrase.Phrase {
	return phrase.N("tried", "tried once", "tried {0} times", n)
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
