package browser

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The accessibility engine, as npm has it. It is fetched, never kept here.
const (
	axePackage = "axe-core@4.10.3"
	axeSum     = "sha512-Xm7bpRXnDSX2YE2YFfBk2FnF0ep6tmG7xPh8iHee8MIcrgq762Nkce856dYtJYLkuIoYZvGfTs/PbZhideTcEg=="
)

// axeSource fetches the engine into a temporary directory and returns it.
func axeSource(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		if os.Getenv("SOUK_TEST_REQUIRE") == "all" {
			require.NoError(t, err, "axe-core comes by npm")
		}
		t.Log("there is no npm, so axe-core looks at nothing")
		return ""
	}
	dir := t.TempDir()
	cmd := exec.Command("npm", "pack", axePackage, "--silent", "--pack-destination", dir)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Logf("NOT RUN: axe-core, because npm pack %s: %v", axePackage, err)
		return ""
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	require.NoError(t, err)
	require.Len(t, found, 1)
	packed, err := os.ReadFile(found[0])
	require.NoError(t, err)
	sum := sha512.Sum512(packed)
	require.Equal(t, axeSum, "sha512-"+base64.StdEncoding.EncodeToString(sum[:]), axePackage)
	z, err := gzip.NewReader(bytes.NewReader(packed))
	require.NoError(t, err)
	for files := tar.NewReader(z); ; {
		h, err := files.Next()
		require.NoError(t, err, "%s has no axe.min.js", axePackage)
		if h.Name == "package/axe.min.js" {
			b, err := io.ReadAll(files)
			require.NoError(t, err)
			return string(b)
		}
	}
}
