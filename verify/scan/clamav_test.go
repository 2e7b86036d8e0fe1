package scan_test

import (
	"bufio"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/scan"
)

// marker is harmless; the database of the test says that it is not.
const marker = "SOUK-HARMLESS-TEST-SIGNATURE"

// clamav is a real clamd with a configuration and a signature database of its own.
type clamav struct {
	*scan.Clamd
	cmd *exec.Cmd
}

func startClamav(t testing.TB, settings ...string) *clamav {
	t.Helper()
	program, err := exec.LookPath("clamd")
	if err != nil {
		const missing = "no clamd in PATH; get it with: apt-get install --no-install-recommends clamav-daemon"
		if os.Getenv("SOUK_TEST_REQUIRE") == "all" {
			t.Fatal(missing)
		}
		t.Skip("NOT TESTED AGAINST A REAL CLAMD: " + missing)
	}
	dir, err := os.MkdirTemp("", "clamd") // short: a socket's path has at most 107 bytes
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	db, socket, conf := filepath.Join(dir, "db"), filepath.Join(dir, "s"), filepath.Join(dir, "conf")
	require.NoError(t, os.Mkdir(db, 0o755))
	// name:type of file:offset:signature, see https://docs.clamav.net/manual/Signatures/ExtendedSignatures.html
	require.NoError(t, os.WriteFile(filepath.Join(db, "souk.ndb"), []byte("Souk.Test.Harmless:0:*:"+hex.EncodeToString([]byte(marker))+"\n"), 0o644))
	lines := append([]string{"LocalSocket " + socket, "DatabaseDirectory " + db, "TemporaryDirectory " + dir, "Foreground yes"}, settings...)
	require.NoError(t, os.WriteFile(conf, []byte(strings.Join(lines, "\n")+"\n"), 0o644))
	cmd := exec.Command(program, "--config-file="+conf)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = cmd.Stdout
	require.NoError(t, cmd.Start())
	drained := make(chan struct{})
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			assert.NoError(t, cmd.Process.Kill())
			assert.Error(t, cmd.Wait(), "it was killed")
		}
		<-drained
	})
	var said strings.Builder
	ready := false
	for lines := bufio.NewScanner(out); !ready && lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		ready = strings.Contains(lines.Text(), "Self checking") // the last that it says before it serves
	}
	go func() { // or clamd stops when the pipe is full
		defer close(drained)
		if _, err := io.Copy(io.Discard, out); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Errorf("output of clamd: %v", err)
		}
	}()
	require.True(t, ready, "clamd does not start: %s", said.String())
	c, err := scan.NewClamd("unix", socket, scan.ClamdOptions{})
	require.NoError(t, err)
	return &clamav{c, cmd}
}

func TestRealClamd(t *testing.T) {
	t.Parallel()
	c := startClamav(t, "AlertExceedsMax yes", "MaxFileSize 2M", "StreamMaxLength 4M")
	require.NoError(t, c.Ping(t.Context()))
	version, db, err := c.Database(t.Context())
	require.NoError(t, err)
	assert.NotEmpty(t, version)
	assert.Zero(t, db, "clamd says nothing of local databases")

	for range 2 { // the second time clamd remembers what is clean
		r := look(t, c, files("a.txt", "hello", "empty", "", "b/c.txt", strings.Repeat("words ", 100_000)), subject)
		assert.Equal(t, verify.VerdictPass, r.Verdict)
		assert.Equal(t, version, r.Version)
	}
	r := look(t, c, files("a.txt", "hello", "evil.txt", "x "+marker, "in.zip", zipOf(t, "deep.txt", marker)), subject)
	assert.Equal(t, []string{"malware critical high", "malware critical high"}, rules(r))
	assert.Equal(t, []string{"evil.txt", "in.zip"}, []string{r.Findings[0].File, r.Findings[1].File})
	assert.Contains(t, r.Findings[0].Detail, "Souk.Test.Harmless")

	// Over the limits, with the marker where clamd does not look: an error, not a pass.
	over := strings.Repeat("words ", 500_000)
	r, err = c.Scan(t.Context(), files("big.txt", over+marker, "evil.txt", marker), subject)
	require.ErrorContains(t, err, "did not look at all of 1 files")
	assert.Equal(t, verify.VerdictError, r.Verdict)
	assert.Equal(t, []string{"malware critical high", "malware-limits medium high"}, rules(r))
	_, err = c.Scan(t.Context(), files("huge.txt", over+over), subject)
	require.ErrorContains(t, err, "INSTREAM size limit exceeded")
	look(t, c, files("a.txt", "hello"), subject)
}

