package install

import (
	"errors"
	"log/slog"
	"time"

	"github.com/souk-dev/souk/sandbox/safefs"
	"github.com/souk-dev/souk/verify"
)

// Options of a Store. Host, Supply and Verifier are required: a Store that does
// not verify does not exist.
type Options struct {
	Host     Host
	Supply   Supply
	Verifier verify.Verifier

	// Allow is asked before a plugin is started, at process start too and without
	// a network: an error keeps it stopped. This is where an advisory that
	// disables is obeyed. It must not call the Store. nil allows all.
	Allow func(p Installed) error

	Keep        int           // generations kept to go back to, the current one included; zero: 5, at least 2
	Gate        Gate          // when a plugin counts as healthy
	HookTimeout time.Duration // of one call of the Host; zero: 1 minute; Prepare and Migrate have ten times as long
	Limits      Limits        // of what is unpacked
	Network     bool          // accept a network file system, where nothing is guaranteed

	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // nil: silent

	Fault safefs.Fault // for tests: fails, counts and cuts operations on the disk
}

// Gate is the trial that a started plugin has to pass.
type Gate struct {
	OK     int           // good answers in a row; zero: 3
	Within time.Duration // all of them; zero: 60 s
	Every  time.Duration // between two questions; zero: 1 s
}

// Limits bound what one release may unpack. Zero is the default of each.
type Limits struct {
	Entries int   // files and directories; default 10,000
	File    int64 // bytes of one file; default 64 MiB
	Total   int64 // bytes of all files; default 256 MiB
	Ratio   int64 // unpacked by packed bytes, as really read; default 200
}

func (o Options) withDefaults() (Options, error) {
	switch {
	case o.Host == nil:
		return o, errors.New("a Host is required")
	case o.Supply == nil:
		return o, errors.New("a Supply is required")
	case o.Verifier == nil:
		return o, errors.New("a Verifier is required: nothing is installed unverified")
	}
	if o.Keep == 0 {
		o.Keep = 5
	}
	o.Keep = max(o.Keep, 2)
	orDefault(&o.Gate.OK, 3)
	orDefault(&o.Gate.Within, time.Minute)
	orDefault(&o.Gate.Every, time.Second)
	orDefault(&o.HookTimeout, time.Minute)
	orDefault(&o.Limits.Entries, 10_000)
	orDefault(&o.Limits.File, 64<<20)
	orDefault(&o.Limits.Total, 256<<20)
	orDefault(&o.Limits.Ratio, 200)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

func orDefault[T int | int64 | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}
