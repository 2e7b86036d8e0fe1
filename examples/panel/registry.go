package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/tuf"
)

// repository is where the catalog lies; the plugins are beside it.
const repository = "catalog"

// registry is an OCI registry in this process, and behind it the desk where the
// sample plugins are built, signed and published. What is published is kept in
// files, so that the next start has it again.
type registry struct {
	dir    string
	host   string // "127.0.0.1:43210"
	root   []byte // the catalog's root of trust, which the panel pins
	shelf  *shelf
	keys   keyring
	tuf    tuf.Keys
	out    io.Writer
	log    *slog.Logger
	server *http.Server
	served chan error

	mu      sync.Mutex
	catalog *publish.Catalog
	wave    int // how many waves of releases are out
}

func (r *registry) catalogRef() string { return r.host + "/" + repository }

// openRegistry starts the registry and fills it: from the files of an earlier start,
// or else by building the first releases of all sample plugins.
func openRegistry(ctx context.Context, dir string, lab *lab, out io.Writer, log *slog.Logger) (_ *registry, err error) {
	handler, err := catalogtest.NewHandler(catalogtest.RegistryOptions{})
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the registry: %w", err)
	}
	r := &registry{
		dir: filepath.Join(dir, "registry"), host: ln.Addr().String(), keys: keyring{filepath.Join(dir, "keys")}, out: out, log: log,
		server: &http.Server{Handler: lab.outage(handler), ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)},
		served: make(chan error, 1),
	}
	go func() { r.served <- r.server.Serve(ln) }()
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	r.shelf = &shelf{dir: r.dir, to: handler}
	if r.tuf, err = r.keys.catalog(); err != nil {
		return r, fmt.Errorf("read the kept keys (start with -reset to make new ones): %w", err)
	}
	kept, err := os.ReadFile(r.keptFile())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return r, r.begin(ctx)
	case err != nil:
		return r, err
	}
	return r, r.goOn(ctx, kept)
}

func (r *registry) keptFile() string { return filepath.Join(r.dir, "catalog.json") }
func (r *registry) rootFile() string { return filepath.Join(r.dir, "root.json") }

// begin makes a catalog and publishes the first wave. A start that was cut off before
// it was published left nothing that anybody trusts, and is forgotten.
func (r *registry) begin(ctx context.Context) error {
	if err := os.RemoveAll(r.dir); err != nil {
		return err
	}
	repo, first, err := tuf.Init(r.tuf, time.Now(), tuf.Config{})
	if err != nil {
		return err
	}
	r.root = first.Files["1.root.json"]
	if err := replaceFile(r.rootFile(), r.root); err != nil {
		return err
	}
	r.catalog = publish.New(repo)
	fmt.Fprintln(r.out, "First start: building and signing the sample plugins.")
	return r.publishWave(ctx)
}

// goOn fills the registry with what was kept, and signs the catalog anew, as its
// publisher would have done meanwhile.
func (r *registry) goOn(ctx context.Context, kept []byte) error {
	start := time.Now()
	var err error
	if r.root, err = os.ReadFile(r.rootFile()); err == nil {
		_, err = tuf.New(r.root, tuf.Options{})
	}
	if err != nil {
		return fmt.Errorf("read the kept root of trust (start with -reset to build it anew): %w", err)
	}
	if err := r.shelf.fill(ctx); err != nil {
		return err
	}
	r.catalog, err = publish.Open(ctx, kept, func(_ context.Context, d verify.Digest, size int64) (io.ReadCloser, error) {
		b, err := os.ReadFile(r.shelf.path(d))
		if err != nil {
			return nil, err
		}
		return io.NopCloser(verify.NewReader(bytes.NewReader(b), d, size)), nil
	})
	if err != nil {
		return fmt.Errorf("read the kept catalog (start with -reset to build it anew): %w", err)
	}
	for r.wave < len(waves) && r.has(waves[r.wave]) {
		r.wave++
	}
	if err := r.catalog.Renew(ctx, r.target()); err != nil {
		return err
	}
	fmt.Fprintf(r.out, "Registry with %d plugins is back in %s.\n", len(r.catalog.IDs()), time.Since(start).Round(time.Millisecond))
	return r.shelf.save()
}

