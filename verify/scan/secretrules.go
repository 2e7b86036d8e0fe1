package scan

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"math"
	"regexp"
	"strings"
)

// secretRule finds one kind of secret. Every match begins with one of keys, so that
// only what follows one is looked at closely; that is what makes scanning fast.
type secretRule struct {
	rule, title string
	keys        []string
	fold        bool // keys are lower case, and match upper case too
	inside      bool // a key may stand in the middle of a word
	// find returns where the secret is in a window that begins with a key.
	find       func(window []byte) (start, end int, ok bool)
	severity   Severity
	confidence Confidence
	entropy    float64 // bits a character that the secret has at least; what is below is an example
	// judge, if set, looks closer: at the data around, and at the secret's place in it.
	judge  func(data []byte, start, end int, s Severity, c Confidence) (Severity, Confidence, bool)
	advice string
}

// expression returns a find for a regular expression with the secret as first group.
func expression(e string) func([]byte) (int, int, bool) {
	re := regexp.MustCompile("^(?:" + e + ")")
	return func(window []byte) (int, int, bool) {
		m := re.FindSubmatchIndex(window[:min(len(window), maxToken)])
		if m == nil {
			return 0, 0, false
		}
		return m[2], m[3], true
	}
}

// maxToken is the length of the longest token looked for, in bytes; keys are longer.
const maxToken = 4 << 10

// pemKey finds the end of a key that begins here.
func pemKey(window []byte) (int, int, bool) {
	if !bytes.Contains(window[:min(len(window), len("-----BEGIN OPENSSH PRIVATE KEY BLOCK-----"))], []byte("PRIVATE KEY")) {
		return 0, 0, false
	}
	const end = "-----END "
	at := bytes.Index(window, []byte(end))
	if at < 0 {
		return 0, 0, false
	}
	at += len(end)
	dashes := bytes.Index(window[at:min(len(window), at+60)], []byte("-----"))
	if dashes < 0 {
		return 0, 0, false
	}
	return 0, at + dashes + len("-----"), true
}

const revoke = "revoke it where it was issued, since it is public once published, and read it from the panel's secrets (secret:<name>) instead"

