package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"

	"github.com/souk-dev/souk/marketplace/hub"
)

// ErrFull means that the disk of the database is full. Nothing was changed; waiting
// does not help.
var ErrFull = errors.New("the disk of the database is full: make room and try again")

// ErrNewer means that a newer version of the program wrote the database.
var ErrNewer = errors.New("the database is of a newer version of this program")

// errReading is what a write in View gets.
var errReading = errors.New("writing in a View")

// errEnded is what a transaction gets that is used after its function returned.
var errEnded = errors.New("the transaction is over")

// class is what an error of a driver means for us.
type class int

const (
	classOther  class = iota // a mistake in a statement, or nothing we know
	classRetry               // the transaction lost against another: run it again
	classBroken              // the connection is gone: another may do
	classAway                // the database does not answer
	classFull                // the disk is full
	classExists              // a unique column is taken
)

// Result codes of SQLite, https://www.sqlite.org/rescode.html; the low byte is the
// primary one.
const (
	sqliteBusy      = 5
	sqliteLocked    = 6
	sqliteInterrupt = 9
	sqliteFull      = 13
	sqliteCantOpen  = 14
	sqliteProtocol  = 15
	sqlitePrimary   = 1555
	sqliteUnique    = 2067
)

func classifySQLite(err error) class {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return classAny(err)
	}
	switch e.Code() {
	case sqlitePrimary, sqliteUnique:
		return classExists
	}
	switch e.Code() & 0xff {
	case sqliteBusy, sqliteLocked, sqliteProtocol, sqliteCantOpen, sqliteInterrupt:
		return classAway
	case sqliteFull:
		return classFull
	}
	return classOther
}

func classifyPostgres(err error) class {
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return classAway
	}
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		if c := classAny(err); c != classOther {
			return c
		}
		return classBroken // the driver's own errors: the connection broke or was closed
	}
	switch e.Code { // https://www.postgresql.org/docs/current/errcodes-appendix.html
	case "40001", "40P01": // serialization failure, deadlock
		return classRetry
	case "23505":
		return classExists
	case "53100":
		return classFull
	case "57P01", "57P02", "57P03", "57P05", "25P03": // shutdown, crash, starting, idle too long
		return classBroken
	case "57014", "55P03", "25006": // cancelled, lock not available, a standby
		return classAway
	}
	switch e.Code[:2] {
	case "08": // connection
		return classBroken
	case "53": // resources: too many connections, memory
		return classAway
	}
	return classOther
}

// classAny knows the errors of package database/sql.
func classAny(err error) class {
	switch {
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone):
		return classBroken
	case errors.Is(err, sql.ErrTxDone), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return classAway
	case err.Error() == "sql: database is closed": // database/sql has no name for it
		return classAway
	}
	return classOther
}

// explain turns an error of the database into one for the caller. ctx is the caller's:
// when it has ended, that is the reason.
func (s *Store) explain(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, hub.ErrUnavailable) {
		return err
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%w: no answer of the database in time: %w", hub.ErrUnavailable, context.Cause(ctx))
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	switch s.dialect.classify(err) {
	case classRetry:
		return fmt.Errorf("%w: too many changes of the same records at a time: %w", hub.ErrUnavailable, err)
	case classBroken, classAway:
		return fmt.Errorf("%w: the database does not answer: %w", hub.ErrUnavailable, err)
	case classFull:
		return fmt.Errorf("%w: %w", ErrFull, err)
	case classExists:
		return fmt.Errorf("%w: %w", hub.ErrExists, err)
	}
	return err
}
