package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// failed tries a change with all consents and returns what the person is told.
func (d *demo) failed(change map[string]any) problem {
	d.t.Helper()
	var p plan
	if told := d.call("POST", "plans", change, &p); told != nil {
		return *told
	}
	op := d.apply(p)
	require.Equal(d.t, "failed", op.State)
	require.True(d.t, op.Restored, "everything is as it was")
	require.NotNil(d.t, op.Error)

	// The page says the same as the interface.
	_, page := d.page("/plugins/operations/" + op.ID)
	require.Contains(d.t, page, op.Error.Title)
	return *op.Error
}

// isSentence holds what a person reads to be whole sentences without the words of a
// program.
func isSentence(t *testing.T, s string) {
	t.Helper()
	assert.Regexp(t, `^[A-Z"“„'0-9a-z].*[.!?]$`, strings.TrimSpace(s))
	for _, raw := range []string{"%!", "<nil>", "0x", "goroutine", "&{", "map["} {
		assert.NotContains(t, s, raw)
	}
}

// TestEveryErrorSaysWhatAndWhatNext causes each error that a person can cause in the
// demo, and reads what it says.
func TestEveryErrorSaysWhatAndWhatNext(t *testing.T) {
	t.Parallel()
	d := start(t, freshDir(t))
	for _, c := range []struct {
		name   string
		before func()
		change map[string]any
		says   []string // in title and detail
		after  func()
	}{
		{name: "bad signature", change: installOf("acme/forged"), says: []string{"sign"}},
		{name: "denied permission", change: installOf("northwind/shell"), says: []string{"run", "polic"}},
		{name: "conflict", before: func() { d.done(installOf("northwind/alerts")) }, change: installOf("northwind/quiet"), says: []string{"northwind/alerts", "remove"}},
		{name: "registry down", before: func() { d.lab("registry", true) }, change: installOf("acme/disk-report"), says: []string{"source", "reached"}, after: func() { d.lab("registry", false) }},
		{name: "expired catalog", before: func() { d.lab("clock", true) }, change: installOf("acme/disk-report"), says: []string{"catalog"}, after: func() { d.lab("clock", false) }},
		{name: "unknown plugin", change: installOf("acme/nothing"), says: []string{"acme/nothing"}},
	} {
		if c.before != nil {
			c.before()
		}
		installed := d.installed()
		p := d.failed(c.change)
		if c.after != nil {
			c.after()
		}
		t.Logf("%s\n%s", c.name, p.all())
		isSentence(t, p.Detail)
		isSentence(t, p.Next)
		for _, word := range c.says {
			assert.Contains(t, strings.ToLower(p.all()), word, c.name)
		}
		assert.GreaterOrEqual(t, p.Status, 400, c.name)
		assert.Equal(t, installed, d.installed(), "%s changes nothing", c.name)
	}
}

// TestFullDisk installs on a file system that has no room for it.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := freshDir(t)
	small := filepath.Join(dir, "panel")
	require.NoError(t, os.Mkdir(small, 0o700))
	if err := mountSmall(t, small, 32<<20); err != nil {
		if os.Getenv("SOUK_TEST_REQUIRE") == "all" {
			t.Fatalf("a small file system is needed here: %v", err)
		}
		t.Skipf("NOT TESTED: a full disk, since no small file system can be mounted: %v", err)
	}
	d := start(t, dir)
	ballast := filepath.Join(small, "ballast")
	f, err := os.Create(ballast)
	require.NoError(t, err)
	_, err = f.Write(make([]byte, 64<<20))
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, f.Close())
	p := d.failed(installOf("acme/uptime"))
	t.Log(p.all())
	isSentence(t, p.Detail)
	isSentence(t, p.Next)
	assert.Contains(t, strings.ToLower(p.Title+p.Detail), "disk")
	assert.Empty(t, d.installed())
	require.NoError(t, os.Remove(ballast))
	d.done(installOf("acme/uptime"))
}
