package publishing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/scan"
	"github.com/souk-dev/souk/verify/tuf"
)

// Registry is what publishing writes through; *oci.Pusher is one. Everything it does can
// be repeated: what is there already is success.
type Registry interface {
	publish.Registry
	// Copy makes a manifest of repository from, its blobs and what refers to it appear
	// in repository to, and tags it.
	Copy(ctx context.Context, to, from, tag string, d verify.Digest) error
}

// Reader reads repositories by digest; *oci.Reader is one. What is not there is
// [catalog.ErrNotFound], a registry that does not answer [catalog.ErrUnavailable], wrong
// bytes are [verify.ErrDigest].
type Reader interface {
	Manifest(ctx context.Context, repo string, d verify.Digest) ([]byte, error)
	Blob(ctx context.Context, repo string, d catalog.Descriptor) (io.ReadCloser, error)
	// Evidence reads a manifest and the bundles about it.
	Evidence(ctx context.Context, repo string, d verify.Digest) (verify.Evidence, error)
}

// Attester signs what the hub says about a release; *sigstore.KeySigner is one.
type Attester interface {
	Attest(ctx context.Context, d verify.Digest, predicateType string, predicate json.RawMessage) ([]byte, error)
	Identity() verify.Identity
}

// Resolver looks up TXT records; *net.Resolver is one.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// Options of [New]. Registry, Reader, Source, Verifier, Attester, Keys and Scanners are
// required. Registry and Reader know the same repositories by the same names.
type Options struct {
	Registry Registry
	Reader   Reader
	// Source is the catalog as panels read it (*oci.Source): what was published is read
	// back from it and verified.
	Source catalog.Source
	// Verifier says who signed a release, and a hand-over.
	Verifier verify.Verifier
	// Attester signs the review that is attached to every release.
	Attester Attester
	// Keys sign the catalog: those of Targets, Snapshot and Timestamp are private. Root
	// keys stand in [InitOptions] and in [Service.Rotate] only.
	Keys tuf.Keys
	// Scanners all have to give a verdict. One that is not there is an error, which a
	// person decides about.
	Scanners []scan.Scanner
	// Optional scanners may be unavailable: that is shown, and is never a pass.
	Optional []scan.Scanner
	// Popular gives the ids of the plugins that others pretend to be. nil: those that
	// the hub lists.
	Popular func(ctx context.Context) ([]string, error)
	// Stats gives every plugin's numbers for the catalog, asked for once a day. nil:
	// the catalog has none.
	Stats func(ctx context.Context) ([]catalog.Stats, error)

	// Catalog, Staging and Public name repositories: that of the catalog (empty:
	// "catalog"), and the prefixes of submitted (empty: "staging") and of published
	// plugins (empty: no prefix).
	Catalog, Staging, Public string

	// Resolver is asked for proofs by DNS. nil: that of the system.
	Resolver Resolver
	// Guard decides where proofs by file may be fetched from. The zero value: public
	// addresses.
	Guard hub.Guard
	// Web fetches proofs by file instead of a client made from Guard, for tests.
	Web Web
	// Unpacking is how many submissions are unpacked in memory at a time, each with the
	// release before it: at the bounds of a package some 600 MiB. 0: 2.
	Unpacking int

	// Alone says that no other process works on this store, as the caller has made sure:
	// then a right to write the catalog that another one holds is of one that died, and
	// is not waited for.
	Alone bool
}

// Service is everything between a publisher and the catalog. It is safe for concurrent
// use, and several processes may run one on the same store and registry.
type Service struct {
	env hub.Env
	o   Options
	web Web

	id        string        // of this process, for the lease
	unpacking chan struct{} // places
	scans     sync.WaitGroup

	writer    chan struct{} // held by the one of this process who writes the catalog; guards the next two
	catalog   *publish.Catalog
	catalogAt int64 // revision of the state that catalog is
}

