package wasm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/souk-dev/souk/sandbox"
)

// Bounds where Options leave them open.
const (
	DefaultMemory       = 128 << 20        // a Go module needs about 4 MiB before it does anything
	DefaultCallTimeout  = 10 * time.Second // a page does not wait longer
	DefaultStartTimeout = time.Minute      // what a package does in its init functions
	DefaultMessage      = 4 << 20          // a page, a picture, a day's time series
	MaxModule           = 64 << 20         // bytes of a module; Go modules have 2 to 10 MiB

	pageSize = 64 << 10
)

// features is WebAssembly 2.0 without reference types: with them comes table.grow,
// by which a guest takes gigabytes that no limit counts.
const features = api.CoreFeaturesV2 &^ api.CoreFeatureReferenceTypes

// Options are the limits of a Runtime. The zero value is safe: no disk cache, all
// limits at their defaults, no log.
type Options struct {
	// CacheDir is where compiled machine code is kept, made with mode 0700 when
	// absent; empty: in memory only. What is in it is run without another check, so
	// nobody but the panel may write there.
	CacheDir string
	// Memory is the most bytes of linear memory of an instance, rounded down to
	// 64 KiB, at most 4 GiB; 0: DefaultMemory. A module that wants more to begin
	// with does not start; one that grows over it gets no more.
	Memory int64
	// CallTimeout bounds each Call and Health; 0: DefaultCallTimeout.
	CallTimeout time.Duration
	// StartTimeout bounds a Start after compilation; 0: DefaultStartTimeout.
	StartTimeout time.Duration
	// Message is the most bytes that go in or out in one piece: input and answer of a
	// call, request and result of a host function; 0: DefaultMessage.
	Message int
	// Log takes what guests write to standard output and error, bounded by
	// MaxLogCall; nil: dropped.
	Log *slog.Logger
}

// Runtime compiles and starts modules. It is safe for concurrent use.
type Runtime struct {
	opts   Options
	config wazero.RuntimeConfig
	cache  wazero.CompilationCache

	mu        sync.Mutex
	instances map[*Instance]struct{} // nil once closed
}

