package community_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub/community"
)

// FuzzProse: what is kept has nothing in it that cannot be seen but line breaks, within
// its bound, and is kept the same when it comes again.
func FuzzProse(f *testing.F) {
	for _, s := range []string{"", " a\r\n\r\n\r\nb\t", "👨‍👩‍👧", "a\u200db", "\u202e", "\ufeff", "می\u200cخواهم", "\xff", strings.Repeat("é", 101), "\r", "\u0085x", " \n\u2003\n "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := community.Prose(s, 100)
		if err != nil {
			return
		}
		assert.LessOrEqual(t, utf8.RuneCountInString(got), 100)
		assert.True(t, utf8.ValidString(got))
		assert.NotContains(t, got, "\n\n\n")
		assert.Equal(t, strings.TrimSpace(got), got)
		for _, r := range got {
			if r != '\n' && r != '\u200d' && r != '\u200c' {
				assert.False(t, unicode.In(r, unicode.C, unicode.Zl, unicode.Zp), "%U", r)
			}
		}
		again, err := community.Prose(got, 100)
		require.NoError(t, err)
		assert.Equal(t, got, again)
	})
}
