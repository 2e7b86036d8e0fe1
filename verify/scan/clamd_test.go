package scan_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/scan"
)

// fakeClamd speaks as clamd 1.4.6 does, and goes wrong where it is told to.
type fakeClamd struct {
	version string                    // empty: one with a database
	limits  string                    // what it says of files over its limits; empty: as AlertExceedsMax yes does
	stream  func(file []byte) string  // what it says of other files; nil: OK
	reply   func(id int) string       // instead of the answer to a command, when not empty
	seen    func(file []byte)         // told of each file
	hang    func(conn net.Conn) error // called instead of the answer to a stream
}

// start listens on a unix socket until the test ends.
func (f fakeClamd) start(t testing.TB) *scan.Clamd {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { defer conn.Close(); f.serve(conn) })
		}
	})
	c, err := scan.NewClamd("unix", socket, scan.ClamdOptions{Timeout: 10 * time.Second})
	require.NoError(t, err)
	return c
}

func (f fakeClamd) serve(conn net.Conn) {
	r := bufio.NewReader(conn)
	for id := 0; ; { // IDSESSION has no number, the first command after it has 1
		command, err := r.ReadString(0)
		if err != nil {
			return
		}
		answer := ""
		switch command {
		case "zIDSESSION\x00":
			continue
		case "zPING\x00":
			answer = "PONG"
		case "zVERSION\x00":
			if answer = f.version; answer == "" {
				answer = "ClamAV 1.4.6/27812/Wed Nov 25 08:21:03 2026"
			}
		case "zINSTREAM\x00":
			file, err := readStream(r)
			if err != nil {
				return
			}
			if answer, err = f.judge(conn, file); err != nil {
				return
			}
		default:
			answer = "UNKNOWN COMMAND"
		}
		id++
		out := fmt.Sprintf("%d: %s\x00", id, answer)
		if f.reply != nil && f.reply(id) != "" {
			out = f.reply(id)
		}
		if _, err := conn.Write([]byte(out)); err != nil {
			return
		}
	}
}

func (f fakeClamd) judge(conn net.Conn, file []byte) (string, error) {
	if f.seen != nil {
		f.seen(file)
	}
	switch {
	case bytes.HasPrefix(file, []byte("PK")) && len(file) > 10_000:
		if f.limits != "" {
			return f.limits, nil
		}
		return "stream: Heuristics.Limits.Exceeded.MaxRecursion FOUND", nil
	case f.hang != nil:
		return "", f.hang(conn)
	case f.stream != nil:
		return f.stream(file), nil
	}
	return "stream: OK", nil
}

func readStream(r io.Reader) ([]byte, error) {
	var file []byte
	for {
		var n uint32
		if err := binary.Read(r, binary.BigEndian, &n); err != nil {
			return nil, err
		}
		if n == 0 {
			return file, nil
		}
		chunk := make([]byte, n)
		if _, err := io.ReadFull(r, chunk); err != nil {
			return nil, err
		}
		file = append(file, chunk...)
	}
}

func TestClamd(t *testing.T) {
	t.Parallel()
	var sent [][]byte
	c := fakeClamd{seen: func(b []byte) { sent = append(sent, b) }}.start(t)
	require.NoError(t, c.Ping(t.Context()))
	big := strings.Repeat("0123456789", 20_000)
	r := look(t, c, files("a", "hello", "b/c", big, "empty", ""), subject)
	assert.Equal(t, verify.VerdictPass, r.Verdict)
	assert.Empty(t, r.Findings)
	assert.Equal(t, "1.4.6", r.Version)
	assert.Equal(t, scan.Database{Version: "27812", Time: time.Date(2026, 11, 25, 8, 21, 3, 0, time.UTC)}, r.Database)
	assert.Equal(t, 3, r.Files)
	require.Len(t, sent, 3, "the probe and two files; clamd has no answer to an empty one")
	assert.Equal(t, "hello", string(sent[1]))
	assert.Equal(t, big, string(sent[2]))
	look(t, c, files("a", "hello"), subject)
	assert.NotEqual(t, sent[0], sent[3], "clamd remembers files that it found clean: a probe is new each time")
}

