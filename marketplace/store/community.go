package store

import (
	"context"
	"time"

	"github.com/souk-dev/souk/catalog"
)

// Community is what a hub adds to the store: what people say about plugins, reports,
// suggestions, and the account all of that goes through. Package marketplace/link has
// one. Without it those parts of the store are absent.
//
// All methods are called concurrently. An error that wraps [catalog.ErrUnavailable] means
// that the hub cannot be reached: the page says so and shows the rest. One that wraps
// [catalog.ErrNotFound] means that the hub does not know the plugin, or the rating.
type Community interface {
	// Account says how the link to the hub stands; it does no I/O. The others end with
	// ctx: the pages give them no longer than they wait themselves.
	Account() Account
	// Link begins to link the panel to somebody's account on the hub; Account says what
	// they have to do. It is no error when that is under way already.
	Link(ctx context.Context) (Account, error)
	// Unlink ends the link, also one that is under way.
	Unlink(ctx context.Context) error

	// Ratings returns what people say about a plugin; anybody may read it.
	Ratings(ctx context.Context, id catalog.PluginID, q RatingsQuery) (Ratings, error)
	// MyRating returns the linked account's own rating, or catalog.ErrNotFound.
	MyRating(ctx context.Context, id catalog.PluginID) (Rating, error)
	// Rate, DeleteRating, Vote and Report act for the linked account. What the hub
	// refuses is a [*RefusedError].
	Rate(ctx context.Context, id catalog.PluginID, stars int, text string) error
	DeleteRating(ctx context.Context, id catalog.PluginID) error
	Vote(ctx context.Context, id catalog.PluginID, author string, helpful bool) error
	Report(ctx context.Context, id catalog.PluginID, reason, text string) error
	// Reasons are those that Report takes.
	Reasons() []string
	// Recommend returns at most n plugins for who has what is installed.
	Recommend(ctx context.Context, n int) ([]Suggestion, error)
}

// LinkState says how a link stands.
type LinkState string

// The states of a link.
const (
	LinkNone    LinkState = "none"
	LinkWaiting LinkState = "waiting" // a person has to type Code at URL
	LinkLinked  LinkState = "linked"
	LinkLost    LinkState = "lost" // the hub does not accept the panel any more
)

// Account is the link to a hub.
type Account struct {
	Hub     string // its address, for people
	State   LinkState
	Name    string    // of the account, when linked
	Code    string    // "BCDF-GHJK", while waiting
	URL     string    // where to type it
	Until   time.Time // when the code ends
	Problem LinkProblem
}

// LinkProblem says what went wrong with a link; empty: nothing.
type LinkProblem string

// What goes wrong with links.
const (
	LinkExpired  LinkProblem = "expired"  // nobody typed the code in time
	LinkDenied   LinkProblem = "denied"   // the person said no
	LinkFailed   LinkProblem = "failed"   // the hub knows nothing of the code any more
	LinkRefused  LinkProblem = "refused"  // the hub does not accept the panel any more
	LinkOtherHub LinkProblem = "otherhub" // the panel was linked to another hub
	LinkUntold   LinkProblem = "untold"   // unlinked here, but the hub could not be told
)

// RatingsQuery chooses ratings.
type RatingsQuery struct {
	Sort   string // "newest", "helpful", "stars"; empty: helpful
	Stars  int    // only these; 0: all
	Cursor string
}

// Ratings is what people say about a plugin.
type Ratings struct {
	Count     int64
	Histogram [5]int64 // with one star first
	Mean      float64  // 0: too few to say
	Items     []Rating
	Next      string // cursor; empty: no more
	Read      time.Time
	Stale     bool // the hub does not answer: this is what it said at Read
}

// Rating is what somebody says about a plugin. All texts are plain.
type Rating struct {
	Author    string // id, for Vote
	Name      string
	Stars     int // 1 to 5
	Text      string
	Version   string // that they use; empty: not said
	Proved    bool   // their panel showed that it is installed
	Helpful   int    // votes
	Voted     bool   // by the linked account
	Mine      bool
	Held      bool   // seen by nobody else until a moderator has looked
	Hidden    bool   // a moderator took it out of the list
	Why       string // of Held and Hidden
	Answer    string
	Answered  time.Time
	Published time.Time
}

// Suggestion is a plugin for who has others.
type Suggestion struct {
	Plugin  catalog.PluginID
	Name    string
	Summary string
	Because string // name of a plugin that is installed: "because you have X"
}

// RefusedError is what a hub refused.
type RefusedError struct {
	Reason    string // a sentence in the hub's words; may be empty with the others
	Forbidden bool   // the linked account may not do this
	Relink    bool   // the panel is not linked (any more)
}

func (e *RefusedError) Error() string {
	switch {
	case e.Reason != "":
		return e.Reason
	case e.Relink:
		return "the panel is not linked to an account of the hub"
	case e.Forbidden:
		return "the linked account may not do this"
	}
	return "refused by the hub"
}
