package hub

import (
	"context"
	"time"
)

// Store keeps everything. Package sqlstore implements it for SQLite and PostgreSQL, and
// hubtest has the suite that holds an implementation to what is written here.
//
// A Store is safe for concurrent use, by several processes too. When the database does
// not answer, every method returns an error that wraps [ErrUnavailable], and nothing was
// changed, or (when the connection broke during a commit) either all or nothing was.
type Store interface {
	// View runs f on one consistent state. Writing in it is an error.
	View(ctx context.Context, f func(Tx) error) error
	// Update runs f in a serializable transaction and commits it durably when f returns
	// nil. f may be run several times, and must have no effect outside.
	Update(ctx context.Context, f func(Tx) error) error
	// Tally adds to counters. It may lose the last second at a power cut, and is not
	// part of any transaction. It returns how many were counted: a Tally with Once that
	// was seen on its day is not.
	Tally(ctx context.Context, t []Tally) (int, error)
	// Forget deletes what Tally remembers of days before day.
	Forget(ctx context.Context, day int) error
	// Work runs jobs with their handlers, and enqueues periodic ones, until ctx ends. A
	// job whose process dies is run again by another. Then it waits for the handlers
	// that run, whose ctx has ended.
	Work(ctx context.Context, handlers map[string]Handler, periodic []Periodic) error
	// Jobs says how many jobs of each kind wait, and how many failed for good.
	Jobs(ctx context.Context) (waiting, failed map[string]int, err error)
	// Ping says whether the database answers.
	Ping(ctx context.Context) error
	// Backup writes a consistent copy to the file at path, while the store is in use.
	// A store that is backed up by its own tools says so in an error.
	Backup(ctx context.Context, path string) error
	Close() error
}

// Tx is a transaction. It is used by one goroutine, and not after its function returned.
type Tx interface {
	Accounts() Table[Account]
	Identities() Table[Identity]
	Passkeys() Table[Passkey]
	Sessions() Table[Session]
	Tokens() Table[Token]
	Panels() Table[Panel]
	Devices() Table[DeviceGrant]
	Onces() Table[Once]

	Publishers() Table[Publisher]
	Members() Table[Member]
	Proofs() Table[Proof]
	Signers() Table[Signer]
	Trusted() Table[Trusted]
	Transfers() Table[Transfer]
	Reserved() Table[Reserved]
	Categories() Table[Category]

	Plugins() Table[Plugin]
	Releases() Table[Release]
	Changes() Table[Change]
	Catalog() Table[CatalogState]

	Submissions() Table[Submission]
	Scans() Table[Scan]
	Reviews() Table[Review]
	Comments() Table[Comment]

	Ratings() Table[Rating]
	Votes() Table[Vote]
	Scores() Table[Score]
	Reports() Table[Report]
	Decisions() Table[Decision]
	Appeals() Table[Appeal]
	Advisories() Table[Advisory]

	Audit() Table[Audit] // Insert, Get and List only
	Events() Table[Event]
	Hooks() Table[Hook]
	Deliveries() Table[Delivery]
	Notices() Table[Notice]
	Settings() Table[Setting]

	// Totals sums up tallies.
	Totals(ctx context.Context, q TotalQuery) ([]Total, error)
	// Enqueue has jobs done once the transaction is committed. A job that waits
	// already, of the same kind, subject and time to the second, is not added again.
	Enqueue(ctx context.Context, jobs ...Job) error
}

// Table keeps records of one type. The db tags of the type name its columns; fields
// with ",key" are its key in that order, one with ",rev" is its revision, one with
// ",auto" is a number that the store gives, rising, as key.
//
// Texts, numbers, bools and times are columns; slices and structs are kept as JSON.
// Times are kept to the microsecond in UTC, and the zero time as zero. A nil slice comes
// back as nil.
type Table[V any] interface {
	// Get returns the record with the key, or [ErrNotFound].
	Get(ctx context.Context, key ...any) (V, error)
	// Insert adds a record; its revision becomes 1 and an automatic number is filled in.
	// One whose key or other unique column is taken is [ErrExists], and the transaction
	// can go on.
	Insert(ctx context.Context, v *V) error
	// Put adds a record or replaces the one with its key. For types without a revision.
	Put(ctx context.Context, v *V) error
	// Update replaces the record with v's key and counts its revision up, in v too.
	// [ErrMoved] when the revision is another, [ErrNotFound] when it is gone.
	Update(ctx context.Context, v *V) error
	// Delete removes the record with the key; one that is gone is no error.
	Delete(ctx context.Context, key ...any) error
	// DeleteWhere removes all that meet the conditions, of which there must be one.
	DeleteWhere(ctx context.Context, where ...Cond) (int64, error)
	// List returns records in the order asked for.
	List(ctx context.Context, q Query) ([]V, error)
	// Count counts the records that meet the conditions.
	Count(ctx context.Context, where ...Cond) (int64, error)
}

// Query asks a table for records.
type Query struct {
	Where []Cond // all of them
	// Order is the column to order by, the key when empty; records with the same value
	// are in the order of the key. Desc turns all of it around.
	Order string
	Desc  bool
	// After continues behind the record whose Order column and key are these, as
	// [Cursor] has them: its value of Order, then the rest of its key; nil: from the start.
	After []any
	Limit int // 0: 1,000, which is also the most
}

// MaxList is the most records that one List returns.
const MaxList = 1000

// Op is how a column is compared.
type Op string

// The operators.
const (
	OpEq   Op = "="
	OpNe   Op = "<>"
	OpLt   Op = "<"
	OpLe   Op = "<="
	OpGt   Op = ">"
	OpGe   Op = ">="
	OpIn   Op = "in"   // value: a slice
	OpHas  Op = "has"  // a text contains the value, in any case of ASCII letters; no wildcards
	OpList Op = "list" // a JSON list of texts has the value
)

// Cond is a condition on a column, by its db name.
type Cond struct {
	Column string
	Op     Op
	Value  any
}

// Eq, Ne, In and the like write conditions.
func Eq(column string, v any) Cond { return Cond{column, OpEq, v} }

// Ne is "is not".
func Ne(column string, v any) Cond { return Cond{column, OpNe, v} }

// Lt is "less than"; times are earlier.
func Lt(column string, v any) Cond { return Cond{column, OpLt, v} }

// Ge is "at least"; times are not earlier.
func Ge(column string, v any) Cond { return Cond{column, OpGe, v} }

// Gt is "more than".
func Gt(column string, v any) Cond { return Cond{column, OpGt, v} }

// In is "one of"; v is a slice. An empty one meets nothing.
func In(column string, v any) Cond { return Cond{column, OpIn, v} }

// Has is "contains the text".
func Has(column, text string) Cond { return Cond{column, OpHas, text} }

// InList is "the list in the column has this text".
func InList(column, text string) Cond { return Cond{column, OpList, text} }

// Unset is the condition that a time is zero.
func Unset(column string) Cond { return Cond{column, OpEq, time.Time{}} }