func TestClamdFindings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		want    string
		verdict verify.Verdict
	}{
		"Win.Test.EICAR_HDB-1":           {"malware critical high", verify.VerdictFail},
		"PUA.Win.Packer.Upx-1":           {"malware-suspected high medium", verify.VerdictPass},
		"Heuristics.Broken.Executable":   {"malware-suspected high medium", verify.VerdictPass},
		"Souk.Test.Harmless.UNOFFICIAL":  {"malware critical high", verify.VerdictFail},
		"Name with spaces\x1b and FOUND": {"malware critical high", verify.VerdictFail},
	} {
		clam := fakeClamd{stream: func([]byte) string { return "stream: " + name + " FOUND" }}.start(t)
		r := look(t, clam, files("a", "x"), subject)
		assert.Equal(t, []string{c.want}, rules(r), name)
		assert.Equal(t, c.verdict, r.Verdict, name)
		assert.Contains(t, r.Findings[0].Detail, scan.Printable(name, 100))
	}
}

// TestClamdNeverPassesByMistake: whatever goes wrong is an error.
func TestClamdNeverPassesByMistake(t *testing.T) {
	t.Parallel()
	const probe, first = 2, 3 // numbers of the commands, after VERSION
	at := func(id int, text string) func(int) string {
		return func(got int) string {
			if got == id {
				return text
			}
			return ""
		}
	}
	for name, c := range map[string]struct {
		clamd fakeClamd
		want  string
	}{
		"limits are not reported":  {fakeClamd{limits: "stream: OK"}, "set AlertExceedsMax yes"},
		"probe is something else":  {fakeClamd{limits: "stream: Zip.Bomb FOUND"}, "set AlertExceedsMax yes"},
		"probe is too large":       {fakeClamd{limits: "INSTREAM size limit exceeded. ERROR"}, "size limit exceeded"},
		"file over its limits":     {fakeClamd{stream: func([]byte) string { return "stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND" }}, "did not look at all of 1 files"},
		"error":                    {fakeClamd{stream: func([]byte) string { return "stream: Can't allocate memory ERROR" }}, "Can't allocate memory"},
		"neither OK nor found":     {fakeClamd{stream: func([]byte) string { return "stream: perhaps" }}, "not understood"},
		"found nothing":            {fakeClamd{stream: func([]byte) string { return "stream:  FOUND" }}, "not understood"},
		"of another stream":        {fakeClamd{stream: func([]byte) string { return "fd[10]: OK" }}, "not understood"},
		"unknown command":          {fakeClamd{stream: func([]byte) string { return "UNKNOWN COMMAND" }}, "not understood"},
		"answer without a number":  {fakeClamd{reply: at(first, "stream: OK\x00")}, "has no number"},
		"answer to something else": {fakeClamd{reply: at(first, "9: stream: OK\x00")}, "clamd answers 9, 3 was asked"},
		"old answer":               {fakeClamd{reply: at(probe, "2: stream: Heuristics.Limits.Exceeded.MaxRecursion FOUND\x002: stream: OK\x00")}, "clamd answers 2, 3 was asked"},
		"endless answer":           {fakeClamd{reply: at(first, strings.Repeat("a", 10_000))}, "a reply has more than"},
		"gone in mid-scan":         {fakeClamd{hang: func(net.Conn) error { return errors.New("killed") }}, "ended the connection"},
		"version is none":          {fakeClamd{version: "Sophos 1.0"}, "which is not its version"},
		"version without time":     {fakeClamd{version: "ClamAV 1.4.6/27812/yesterday"}, "no time of its database"},
		"answer cut off":           {fakeClamd{hang: func(c net.Conn) error { _, err := c.Write([]byte("3: stream: OK")); return errors.Join(err, io.EOF) }}, "ended the connection"},
	} {
		r, err := c.clamd.start(t).Scan(t.Context(), files("a", "x"), subject)
		assert.ErrorContains(t, err, c.want, name)
		assert.NotErrorIs(t, err, scan.ErrUnavailable, name)
		assert.Equal(t, verify.VerdictError, r.Verdict, name)
	}
}

