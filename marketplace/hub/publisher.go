package hub

import (
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

// MemberRole is what an account may do for a publisher.
type MemberRole string

// The roles of a publisher's members.
const (
	MemberOwner      MemberRole = "owner"      // members, signers, hand-over, and all of the rest
	MemberMaintainer MemberRole = "maintainer" // submits, releases, answers
)

// PublisherState says whether a publisher may publish.
type PublisherState string

// The states of a publisher.
const (
	PublisherActive    PublisherState = "active"
	PublisherSuspended PublisherState = "suspended" // by a moderator: what is published stays, nothing new
)

// Publisher owns a namespace.
type Publisher struct {
	Namespace string         `db:"namespace,key" json:"namespace"` // first half of every plugin's id
	Rev       int64          `db:"rev,rev" json:"rev"`
	Name      string         `db:"name" json:"name"`
	Homepage  string         `db:"homepage" json:"homepage,omitempty"`
	About     string         `db:"about" json:"about,omitempty"`
	Contact   string         `db:"contact" json:"contact,omitempty"` // mail; seen by moderators
	State     PublisherState `db:"state" json:"state"`
	Reason    string         `db:"reason" json:"reason,omitempty"` // why suspended
	Verified  bool           `db:"verified" json:"verified"`       // has a proof that holds
	Created   time.Time      `db:"created" json:"created"`
}

// Member is an account that acts for a publisher.
type Member struct {
	Publisher string     `db:"publisher,key" json:"publisher"`
	Account   string     `db:"account,key" json:"account"`
	Role      MemberRole `db:"role" json:"role"`
	Added     time.Time  `db:"added" json:"added"`
}

// ProofKind says how a publisher shows who it is.
type ProofKind string

// The kinds of proof.
const (
	ProofDNS        ProofKind = "dns"        // a TXT record of a domain
	ProofWellKnown  ProofKind = "well-known" // a file on a domain's web server
	ProofRepository ProofKind = "repository" // a CI token of a source repository
)

// ProofState says whether a proof holds.
type ProofState string

// The states of a proof.
const (
	ProofPending ProofState = "pending" // was never seen
	ProofHolds   ProofState = "holds"
	ProofFailing ProofState = "failing" // held, was not seen at the last checks; a grace runs
	ProofLost    ProofState = "lost"    // held once
)

// Proof is what a publisher has shown about itself, and when.
type Proof struct {
	ID        string     `db:"id,key" json:"id"`
	Publisher string     `db:"publisher" json:"publisher"`
	Kind      ProofKind  `db:"kind" json:"kind"`
	Subject   string     `db:"subject" json:"subject"` // "acme.example" or "github.com/acme/backup"
	Challenge string     `db:"challenge" json:"challenge"`
	State     ProofState `db:"state" json:"state"`
	Detail    string     `db:"detail" json:"detail,omitempty"` // of the last check
	Added     time.Time  `db:"added" json:"added"`
	Proved    time.Time  `db:"proved" json:"proved,omitzero"` // first seen
	Checked   time.Time  `db:"checked" json:"checked,omitzero"`
	Due       time.Time  `db:"due" json:"due"` // next check
	Failures  int        `db:"failures" json:"failures"`
}

// Signer is an identity that may sign a publisher's releases. It goes into the
// catalog's publishers target.
type Signer struct {
	ID        string    `db:"id,key" json:"id"` // [verify.Identity.ID] after the publisher: unique per publisher
	Publisher string    `db:"publisher" json:"publisher"`
	Key       string    `db:"public_key" json:"key,omitempty"` // PEM
	Issuer    string    `db:"issuer" json:"issuer,omitempty"`
	Subject   string    `db:"subject" json:"subject,omitempty"`
	From      time.Time `db:"valid_from" json:"from,omitzero"`
	Until     time.Time `db:"valid_until" json:"until,omitzero"`
	Revoked   time.Time `db:"revoked" json:"revoked,omitzero"`
	Reason    string    `db:"reason" json:"reason,omitempty"` // why revoked
	Added     time.Time `db:"added" json:"added"`
	By        string    `db:"added_by" json:"by"`
}

// Catalog returns the signer as a catalog lists it.
func (s Signer) Catalog() catalog.Signer {
	return catalog.Signer{
		Identity: verify.Identity{Key: s.Key, Issuer: s.Issuer, Subject: s.Subject},
		From:     s.From, Until: s.Until, Revoked: s.Revoked,
	}
}

// Trusted is a workload that may publish without a stored secret: a CI job of this
// repository and workflow exchanges its identity for a token of 15 minutes.
type Trusted struct {
	ID           string    `db:"id,key" json:"id"`
	Publisher    string    `db:"publisher" json:"publisher"`
	Plugin       string    `db:"plugin" json:"plugin,omitempty"` // empty: all of the publisher
	Issuer       string    `db:"issuer" json:"issuer"`
	Repository   string    `db:"repository" json:"repository"`      // "acme/backup"
	RepositoryID string    `db:"repository_id" json:"repositoryId"` // learnt at first use; a re-created repository has another
	OwnerID      string    `db:"owner_id" json:"ownerId"`           // likewise
	Workflow     string    `db:"workflow" json:"workflow"`          // "release.yml"
	Environment  string    `db:"environment" json:"environment"`    // empty: any
	Ref          string    `db:"ref" json:"ref"`                    // "refs/tags/*"; empty: any
	By           string    `db:"added_by" json:"by"`                // the tokens act for this account
	Added        time.Time `db:"added" json:"added"`
	Used         time.Time `db:"used" json:"used,omitzero"`
}

// TransferState is how far a hand-over has come.
type TransferState string

// The states of a hand-over.
const (
	TransferProposed  TransferState = "proposed"
	TransferAccepted  TransferState = "accepted" // the cooldown runs; an owner can still call it off
	TransferDone      TransferState = "done"
	TransferCancelled TransferState = "cancelled"
)

// Transfer is a namespace that passes to another account: proposed by an owner with
// a statement signed by one of the publisher's signers, accepted by the other, done
// after a cooldown.
type Transfer struct {
	ID        string        `db:"id,key" json:"id"`
	Rev       int64         `db:"rev,rev" json:"rev"`
	Publisher string        `db:"publisher" json:"publisher"`
	From      string        `db:"from_account" json:"from"`
	To        string        `db:"to_account" json:"to"`
	State     TransferState `db:"state" json:"state"`
	Statement string        `db:"statement" json:"statement"` // what was signed
	Bundle    string        `db:"bundle" json:"bundle"`       // the signature
	Signer    string        `db:"signer" json:"signer"`       // who signed, [verify.Identity.ID]
	Created   time.Time     `db:"created" json:"created"`
	Effective time.Time     `db:"effective" json:"effective,omitzero"` // when it takes place
}

// Reserved is a name that nobody can take.
type Reserved struct {
	Name   string    `db:"name,key" json:"name"`
	Reason string    `db:"reason" json:"reason"`
	Added  time.Time `db:"added" json:"added"`
}

// Category is one that plugins may be filed under.
type Category struct {
	Slug     string `db:"slug,key" json:"slug"`
	Name     string `db:"name" json:"name"`
	Summary  string `db:"summary" json:"summary"`
	Position int    `db:"position" json:"position"`
}
