package insight

import "context"

// Mail is a message to one person, in plain text.
type Mail struct {
	To      string // address
	Subject string // one line
	Text    string
}

// Mailer sends mail. An error means that it was not sent and is to be tried again.
type Mailer interface {
	Send(ctx context.Context, m Mail) error
}
