package hub

import "time"

// Role is what an account may do beyond its own things. Everybody is a user.
type Role string

// The roles of an account.
const (
	RoleReviewer  Role = "reviewer"  // decides about submissions
	RoleModerator Role = "moderator" // decides about reports, withdraws releases
	RoleAdmin     Role = "admin"     // users, roles, policy, categories, reserved names
)

// Roles returns all roles.
func Roles() []Role { return []Role{RoleReviewer, RoleModerator, RoleAdmin} }

// AccountState says whether an account may act.
type AccountState string

// The states of an account.
const (
	AccountActive    AccountState = "active"
	AccountSuspended AccountState = "suspended" // may read and appeal
	AccountDeleted   AccountState = "deleted"   // a name that stands in logs, nothing else
)

// Account is a person, or what is left of one.
type Account struct {
	ID      string       `db:"id,key" json:"id"`
	Rev     int64        `db:"rev,rev" json:"rev"`
	Name    string       `db:"name" json:"name"`   // shown beside what they write
	Email   string       `db:"email" json:"email"` // empty when not known; never shown to others
	Roles   []Role       `db:"roles" json:"roles"`
	State   AccountState `db:"state" json:"state"`
	Reason  string       `db:"reason" json:"reason,omitempty"` // why suspended
	Created time.Time    `db:"created" json:"created"`
	Seen    time.Time    `db:"seen" json:"seen"` // to the hour
}

// Identity is an OpenID Connect identity of an account. Issuer and subject name a
// person; a mail address does not.
type Identity struct {
	Issuer  string    `db:"issuer,key" json:"issuer"`
	Subject string    `db:"subject,key" json:"subject"`
	Account string    `db:"account" json:"account"`
	Email   string    `db:"email" json:"email"`
	Added   time.Time `db:"added" json:"added"`
	Used    time.Time `db:"used" json:"used"`
}

// Passkey is a WebAuthn credential of an account.
type Passkey struct {
	ID      string    `db:"id,key" json:"id"` // credential id, base64url without padding
	Account string    `db:"account" json:"account"`
	Name    string    `db:"name" json:"name"` // "work laptop"
	Data    string    `db:"data" json:"-"`    // as package signin writes it
	Added   time.Time `db:"added" json:"added"`
	Used    time.Time `db:"used" json:"used"`
}

// Session is a signed-in browser. The id in its cookie is kept as a hash only.
type Session struct {
	Hash    string    `db:"hash,key" json:"-"` // SHA-256 of the id, hex
	Account string    `db:"account" json:"account"`
	Created time.Time `db:"created" json:"created"`
	Seen    time.Time `db:"seen" json:"seen"`       // idle expiry counts from here
	Fresh   time.Time `db:"fresh" json:"fresh"`     // last proof of the person; dangerous things ask for a recent one
	Expires time.Time `db:"expires" json:"expires"` // whatever happens
	Agent   string    `db:"agent" json:"agent"`     // "Firefox on Linux", for the person to recognise
}

// TokenKind says what a token is for.
type TokenKind string

// The kinds of token.
const (
	TokenAPI   TokenKind = "api"   // made by a person, shown once
	TokenCI    TokenKind = "ci"    // exchanged for a workload's identity, 15 minutes
	TokenPanel TokenKind = "panel" // of a linked panel
)

// Token lets a program act for an account, within its scope. Only its hash is kept.
type Token struct {
	ID        string    `db:"id,key" json:"id"`
	Hash      string    `db:"hash" json:"-"` // SHA-256 of the token, hex; unique
	Kind      TokenKind `db:"kind" json:"kind"`
	Account   string    `db:"account" json:"account"`
	Name      string    `db:"name" json:"name"`
	Hint      string    `db:"hint" json:"hint"` // its first characters, to recognise it
	Publisher string    `db:"publisher" json:"publisher,omitempty"`
	Plugin    string    `db:"plugin" json:"plugin,omitempty"` // "acme/backup"; empty: all of the publisher
	Verbs     []Verb    `db:"verbs" json:"verbs"`
	Workload  string    `db:"workload" json:"workload,omitempty"` // of a CI token: repository and workflow, for people
	Created   time.Time `db:"created" json:"created"`
	Expires   time.Time `db:"expires" json:"expires"`
	Used      time.Time `db:"used" json:"used"` // to the minute
	Revoked   time.Time `db:"revoked" json:"revoked,omitzero"`
}

// Panel is a server panel that a person linked to their account.
type Panel struct {
	ID        string    `db:"id,key" json:"id"`
	Account   string    `db:"account" json:"account"`
	Token     string    `db:"token" json:"-"` // id of its token
	Name      string    `db:"name" json:"name"`
	Key       string    `db:"public_key" json:"-"` // Ed25519, base64: signs receipts of what is installed
	Telemetry bool      `db:"telemetry" json:"telemetry"`
	Linked    time.Time `db:"linked" json:"linked"`
	Seen      time.Time `db:"seen" json:"seen"`
	Revoked   time.Time `db:"revoked" json:"revoked,omitzero"`
}

// DeviceState is how far linking a panel has come (RFC 8628).
type DeviceState string

// The states of a device grant.
const (
	DevicePending  DeviceState = "pending"
	DeviceApproved DeviceState = "approved"
	DeviceDenied   DeviceState = "denied"
	DeviceUsed     DeviceState = "used" // the panel has its token
)

// DeviceGrant is a panel that waits for a person to type its code.
type DeviceGrant struct {
	Hash     string      `db:"hash,key" json:"-"`         // SHA-256 of the device code, hex
	UserCode string      `db:"user_code" json:"userCode"` // "BCDF-GHJK"; unique
	Name     string      `db:"name" json:"name"`          // of the panel, as it says
	Key      string      `db:"public_key" json:"-"`       // of the panel
	Address  string      `db:"address" json:"address"`    // where it asked from, shown to the person
	State    DeviceState `db:"state" json:"state"`        //
	Account  string      `db:"account" json:"-"`          // who approved
	Polled   time.Time   `db:"polled" json:"-"`           // too early again: slow_down
	Interval int         `db:"poll_interval" json:"-"`    // seconds between two polls
	Created  time.Time   `db:"created" json:"created"`    //
	Expires  time.Time   `db:"expires" json:"expires"`    // both codes
}

// Once is something that may be used one time until it expires: a challenge, the id
// of a token that was exchanged, the answer to a request with an idempotency key.
type Once struct {
	Kind    string    `db:"kind,key"`
	Key     string    `db:"name,key"` // a hash where the value is secret
	Data    string    `db:"data"`
	Created time.Time `db:"created"`
	Expires time.Time `db:"expires"`
}
