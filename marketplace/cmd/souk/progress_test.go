package main

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestDuring: what is over within a second says nothing, what is not says so.
func TestDuring(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var stderr bytes.Buffer
		a := newApp(nil, &stderr, func(string) string { return "" })
		wait := func(d time.Duration) error {
			return a.during(t.Context(), "packing", func(context.Context) error {
				time.Sleep(d)
				return errors.New("no")
			})
		}
		assert.EqualError(t, wait(900*time.Millisecond), "no")
		assert.Empty(t, stderr.String())
		assert.EqualError(t, wait(2500*time.Millisecond), "no")
		assert.Equal(t, "souk: packing, 1 s ...\nsouk: packing, 2 s ...\n", stderr.String())
	})
}
