package store

import (
	"regexp"
	"strings"
)

// The two builders that most people sign with, and how the subject of a certificate of
// theirs reads. What does not match to the letter is shown as it stands: an identity that
// only looks like one of these is another one.
const (
	githubIssuer = "https://token.actions.githubusercontent.com"
	gitlabIssuer = "https://gitlab.com"
)

var (
	githubSubject = regexp.MustCompile(`^https://github\.com/([A-Za-z0-9-]+/[A-Za-z0-9._-]+)/\.github/workflows/([A-Za-z0-9._-]+)@refs/(?:heads|tags)/([A-Za-z0-9._/-]+)$`)
	gitlabSubject = regexp.MustCompile(`^https://gitlab\.com/([A-Za-z0-9._/-]+)//([A-Za-z0-9._/-]+)@refs/(?:heads|tags)/([A-Za-z0-9._/-]+)$`)
)

// signer writes an identity for people.
func (h *shop) signer(id string) string {
	if key, ok := strings.CutPrefix(id, "key:"); ok {
		return h.text.T("signer.key", key[:min(len(key), 16)])
	}
	who, ok := strings.CutPrefix(id, "keyless:")
	if !ok {
		return h.text.T("signer.unknown")
	}
	issuer, subject, _ := strings.Cut(who, "#")
	if m := githubSubject.FindStringSubmatch(subject); m != nil && issuer == githubIssuer {
		return h.text.T("signer.github", m[1], m[2], m[3])
	}
	if m := gitlabSubject.FindStringSubmatch(subject); m != nil && issuer == gitlabIssuer {
		return h.text.T("signer.gitlab", m[1], m[2], m[3])
	}
	return h.text.T("signer.keyless", oneLine(subject, 200), oneLine(issuer, 200))
}
