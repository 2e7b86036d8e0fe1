package sandbox_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/sandbox"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]sandbox.Permission{
		"api:server:read":                    "api:server:read",
		"net.out:*:*":                        "net.out:*:*",
		"net.out:API.Example.COM:443":        "net.out:api.example.com:443",
		"net.out:example.com.:00443":         "net.out:example.com:443",
		"net.out:*.Example.com:*":            "net.out:*.example.com:*",
		"net.out:_dmarc.xn--bcher-kva.de:53": "net.out:_dmarc.xn--bcher-kva.de:53",
		"net.out:192.0.2.1:80":               "net.out:192.0.2.1:80",
		"net.out:[2001:DB8:0::1]:80":         "net.out:[2001:db8::1]:80",
		"net.out:[::ffff:192.0.2.1]:80":      "net.out:192.0.2.1:80",
		"net.listen:+8080":                   "",
		"net.listen:8080":                    "net.listen:8080",
		"fs.read:/srv//www/./a/../b/":        "fs.read:/srv/www/b",
		"fs.read:/../..":                     "fs.read:/",
		"fs.write:/srv/Ärger: 100 %":         "fs.write:/srv/Ärger: 100 %",
		"exec:/usr/bin/tar":                  "exec:/usr/bin/tar",
		"env:HTTP_PROXY":                     "env:HTTP_PROXY",
		"secret:smtp-password":               "secret:smtp-password",
		"event:backup.done":                  "event:backup.done",
		"ui:dashboard.card":                  "ui:dashboard.card",
		"job:@daily":                         "job:@daily",
		"job:*/5  0-6,22\t* * 1-5":           "job:*/5 0-6,22 * * 1-5",
		"job:0-30/10 4 1 12 7":               "job:0-30/10 4 1 12 7",
		"db:notes:write":                     "db:notes:write",
	} {
		p, err := sandbox.Parse(in)
		if want == "" {
			assert.Error(t, err, in)
			continue
		}
		if assert.NoError(t, err, in) {
			assert.Equal(t, want, p, in)
			assert.Equal(t, string(p), string(p.Kind())+":"+p.Target())
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                               "is not kind:target",
		"fs.read":                        "is not kind:target",
		"root:/":                         "unknown kind",
		"API:server:read":                "unknown kind",
		"api:server":                     "want name:verb",
		"api:server:":                    "a name has 1 to 100",
		"api::read":                      "a name has 1 to 100",
		"api:server:read:all":            "want a-z",
		"api:Server:read":                "want a-z",
		"api:*:read":                     "want a-z",
		"event:.done":                    "want a-z",
		"event:a..b":                     "want a-z",
		"event:done.":                    "ends in a separator",
		"ui:" + strings.Repeat("a", 101): "a name has 1 to 100",
		"env:1A":                         "not beginning with a digit",
		"env:":                           "a variable's name",
		"env:A=B":                        "want letters",
		"env:PATH*":                      "want letters",
		"net.out:example.com":            "want host:port",
		"net.out::443":                   "want 1 to 253",
		"net.out:.:443":                  "want 1 to 253",
		"net.out:example.com:0":          "is not 1 to 65535",
		"net.out:example.com:65536":      "is not 1 to 65535",
		"net.out:example.com:-1":         "is not 1 to 65535",
		"net.out:example.com:https":      "is not 1 to 65535",
		"net.out:a*.example.com:1":       "only as the whole first label",
		"net.out:*.*.example.com:1":      "only as the whole first label",
		"net.out:example.*:1":            "only as the whole first label",
		"net.out:bücher.de:1":            "xn-- form",
		"net.out:\u212aelvin.de:1":       "xn-- form",
		"net.out:user@example.com:1":     "want a-z",
		"net.out:example.com/x:1":        "want a-z",
		"net.out:a..b:1":                 "a label has 1 to 63",
		"net.out:-a.b:1":                 "no hyphen at its ends",
		"net.out:" + strings.Repeat("a", 64) + ":1": "a label has 1 to 63",
		"net.out:127.1:1":                   "neither a name nor an IPv4",
		"net.out:0x7f000001:1":              "neither a name nor an IPv4",
		"net.out:2130706433:1":              "neither a name nor an IPv4",
		"net.out:010.0.0.1:1":               "neither a name nor an IPv4",
		"net.out:*.0.0.1:1":                 "neither a name nor an IPv4",
		"net.out:::1:80":                    "want a-z",
		"net.out:[::1:80":                   "want [IPv6 address]",
		"net.out:[1.2.3.4]:80":              "is not an IPv6 address",
		"net.out:[fe80::1%eth0]:80":         "without a zone",
		"net.listen:":                       "is not 1 to 65535",
		"net.listen:1-1024":                 "is not 1 to 65535",
		"fs.read:":                          "is not absolute",
		"fs.read:etc/passwd":                "is not absolute",
		"fs.read:~/x":                       "is not absolute",
		"fs.read:/a\x00b":                   "unprintable character",
		"fs.read:/a\nb":                     "unprintable character",
		"fs.read:/a\u202etxt.exe":           "unprintable character U+202E",
		"fs.read:/a\xff":                    "not valid UTF-8",
		"job:":                              "has 0 fields",
		"job:* * * *":                       "has 4 fields",
		"job:60 * * * *":                    `"60" is not`,
		"job:* 24 * * *":                    `"24" is not`,
		"job:* * 0 * *":                     `"0" is not`,
		"job:*/0 * * * *":                   `"*/0" is not`,
		"job:5-1 * * * *":                   `"5-1" is not`,
		"job:5/10 * * * *":                  `"5/10" is not`,
		"job:05 * * * *":                    `"05" is not`,
		"job:1,,2 * * * *":                  `"" is not`,
		"job:* * * jan *":                   `"jan" is not`,
		"job:@reboot":                       "want @hourly",
		"exec:/" + strings.Repeat("a", 512): "longer than 512 bytes",
	} {
		p, err := sandbox.Parse(in)
		assert.ErrorContains(t, err, want, in)
		assert.Empty(t, p, in)
	}
}