// New returns a Runtime. Close it when done.
func New(_ context.Context, o Options) (*Runtime, error) {
	if o.Memory == 0 {
		o.Memory = DefaultMemory
	}
	if o.Memory < pageSize || o.Memory > 4<<30 {
		return nil, fmt.Errorf("wasm: memory limit of %d bytes is not between 64 KiB and 4 GiB", o.Memory)
	}
	if o.CallTimeout == 0 {
		o.CallTimeout = DefaultCallTimeout
	}
	if o.StartTimeout == 0 {
		o.StartTimeout = DefaultStartTimeout
	}
	if o.Message == 0 {
		o.Message = DefaultMessage
	}
	if o.CallTimeout < 0 || o.StartTimeout < 0 || o.Message < 0 || o.Message > 1<<30 {
		return nil, fmt.Errorf("wasm: a limit is negative or a message larger than 1 GiB")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	cache := wazero.NewCompilationCache()
	if o.CacheDir != "" {
		var err error
		if cache, err = wazero.NewCompilationCacheWithDir(o.CacheDir); err != nil {
			return nil, fmt.Errorf("wasm: open the compilation cache: %w", err)
		}
	}
	return &Runtime{
		opts:  o,
		cache: cache,
		config: wazero.NewRuntimeConfig().
			WithCompilationCache(cache).
			WithMemoryLimitPages(uint32(o.Memory / pageSize)).
			WithDebugInfoEnabled(false).
			WithCoreFeatures(features).
			WithCloseOnContextDone(true),
		instances: make(map[*Instance]struct{}),
	}, nil
}

// Compile checks a module as Inspect does and compiles it into the cache, so that
// a later Start is fast. It takes seconds for a module in Go; ctx is looked at
// before it begins.
func (r *Runtime) Compile(ctx context.Context, code []byte) (err error) {
	if _, err := Inspect(code); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.failIfClosed(); err != nil {
		return err
	}
	rt := wazero.NewRuntimeWithConfig(ctx, r.config)
	defer func() {
		if e := rt.Close(context.WithoutCancel(ctx)); err == nil {
			err = e
		}
	}()
	c, err := rt.CompileModule(ctx, code)
	if err != nil {
		return fmt.Errorf("wasm: compile: %w", brief(err))
	}
	return c.Close(ctx)
}

// Module is what Start needs to know of a plugin.
type Module struct {
	// Name stands in log lines and errors: "acme/uptime@1.0.0".
	Name string
	// Code is a core WebAssembly module, at most MaxModule bytes.
	Code []byte
	// Grants is what the plugin may do.
	Grants sandbox.Set
	// Optional is what the plugin asked for but runs without. A host function that it
	// imports for one of these is linked even if not granted; it then answers every
	// call with a refusal. What is in neither Grants nor Optional is not linked.
	Optional sandbox.Set
	// Host are the host functions there are. Those not granted are left out.
	Host []HostFunc
	// Mounts are directories that the plugin may read.
	Mounts []Mount
}

// Mount is a directory that a guest may read as Path. There is no writing: that is
// for host functions, which can say what, where and how much.
type Mount struct {
	Path string // absolute; needs the grant fs.read:<Path>
	// FS is what is there. It has to confine symbolic links itself, as [os.Root.FS]
	// does and [os.DirFS] does not.
	FS fs.FS
}

// Start links, instantiates and initialises a module. It refuses, with an error that
// wraps sandbox.ErrDenied, one that imports a host function or has a mount that is
// not granted. ctx bounds the start only, together with Options.StartTimeout, which
// begins when the module is compiled. The Instance lives until its Close or the
// Runtime's.
func (r *Runtime) Start(ctx context.Context, m Module) (*Instance, error) {
	in, err := r.start(ctx, m)
	if err != nil {
		return nil, fmt.Errorf("wasm: start %s: %w", m.Name, err)
	}
	return in, nil
}

func (r *Runtime) start(ctx context.Context, m Module) (_ *Instance, err error) {
	imports, err := Inspect(m.Code)
	if err != nil {
		return nil, err
	}
	funcs, err := link(imports, m)
	if err != nil {
		return nil, err
	}
	files, err := mount(m)
	if err != nil {
		return nil, err
	}
	if err := r.failIfClosed(); err != nil {
		return nil, err
	}
	in := &Instance{
		name:   m.Name,
		owner:  r,
		grants: m.Grants,
		turn:   make(chan struct{}, 1),
		log:    logWriter{log: r.opts.Log.With("plugin", m.Name)},
	}
	in.life, in.end = context.WithCancelCause(context.WithoutCancel(ctx))
	in.rt = wazero.NewRuntimeWithConfig(ctx, r.config)
	defer func() {
		if err != nil {
			in.end(err)
			if e := in.free(context.WithoutCancel(ctx)); e != nil {
				err = errors.Join(err, e)
			}
		}
	}()
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, in.rt); err != nil {
		return nil, err
	}
	if err := in.linkHost(ctx, funcs); err != nil {
		return nil, err
	}
	if in.code, err = in.rt.CompileModule(ctx, m.Code); err != nil {
		return nil, fmt.Errorf("compile: %w", brief(err))
	}
	if in.code.ExportedMemories()["memory"] == nil { // the host functions rely on it
		return nil, errors.New("the module exports no memory")
	}
	config := wazero.NewModuleConfig().
		WithName("").
		WithStartFunctions("_initialize").
		WithFSConfig(files).
		WithStdout(&in.log).
		WithStderr(&in.log).
		WithRandSource(rand.Reader).
		WithSysWalltime().
		WithSysNanotime().
		WithNanosleep(in.sleep)
	ctx, cancel := context.WithTimeoutCause(ctx, r.opts.StartTimeout, fmt.Errorf("not ready after %v: %w", r.opts.StartTimeout, context.DeadlineExceeded))
	defer cancel()
	err = in.run(ctx, func(ctx context.Context) error {
		var err error
		in.mod, err = in.rt.InstantiateModule(ctx, in.code, config)
		return err
	})
	if err != nil {
		return nil, err
	}
	abi, err := in.export("souk_abi", nil, []api.ValueType{api.ValueTypeI32})
	if err != nil {
		return nil, err
	}
	if in.call, err = in.export("souk_call", []api.ValueType{api.ValueTypeI32, api.ValueTypeI32}, []api.ValueType{api.ValueTypeI32}); err != nil {
		return nil, err
	}
	err = in.run(ctx, func(ctx context.Context) error {
		v, err := abi.Call(ctx)
		if err == nil && uint32(v[0]) != ABI {
			err = fmt.Errorf("the module speaks version %d of the plugin interface, not %d", uint32(v[0]), ABI)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return in, r.adopt(in)
}

// mount checks the grants for the mounts.
func mount(m Module) (wazero.FSConfig, error) {
	files := wazero.NewFSConfig()
	for _, mt := range m.Mounts {
		p := sandbox.Permission("fs.read:" + mt.Path)
		if !m.Grants.Covers(p) {
			return nil, fmt.Errorf("mount of %s: %w: %s is not granted", mt.Path, sandbox.ErrDenied, p)
		}
		if mt.FS == nil {
			return nil, fmt.Errorf("mount of %s has no files", mt.Path)
		}
		files = files.WithFSMount(mt.FS, mt.Path)
	}
	return files, nil
}

// adopt makes the runtime the owner of an instance.
func (r *Runtime) adopt(in *Instance) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.instances == nil {
		return ErrStopped
	}
	r.instances[in] = struct{}{}
	return nil
}

func (r *Runtime) failIfClosed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.instances == nil {
		return ErrStopped
	}
	return nil
}

// Close ends all instances, running calls too, and frees the compiled code. No
// Compile or Start may be running. When ctx ends before every host function has
// returned, that is an error and the code stays in memory, as it is still in use.
func (r *Runtime) Close(ctx context.Context) error {
	r.mu.Lock()
	all := r.instances
	r.instances = nil
	r.mu.Unlock()
	if all == nil {
		return nil
	}
	var errs []error
	for in := range all {
		errs = append(errs, in.Close(ctx))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("wasm: %w", err)
	}
	return r.cache.Close(ctx)
}
