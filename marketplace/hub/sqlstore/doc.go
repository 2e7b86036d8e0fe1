// Package sqlstore keeps a hub in SQLite ([OpenSQLite]: one file, no server) or in
// PostgreSQL ([OpenPostgres]: any number of hub processes). It implements hub.Store, and is
// the only package that speaks SQL; jobs are River's, in the same database. One SQL text
// serves both engines; what differs is one small table in dialect.go.
//
//	s, err := sqlstore.OpenSQLite(ctx, "/var/lib/hub/hub.db", sqlstore.Options{Log: log})
//	if err != nil {
//		return err
//	}
//	defer s.Close()
//	go s.Work(ctx, handlers, periodic)
//
// # What it promises
//
//   - Update is serializable and durable. In SQLite one connection writes and syncs each
//     commit (synchronous=FULL); changes take turns. In PostgreSQL, transactions that lost
//     against another are run again, up to 50 times.
//   - View is one state and waits for nobody: a pool of connections that cannot write, over
//     SQLite's write-ahead log; REPEATABLE READ in PostgreSQL.
//   - Tally is not waited for until it is on the disk: synchronous=NORMAL on the writer's
//     connection meanwhile, synchronous_commit=off in PostgreSQL. The next Update syncs it too.
//   - A database that does not answer is hub.ErrUnavailable within [Options].Timeout; a full
//     disk is [ErrFull]. When it is back, everything goes on by itself. What was known to be
//     committed is there; only a commit without an answer is "all or nothing".
//   - The columns of a condition or an order come from db tags alone, values are always
//     parameters, and a text that holds NUL or is not UTF-8 is a *hub.InvalidError on both.
//   - Texts are ordered by their bytes on both, whatever the locale of the database.
//   - The numbers of events and changes become visible in their order, so that who follows
//     them by number misses none. For that, in PostgreSQL, transactions that write one take
//     turns from there to their commit (some 300 a second where each waits for its disk):
//     Emit comes last. The numbers of the audit log may become visible out of order there.
//   - The audit log refuses changes here and, by triggers, in the database.
//   - The schema goes forward by itself; a newer one than the program knows is [ErrNewer].
//
// # Jobs
//
// A job begins within a tenth of a second; one with a time, or a failed one, within
// about five more. A failed one waits attempt⁴ seconds, as River has it. One run may take
// [Options].JobTimeout. A process shows each [Options].Beat that it lives; when it missed
// four its jobs are given to another, whatever attempts they had, so that with the defaults
// the jobs of a process that was killed run again within half a minute. A process that
// was frozen for so long may find that its job was done by another: handlers are
// idempotent. Jobs that are done are kept for an hour, failed ones for a week.
//
// Two processes can share an SQLite file on one machine. They wait for each other to
// write, and PostgreSQL is better at it.
//
// # Not built
//
// Ways back to an older schema: restore a backup ([Store.Backup], [Verify]; pg_dump for
// PostgreSQL). Read replicas. SQLite on a network file system, which its locks do not
// survive.
package sqlstore