// TestRealClamdThatHidesLimits: with clamd's defaults a file over its limits is "OK".
func TestRealClamdThatHidesLimits(t *testing.T) {
	t.Parallel()
	for _, settings := range [][]string{{}, {"AlertExceedsMax no"}, {"AlertExceedsMax yes", "ScanArchive no"}, {"AlertExceedsMax yes", "MaxRecursion 1000"}} {
		r, err := startClamav(t, settings...).Scan(t.Context(), files("a.txt", "hello"), subject)
		require.ErrorContains(t, err, "set AlertExceedsMax yes", settings)
		assert.Equal(t, verify.VerdictError, r.Verdict)
	}
	look(t, startClamav(t, "AlertExceedsMax yes", "MaxRecursion 100"), files("a.txt", "hello"), subject)
}

// TestRealClamdDies: killed in the middle of a file, it gives no verdict; after that it
// is not available; and no set of scanners makes a pass of either.
func TestRealClamdDies(t *testing.T) {
	t.Parallel()
	c := startClamav(t, "AlertExceedsMax yes")
	kill := func() {
		assert.NoError(t, c.cmd.Process.Kill())
		assert.Error(t, c.cmd.Wait())
	}
	set := newSet(t, scan.Options{Scanners: []scan.Scanner{scan.Secrets()}, Optional: []scan.Scanner{c}})
	m := files("a.txt", "hello", "b.txt", strings.Repeat("words ", 1_000_000), "c.txt", "hello")
	result := set.Run(t.Context(), m, subject)
	require.Equal(t, verify.VerdictPass, result.Verdict, "the control: %+v", result.Reports)

	r, err := c.Scan(t.Context(), killingFS{m, kill}, subject)
	require.Error(t, err)
	assert.NotErrorIs(t, err, scan.ErrUnavailable)
	assert.Equal(t, verify.VerdictError, r.Verdict)
	assert.Equal(t, 2, r.Files, "a.txt, and b.txt in part")

	_, err = c.Scan(t.Context(), m, subject)
	require.ErrorIs(t, err, scan.ErrUnavailable)
	result = set.Run(t.Context(), m, subject)
	assert.Equal(t, verify.VerdictPass, result.Verdict, "the operator said that it may be missing")
	assert.True(t, result.Reports[1].Unavailable)
	assert.Equal(t, verify.VerdictNotConfigured, result.Reports[1].Verdict)
}

// TestRealClamdDiesInASet: an optional scanner that dies in mid-scan is still an error.
func TestRealClamdDiesInASet(t *testing.T) {
	t.Parallel()
	c := startClamav(t, "AlertExceedsMax yes")
	kill := func() {
		assert.NoError(t, c.cmd.Process.Kill())
		assert.Error(t, c.cmd.Wait())
	}
	set := newSet(t, scan.Options{Scanners: []scan.Scanner{scan.Squatting()}, Optional: []scan.Scanner{c}})
	result := set.Run(t.Context(), killingFS{files("b.txt", strings.Repeat("words ", 1_000_000)), kill}, subject)
	assert.Equal(t, verify.VerdictError, result.Verdict)
	assert.False(t, result.Reports[1].Unavailable)
	assert.NotEmpty(t, result.Reports[1].Error)
}

// killingFS calls kill in the middle of b.txt.
type killingFS struct {
	fs.FS
	kill func()
}

func (k killingFS) Open(name string) (fs.File, error) {
	f, err := k.FS.Open(name)
	if err != nil || name != "b.txt" {
		return f, err
	}
	return &killingFile{File: f, kill: k.kill}, nil
}

type killingFile struct {
	fs.File
	read int
	kill func()
}

func (k *killingFile) Read(p []byte) (int, error) {
	n, err := k.File.Read(p)
	if k.read += n; k.read > 500_000 && k.kill != nil {
		k.kill()
		k.kill = nil
	}
	return n, err
}

func BenchmarkRealClamd(b *testing.B) {
	c := startClamav(b, "AlertExceedsMax yes")
	m, size := plugin(b)
	b.SetBytes(size)
	for b.Loop() {
		look(b, c, m, subject)
	}
}
