package ui_test

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/ui"
)

func english(t testing.TB) *ui.Messages {
	t.Helper()
	m, err := ui.NewMessages("")
	require.NoError(t, err)
	return m
}

func asset(t *testing.T, name string) *httptest.ResponseRecorder {
	t.Helper()
	a, err := ui.NewAssets("/x/assets/")
	require.NoError(t, err)
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest(http.MethodGet, a.URL(name), nil))
	require.Equal(t, http.StatusOK, w.Code)
	return w
}

func TestAssets(t *testing.T) {
	t.Parallel()
	for name, mediaType := range map[string]string{"souk.css": "text/css", "souk.js": "text/javascript", "icons.svg": "image/svg+xml"} {
		w := asset(t, name)
		assert.Contains(t, w.Header().Get("Content-Type"), mediaType)
		assert.Contains(t, w.Header().Get("Cache-Control"), "immutable")
	}
	a, err := ui.NewAssets("/x/assets/")
	require.NoError(t, err)
	assert.Empty(t, a.URL("doc.go"))
	for _, path := range []string{"/x/assets/souk.css", "/x/assets/", "/x/assets/souk.000000000000.js"} {
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		assert.Equal(t, http.StatusNotFound, w.Code, path)
	}
	assert.NotContains(t, string(a.Icon(`x"><script>`)), "<script>")
}

// TestScriptHoldsToThePolicy: small, without sinks of Trusted Types and without code from strings.
func TestScriptHoldsToThePolicy(t *testing.T) {
	t.Parallel()
	js := asset(t, "souk.js").Body.String()
	assert.Less(t, len(js), 10<<10)
	for _, sink := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser", ".src =", "setAttribute('on", "http://", "https://"} {
		assert.NotContains(t, js, sink)
	}
	assert.NotContains(t, ui.ContentSecurityPolicy, "unsafe")
	assert.Contains(t, ui.ContentSecurityPolicy, "trusted-types 'none'")
}

func TestStylesHaveTheTokensAndCare(t *testing.T) {
	t.Parallel()
	css := asset(t, "souk.css").Body.String()
	for _, token := range strings.Fields("color-bg color-surface color-fg color-muted color-border color-accent color-on-accent color-ok color-warn color-danger font radius space") {
		assert.Contains(t, css, "--souk-"+token+":")
	}
	for _, s := range []string{"@layer", "light-dark(", "prefers-reduced-motion", "forced-colors", ":focus-visible", "min-block-size: 44px"} {
		assert.Contains(t, css, s)
	}
	for _, physical := range []string{"margin-left", "margin-right", "padding-left", "padding-right", "text-align: left", "text-align: right", "float:", "url("} {
		assert.NotContains(t, css, physical, "use logical properties, and nothing from elsewhere")
	}
	assert.Equal(t, strings.Count(css, "{"), strings.Count(css, "}"))
}

// TestColoursHaveContrast holds text to 4.5:1 on page and surface, light and dark.
func TestColoursHaveContrast(t *testing.T) {
	t.Parallel()
	css := asset(t, "souk.css").Body.String()
	value := map[string][2]string{}
	for _, m := range regexp.MustCompile(`--souk-color-([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)`).FindAllStringSubmatch(css, -1) {
		value[m[1]] = [2]string{m[2], m[3]}
	}
	require.Len(t, value, 10)
	for mode := range 2 {
		for _, on := range []string{"bg", "surface"} {
			for _, text := range []string{"fg", "muted", "accent", "ok", "warn", "danger"} {
				assert.GreaterOrEqual(t, contrast(value[text][mode], value[on][mode]), 4.5, "%s on %s", text, on)
			}
		}
		assert.GreaterOrEqual(t, contrast(value["on-accent"][mode], value["accent"][mode]), 4.5)
	}
}

func contrast(a, b string) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func TestIconsAreInTheSprite(t *testing.T) {
	t.Parallel()
	svg := asset(t, "icons.svg").Body.String()
	require.NoError(t, xml.Unmarshal([]byte(svg), new(struct{ XMLName xml.Name })))
	for _, name := range strings.Fields("search package shield shield-alert shield-check triangle-alert circle-check circle-x undo-2 loader-circle star download lock key-round") {
		assert.Contains(t, svg, `<symbol id="`+name+`"`)
	}
	assert.NotContains(t, svg, "script")
}

func TestAvatarIsAlwaysTheSameAndSafe(t *testing.T) {
	t.Parallel()
	assert.Equal(t, ui.Avatar("acme/backup"), ui.Avatar("acme/backup"))
	assert.NotEqual(t, ui.Avatar("acme/backup"), ui.Avatar("acme/mailer"))
	for _, id := range []string{"", "/", "a/<script>", "x/é", `a/"`} {
		s := string(ui.Avatar(id))
		require.NoError(t, xml.Unmarshal([]byte(s), new(struct{ XMLName xml.Name })), id)
		assert.NotContains(t, s, "style=")
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	m := english(t)
	assert.Equal(t, "en", m.Lang())
	assert.Equal(t, "ltr", m.Dir())
	assert.Equal(t, "Installed: {0}", m.T("installed.version", "{0}"), "an argument is not replaced again")
	assert.Equal(t, "⟦none⟧", m.T("none"))
	assert.Equal(t, "1 plugin", m.N("found", 1))
	assert.Equal(t, "1,200 plugins", m.N("found", 1200))
	for _, lang := range []string{"xx", "../en", "e/n", "12"} {
		_, err := ui.NewMessages(lang)
		assert.Error(t, err, lang)
	}
	british, err := ui.NewMessages("en-GB")
	require.NoError(t, err)
	assert.Equal(t, "en-GB", british.Lang())
}

func TestNumbersAndTimes(t *testing.T) {
	t.Parallel()
	m := english(t)
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567"} {
		assert.Equal(t, want, m.Number(n))
	}
	for n, want := range map[int64]string{7: "7", 999: "999", 1000: "1k", 9449: "9.4k", 128_400: "128k", 3_400_000: "3.4M", 12_000_000: "12M"} {
		assert.Equal(t, want, m.Short(n))
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1400: "1.4 kB", 999_960: "1 MB", 3_800_000: "3.8 MB", 5e12: "5000 GB"} {
		assert.Equal(t, want, m.Bytes(n))
	}
	now := time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		0: "just now", time.Minute: "1 minute ago", 3 * time.Hour: "3 hours ago", 26 * time.Hour: "1 day ago",
		-2 * time.Hour: "in 2 hours", 40 * 24 * time.Hour: "24 March 2026",
	} {
		assert.Equal(t, want, m.Ago(now, now.Add(-d)))
	}
	assert.Equal(t, "never", m.Ago(now, time.Time{}))
	assert.Equal(t, "3 May 2026, 12:00 UTC", m.DateTime(now))
}

func ExampleMessages_Ago() {
	m, err := ui.NewMessages("en")
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)
	fmt.Println(m.Ago(now, now.Add(-20*time.Minute)))
	fmt.Println(m.Bytes(1_420_000), m.Short(128_400))
	// Output:
	// 20 minutes ago
	// 1.4 MB 128k
}
