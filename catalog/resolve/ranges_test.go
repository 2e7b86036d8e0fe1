package resolve_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
)

// dense returns all versions of small numbers, so that every end of a range is met,
// newest first.
func dense() []string {
	var out []string
	for i := range 4 * 4 * 4 {
		v := fmt.Sprintf("%d.%d.%d", i>>4, i>>2&3, i&3)
		out = append(out, v, v+"-alpha", v+"-alpha.2", v+"-alpha.10", v+"-rc.1", v+"+build")
	}
	out = append(out, "10.0.0", "999999999.0.0", "1234567890123.0.0", "18446744073709551615.0.0")
	slices.SortFunc(out, func(a, b string) int { return catalog.CompareVersions(b, a) })
	return out
}

// Ranges that are read here mean what Masterminds/semver reads, and what it refuses
// is refused.
func TestSimpleRangesMeanWhatMastermindsReads(t *testing.T) {
	t.Parallel()
	versions := dense()
	texts := []string{"", "*", " ", " * ", "x", "1.x", ">=", "1.2.3 - 2.0.0", "1 ||", "||", ">=1,<2", ">= 1.2, < 2", ">=1.2,, <2", "=>1", "~>1.2",
		"!=1.2.0", "v1.2.0", "01.2", "1.02.3", "1.2.3.0", "^0.0", "^0", "~0", "~0.0.0", "~0.0.0-rc.1", "1.2.3+build", ">\u00a01", ">=1\u00a0<2", "1\t||\n2",
		"1.2-rc.1", "1.2.3-", "1.2.3-01", "<1.2.3-0", "^999999999", "^9999999999", "^18446744073709551615", "1.", ".1", "^^1", "1 2", "1.0.0, 1.0.0,",
		strings.Repeat("1||", 40) + "2", strings.Repeat("1 ", 120)}
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 1500 {
		texts = append(texts, randomRange(rnd))
	}
	read := 0
	for _, text := range texts {
		got, want, err := resolve.Fit(text, versions)
		require.NoError(t, err)
		if got.Known {
			read++
			require.Equal(t, want, got, "%q", text)
		}
	}
	assert.Greater(t, read, len(texts)/4, "enough of them are simple")
}

func randomRange(rnd *rand.Rand) string {
	pick := func(s ...string) string { return s[rnd.IntN(len(s))] }
	var b strings.Builder
	for i := range 1 + rnd.IntN(3) {
		if i > 0 {
			b.WriteString(pick("||", " || "))
		}
		for j := range 1 + rnd.IntN(3) {
			if j > 0 {
				b.WriteString(pick(" ", " ", ", ", "  ", ","))
			}
			b.WriteString(pick("", "=", ">", "<", ">=", "<=", "~", "^", ">=", "<", "^", "!="))
			switch n := fmt.Sprint(rnd.IntN(4)); rnd.IntN(12) {
			case 0:
				b.WriteString(n)
			case 1:
				b.WriteString(n + "." + pick("0", "1", "3", "x"))
			case 2:
				b.WriteString(pick("*", "1.x", " 1.2.0", "v1.0.0", "1.2.0+b"))
			default:
				fmt.Fprintf(&b, "%s.%d.%d%s", n, rnd.IntN(4), rnd.IntN(4), pick("", "", "-alpha", "-alpha.3", "-rc.1"))
			}
		}
	}
	return b.String()
}

func FuzzSimpleRange(f *testing.F) {
	for _, s := range []string{"^1.2 || >=2.0.0-rc.1 <2.1", "~0.0.0", "*", "<=1.2, >1.0.0", "1 - 2"} {
		f.Add(s)
	}
	versions := dense()
	f.Fuzz(func(t *testing.T, text string) {
		got, want, err := resolve.Fit(text, versions)
		require.NoError(t, err)
		if got.Known {
			require.Equal(t, want, got)
		}
	})
}

// The parser of plain versions and its order are those of the catalog.
func TestVersionsAreThoseOfTheCatalog(t *testing.T) {
	t.Parallel()
	all := append(dense(), "", "1", "1.2", "1.2.", "1.2.3.4", "01.2.3", "1.2.03", "v1.2.3", "1.2.3-", "1.2.3-01", "1.2.x", "1234567890.1.1",
		"18446744073709551616.0.0", "1.2.3 ", "-1.2.3", "1..3", "1.2.3-a+b", strings.Repeat("1", 60)+".0.0")
	for _, a := range all {
		_, err := catalog.ParseVersion(a)
		_, ok := resolve.OrderOf(a, a)
		require.Equal(t, err == nil, ok, "%q", a)
		if !ok {
			continue
		}
		for _, b := range all {
			if got, ok := resolve.OrderOf(a, b); ok {
				require.Equal(t, cmp.Compare(catalog.CompareVersions(a, b), 0), cmp.Compare(got, 0), "%q and %q", a, b)
			}
		}
	}
}