// has reports whether everything of a wave is listed.
func (r *registry) has(wave []catalog.Ref) bool {
	for _, ref := range wave {
		releases, err := r.catalog.Releases(ref.Plugin)
		if err != nil {
			return false
		}
		found := false
		for _, rel := range releases {
			found = found || rel.Version == ref.Version
		}
		if !found {
			return false
		}
	}
	return true
}

func (r *registry) target() publish.Target {
	return publish.Target{Registry: r.shelf, Repo: repository, Keys: r.tuf, Now: time.Now(), Keep: func(state []byte) error {
		if err := r.shelf.save(); err != nil {
			return err
		}
		return replaceFile(r.keptFile(), state)
	}}
}

// news reports how many waves of releases are still to come.
func (r *registry) news() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(waves) - r.wave
}

// publishWave builds, signs and publishes the next releases.
func (r *registry) publishWave(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.wave >= len(waves) {
		return errors.New("all releases are out")
	}
	dir, err := sources(ctx)
	if err != nil {
		return err
	}
	all, err := samples()
	if err != nil {
		return err
	}
	for i, ref := range waves[r.wave] {
		start := time.Now()
		s, ok := all[ref]
		if !ok {
			return fmt.Errorf("there is no sample %s", ref)
		}
		files, err := s.pack(ctx, dir)
		if err != nil {
			return err
		}
		pkg, err := publish.Pack(ctx, files, publish.PackOptions{})
		if err != nil {
			return fmt.Errorf("pack %s: %w", ref, err)
		}
		signer, err := r.keys.publisher(s.signer)
		if err != nil {
			return err
		}
		if err := publish.Push(ctx, r.shelf, "", pkg, signer); err != nil {
			return fmt.Errorf("push %s: %w", ref, err)
		}
		if err := r.catalog.AddRelease(pkg.Release(s.published, s.notes)); err != nil {
			return err
		}
		fmt.Fprintf(r.out, "  %2d/%d  %-28s built, signed, pushed  %5.1f s\n", i+1, len(waves[r.wave]), ref, time.Since(start).Seconds())
	}
	if err := r.setPublishers(); err != nil {
		return err
	}
	serial, err := r.catalog.Publish(ctx, r.target())
	if err != nil {
		return fmt.Errorf("publish the catalog: %w", err)
	}
	r.wave++
	fmt.Fprintf(r.out, "Catalog %d with %d plugins is signed and published.\n", serial, len(r.catalog.IDs()))
	return r.shelf.save()
}

func (r *registry) setPublishers() error {
	var all []catalog.Publisher
	for _, p := range []catalog.Publisher{
		{Namespace: "acme", Name: "Acme Tools", Homepage: "https://acme.example.com"},
		{Namespace: "northwind", Name: "Northwind", Homepage: "https://northwind.example.com"},
	} {
		signer, err := r.keys.publisher(p.Namespace)
		if err != nil {
			return err
		}
		p.Signers = []catalog.Signer{{Identity: signer.Identity()}}
		all = append(all, p)
	}
	return r.catalog.SetPublishers(all)
}

func (r *registry) close() error {
	err := r.server.Close()
	if serr := <-r.served; !errors.Is(serr, http.ErrServerClosed) {
		err = errors.Join(err, serr)
	}
	return err
}

// sources finds the module, which the go command needs to build the plugins.
func sources(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/souk-dev/souk").Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		return "", fmt.Errorf("the sample plugins are built from source: run this with Go installed and inside a checkout of Souk (go list: %w)", err)
	}
	return dir, nil
}
