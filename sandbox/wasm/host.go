package wasm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero/api"

	"github.com/souk-dev/souk/sandbox"
)

// ABI is the version of the interface between guest and host, see the package doc.
const ABI = 1

// Namespace is the module that guests import the host functions from.
const Namespace = "souk"

// HostFunc is something of the panel that a plugin may call. Either Permission is
// set or Kind and Needs; one with none of them is an error, since everything that
// leaves the sandbox needs a grant.
type HostFunc struct {
	// Name is the name of the import: a group, a dot and a verb, "net.fetch".
	Name string
	// Permission is what every call needs.
	Permission sandbox.Permission
	// Kind and Needs are for functions whose permission depends on the request.
	// The function is linked when anything of the Kind is granted. Needs says what
	// the request needs, canonical and of that Kind; its error refuses the request.
	// It has to look at what Call will really do: when a name is resolved or a
	// redirect followed later, Call asks again with Allowed.
	Kind  sandbox.Kind
	Needs func(in []byte) (sandbox.Permission, error)
	// Call does it. in is the function's own. The result is at most Options.Message
	// bytes. The text of an error is shown to the plugin; the plugin goes on. ctx is
	// that of the running Call, with its deadline. It must not call the instance.
	Call func(ctx context.Context, in []byte) ([]byte, error)
}

// Allowed returns nil when the plugin that is being served may do p, else an error
// wrapping sandbox.ErrDenied. ctx is what HostFunc.Call was given; any other allows
// nothing.
func Allowed(ctx context.Context, p sandbox.Permission) error {
	if in, ok := ctx.Value(servedKey{}).(*Instance); ok && in.grants.Covers(p) {
		return nil
	}
	return fmt.Errorf("%w: %s", sandbox.ErrDenied, p)
}

// Plugin returns the Module.Name of the plugin that is being served, empty for any
// ctx but that of HostFunc.Call.
func Plugin(ctx context.Context) string {
	if in, ok := ctx.Value(servedKey{}).(*Instance); ok {
		return in.name
	}
	return ""
}

type servedKey struct{}

// status is the first half of what a host function returns to the guest.
type status uint64

const (
	statusOK status = iota
	statusError
	statusDenied
)

func (f *HostFunc) validate() error {
	group, verb, ok := strings.Cut(f.Name, ".")
	switch {
	case !ok || group == "" || verb == "":
		return fmt.Errorf("host function %q: want a name with a dot, as net.fetch", f.Name)
	case f.Call == nil:
		return fmt.Errorf("host function %s has nothing to call", f.Name)
	case (f.Permission == "") == (f.Needs == nil):
		return fmt.Errorf("host function %s: set either Permission or Needs", f.Name)
	case f.Needs != nil && !slices.Contains(sandbox.Kinds(), f.Kind):
		return fmt.Errorf("host function %s: Needs goes with a Kind", f.Name)
	}
	if f.Permission != "" {
		if p, err := sandbox.Parse(string(f.Permission)); err != nil || p != f.Permission {
			return fmt.Errorf("host function %s: permission %q is not canonical", f.Name, f.Permission)
		}
	}
	return nil
}

// under reports whether the set holds what linking the function takes.
func (f *HostFunc) under(s sandbox.Set) bool {
	if f.Needs == nil {
		return s.Covers(f.Permission)
	}
	for p := range s.All() {
		if p.Kind() == f.Kind {
			return true
		}
	}
	return false
}

// linked is a host function that a module imports.
type linked struct {
	HostFunc
	granted bool // Permission is; grants do not change while an instance lives
}

// check is the permission check of one call.
func (f *linked) check(in []byte, grants sandbox.Set) error {
	if f.Needs == nil {
		if f.granted {
			return nil
		}
		return fmt.Errorf("%w: %s", sandbox.ErrDenied, f.Permission)
	}
	p, err := f.Needs(in)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", sandbox.ErrDenied, err)
	case p.Kind() != f.Kind:
		return fmt.Errorf("%w: %s is not of kind %s", sandbox.ErrDenied, p, f.Kind)
	case !grants.Covers(p):
		return fmt.Errorf("%w: %s", sandbox.ErrDenied, p)
	}
	return nil
}

