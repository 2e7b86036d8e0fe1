package registry

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/configuration"
	_ "github.com/distribution/distribution/v3/registry/auth/token" // the access controller
	"github.com/distribution/distribution/v3/registry/handlers"
	"github.com/distribution/distribution/v3/registry/storage/driver"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem" // storage on disk
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"   // storage of tests

	"github.com/souk-dev/souk/sandbox/safefs"
	"github.com/souk-dev/souk/verify"
)

// Bounds of what can be pushed.
const (
	DefaultMaxBlob = 2 << 30            // bytes; the largest plugins with a runtime of their own have some 100 MB
	MaxManifest    = verify.MaxManifest // bytes; distribution's own bound, and that of the readers
)

// Files in the directory of a registry.
const (
	storageDir = "storage"
	jwksFile   = "jwks.json"
)

// Options are the choices of [Open]. Tokens is required.
type Options struct {
	// Tokens is the token service whose tokens are good here. The keys are read
	// once: open the registry again to have others.
	Tokens *Tokens
	// Delete allows deleting manifests and blobs, to those whose token says
	// "delete". Without it nothing can be deleted.
	Delete bool
	// MaxBlob is the most bytes of one blob, however many requests upload it; zero
	// means DefaultMaxBlob.
	MaxBlob int64
	// Notify is told of everything that was pushed, pulled, mounted and deleted, in
	// batches of at most MaxBatch and in order. When it fails it is called again with
	// the same events, for ever, and meanwhile others wait: see [Registry] for what
	// is kept. Its context ends when Close loses patience. Nil means nobody is told.
	Notify func(ctx context.Context, events []Event) error
	// Remote is the address of a client, as events have it. Behind a proxy it must
	// be taken from a header that this proxy sets. Nil means the host of RemoteAddr:
	// no header is believed.
	Remote func(r *http.Request) string
	// InMemory keeps what is pushed in memory instead of on disk, for tests. The
	// directory holds the key set only then.
	InMemory bool
	// Now is the clock that the age of uploads is taken by; nil means time.Now.
	// Tokens are held against the clock of the system, by distribution.
	Now func() time.Time
	// Log is told what distribution logs: its warnings and errors as they are, its
	// access log and what is a client's mistake at the level of debugging. Nil means
	// nobody is.
	Log *slog.Logger
}

// Registry is an OCI registry in this process: distribution v3 with its storage on
// disk. It is an [http.Handler] for everything below "/v2/", safe for concurrent use.
//
// What Notify was not told yet is kept in memory, up to MaxQueued events: nothing is
// lost while the process lives and Notify recovers in time. A crash loses what
// is queued, normally what came while one call of Notify ran, less than a second.
// Beyond MaxQueued new events are dropped, counted ([Registry.Dropped]) and logged: a
// registry that nobody counts goes on serving.
type Registry struct {
	app    *handlers.App
	o      Options
	inner  distribution.Namespace // below the layer that counts and bounds
	driver driver.StorageDriver
	log    *logBridge
	queue  *queue

	writes sync.RWMutex // held for reading by what pushes, for writing by the collector

	mu     sync.Mutex
	closed bool
	active sync.WaitGroup // requests; Add only under mu while not closed
}

var _ http.Handler = (*Registry)(nil)

// Open opens the registry in dir, which is made when it is missing: the content is
// below dir/storage, as distribution itself would have it, and the public keys in
// dir/jwks.json. Several processes may serve the same dir, but not collect garbage.
// Close it.
func Open(dir string, o Options) (*Registry, error) {
	r, err := open(dir, o)
	if err != nil {
		return nil, fmt.Errorf("open registry %s: %w", dir, err)
	}
	return r, nil
}

