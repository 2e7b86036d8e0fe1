package scan_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/scan"
)

func newPEM(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

const (
	upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	hexes = "0123456789abcdef"
	digit = "0123456789"
)

// TestSecrets: formats as their issuers document them, with values that are none. They
// are put together here so that no scanner of sources takes this file for a leak.
func TestSecrets(t *testing.T) {
	t.Parallel()
	key := newPEM(t)
	asJSON, err := json.Marshal(map[string]string{"private_key": key})
	require.NoError(t, err)
	aws := "AKIA" + pick(upper, 16)
	for name, c := range map[string]struct{ text, want string }{
		"pem":                 {key, "secret-private-key critical high"},
		"pem in json":         {string(asJSON), "secret-private-key critical high"},
		"openssh":             {string(pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: []byte("openssh-key-v1\x00" + noise(200))})), "secret-private-key critical high"},
		"encrypted":           {string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte(noise(200))})), "secret-private-key medium high"},
		"pgp":                 {"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n" + noise(600) + "\n=abcd\n-----END PGP PRIVATE KEY BLOCK-----\n", "secret-private-key critical high"},
		"aws with secret":     {"[default]\naws_access_key_id = " + aws + "\naws_secret_access_key = " + noise(40) + "\n", "secret-aws critical high"},
		"aws id alone":        {"id " + aws, "secret-aws high medium"},
		"github":              {"x = ghp_" + noise(36), "secret-github high high"},
		"github app":          {"ghs_" + noise(36) + "\n", "secret-github high high"},
		"github fine-grained": {"github_pat_" + noise(22) + "_" + noise(59), "secret-github high high"},
		"gitlab":              {"glpat-" + noise(20) + "\n", "secret-gitlab high high"},
		"gitlab routable":     {"glpat-" + noise(27) + ".01." + pick(hexes, 7) + " ", "secret-gitlab high high"},
		"slack bot":           {"xoxb-" + pick(digit, 12) + "-" + pick(digit, 13) + "-" + noise(24), "secret-slack high high"},
		"slack webhook":       {"https://hooks.slack.com/services/T" + pick(upper, 8) + "/B" + pick(upper, 10) + "/" + noise(24), "secret-slack high high"},
		"stripe":              {"sk_live_" + noise(24), "secret-stripe high high"},
		"stripe test":         {"sk_test_" + noise(24), "secret-stripe low low"},
		"npm":                 {"//registry.npmjs.org/:_authToken=npm_" + noise(36), "secret-npm high high"},
		"pypi":                {"pypi-AgEIcHlwaS5vcmc" + noise(150), "secret-pypi high high"},
		"google client":       {"GOCSPX-" + noise(28), "secret-google high high"},
		"google api":          {"AIza" + noise(35), "secret-google high medium"},
		"digitalocean":        {"dop_v1_" + pick(hexes, 64), "secret-digitalocean high high"},
		"sendgrid":            {"SG." + noise(22) + "." + noise(43), "secret-sendgrid high high"},
		"openai":              {"sk-proj-" + noise(74) + "T3BlbkFJ" + noise(74), "secret-openai high high"},
		"anthropic":           {"sk-ant-api03-" + noise(93) + "AA", "secret-anthropic high high"},
		"age":                 {"AGE-SECRET-KEY-1" + pick("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58), "secret-age high high"},
		"docker":              {`{"auths":{"r.example":{"auth": "` + base64.StdEncoding.EncodeToString([]byte("robot:"+noise(20))) + `"}}}`, "secret-docker high medium"},
		"jwt":                 {"eyJ" + noise(30) + ".eyJ" + noise(60) + "." + noise(43), "secret-jwt low low"},
		"url":                 {"postgres://app:" + noise(16) + "@db.internal/app", "secret-url low low"},
		"assignment":          {`const apiSecretKey = "` + noise(40) + `"`, "secret-assignment low low"},
		"assignment yaml":     {"DB_PASSWORD: '" + noise(30) + "'", "secret-assignment low low"},
	} {
		r := look(t, scan.Secrets(), files("conf/settings", "first line\n"+c.text+"\nlast line\n"), subject)
		if assert.Equal(t, []string{c.want}, rules(r), name) {
			f := r.Findings[0]
			assert.Equal(t, "conf/settings", f.File, name)
			assert.GreaterOrEqual(t, f.Line, 2, name)
			assert.LessOrEqual(t, f.Line, 3, name)
			want := verify.VerdictPass
			if f.Blocks() {
				want = verify.VerdictFail
			}
			assert.Equal(t, want, r.Verdict, name)
		}
		// A report is published: nothing of the secret but its first letters.
		b, err := json.Marshal(r)
		require.NoError(t, err)
		for i := 0; i+12 <= len(c.text); i++ {
			if piece := c.text[i : i+12]; strings.ContainsAny(piece, digit) && !strings.Contains("secret-anthropic secret-digitalocean", piece) {
				require.NotContains(t, string(b), piece, name)
			}
		}
	}
}