func TestSetTakesOnlyTheCanonical(t *testing.T) {
	t.Parallel()
	_, err := sandbox.NewSet("fs.read:/srv/")
	require.EqualError(t, err, `permission "fs.read:/srv/" is not canonical: write "fs.read:/srv"`)
	var s sandbox.Set
	require.Error(t, s.UnmarshalJSON([]byte(`["fs.read:/srv/../etc"]`)))
	require.NoError(t, s.UnmarshalJSON([]byte(`["ui:a","fs.read:/srv","ui:a"]`)))
	assert.Equal(t, 2, s.Len())
}

// Parse is idempotent, what it returns is short, printable and has a kind, and a
// Set takes it.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"api:server:read", "net.out:*.Example.com.:0443", "net.out:[::FFFF:1.2.3.4]:*", "net.listen:*", "fs.read:/a/../b//",
		"fs.write:/", "exec:/bin/sh", "env:A_1", "secret:a-b", "event:a.b", "ui:a", "job:*/5 * 1-2,3  * 0", "job:@weekly", "db:a:b",
		"net.out:1.2.3.4.:1", "net.out:*.:1", "fs.read:/\u202e", "job:\u00a0* * * * *",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := sandbox.Parse(s)
		if err != nil {
			if p != "" {
				t.Fatalf("%q with the error %v", p, err)
			}
			return
		}
		if q, err := sandbox.Parse(string(p)); err != nil || q != p {
			t.Fatalf("Parse(%q) is %q, which parses as %q, %v", s, p, q, err)
		}
		if !utf8.ValidString(string(p)) || len(p) > sandbox.MaxPermission || strings.ContainsAny(string(p), "\x00\n\r\t\x1b") {
			t.Fatalf("Parse(%q) is %q", s, p)
		}
		if p != sandbox.Permission(string(p.Kind())+":"+p.Target()) {
			t.Fatalf("%q is not %q and %q", p, p.Kind(), p.Target())
		}
		set, err := sandbox.NewSet(p)
		if err != nil || !set.Covers(p) || !sandbox.Covers(p, p) {
			t.Fatalf("%q is not in its own set: %v", p, err)
		}
		if sentence, _ := sandbox.Explain(p); !strings.HasSuffix(sentence, ".") || strings.Contains(sentence, "unknown") && !strings.Contains(s, "unknown") {
			t.Fatalf("%q is explained as %q", p, sentence)
		}
	})
}
