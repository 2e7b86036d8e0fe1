package publishing_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub/publishing"
)

func TestModuleImports(t *testing.T) {
	t.Parallel()
	got, err := publishing.ModuleImports([]byte(module("souk", "net.fetch")))
	require.NoError(t, err)
	assert.Equal(t, []string{"souk.net.fetch"}, got)
	whole := module("souk", "log")
	got, err = publishing.ModuleImports([]byte(whole[:8]))
	require.NoError(t, err)
	assert.Empty(t, got, "a module without imports")
	for n := 9; n < len(whole); n++ {
		if n == 14 {
			continue // ends after a whole section
		}
		_, err := publishing.ModuleImports([]byte(whole[:n]))
		assert.Error(t, err, "cut off at %d", n)
	}
	for _, bad := range []string{"", "\x7fELF", "\x00asm\x0d\x00\x01\x00", "\x00asm\x01\x00\x00\x00\x02\xff\xff\xff\xff\x0f", "\x00asm\x01\x00\x00\x00\x02\x05\xff\xff\xff\xff\x0f"} {
		_, err := publishing.ModuleImports([]byte(bad))
		assert.Error(t, err, "%q", bad)
	}
}

func FuzzModuleImports(f *testing.F) {
	f.Add([]byte(module("souk", "net.fetch")))
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x02\x0b\x01\x01a\x01b\x02\x01\x80\x01\x80\x02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := publishing.ModuleImports(b)
		if err != nil {
			assert.Nil(t, got)
		}
		assert.LessOrEqual(t, len(got), len(b))
	})
}