// New returns a Service, or an error that says what is missing.
func New(env hub.Env, o Options) (*Service, error) {
	switch {
	case env.Store == nil:
		return nil, errors.New("publishing: a store is needed")
	case o.Registry == nil || o.Reader == nil || o.Source == nil:
		return nil, errors.New("publishing: a registry to write to, to read from, and to read the catalog back from is needed")
	case o.Verifier == nil:
		return nil, errors.New("publishing: a verifier is needed: nothing unsigned is published")
	case o.Attester == nil:
		return nil, errors.New("publishing: a signer of reviews is needed")
	case len(o.Scanners) == 0:
		return nil, errors.New("publishing: a scanner is needed: nobody would look at what is submitted")
	}
	for role, keys := range map[string][]tuf.Key{"targets": o.Keys.Targets, "snapshot": o.Keys.Snapshot, "timestamp": o.Keys.Timestamp} {
		if !slices.ContainsFunc(keys, tuf.Key.CanSign) {
			return nil, fmt.Errorf("publishing: a private key for the catalog's role %s is needed", role)
		}
	}
	if o.Catalog == "" {
		o.Catalog = "catalog"
	}
	if o.Staging == "" {
		o.Staging = "staging"
	}
	if o.Staging == o.Public {
		return nil, errors.New("publishing: staging and public repositories have the same prefix: everything pushed would be published")
	}
	if o.Unpacking == 0 {
		o.Unpacking = 2
	}
	env = env.WithDefaults()
	s := &Service{env: env, o: o, web: o.Web, id: hub.NewID("prc", env.Now()), unpacking: make(chan struct{}, o.Unpacking), writer: make(chan struct{}, 1)}
	if err := s.withDefaults(); err != nil {
		return nil, err
	}
	return s, nil
}

// Close waits for scanners that did not obey their time limit.
func (s *Service) Close() error {
	s.scans.Wait()
	return nil
}

// Handlers returns what does the jobs of this package.
func (s *Service) Handlers() map[string]hub.Handler {
	return map[string]hub.Handler{
		hub.JobValidate: s.validateJob,
		hub.JobScan:     s.scanJob,
		hub.JobPublish:  s.publishJob,
		hub.JobCatalog:  s.catalogJob,
		hub.JobRenew:    s.renewJob,
		hub.JobProof:    s.proofJob,
		hub.JobTransfer: s.transferJob,
	}
}

// Periodic returns the jobs that the store enqueues by itself.
func (s *Service) Periodic() []hub.Periodic {
	return []hub.Periodic{
		{Kind: hub.JobRenew, Every: 15 * time.Minute, Start: true},
		{Kind: hub.JobProof, Every: 10 * time.Minute, Start: true},
		{Kind: hub.JobTransfer, Every: 10 * time.Minute, Start: true},
	}
}

// policy returns the policy of now.
func (s *Service) policy() hub.Policy { return s.env.Policy().WithDefaults() }

// now returns the time as the store keeps it.
func (s *Service) now() time.Time { return s.env.Now().UTC().Truncate(time.Microsecond) }

// staging and public name the repositories of a plugin.
func (s *Service) staging(plugin string) string {
	return publish.Repo(s.o.Staging, catalog.PluginID(plugin))
}
func (s *Service) public(plugin string) string {
	return publish.Repo(s.o.Public, catalog.PluginID(plugin))
}

// StagingRepo returns the repository that a plugin is pushed to before it is submitted:
// "staging/acme/backup".
func (s *Service) StagingRepo(plugin string) string { return s.staging(plugin) }

// inView and inUpdate return what a function read or wrote.
func inView[T any](ctx context.Context, s *Service, f func(hub.Tx) (T, error)) (out T, err error) {
	err = s.env.Store.View(ctx, func(tx hub.Tx) error {
		var err error
		out, err = f(tx)
		return err
	})
	return out, err
}

func inUpdate[T any](ctx context.Context, s *Service, f func(hub.Tx) (T, error)) (out T, err error) {
	err = s.env.Store.Update(ctx, func(tx hub.Tx) error {
		var err error
		out, err = f(tx)
		return err
	})
	if err != nil {
		var none T
		return none, err
	}
	return out, nil
}

// hide turns "not allowed" into "not there", for things whose existence is nobody
// else's business.
func hide(err error) error {
	if errors.Is(err, hub.ErrForbidden) && !errors.Is(err, hub.ErrNotFresh) {
		return hub.ErrNotFound
	}
	return err
}

// members are the accounts of a publisher.
func members(ctx context.Context, tx hub.Tx, namespace string) ([]hub.Member, error) {
	return tx.Members().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("publisher", namespace)}})
}

// tellMembers leaves a notice for everybody of a publisher.
func tellMembers(ctx context.Context, tx hub.Tx, now time.Time, namespace string, n hub.Notice) error {
	all, err := members(ctx, tx, namespace)
	if err != nil {
		return err
	}
	var accounts []string
	for _, m := range all {
		accounts = append(accounts, m.Account)
	}
	return hub.Notify(ctx, tx, now, accounts, n)
}

// checkRev compares the revision that somebody read; 0 asks for no comparison.
func checkRev(asked, is int64) error {
	if asked != 0 && asked != is {
		return hub.ErrMoved
	}
	return nil
}
