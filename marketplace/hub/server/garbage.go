package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
)

// Periods of what the hub does to the registry of its process.
const (
	garbageEvery = 12 * time.Hour
	// garbageAge is how long blobs wait for the manifest that names them: no push takes
	// so long.
	garbageAge = 24 * time.Hour
	purgeAge   = 24 * time.Hour // an upload that nobody went on with for so long is over
	// garbageWait is for how long a collection looks for a moment in which nobody pushes.
	garbageWait = 5 * time.Minute
	// garbageAgain is when it is tried again, after somebody always pushed.
	garbageAgain = 30 * time.Minute
)

// CollectGarbage removes from the registry of this process uploads that nobody went on
// with for a day, and blobs that no manifest names and that were written more than age
// ago; 0 spares none. While it works a push is answered 503 with Retry-After, and
// reading goes on. Run does it twice a day with an age of a day. A registry elsewhere
// collects its own, by its own means: then it is nothing, and no error.
func (s *Server) CollectGarbage(ctx context.Context, age time.Duration) error {
	local := s.shelf.local
	if local == nil {
		return nil
	}
	n, err := local.PurgeUploads(ctx, purgeAge)
	if err != nil {
		return err
	}
	if n > 0 {
		s.log.InfoContext(ctx, "old uploads removed", "number", n)
	}
	return local.CollectGarbage(ctx, age)
}

func (s *Server) garbageJob(ctx context.Context, _ hub.Job) error {
	within, cancel := context.WithTimeout(ctx, garbageWait)
	defer cancel()
	err := s.CollectGarbage(within, garbageAge)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		s.log.WarnContext(ctx, "the registry's garbage is not collected, it is tried again", "error", err)
		return &hub.Snooze{After: garbageAgain}
	}
	if err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	return nil
}
