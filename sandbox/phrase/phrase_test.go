package phrase_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/sandbox/phrase"
)

func TestEnglish(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 7, 2, 10, 0, 0, 0, time.UTC)
	install := phrase.Of("install", "Install {0} {1}", "Backup", "2.1.0")
	for want, p := range map[string]phrase.Phrase{
		"":                               {},
		"as {0} wrote":                   phrase.Raw("as {0} wrote"),
		"Install Backup 2.1.0":           install,
		"so {1} and b":                   phrase.Of("so", "so {0} and {1}", "{1}", "b"),
		"from 2 July 2026 10:00 UTC":     phrase.Of("from", "from {0}", at),
		"on 2 July 2026":                 phrase.Of("on", "on {0}", phrase.Day(at)),
		"a, b and c":                     phrase.Of("list", "{0}", phrase.And([]string{"a", "b", "c"})),
		"a or b":                         phrase.Of("list", "{0}", phrase.Or([]string{"a", "b"})),
		"a, b":                           phrase.Of("list", "{0}", phrase.Commas([]string{"a", "b"})),
		"a":                              phrase.Of("list", "{0}", phrase.And([]string{"a"})),
		"then install Backup 2.1.0":      phrase.Of("then", "then {0}", phrase.Inside(install)),
		"then Backup is there":           phrase.Of("then", "then {0}", phrase.Inside(phrase.Of("there", "{0} is there", "Backup"))),
		"1 time":                         phrase.N("times", "{0} time", "{0} times", 1),
		"0 times":                        phrase.N("times", "{0} time", "{0} times", 0),
		"because the disk is full":       phrase.Of("because", "because {0}", fmt.Errorf("the disk is full")),
		"Install Backup 2.1.0, 12 times": phrase.Of("many", "{0}, {1}", install, phrase.N("times", "{0} time", "{0} times", 12)),
	} {
		assert.Equal(t, want, p.String())
		assert.Equal(t, want == "", p.IsZero())
		b, err := json.Marshal(p)
		require.NoError(t, err)
		var back phrase.Phrase
		require.NoError(t, json.Unmarshal(b, &back))
		assert.Equal(t, p, back, "a history keeps it as it was")
	}
	assert.Equal(t, phrase.Of("needs", "{0} needs {1}", "a", "b"), phrase.Texts("needs", "{0} needs {1}", "a", "b"))
	for want, english := range map[string]string{"{": "{", "{a}": "{{0}}", "{1} a": "{1} {0}", "a{": "{0}{", "{x} a": "{x} {0}", "": ""} {
		assert.Equal(t, want, phrase.Of("odd", english, "a").String(), english)
	}
	assert.Equal(t, "times.one", phrase.N("times", "{0} time", "{0} times", 1).Key)
}

func Example() {
	p := phrase.Of("resolve.apart", "{0} cannot be installed together", phrase.And([]string{"acme/a 1.0", "acme/b 2.0"}))
	fmt.Println(p)
	fmt.Println(p.Key, len(p.Args[0].List))
	// Output:
	// acme/a 1.0 and acme/b 2.0 cannot be installed together
	// resolve.apart 2
}