// TestNoSecrets: what documentation and ordinary code look like.
func TestNoSecrets(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"aws's own example":   "AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		"key that is a text":  "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
		"key without end":     "-----BEGIN PRIVATE KEY-----\n" + noise(500),
		"public key":          "-----BEGIN PUBLIC KEY-----\n" + noise(200) + "\n-----END PUBLIC KEY-----",
		"stars":               "ghp_" + strings.Repeat("x", 36),
		"one letter":          "npm_" + strings.Repeat("a", 36),
		"placeholder":         `api_key = "your_api_key_goes_here_1234"`,
		"longer word":         "xghp_" + noise(36),
		"too long":            "ghp_" + noise(37),
		"too short":           "ghp_" + noise(35),
		"read from elsewhere": `password = os.Getenv("DATABASE_PASSWORD_OF_THE_PANEL")`,
		"a hash":              "sha256:" + pick(hexes, 64),
		"url without":         "https://example.com:8080/a@b",
		"variable in url":     "postgres://$USER:$PASSWORD@db/app",
		"docker's example":    `"auth": "` + base64.StdEncoding.EncodeToString([]byte("nopassword")) + `"`,
		"i18n":                `token: "This is the token that you were sent"`,
	} {
		r := look(t, scan.Secrets(), files("a.txt", text), subject)
		assert.Empty(t, r.Findings, name)
		assert.Equal(t, verify.VerdictPass, r.Verdict, name)
	}
}

// TestSecretsInChunks: wherever in a large file a secret lies, it is found once.
func TestSecretsInChunks(t *testing.T) {
	t.Parallel()
	const chunk, overlap = 1 << 20, 16 << 10
	key := newPEM(t)
	line := strings.Repeat("words ", 20) + "\n"
	for _, at := range []int{0, chunk - overlap - 100, chunk - overlap, chunk - 100, chunk + overlap - 20, 2*chunk - 50} {
		filler := strings.Repeat(line, (at+chunk/2)/len(line))
		text := filler[:at] + "\n" + key + filler[at:]
		r := look(t, scan.Secrets(), files("big.txt", text), subject)
		require.Equal(t, []string{"secret-private-key critical high"}, rules(r), at)
		assert.Equal(t, strings.Count(text[:at+1], "\n")+1, r.Findings[0].Line, at)
		r = look(t, scan.Secrets(), files("big.bin", "\x00"+text), subject)
		require.Equal(t, []string{"secret-private-key critical high"}, rules(r), at)
		assert.Equal(t, int64(at+2), r.Findings[0].Offset, at)
		assert.Zero(t, r.Findings[0].Line, at)
	}
}

// TestSecretsHostile: files made to cost time are only files.
func TestSecretsHostile(t *testing.T) {
	t.Parallel()
	m := files()
	for name, unit := range map[string]string{
		"pem": "-----BEGIN PRIVATE KEY-----", "jwt": ".eyJaaaaaaaaaa", "dashes": "-eyJ", "url": "://a:", "token": "token=", "github": " ghp_" + noise(36),
		"lines": "\n", "aws": " AKIA" + pick(upper, 16),
	} {
		m[name] = files("x", strings.Repeat(unit, 128<<10/len(unit)))["x"]
	}
	r := look(t, scan.Secrets(), m, subject)
	assert.Positive(t, r.Dropped)
}

func BenchmarkSecretsHostile(b *testing.B) {
	m := files("x", strings.Repeat("-----BEGIN PRIVATE KEY-----", 1<<20/27), "y", strings.Repeat(".eyJaaaaaaaaaa", 1<<20/14))
	b.SetBytes(2 << 20)
	for b.Loop() {
		look(b, scan.Secrets(), m, subject)
	}
}
