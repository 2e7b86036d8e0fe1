package signin

import "errors"

// Sentinels of this package. A caller maps them to a status; none is retried by itself.
var (
	// ErrRefused means that what was shown proves nothing: a wrong signature, state,
	// challenge, issuer, audience or shape. Showing it again does not help.
	ErrRefused = errors.New("refused")
	// ErrExpired means that a sign-in, a ceremony or a token was good and is too old.
	// Beginning again helps.
	ErrExpired = errors.New("expired, begin again")
	// ErrDeclined means that the person, or the provider for them, said no.
	ErrDeclined = errors.New("declined at the provider")
	// ErrUnavailable means that the provider does not answer, or not with what it has
	// to. Nothing was proved or refused; trying again later helps.
	ErrUnavailable = errors.New("identity provider unavailable, try again later")
	// ErrUnknownPasskey is what a [Lookup] returns for an id that nobody registered.
	ErrUnknownPasskey = errors.New("unknown passkey")
	// ErrCloneSuspected means that a passkey's counter went back, so that its key may
	// exist twice. See [Passkeys.FinishLogin].
	ErrCloneSuspected = errors.New("the passkey's counter went back, it may have been copied")
)