func open(dir string, o Options) (*Registry, error) {
	switch {
	case o.Tokens == nil:
		return nil, errors.New("there are no Tokens: without them anybody could push")
	case o.MaxBlob < 0:
		return nil, fmt.Errorf("MaxBlob of %d bytes", o.MaxBlob)
	case dir == "":
		return nil, errors.New("no directory")
	}
	if o.MaxBlob == 0 {
		o.MaxBlob = DefaultMaxBlob
	}
	if o.Remote == nil {
		o.Remote = func(r *http.Request) string { return hostOnly(r.RemoteAddr) }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := writeJWKS(dir, o.Tokens); err != nil {
		return nil, err
	}
	if err := register(); err != nil {
		return nil, err
	}
	r := &Registry{o: o, log: newLogBridge(o.Log)}
	config := r.configuration(dir)
	if r.app, err = newApp(r.log.context(context.Background()), config); err != nil {
		return nil, err
	}
	if o.Notify != nil {
		r.queue = newQueue(o.Notify, o.Log)
	}
	return r, nil
}

// writeJWKS puts the public keys where distribution reads them: it takes a file only.
func writeJWKS(dir string, t *Tokens) error {
	root, err := safefs.Open(dir, safefs.Options{Network: true})
	if err != nil {
		return err
	}
	return errors.Join(root.WriteFile(jwksFile, t.keys.jwks, 0o644), root.Close())
}

// configuration is distribution's, with everything off that starts a server, an
// exporter or a goroutine, or reads the environment.
func (r *Registry) configuration(dir string) *configuration.Configuration {
	storage := configuration.Storage{
		"delete":   {"enabled": r.o.Delete},
		"redirect": {"disable": true},
		// abandoned uploads are removed by PurgeUploads, whose caller owns the goroutine
		"maintenance": {"uploadpurging": map[any]any{"enabled": false}},
	}
	if r.o.InMemory {
		storage["inmemory"] = configuration.Parameters{}
	} else {
		storage["filesystem"] = configuration.Parameters{"rootdirectory": filepath.Join(dir, storageDir)}
	}
	c := &configuration.Configuration{
		Storage: storage,
		Auth: configuration.Auth{"token": {
			"realm": r.o.Tokens.o.Realm, "service": r.o.Tokens.o.Service, "issuer": r.o.Tokens.o.Issuer,
			"jwks": filepath.Join(dir, jwksFile), "signingalgorithms": []any{"ES256"},
		}},
		Middleware: map[string][]configuration.Middleware{
			"registry": {{Name: layerName, Options: configuration.Parameters{layerName: r}}},
		},
	}
	c.HTTP.Secret = rand.Text() // of upload URLs; those of an earlier process are begun anew
	c.HTTP.RelativeURLs = true  // a Location is right behind any proxy
	return c
}

// newApp turns distribution's panics into errors.
func newApp(ctx context.Context, c *configuration.Configuration) (app *handlers.App, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("distribution does not start: %v", p)
		}
	}()
	return handlers.NewApp(ctx, c), nil
}

// ServeHTTP implements [http.Handler]. The path begins with "/v2/".
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		unavailable(w, "the registry is closing")
		return
	}
	r.active.Add(1)
	r.mu.Unlock()
	defer r.active.Done()

	if req.URL.Path != "/v2/" && !strings.HasPrefix(req.URL.Path, "/v2/") {
		refuse(w, http.StatusNotFound, "UNSUPPORTED", "a registry is at /v2/")
		return
	}
	c := &call{req: req, remote: clip(r.o.Remote(req), maxField)}
	req = req.WithContext(r.log.context(context.WithValue(req.Context(), callKey{}, c)))
	req.Header = req.Header.Clone()
	for _, h := range []string{"X-Forwarded-For", "X-Real-Ip"} {
		req.Header.Del(h) // Remote has looked; distribution would believe anybody's
	}
	if req.Method == http.MethodGet || req.Method == http.MethodHead {
		r.app.ServeHTTP(w, req)
		return
	}
	if !r.writes.TryRLock() {
		unavailable(w, "garbage is being collected, nothing can be pushed")
		return
	}
	defer r.writes.RUnlock()
	if req.ContentLength > max(r.o.MaxBlob, MaxManifest) {
		tooLarge(w, r.o.MaxBlob)
		return
	}
	r.app.ServeHTTP(&boundWriter{ResponseWriter: w, call: c, most: r.o.MaxBlob}, req)
}

func unavailable(w http.ResponseWriter, message string) {
	w.Header().Set("Retry-After", retryAfter)
	refuse(w, http.StatusServiceUnavailable, "UNAVAILABLE", message)
}

func tooLarge(w http.ResponseWriter, most int64) {
	w.Header().Set("Connection", "close") // the rest of the body is not read
	refuse(w, http.StatusRequestEntityTooLarge, "SIZE_INVALID", fmt.Sprintf("a blob may have at most %d bytes", most))
}

// Close refuses new requests, waits for those under way, and gives Notify what it
// was not told yet, for at most CloseWait. It is an error when events are lost. It
// may be called more than once.
func (r *Registry) Close() error {
	r.mu.Lock()
	was := r.closed
	r.closed = true
	r.mu.Unlock()
	r.active.Wait()
	if was {
		return nil
	}
	err := r.app.Shutdown()
	if r.queue != nil {
		err = errors.Join(err, r.queue.close())
	}
	if err != nil {
		return fmt.Errorf("close registry: %w", err)
	}
	return nil
}

// Dropped is how many events were lost since Open, because Notify failed for so
// long that MaxQueued were waiting.
func (r *Registry) Dropped() uint64 {
	if r.queue == nil {
		return 0
	}
	return r.queue.dropped.Load()
}
