package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/distribution/distribution/v3/registry/storage"
	"github.com/distribution/distribution/v3/registry/storage/driver"
)

// writesPause is how often CollectGarbage looks whether nobody pushes.
const writesPause = 50 * time.Millisecond

// CollectGarbage removes blobs that no manifest names, as distribution's
// "garbage-collect" does: a mark and sweep over everything. Untagged manifests stay,
// evidence is made of them. It begins in a moment in which nobody pushes, and waits for
// one as long as ctx allows; while it runs, a push is answered 503 with Retry-After,
// and reading goes on.
//
// What was written less than age ago stays, named or not: somebody is between pushing
// the blobs and pushing the manifest that names them. 0 spares nothing. Who comes upon an
// old blob that nothing names, and therefore does not push it, may find it gone when
// they name it, and push again. Only one process may serve the directory then.
func (r *Registry) CollectGarbage(ctx context.Context, age time.Duration) error {
	tick := time.NewTicker(writesPause)
	defer tick.Stop()
	for !r.writes.TryLock() { // Lock would keep all who push waiting for the slowest of them
		select {
		case <-ctx.Done():
			return fmt.Errorf("collect garbage: somebody always pushes: %w", context.Cause(ctx))
		case <-tick.C:
		}
	}
	defer r.writes.Unlock()
	if _, err := r.driver.Stat(ctx, "/docker/registry/v2/blobs"); errors.As(err, new(driver.PathNotFoundError)) {
		return nil // nothing was ever pushed
	}
	if err := storage.MarkAndSweep(r.log.context(ctx), sparing{r.driver, r.o.Now().Add(-age), age}, r.inner, storage.GCOpts{Quiet: true}); err != nil {
		return fmt.Errorf("collect garbage: %w", err)
	}
	return nil
}

// sparing is a storage whose young things cannot be deleted.
type sparing struct {
	driver.StorageDriver
	since time.Time
	age   time.Duration
}

// Delete implements [driver.StorageDriver]. A blob is a directory that came to be with
// it, a link of a repository is a file.
func (s sparing) Delete(ctx context.Context, path string) error {
	if s.age > 0 {
		info, err := s.Stat(ctx, path)
		if err != nil {
			return err
		}
		if info.ModTime().After(s.since) {
			return nil
		}
	}
	return s.StorageDriver.Delete(ctx, path)
}

// MinUploadAge is the least age of an upload that PurgeUploads removes: longer than
// any client goes on with one.
const MinUploadAge = time.Hour

// PurgeUploads removes uploads that were begun more than age ago and not completed,
// and returns how many. An age below MinUploadAge is an error. Call it once a day.
func (r *Registry) PurgeUploads(ctx context.Context, age time.Duration) (int, error) {
	if age < MinUploadAge {
		return 0, fmt.Errorf("purge uploads: %s is too young, %s is the least", age, MinUploadAge)
	}
	if _, err := r.driver.Stat(ctx, "/docker/registry/v2/repositories"); errors.As(err, new(driver.PathNotFoundError)) {
		return 0, nil
	}
	removed, errs := storage.PurgeUploads(r.log.context(ctx), r.driver, r.o.Now().Add(-age), true)
	if err := errors.Join(errs...); err != nil {
		return len(removed), fmt.Errorf("purge uploads: %w", err)
	}
	return len(removed), nil
}
