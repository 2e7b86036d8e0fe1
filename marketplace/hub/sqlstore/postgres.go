package sqlstore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// OpenPostgres opens a PostgreSQL database, version 14 or later, encoded in UTF-8. dsn is
// an address ("postgres://hub@db.example/hub?sslmode=verify-full") or words as libpq
// takes them. It brings the schema up to date, in the first schema of the search path,
// for which the user needs the right to create tables.
//
// It needs transactions that stay on one connection: PgBouncer only in session mode, or
// in transaction mode with default_query_exec_mode=exec in the address.
func OpenPostgres(ctx context.Context, dsn string, o Options) (*Store, error) {
	o = o.withDefaults()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err // pgx masks the password
	}
	config.ConnectTimeout = o.Timeout
	set := func(name, value string) {
		if config.RuntimeParams[name] == "" {
			config.RuntimeParams[name] = value
		}
	}
	set("application_name", "souk hub")
	// A process that stops in the middle of a transaction does not hold its locks for ever.
	set("idle_in_transaction_session_timeout", fmt.Sprint((2 * statementTimeout).Milliseconds()))
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(o.Conns)
	db.SetMaxIdleConns(o.Conns)
	return newStore(postgresDialect(), db, db, o).open(ctx)
}
