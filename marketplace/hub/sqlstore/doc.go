// Package sqlstore keeps a hub in SQLite ([OpenSQLite]: one file, no server) or in
// PostgreSQL ([OpenPostgres]: any number of hub processes). It implements hub.Store, and is
// the only package that speaks SQL; jobs are River's, in the same database.
package sqlstore
