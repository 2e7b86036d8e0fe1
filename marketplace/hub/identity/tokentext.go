package identity

import (
	"crypto/rand"
	"hash/crc32"
	"strings"

	"github.com/souk-dev/souk/marketplace/hub"
)

// The text of a token, so that people, programs and secret scanners recognise one:
//
//	souk_ a k3v…(30) x7Qp2d
//	│     │ │        └ checksum: CRC-32 (IEEE) of all before it, base 62, 6 characters
//	│     │ └ 30 random characters of 0-9A-Za-z: 178 bits
//	│     └ kind: a (API), c (CI), p (panel)
//	└ always
//
// A scanner's expression is souk_[acp][0-9A-Za-z]{36}, and [LooksLikeToken] spares it
// what is of that shape by chance.
const (
	tokenPrefix = "souk_"
	tokenRandom = 30
	tokenSum    = 6
	tokenHint   = len(tokenPrefix) + 5 // shown, to recognise it: 4 of its random characters

	// TokenLen is how long every token is.
	TokenLen = len(tokenPrefix) + 1 + tokenRandom + tokenSum
)

// base62 in the order of ASCII.
const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func kindLetter(k hub.TokenKind) string {
	switch k {
	case hub.TokenAPI:
		return "a"
	case hub.TokenCI:
		return "c"
	case hub.TokenPanel:
		return "p"
	}
	panic("identity: unknown kind of token " + k)
}

func newTokenText(k hub.TokenKind) string {
	text := make([]byte, 0, TokenLen)
	text = append(text, tokenPrefix...)
	text = append(text, kindLetter(k)...)
	var b [64]byte
	for n := len(text) + tokenRandom; len(text) < n; {
		if _, err := rand.Read(b[:]); err != nil {
			panic(err) // crypto/rand never fails since Go 1.24
		}
		for _, c := range b {
			if c < 4*62 && len(text) < n { // each character is as likely as every other
				text = append(text, base62[c%62])
			}
		}
	}
	return string(text) + sumOf(string(text))
}

func sumOf(text string) string {
	v := crc32.ChecksumIEEE([]byte(text))
	var out [tokenSum]byte
	for i := tokenSum - 1; i >= 0; i-- {
		out[i] = base62[v%62]
		v /= 62
	}
	return string(out[:])
}

// LooksLikeToken reports whether s has the form and the checksum of a token of a hub: by
// chance one text in four thousand million of the right shape does. It says nothing
// about whether the token is valid.
func LooksLikeToken(s string) bool {
	if len(s) != TokenLen || !strings.HasPrefix(s, tokenPrefix) || !strings.ContainsRune("acp", rune(s[len(tokenPrefix)])) {
		return false
	}
	for _, c := range []byte(s[len(tokenPrefix):]) {
		if !(c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z') {
			return false
		}
	}
	return sumOf(s[:TokenLen-tokenSum]) == s[TokenLen-tokenSum:]
}
