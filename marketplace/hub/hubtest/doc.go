// Package hubtest is for the tests of whoever builds on the hub: a hub that runs, with people,
// publishers and releases in it ([New]), stores that are ready
// in milliseconds ([Store]), a PostgreSQL server of its own ([Postgres]), and the suite that
// holds an implementation of hub.Store to its contract ([StoreSuite]).
package hubtest
