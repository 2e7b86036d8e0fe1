package wasm

import (
	"errors"
	"strings"
)

var (
	// ErrStopped means that the instance runs no more: it was closed, ended itself,
	// ran over its time or did something a module must not do. The cause stands in
	// the error of the call in which it happened, and in the text of later ones.
	ErrStopped = errors.New("plugin is stopped")
	// ErrNoExport means that a module does not have the function that was asked for.
	ErrNoExport = errors.New("plugin has no such function")
	// ErrTooLarge means that a message is larger than Options.Message.
	ErrTooLarge = errors.New("message too large")
)

// GuestError is what the plugin itself answered with, in its own words: treat the
// text as untrusted. The instance goes on.
type GuestError struct{ Text string }

func (e *GuestError) Error() string { return "plugin says: " + e.Text }

// briefError is an error of wazero without the stack it appends.
type briefError struct {
	text string
	err  error
}

func (e *briefError) Error() string { return e.text }
func (e *briefError) Unwrap() error { return e.err }

// brief shortens the text of an error of wazero to what matters to a person.
func brief(err error) error {
	text, _, cut := strings.Cut(err.Error(), "\nwasm stack trace:")
	text = strings.TrimSuffix(text, " (recovered by wazero)")
	if !cut && text == err.Error() {
		return err
	}
	return &briefError{text, err}
}
