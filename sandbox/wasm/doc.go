// Package wasm runs plugins that are WebAssembly modules with exactly the host
// functions their grants allow. It is the only importer of wazero.
//
// A [Runtime] compiles modules and keeps the machine code on disk: compiling a Go
// module takes seconds, so installers call [Runtime.Compile] when they stage a
// release, and [Runtime.Start] is fast afterwards. An [Instance] answers one call at
// a time: bytes in, bytes out. [Inspect] says without running anything what a
// module can reach.
//
// # What a plugin can reach
//
// A WebAssembly module reaches nothing but the functions it imports, and the
// list of these stands in the module. They come from two places:
//
//   - "wasi_snapshot_preview1", with clocks, random numbers and standard output (a
//     log), but without arguments, environment, network and, unless Module.Mounts
//     says so, without files;
//   - "souk", the panel's host functions. Only those are linked whose permission is
//     granted. Start refuses a module that imports another one, with an error that
//     wraps [sandbox.ErrDenied] and names it.
//
// A host function's permission may depend on the request ("which host?"); then it is
// worked out and checked at each call, before [HostFunc.Call] runs.
//
// # What this does not do
//
// It runs in the panel's process. Memory, sizes, log output and the time of a call
// are bounded, but a hostile guest is not contained by that: loops are stopped by
// checks in the compiled code (which make it several times slower), while code
// that recurses without loops may run on for seconds after its time is up, and
// all guests share the process's memory and processors. So load only modules whose
// publisher the operator trusts. Untrusted ones belong in a worker process that can
// be killed; this package does not start one.
//
// # Interface of a guest, version 1
//
// Package sandbox/wasm/guest implements it for Go. A guest is a core module
// (no component) that is a reactor: it may export _initialize, not _start. It exports
//
//	memory                                  its linear memory
//	souk_abi() i32                          1
//	souk_call(nameLen i32, inLen i32) i32   0 done, 1 failed, 2 no such name
//
// and, when its manifest says so, a function () i32 for [Instance.Health]. It may
// import two functions from "souk" that move bytes and reach nothing else:
//
//	read(ptr i32, cap i32) i32   takes what is pending for the guest, returns the length
//	write(ptr i32, len i32)      sets the answer of the running call
//
// When souk_call begins, the name and then the input are pending. The answer is what
// was written last; after a failure it is the text of the error. Every host function
// is an import of its own from "souk", named as in [HostFunc] ("ui.card"), of type
//
//	(ptr i32, len i32) i64   status << 32 | length of what is now pending
//
// with status 0 for a result, 1 for the text of an error and 2 for the text of a
// refusal. read returns at most cap bytes and drops the rest.
package wasm
