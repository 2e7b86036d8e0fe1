package hub

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Kinds of job. Subject says on what.
const (
	JobValidate = "validate" // a submission
	JobScan     = "scan"     // a submission
	JobPublish  = "publish"  // a submission
	JobCatalog  = "catalog"  // write what changed into the catalog
	JobRenew    = "renew"    // keep the catalog fresh; periodic
	JobFanOut   = "fanout"   // an event to its hooks
	JobDeliver  = "deliver"  // a delivery
	JobProof    = "proof"    // check a publisher's proof
	JobTransfer = "transfer" // complete a hand-over whose cooldown is over
	JobTidy     = "tidy"     // delete what expired, hourly
	JobGarbage  = "garbage"  // remove from the registry what nothing names; periodic
	JobNumbers  = "numbers"  // daily figures: ranks, recommendations
)

// Job is work that is done after the transaction that asked for it, at least once.
type Job struct {
	Kind    string
	Subject string    // id of what it is about
	At      time.Time // not before; zero: at once
	// Attempt counts from 1 when the job runs. MaxAttempts bounds it; zero means 10.
	Attempt, MaxAttempts int
}

// Handler does a job. An error makes it run again later, with growing waits, until
// MaxAttempts; [*Snooze] says when, without using up an attempt; an error that wraps
// [ErrGiveUp] ends it.
type Handler func(ctx context.Context, j Job) error

// ErrGiveUp ends a job for good.
var ErrGiveUp = errors.New("giving up")

// Snooze makes a job run again after a while.
type Snooze struct{ After time.Duration }

func (s *Snooze) Error() string { return fmt.Sprintf("again in %s", s.After) }

// Periodic is a job that is enqueued by itself, by one process of all.
type Periodic struct {
	Kind  string
	Every time.Duration
	Start bool // also when the hub starts
}