// secretRules returns the rules. Formats: the issuers' documentation on secret
// scanning, as of 2026. A rule of high confidence has a fixed prefix and length.
func secretRules() []secretRule {
	token := func(rule, title, format string, c Confidence, keys ...string) secretRule {
		return secretRule{
			rule: "secret-" + rule, title: title, keys: keys, find: expression(format),
			severity: SeverityHigh, confidence: c, entropy: 3, advice: revoke,
		}
	}
	const high, medium, low = ConfidenceHigh, ConfidenceMedium, ConfidenceLow
	rules := []secretRule{
		{
			rule: "secret-private-key", title: "private key", keys: []string{"-----BEGIN "}, inside: true,
			find: pemKey, severity: SeverityCritical, judge: privateKey, advice: revoke,
		},
		{
			rule: "secret-aws", title: "AWS access key", keys: []string{"AKIA", "ASIA"},
			find:     expression(`((?:AKIA|ASIA)[A-Z2-7]{16})\b`),
			severity: SeverityHigh, confidence: medium, entropy: 3, judge: awsKey, advice: revoke,
		},
		token("github", "GitHub token", `(gh[pousr]_[A-Za-z0-9]{36})\b`, high, "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
		token("github", "GitHub fine-grained token", `(github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})\b`, high, "github_pat_"),
		token("gitlab", "GitLab token", `(gl(?:pat|dt|rt|ptt|cbt|oas|soat|ft)-[A-Za-z0-9_-]{20,300}(?:\.[0-9a-z]{2}\.?[0-9a-z]{7})?)(?:[^A-Za-z0-9_.-]|\.\s|$)`, high,
			"glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "gloas-", "glsoat-", "glft-"),
		token("slack", "Slack token", `(xox[abeoprs]-(?:[0-9A-Za-z]{1,15}-){1,4}[0-9A-Za-z]{16,80})\b`, high, "xox"),
		token("slack", "Slack app token", `(xapp-[0-9]-[A-Z0-9]{8,20}-[0-9]{8,20}-[a-f0-9]{64})\b`, high, "xapp-"),
		token("slack", "Slack webhook", `(hooks\.slack\.com/services/T[A-Z0-9]{8,12}/B[A-Z0-9]{8,12}/[A-Za-z0-9]{24})\b`, high, "hooks.slack.com/services/"),
		token("stripe", "Stripe live key", `([sr]k_live_[0-9A-Za-z]{24,247})\b`, high, "sk_live_", "rk_live_"),
		token("stripe", "Stripe test key", `([sr]k_test_[0-9A-Za-z]{24,247})\b`, low, "sk_test_", "rk_test_"),
		token("stripe", "Stripe webhook secret", `(whsec_[0-9A-Za-z+/]{32,64})`, medium, "whsec_"),
		token("npm", "npm token", `(npm_[A-Za-z0-9]{36})\b`, high, "npm_"),
		token("pypi", "PyPI token", `(pypi-AgE(?:IcHlwaS5vcmc|NdGVzdC5weXBpLm9yZ)[A-Za-z0-9_-]{50,})`, high, "pypi-AgE"),
		token("google", "Google OAuth client secret", `(GOCSPX-[A-Za-z0-9_-]{28})(?:[^A-Za-z0-9_-]|$)`, high, "GOCSPX-"),
		token("google", "Google API key", `(AIza[0-9A-Za-z_-]{35})(?:[^A-Za-z0-9_-]|$)`, medium, "AIza"),
		token("google", "Google access token", `(ya29\.[0-9A-Za-z_-]{60,})`, medium, "ya29."),
		token("digitalocean", "DigitalOcean token", `(do[opr]_v1_[a-f0-9]{64})\b`, high, "dop_v1_", "doo_v1_", "dor_v1_"),
		token("sendgrid", "SendGrid key", `(SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})(?:[^A-Za-z0-9_-]|$)`, high, "SG."),
		token("openai", "OpenAI key", `(sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{20,200}T3BlbkFJ[A-Za-z0-9_-]{20,200})`, high, "sk-proj-", "sk-svcacct-", "sk-admin-"),
		token("anthropic", "Anthropic key", `(sk-ant-(?:api|admin)[0-9]{2}-[A-Za-z0-9_-]{80,120}AA)(?:[^A-Za-z0-9_-]|$)`, high, "sk-ant-"),
		token("huggingface", "Hugging Face token", `(hf_[A-Za-z]{34})\b`, medium, "hf_"),
		token("age", "age secret key", `(AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58})\b`, high, "AGE-SECRET-KEY-1"),
		token("jwt", "JSON web token", `(eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,})`, low, "eyJ"),
		token("url", "password in a URL", `(://[^\s:/@"'<>{}$%]{1,60}:[^\s:/@"'<>{}$%]{8,100}@)[a-z0-9.-]{4,100}`, low, "://"),
	}
	for i := range rules {
		if rules[i].confidence == low {
			rules[i].severity = SeverityLow
		}
		rules[i].inside = rules[i].inside || rules[i].keys[0] == "://" || rules[i].keys[0] == "hooks.slack.com/services/"
	}
	return rules
}

// assignment is for text only, and only informs.
func assignmentRule() secretRule {
	return secretRule{
		rule: "secret-assignment", title: "looks like a secret", fold: true, inside: true,
		keys:     []string{"apikey", "api_key", "api-key", "secret", "token", "passwd", "password", "credential", "privatekey", "private_key", "private-key", "auth"},
		find:     expression(`[A-Za-z0-9_-]{4,40}["']?\s{0,3}(?::=|=>|[:=])\s{0,3}["'` + "`" + `]([A-Za-z0-9+/=_.~-]{20,200})["'` + "`]"),
		severity: SeverityLow, confidence: ConfidenceLow, entropy: 4.2,
		judge: func(data []byte, start, end int, s Severity, c Confidence) (Severity, Confidence, bool) {
			secret := data[start:end]
			return s, c, bytes.ContainsAny(secret, "0123456789") && !bytes.Contains(secret, []byte("..."))
		},
		advice: "if it is one, " + revoke,
	}
}

// privateKey tells a key from a text about keys: its body decodes.
func privateKey(data []byte, start, end int, s Severity, c Confidence) (Severity, Confidence, bool) {
	text := data[start:end]
	for _, escaped := range []string{`\r\n`, `\n`} { // inside a JSON string
		text = bytes.ReplaceAll(text, []byte(escaped), []byte("\n"))
	}
	if bytes.Contains(text, []byte("KEY BLOCK")) { // OpenPGP, with a checksum that pem does not know
		return s, c, len(text) > 300
	}
	block, _ := pem.Decode(text)
	switch {
	case block == nil || len(block.Bytes) < 32 || entropy(block.Bytes) < 3:
		return s, c, false
	case strings.HasPrefix(block.Type, "ENCRYPTED") || block.Headers["DEK-Info"] != "":
		return SeverityMedium, c, true // as good as its password
	}
	return s, c, true
}

// awsKey: the id alone opens nothing, with its secret near by it does.
func awsKey(data []byte, start, end int, s Severity, c Confidence) (Severity, Confidence, bool) {
	if bytes.Contains(data[start:end], []byte("EXAMPLE")) {
		return s, c, false
	}
	const near = 300 // bytes before and after: a line or a few of a file with settings
	around := data[max(0, start-near):min(len(data), end+near)]
	notBase64 := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '/' && r != '+'
	}
	for word := range bytes.FieldsFuncSeq(around, notBase64) {
		if len(word) == 40 && entropy(word) >= 4.2 && !placeholder(word) {
			return SeverityCritical, ConfidenceHigh, true
		}
	}
	return s, c, true
}

// entropy is Shannon's, in bits a byte, of the bytes' own distribution.
func entropy(b []byte) float64 {
	var count [256]int
	for _, c := range b {
		count[c]++
	}
	sum := 0.0
	for _, n := range count {
		if n > 0 {
			p := float64(n) / float64(len(b))
			sum -= p * math.Log2(p)
		}
	}
	return sum
}

var placeholders = []string{"example", "xxxx", "****", "....", "0000000", "1234567", "abcdefg", "placeholder", "changeme", "your_", "your-", "redacted", "dummy"}

// placeholder reports whether a secret is one that documentation writes.
func placeholder(secret []byte) bool {
	lower := strings.ToLower(string(secret))
	for _, p := range placeholders {
		if strings.Contains(lower, p) {
			return true
		}
	}
	return false
}

// dockerAuth finds the log-ins in a Docker configuration, "auth": "<base64 of user:password>".
func dockerAuthRule() secretRule {
	return secretRule{
		rule: "secret-docker", title: "log-in to a registry", keys: []string{`"auth"`}, inside: true,
		find:     expression(`"auth"\s{0,3}:\s{0,3}"([A-Za-z0-9+/]{12,}={0,2})"`),
		severity: SeverityHigh, confidence: ConfidenceMedium,
		judge: func(data []byte, start, end int, s Severity, c Confidence) (Severity, Confidence, bool) {
			plain, err := base64.StdEncoding.DecodeString(string(data[start:end]))
			user, password, ok := bytes.Cut(plain, []byte(":"))
			return s, c, err == nil && ok && len(user) > 0 && len(password) >= 6
		},
		advice: revoke,
	}
}