// link picks the host functions that the module imports, and refuses a module that
// imports one it may not have.
func link(imports *Imports, m Module) ([]linked, error) {
	byName := make(map[string]HostFunc, len(m.Host))
	for _, f := range m.Host {
		if err := f.validate(); err != nil {
			return nil, err
		}
		if _, double := byName[f.Name]; double {
			return nil, fmt.Errorf("host function %s is given twice", f.Name)
		}
		byName[f.Name] = f
	}
	var funcs []linked
	for _, name := range imports.Host {
		f, ok := byName[name]
		switch {
		case !ok:
			return nil, fmt.Errorf("%w: it imports %s.%s, which this panel does not have", sandbox.ErrDenied, Namespace, name)
		case f.under(m.Grants) || f.under(m.Optional):
			funcs = append(funcs, linked{f, f.Needs == nil && m.Grants.Covers(f.Permission)})
		default:
			want := string(f.Permission)
			if f.Needs != nil {
				want = "something of kind " + string(f.Kind)
			}
			return nil, fmt.Errorf("%w: it imports %s.%s, which needs %s", sandbox.ErrDenied, Namespace, name, want)
		}
	}
	return funcs, nil
}

// linkHost makes the module "souk" of this instance.
func (in *Instance) linkHost(ctx context.Context, funcs []linked) error {
	const i32, i64 = api.ValueTypeI32, api.ValueTypeI64
	pair := []api.ValueType{i32, i32}
	b := in.rt.NewHostModuleBuilder(Namespace)
	b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(in.read), pair, []api.ValueType{i32}).Export("read")
	b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(in.write), pair, nil).Export("write")
	for _, f := range funcs {
		b.NewFunctionBuilder().WithGoModuleFunction(in.serve(f), pair, []api.ValueType{i64}).Export(f.Name)
	}
	_, err := b.Instantiate(ctx)
	return err
}

// serve makes the import of one host function: pointer and length in, status and
// length of the pending result out. A panic with an error is how a host function
// stops a guest in wazero: the call that runs returns it.
func (in *Instance) serve(f linked) api.GoModuleFunc {
	return func(ctx context.Context, mod api.Module, stack []uint64) {
		req := in.bytes(mod, stack)
		res, err := in.answer(ctx, &f, slices.Clone(req))
		if ctx.Err() != nil { // the guest gets no more time, not even to take the error
			panic(context.Cause(ctx))
		}
		st := statusOK
		if err == nil && len(res) > in.owner.opts.Message {
			err = fmt.Errorf("result of %s: %w: %d bytes", f.Name, ErrTooLarge, len(res))
		}
		if err != nil {
			st = statusError
			if errors.Is(err, sandbox.ErrDenied) {
				st = statusDenied
				in.log.log.WarnContext(ctx, "host call refused", "function", f.Name, "error", err)
			}
			res = []byte(clip(err.Error(), MaxLogLine))
		}
		in.pending = res
		stack[0] = uint64(st)<<32 | uint64(len(res))
	}
}

func (in *Instance) answer(ctx context.Context, f *linked, req []byte) ([]byte, error) {
	if err := f.check(req, in.grants); err != nil {
		return nil, err
	}
	return f.Call(context.WithValue(ctx, servedKey{}, in), req)
}

// bytes returns the guest's memory at (pointer, length), which is only good until
// the guest goes on.
func (in *Instance) bytes(mod api.Module, stack []uint64) []byte {
	ptr, n := api.DecodeU32(stack[0]), api.DecodeU32(stack[1])
	if int64(n) > int64(in.owner.opts.Message) {
		panic(fmt.Errorf("plugin sends %d bytes at once: %w", n, ErrTooLarge))
	}
	if b, ok := mod.Memory().Read(ptr, n); ok {
		return b
	}
	panic(fmt.Errorf("plugin points out of its memory: %d bytes at %#x", n, ptr))
}

func (in *Instance) read(_ context.Context, mod api.Module, stack []uint64) {
	ptr, room := api.DecodeU32(stack[0]), api.DecodeU32(stack[1])
	b := in.pending[:min(uint64(room), uint64(len(in.pending)))]
	in.pending = nil
	if len(b) > 0 && !mod.Memory().Write(ptr, b) {
		panic(fmt.Errorf("plugin points out of its memory: %d bytes at %#x", len(b), ptr))
	}
	stack[0] = uint64(len(b))
}

func (in *Instance) write(_ context.Context, mod api.Module, stack []uint64) {
	in.output = slices.Clone(in.bytes(mod, stack))
}
