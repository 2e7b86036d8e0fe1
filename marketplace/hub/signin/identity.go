package signin

import (
	"context"
	"fmt"
	"net/mail"
	"strings"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	maxName  = 100 // characters of a person's or a passkey's name
	maxEmail = 254 // bytes, RFC 5321
)

// Identity is who a provider says somebody is. Issuer and Subject together are the key
// of it, for ever: the same subject at another issuer is somebody else, and so is another
// subject with the same email.
type Identity struct {
	Issuer  string // ProviderOptions.Issuer
	Subject string // at most 255 characters, never empty, means nothing to people
	// Name is what to call them: at most 100 printable characters; may be empty.
	Name string
	// Email is where to write to them; may be empty. It identifies nobody: it changes
	// hands, and providers let people type what they like, which is when EmailVerified
	// is false.
	Email         string
	EmailVerified bool
}

// identity reads who it is: from the ID token, and from the userinfo endpoint when the
// token has neither name nor email, as providers do that go by section 5.4 of the spec.
func (p *Provider) identity(ctx context.Context, c claims, m metadata, tokens *oauth2.Token) (Identity, error) {
	id := Identity{Issuer: p.o.Issuer}
	var err error
	if id.Subject, err = c.subject(); err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if c["name"] == nil && c["email"] == nil && m.UserInfoURL != "" && len(p.o.Scopes) > 0 {
		ctx = p.remote.context(ctx)
		about, err := (&oidc.ProviderConfig{UserInfoURL: m.UserInfoURL}).NewProvider(ctx).UserInfo(ctx, oauth2.StaticTokenSource(tokens))
		if err != nil {
			return Identity{}, fmt.Errorf("%w: who it is could not be read: %.200s", ErrUnavailable, err)
		}
		if about.Subject != id.Subject { // section 5.3.2
			return Identity{}, fmt.Errorf("%w: userinfo is about somebody else", ErrRefused)
		}
		if err := about.Claims(&c); err != nil {
			return Identity{}, fmt.Errorf("%w: %w", ErrRefused, err)
		}
	}
	for _, name := range []string{"name", "preferred_username"} {
		if id.Name == "" {
			id.Name = oneLine(c.loose(name))
		}
	}
	id.Email, id.EmailVerified = emailOf(c.loose("email"), c.flag("email_verified"))
	return id, nil
}

// oneLine returns a name without what does not print or turns the text around.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsPrint(r) && r != unicode.ReplacementChar:
			return r
		}
		return -1
	}, s)), " ")
	if r := []rune(s); len(r) > maxName {
		s = strings.TrimSpace(string(r[:maxName]))
	}
	return s
}

// emailOf returns an address that mail can be sent to, or none.
func emailOf(s string, verified bool) (string, bool) {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || len(s) > maxEmail || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "", false
	}
	return s, verified
}