func TestClamdLocalDatabase(t *testing.T) {
	t.Parallel()
	version, db, err := fakeClamd{version: "ClamAV 1.4.6"}.start(t).Database(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "1.4.6", version)
	assert.Zero(t, db)
}

func TestClamdUnavailable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	for network, address := range map[string]string{"unix": filepath.Join(t.TempDir(), "none"), "tcp": l.Addr().String()} {
		c, err := scan.NewClamd(network, address, scan.ClamdOptions{})
		require.NoError(t, err, "it may come later")
		r, err := c.Scan(t.Context(), files("a", "x"), subject)
		require.ErrorIs(t, err, scan.ErrUnavailable)
		assert.Equal(t, verify.VerdictError, r.Verdict)
		require.ErrorIs(t, c.Ping(t.Context()), scan.ErrUnavailable)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = c.Scan(ctx, files("a", "x"), subject)
		require.ErrorIs(t, err, context.Canceled)
		assert.NotErrorIs(t, err, scan.ErrUnavailable, "nobody knows")
	}
}

func TestNewClamdRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ network, address string }{{"", "x"}, {"udp", "127.0.0.1:3310"}, {"unix", ""}} {
		_, err := scan.NewClamd(c.network, c.address, scan.ClamdOptions{})
		assert.Error(t, err, c)
	}
	_, err := scan.NewClamd("unix", "x", scan.ClamdOptions{Timeout: -1})
	require.Error(t, err)
	c, err := scan.NewClamd("unix", "x", scan.ClamdOptions{Rand: iotest.ErrReader(io.ErrUnexpectedEOF)})
	require.NoError(t, err)
	require.Equal(t, "clamd", c.Name())
}

// TestClamdCancelled: the end of the context ends a clamd that does not answer.
func TestClamdCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	c := fakeClamd{hang: func(conn net.Conn) error {
		cancel(errors.New("the hub stops"))
		_, err := io.Copy(io.Discard, conn) // until the other side ends it
		return errors.Join(err, io.EOF)
	}}.start(t)
	_, err := c.Scan(ctx, files("a", "x"), subject)
	require.ErrorContains(t, err, "the hub stops")
}

// TestClamdSilent: nor does one that never answers hold a scan for ever.
func TestClamdSilent(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer l.Close()
	c, err := scan.NewClamd("unix", socket, scan.ClamdOptions{Timeout: 20 * time.Millisecond})
	require.NoError(t, err)
	require.ErrorContains(t, c.Ping(t.Context()), "timeout")
}

// FuzzClamd plays every answer to a whole scan: only OK in full is a pass.
func FuzzClamd(f *testing.F) {
	const version, probe = "1: ClamAV 1.4.6\x00", "2: stream: Heuristics.Limits.Exceeded.MaxRecursion FOUND\x00"
	f.Add([]byte(version + probe + "3: stream: OK\x00"))
	f.Add([]byte(version + probe + "3: stream: A FOUND\x00"))
	f.Add([]byte(version + "2: stream: OK\x003: stream: OK\x00"))
	f.Add([]byte("1: ClamAV 1.4.6/27812/Wed Nov 25 08:21:03 2026\x00"))
	f.Fuzz(func(t *testing.T, replies []byte) {
		socket := filepath.Join(t.TempDir(), "s")
		l, err := net.Listen("unix", socket)
		require.NoError(t, err)
		var wg sync.WaitGroup
		wg.Go(func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			if _, err = conn.Write(replies); err != nil {
				return // the scan has ended already
			}
			if _, err = io.Copy(io.Discard, conn); err != nil {
				return
			}
		})
		c, err := scan.NewClamd("unix", socket, scan.ClamdOptions{Timeout: 50 * time.Millisecond})
		require.NoError(t, err)
		r, err := c.Scan(t.Context(), files("a", "x"), subject)
		l.Close()
		wg.Wait()
		require.Equal(t, err != nil, r.Verdict == verify.VerdictError)
		if r.Verdict == verify.VerdictPass {
			require.Contains(t, string(replies), "2: stream: Heuristics.Limits.Exceeded")
			require.Regexp(t, `\x003: stream: (OK|(Heuristics|PUA)\..* FOUND)\x00`, string(replies))
		}
	})
}
