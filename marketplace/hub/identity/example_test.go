package identity_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/identity"
	"github.com/souk-dev/souk/marketplace/hub/sqlstore"
)

// Somebody signs in and makes a token that reads and does nothing else.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "identity")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	store, err := sqlstore.OpenSQLite(ctx, filepath.Join(dir, "hub.db"), sqlstore.Options{})
	if err != nil {
		panic(err)
	}
	defer store.Close()
	ids, err := identity.New(hub.Env{Store: store}, identity.Options{AllowSignUp: true})
	if err != nil {
		panic(err)
	}

	who := identity.ExternalIdentity{Issuer: "https://login.example", Subject: "8f3a", Name: "Mira"}
	cookie, session, err := ids.SignIn(ctx, who, identity.Browser{UserAgent: "Firefox/140.0 (X11; Linux)"})
	if err != nil {
		panic(err)
	}
	fmt.Println(session.Agent, "as", identity.Cookie(cookie, session, true).Name)

	mira, err := ids.Authenticate(ctx, cookie)
	if err != nil {
		panic(err)
	}
	raw, token, err := ids.CreateToken(ctx, mira, identity.NewToken{Name: "laptop", Verbs: []hub.Verb{hub.VerbRead}})
	if err != nil {
		panic(err)
	}
	fmt.Println(identity.LooksLikeToken(raw), raw[:len(token.Hint)] == token.Hint)

	program, err := ids.AuthenticateToken(ctx, raw)
	if err != nil {
		panic(err)
	}
	fmt.Println(program.Name, program.May(hub.ActAccountRead, hub.Object{Account: program.Account}))
	fmt.Println(program.Name, program.May(hub.ActAccountDelete, hub.Object{Account: program.Account}))
	// Output:
	// Firefox on Linux as __Host-souk_session
	// true true
	// Mira <nil>
	// Mira account.delete: not allowed: needs a person who is signed in, not a token
}
