// Package sandbox says what a plugin may ask for and what it is granted. It is pure:
// it runs nothing and enforces nothing. The packages below it do (sandbox/wasm,
// sandbox/process), by what this one decides.
//
// A [Permission] is one thing a plugin may do, "kind:target" in the one canonical
// form that [Parse] returns. The kinds are closed:
//
//	api:<scope>:<verb>     the panel's own interface
//	net.out:<host>:<port>  connect; host example.com, *.example.com or *, port 443 or *
//	net.listen:<port>      accept connections
//	fs.read:<path>         read a file or all in a directory
//	fs.write:<path>        change them; does not imply reading
//	exec:<path>            run a program
//	env:<name>             read an environment variable
//	secret:<name>          read a stored secret
//	event:<topic>          be told of something
//	ui:<slot>              show something in the panel
//	job:<schedule>         run by itself: @daily, or the five fields of cron
//	db:<name>:<verb>       use a data store
//
// A [Set] holds the permissions that a plugin asks for, or has. [Set.Covers] and
// [Set.SubsetOf] compare by meaning: a permission implies another ([Covers]) when
// everything the other allows is allowed by the first. There are only allow lists;
// what is unknown is contained in nothing.
//
// A [Policy] is what a panel allows. [Policy.Decide] takes what is wanted and what
// was agreed to before, and says of each permission whether it is granted, needs
// consent or is denied, with its [Risk] and a sentence that a person understands.
// A [Consent] stays good until something is wanted that it does not cover, so an
// update that asks for less, or for a part of what was agreed to, asks nobody.
// [DiffOf] says what changed between two sets.
//
// What this cannot promise: a granted permission is as good as the runtime that
// enforces it. In particular, a path may be a link and a host name may resolve to
// any address; whoever opens or connects has to look at the real thing.
//
// Everything here depends on its arguments only and is safe for concurrent use.
package sandbox
