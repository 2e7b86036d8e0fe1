package identity_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/identity"
)

// crowd gives a hub ten thousand accounts with a session and a token each.
func crowd(b *testing.B) (w *world, cookie, token string) {
	w = newWorld(b)
	cookie = w.signIn("mira")
	token, _ = w.token(w.who(cookie), identity.NewToken{Verbs: []hub.Verb{hub.VerbRead}})
	w.publisher("acme", map[string]hub.MemberRole{w.who(cookie).Account: hub.MemberOwner})
	w.update(func(ctx context.Context, tx hub.Tx) error {
		for i := range 10_000 {
			id := fmt.Sprintf("acc_%026d", i)
			if err := tx.Accounts().Insert(ctx, &hub.Account{ID: id, Name: "x", State: hub.AccountActive, Created: w.now()}); err != nil {
				return err
			}
			if err := tx.Sessions().Insert(ctx, &hub.Session{Hash: fmt.Sprintf("%064d", i), Account: id, Created: w.now(), Seen: w.now(), Expires: w.now()}); err != nil {
				return err
			}
			if err := tx.Tokens().Insert(ctx, &hub.Token{ID: fmt.Sprintf("tok_%026d", i), Hash: fmt.Sprintf("%064d", i), Kind: hub.TokenAPI, Account: id}); err != nil {
				return err
			}
		}
		return nil
	})
	return w, cookie, token
}

func BenchmarkAuthenticate(b *testing.B) {
	w, cookie, _ := crowd(b)
	ctx := b.Context()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, err := w.Authenticate(ctx, cookie)
			require.NoError(b, err)
		}
	})
}

func BenchmarkAuthenticateToken(b *testing.B) {
	w, _, token := crowd(b)
	ctx := b.Context()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, err := w.AuthenticateToken(ctx, token)
			require.NoError(b, err)
		}
	})
}

// Somebody who tries tokens costs a checksum, and with a right checksum a look-up.
func BenchmarkAuthenticateTokenWrong(b *testing.B) {
	w, _, token := crowd(b)
	ctx := b.Context()
	for b.Loop() {
		_, err := w.AuthenticateToken(ctx, token[:len(token)-1]+"!")
		require.Error(b, err)
	}
}
