package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"reflect"

	"github.com/souk-dev/souk/marketplace/hub"
)

// tx is [hub.Tx].
type tx struct {
	store  *Store
	sql    *sql.Tx
	writes bool
	ended  bool
	failed error // the first error of the database: nothing can be committed after it
}

// do runs a statement. An error of the database ends the transaction; that there was no
// row is none.
func (t *tx) do(ctx context.Context, write bool, f func(context.Context) error) error {
	switch {
	case t.ended:
		return errEnded
	case write && !t.writes:
		return errReading
	case t.failed != nil:
		return t.failed
	}
	bounded, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	err := f(bounded)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		t.failed = t.store.wrap(ctx, err)
		return t.failed
	}
	return err
}

// records lists the tables, which are those of [hub.Tx].
func records() map[reflect.Type]*record {
	m := map[reflect.Type]*record{}
	add := func(name string, t reflect.Type) *record {
		r := newRecord(name, t)
		m[t] = r
		return r
	}
	add("accounts", reflect.TypeFor[hub.Account]())
	add("identities", reflect.TypeFor[hub.Identity]())
	add("passkeys", reflect.TypeFor[hub.Passkey]())
	add("sessions", reflect.TypeFor[hub.Session]())
	add("tokens", reflect.TypeFor[hub.Token]())
	add("panels", reflect.TypeFor[hub.Panel]())
	add("devices", reflect.TypeFor[hub.DeviceGrant]())
	add("onces", reflect.TypeFor[hub.Once]())
	add("publishers", reflect.TypeFor[hub.Publisher]())
	add("members", reflect.TypeFor[hub.Member]())
	add("proofs", reflect.TypeFor[hub.Proof]())
	add("signers", reflect.TypeFor[hub.Signer]())
	add("trusted", reflect.TypeFor[hub.Trusted]())
	add("transfers", reflect.TypeFor[hub.Transfer]())
	add("reserved", reflect.TypeFor[hub.Reserved]())
	add("categories", reflect.TypeFor[hub.Category]())
	add("plugins", reflect.TypeFor[hub.Plugin]())
	add("releases", reflect.TypeFor[hub.Release]())
	add("changes", reflect.TypeFor[hub.Change]()).ordered = true
	add("catalog", reflect.TypeFor[hub.CatalogState]())
	add("submissions", reflect.TypeFor[hub.Submission]())
	add("scans", reflect.TypeFor[hub.Scan]())
	add("reviews", reflect.TypeFor[hub.Review]())
	add("comments", reflect.TypeFor[hub.Comment]())
	add("ratings", reflect.TypeFor[hub.Rating]())
	add("votes", reflect.TypeFor[hub.Vote]())
	add("scores", reflect.TypeFor[hub.Score]())
	add("reports", reflect.TypeFor[hub.Report]())
	add("decisions", reflect.TypeFor[hub.Decision]())
	add("appeals", reflect.TypeFor[hub.Appeal]())
	add("advisories", reflect.TypeFor[hub.Advisory]())
	add("audit", reflect.TypeFor[hub.Audit]()).appendOnly = true
	add("events", reflect.TypeFor[hub.Event]()).ordered = true
	add("hooks", reflect.TypeFor[hub.Hook]())
	add("deliveries", reflect.TypeFor[hub.Delivery]())
	add("notices", reflect.TypeFor[hub.Notice]())
	add("settings", reflect.TypeFor[hub.Setting]())
	return m
}

func (t *tx) Accounts() hub.Table[hub.Account]       { return tableOf[hub.Account](t) }
func (t *tx) Identities() hub.Table[hub.Identity]    { return tableOf[hub.Identity](t) }
func (t *tx) Passkeys() hub.Table[hub.Passkey]       { return tableOf[hub.Passkey](t) }
func (t *tx) Sessions() hub.Table[hub.Session]       { return tableOf[hub.Session](t) }
func (t *tx) Tokens() hub.Table[hub.Token]           { return tableOf[hub.Token](t) }
func (t *tx) Panels() hub.Table[hub.Panel]           { return tableOf[hub.Panel](t) }
func (t *tx) Devices() hub.Table[hub.DeviceGrant]    { return tableOf[hub.DeviceGrant](t) }
func (t *tx) Onces() hub.Table[hub.Once]             { return tableOf[hub.Once](t) }
func (t *tx) Publishers() hub.Table[hub.Publisher]   { return tableOf[hub.Publisher](t) }
func (t *tx) Members() hub.Table[hub.Member]         { return tableOf[hub.Member](t) }
func (t *tx) Proofs() hub.Table[hub.Proof]           { return tableOf[hub.Proof](t) }
func (t *tx) Signers() hub.Table[hub.Signer]         { return tableOf[hub.Signer](t) }
func (t *tx) Trusted() hub.Table[hub.Trusted]        { return tableOf[hub.Trusted](t) }
func (t *tx) Transfers() hub.Table[hub.Transfer]     { return tableOf[hub.Transfer](t) }
func (t *tx) Reserved() hub.Table[hub.Reserved]      { return tableOf[hub.Reserved](t) }
func (t *tx) Categories() hub.Table[hub.Category]    { return tableOf[hub.Category](t) }
func (t *tx) Plugins() hub.Table[hub.Plugin]         { return tableOf[hub.Plugin](t) }
func (t *tx) Releases() hub.Table[hub.Release]       { return tableOf[hub.Release](t) }
func (t *tx) Changes() hub.Table[hub.Change]         { return tableOf[hub.Change](t) }
func (t *tx) Catalog() hub.Table[hub.CatalogState]   { return tableOf[hub.CatalogState](t) }
func (t *tx) Submissions() hub.Table[hub.Submission] { return tableOf[hub.Submission](t) }
func (t *tx) Scans() hub.Table[hub.Scan]             { return tableOf[hub.Scan](t) }
func (t *tx) Reviews() hub.Table[hub.Review]         { return tableOf[hub.Review](t) }
func (t *tx) Comments() hub.Table[hub.Comment]       { return tableOf[hub.Comment](t) }
func (t *tx) Ratings() hub.Table[hub.Rating]         { return tableOf[hub.Rating](t) }
func (t *tx) Votes() hub.Table[hub.Vote]             { return tableOf[hub.Vote](t) }
func (t *tx) Scores() hub.Table[hub.Score]           { return tableOf[hub.Score](t) }
func (t *tx) Reports() hub.Table[hub.Report]         { return tableOf[hub.Report](t) }
func (t *tx) Decisions() hub.Table[hub.Decision]     { return tableOf[hub.Decision](t) }
func (t *tx) Appeals() hub.Table[hub.Appeal]         { return tableOf[hub.Appeal](t) }
func (t *tx) Advisories() hub.Table[hub.Advisory]    { return tableOf[hub.Advisory](t) }
func (t *tx) Audit() hub.Table[hub.Audit]            { return tableOf[hub.Audit](t) }
func (t *tx) Events() hub.Table[hub.Event]           { return tableOf[hub.Event](t) }
func (t *tx) Hooks() hub.Table[hub.Hook]             { return tableOf[hub.Hook](t) }
func (t *tx) Deliveries() hub.Table[hub.Delivery]    { return tableOf[hub.Delivery](t) }
func (t *tx) Notices() hub.Table[hub.Notice]         { return tableOf[hub.Notice](t) }
func (t *tx) Settings() hub.Table[hub.Setting]       { return tableOf[hub.Setting](t) }
