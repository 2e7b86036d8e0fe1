package signin_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/souk-dev/souk/marketplace/hub/signin"
)

func TestSafeReturn(t *testing.T) {
	for to, want := range map[string]string{
		"/":                             "/",
		"/plugins/":                     "/plugins/",
		"/plugins/acme/backup":          "/plugins/acme/backup",
		"/search?q=a+b&next=//x":        "/search?q=a+b&next=//x",
		"/search?q=a b":                 "/search?q=a b",
		"/docs#part":                    "/docs",
		"/caf%C3%A9":                    "/caf%C3%A9",
		"":                              "/",
		"plugins":                       "/",
		"//evil.example":                "/",
		"///evil.example":               "/",
		`/\evil.example`:                "/",
		`\\evil.example`:                "/",
		"/\t/evil.example":              "/",
		"/\n/evil.example":              "/",
		" //evil.example":               "/",
		"/%5cevil.example":              "/",
		"/%2f/evil.example":             "/",
		"/%2fevil.example":              "/",
		"/.//evil.example":              "/",
		"/a/..//evil.example":           "/",
		"/%2e%2e/x":                     "/",
		"https://evil.example":          "/",
		"https:evil.example":            "/",
		"javascript:alert(1)":           "/",
		"/%zz":                          "/",
		"/a\u202eb":                     "/",
		"/a\xffb":                       "/",
		"/" + strings.Repeat("x", 1024): "/",
	} {
		assert.Equal(t, want, signin.SafeReturn(to), "%q", to)
	}
}
