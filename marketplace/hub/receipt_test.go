package hub_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
)

func testReceipt() hub.Receipt {
	return hub.Receipt{
		Panel: "pnl_1", Account: "acc_1", Plugin: "acme/backup", Version: "1.4.2", Digest: "sha256:" + strings.Repeat("ab", 32),
		IssuedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Nonce: base64.RawURLEncoding.EncodeToString(make([]byte, 16)),
	}
}

func testKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) }

func TestReceiptRoundTrip(t *testing.T) {
	key := testKey()
	want := testReceipt()
	s, err := hub.SignReceipt(want, key)
	require.NoError(t, err)
	pub := key.Public().(ed25519.PublicKey)
	for _, at := range []time.Duration{0, -hub.ReceiptSkew, hub.ReceiptLife - time.Second} {
		got, err := hub.VerifyReceipt(s, pub, want.IssuedAt.Add(at))
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, at := range []time.Duration{-hub.ReceiptSkew - time.Second, hub.ReceiptLife} {
		_, err := hub.VerifyReceipt(s, pub, want.IssuedAt.Add(at))
		assert.Error(t, err, at)
	}
	parsed, err := hub.ParseReceipt(s)
	require.NoError(t, err)
	assert.Equal(t, want, parsed)
	// What is signed begins with words of its own: the same bytes signed for anything
	// else are no receipt.
	body, _, _ := strings.Cut(s, ".")
	raw, err := base64.RawURLEncoding.DecodeString(body)
	require.NoError(t, err)
	bare := body + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, raw))
	_, err = hub.VerifyReceipt(bare, pub, want.IssuedAt)
	assert.ErrorContains(t, err, "not signed")
}

// TestReceiptHasOneForm: nothing but the canonical form is read, whoever signed it.
func TestReceiptHasOneForm(t *testing.T) {
	key := testKey()
	s, err := hub.SignReceipt(testReceipt(), key)
	require.NoError(t, err)
	enc := base64.RawURLEncoding
	body, sig, _ := strings.Cut(s, ".")
	raw, err := enc.DecodeString(body)
	require.NoError(t, err)
	resign := func(text string) string {
		return enc.EncodeToString([]byte(text)) + "." + enc.EncodeToString(ed25519.Sign(key, []byte("souk receipt v1\n"+text)))
	}
	_, err = hub.VerifyReceipt(resign(string(raw)), key.Public().(ed25519.PublicKey), testReceipt().IssuedAt)
	require.NoError(t, err, "control")
	for name, form := range map[string]string{
		"empty":          "",
		"no signature":   body,
		"three parts":    s + "." + sig,
		"padded":         body + "=." + sig,
		"line break":     body + ".\n" + sig,
		"short":          body + "." + sig[:len(sig)-4],
		"long":           strings.Repeat("a", hub.MaxReceipt+1),
		"space":          resign(" " + string(raw)),
		"more fields":    resign(strings.Replace(string(raw), "{", `{"x":1,`, 1)),
		"field twice":    resign(strings.Replace(string(raw), "{", `{"panel":"pnl_0",`, 1)),
		"other case":     resign(strings.Replace(string(raw), `"panel"`, `"Panel"`, 1)),
		"zone":           resign(strings.Replace(string(raw), "12:00:00Z", "13:00:00+01:00", 1)),
		"fraction":       resign(strings.Replace(string(raw), "12:00:00Z", "12:00:00.5Z", 1)),
		"version":        resign(strings.Replace(string(raw), "1.4.2", "v1.4.2", 1)),
		"digest":         resign(strings.Replace(string(raw), "sha256:", "sha256-", 1)),
		"nonce":          resign(strings.Replace(string(raw), "AAAA", "", 1)),
		"account absent": resign(strings.Replace(string(raw), "acc_1", "", 1)),
	} {
		_, err := hub.VerifyReceipt(form, key.Public().(ed25519.PublicKey), testReceipt().IssuedAt)
		var invalid *hub.InvalidError
		assert.ErrorAs(t, err, &invalid, name)
	}
	_, err = hub.VerifyReceipt(s, nil, testReceipt().IssuedAt)
	assert.Error(t, err, "no key")
}

func TestParsePanelKey(t *testing.T) {
	pub := testKey().Public().(ed25519.PublicKey)
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		got, err := hub.ParsePanelKey(enc.EncodeToString(pub))
		require.NoError(t, err)
		assert.Equal(t, pub, got)
	}
	for _, bad := range []string{"", "abc", strings.Repeat("A", 100)} {
		_, err := hub.ParsePanelKey(bad)
		assert.Error(t, err)
	}
}

func TestCursor(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 1000, time.UTC)
	c := hub.Cursor("list", at, int64(7), "id")
	after, err := hub.ParseCursor("list", c, time.Time{}, 0, "")
	require.NoError(t, err)
	assert.Equal(t, []any{at, int64(7), "id"}, after)
	for name, bad := range map[string]string{
		"another list": hub.Cursor("other", at, int64(7), "id"), "too few": hub.Cursor("list", at, int64(7)),
		"other types": hub.Cursor("list", "x", int64(7), "id"), "garbage": "!", "json": "e30", "long": strings.Repeat("A", 2000),
	} {
		_, err := hub.ParseCursor("list", bad, time.Time{}, 0, "")
		var invalid *hub.InvalidError
		assert.ErrorAs(t, err, &invalid, name)
	}
	after, err = hub.ParseCursor("list", "", "")
	assert.NoError(t, err)
	assert.Nil(t, after)
}

func FuzzParseReceipt(f *testing.F) {
	s, err := hub.SignReceipt(testReceipt(), testKey())
	require.NoError(f, err)
	f.Add(s)
	f.Add("a.b")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := hub.ParseReceipt(s)
		if err != nil {
			return
		}
		require.NoError(t, r.Check())
		again, err := hub.SignReceipt(r, testKey())
		require.NoError(t, err)
		body, _, _ := strings.Cut(s, ".")
		assert.True(t, strings.HasPrefix(again, body+"."), "one receipt has one form")
	})
}

func FuzzParseCursor(f *testing.F) {
	f.Add(hub.Cursor("list", time.Unix(1, 0), int64(7), "id"))
	f.Fuzz(func(t *testing.T, s string) {
		after, err := hub.ParseCursor("list", s, time.Time{}, 0, "")
		if err == nil && after != nil {
			assert.IsType(t, time.Time{}, after[0])
			assert.IsType(t, int64(0), after[1])
			assert.IsType(t, "", after[2])
		}
	})
}
