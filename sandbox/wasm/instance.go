package wasm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/souk-dev/souk/sandbox"
)

// Instance is a running module. It is safe for concurrent use: calls wait for each
// other. After an error that wraps [ErrStopped] it is of no further use.
type Instance struct {
	name   string
	owner  *Runtime
	grants sandbox.Set
	rt     wazero.Runtime
	code   wazero.CompiledModule
	mod    api.Module
	call   api.Function
	log    logWriter

	life context.Context // ends when the instance is stopped
	end  context.CancelCauseFunc

	turn    chan struct{}   // holds a token while a call runs; guards what follows
	now     context.Context // of the running call
	pending []byte          // for the guest to read
	output  []byte          // what the guest wrote
}

// Name returns Module.Name.
func (in *Instance) Name() string { return in.name }

// Call calls what the guest handles under name with in and returns its answer.
// It waits for its turn and returns when ctx is done or after Options.CallTimeout,
// which stops the instance if the call has begun.
//
// Errors: [GuestError] is the plugin's own; [ErrNoExport] when it handles no such
// name; [ErrTooLarge]; [ErrStopped], together with the cause, when the instance ended
// in this call or before.
func (in *Instance) Call(ctx context.Context, name string, input []byte) ([]byte, error) {
	if len(input)+len(name) > in.owner.opts.Message {
		return nil, fmt.Errorf("call %s of %s: input of %d bytes: %w", name, in.name, len(input), ErrTooLarge)
	}
	var out []byte
	err := in.locked(ctx, func(ctx context.Context) error {
		in.pending = slices.Concat([]byte(name), input)
		code, err := in.call.Call(ctx, uint64(len(name)), uint64(len(input)))
		if err != nil {
			return err
		}
		switch uint32(code[0]) {
		case 0:
			out = in.output
			return nil
		case 1:
			return &GuestError{clip(string(in.output), MaxLogLine)}
		case 2:
			return ErrNoExport
		}
		return fmt.Errorf("answered with the unknown code %d", uint32(code[0]))
	})
	if err != nil {
		return nil, fmt.Errorf("call %s of %s: %w", name, in.name, err)
	}
	return out, nil
}

// Health calls the exported function of type () i32 and returns nil when it answers
// 0. A [GuestError] says that the plugin is not well; other errors as in Call.
func (in *Instance) Health(ctx context.Context, export string) error {
	err := in.locked(ctx, func(ctx context.Context) error {
		f, err := in.export(export, nil, []api.ValueType{api.ValueTypeI32})
		if err != nil {
			return err
		}
		code, err := f.Call(ctx)
		if err == nil && uint32(code[0]) != 0 {
			text := clip(string(in.output), MaxLogLine)
			if text == "" {
				text = fmt.Sprintf("code %d", uint32(code[0]))
			}
			err = &GuestError{text}
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("health of %s: %w", in.name, err)
	}
	return nil
}

// Close stops the instance, a running call too, and frees its memory. Later calls
// return ErrStopped; a second Close does nothing. ctx bounds the wait for a running
// host function; when it ends first, the memory stays until the next Close.
func (in *Instance) Close(ctx context.Context) error {
	in.end(ErrStopped)
	select {
	case in.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("close %s: %w", in.name, ctx.Err())
	}
	defer func() { <-in.turn }()
	in.owner.mu.Lock()
	delete(in.owner.instances, in)
	in.owner.mu.Unlock()
	return in.free(ctx)
}

// free gives back what the instance holds; the turn is held.
func (in *Instance) free(ctx context.Context) error {
	if in.rt == nil {
		return nil
	}
	in.log.flush()
	err := in.rt.Close(ctx)
	if in.code != nil {
		if e := in.code.Close(ctx); err == nil {
			err = e
		}
	}
	in.rt = nil
	return err
}

// locked runs f in its turn and within the time of a call.
func (in *Instance) locked(ctx context.Context, f func(context.Context) error) error {
	if ctx.Value(servedKey{}) == in {
		return errors.New("a host function must not call the plugin it serves")
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	select {
	case in.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-in.life.Done():
		return in.stopped()
	}
	defer func() { <-in.turn }()
	if in.life.Err() != nil {
		return in.stopped()
	}
	limit := in.owner.opts.CallTimeout
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer after %v: %w", limit, context.DeadlineExceeded))
	defer cancel()
	return in.run(ctx, f)
}

// run lets the guest run in f; the turn is held, or nobody else has the instance yet.
// Whatever goes wrong but for a guest's own answer stops the instance, since what a
// guest was interrupted in is in no known state.
func (in *Instance) run(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(in.life, func() { cancel(context.Cause(in.life)) })()
	in.now, in.pending, in.output = ctx, nil, nil
	in.log.begin()
	err := f(ctx)
	in.log.flush()

	var exit *sys.ExitError
	var guest *GuestError
	switch {
	case err == nil, errors.As(err, &guest), errors.Is(err, ErrNoExport):
		return err
	case errors.As(err, &exit) && ctx.Err() != nil:
		err = context.Cause(ctx)
	case errors.As(err, &exit):
		err = fmt.Errorf("the plugin ended itself with code %d", exit.ExitCode())
	default:
		err = brief(err)
	}
	in.end(err)
	if e := in.free(context.WithoutCancel(ctx)); e != nil {
		err = errors.Join(err, e)
	}
	if errors.Is(err, ErrStopped) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrStopped, err)
}

// stopped is the error of whoever comes after the end.
func (in *Instance) stopped() error {
	if cause := context.Cause(in.life); !errors.Is(cause, ErrStopped) {
		return fmt.Errorf("%w since an earlier call: %v", ErrStopped, cause)
	}
	return ErrStopped
}

// sleep is how long a guest may sleep: not after the end of its call.
func (in *Instance) sleep(ns int64) {
	t := time.NewTimer(time.Duration(ns))
	defer t.Stop()
	select {
	case <-t.C:
	case <-in.now.Done():
	}
}

// export returns an exported function, which has to be of the given type.
func (in *Instance) export(name string, params, results []api.ValueType) (api.Function, error) {
	f := in.mod.ExportedFunction(name)
	if f == nil {
		return nil, fmt.Errorf("%w: it exports no function %q", ErrNoExport, name)
	}
	d := f.Definition()
	if !slices.Equal(d.ParamTypes(), params) || !slices.Equal(d.ResultTypes(), results) {
		return nil, fmt.Errorf("%w: its function %q is of another type", ErrNoExport, name)
	}
	return f, nil
}
