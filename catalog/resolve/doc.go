// Package resolve decides which releases of which plugins go together: the dependency
// solver. It is pure: no input or output, no clock, no randomness, no goroutine.
//
// # What it answers
//
// [Solve] takes a [Universe], what could be installed, and a [Request], what is
// installed and what is asked for. It returns the complete set that will be installed
// afterwards, or a [*Conflict], the proof that there is none, which reads as an
// explanation and proposes ways out that were checked; or [ErrBudget]. [Blocks] says
// what keeps a panel from moving to another version of its plugin API.
//
// # The rules
//
// Of each plugin at most one release is chosen. All its dependencies are met, by the
// plugin itself or by one that stands in for it: a dependency on any version is met by
// a plugin that provides the other one; a dependency on a range also by a plugin that
// replaces a version in that range. An optional dependency only limits the version, if
// the other plugin is there. A release excludes what it conflicts with and what it
// replaces. It must fit the panel's API and the platform, also when it is installed.
//
// An installed root stays, at some version, or goes when something that replaces it
// comes; only Remove drops it. A held plugin does not change, unless the request names
// it; a pinned one not even then. A dependency that nothing needs any more is removed,
// unless KeepOrphans says otherwise; an optional dependency is not a need.
//
// A yanked release is chosen only when it is installed, or when Install names exactly
// its version. Withdrawn and blocked ones are not chosen; what is installed may stay.
// All of these come with a warning.
//
// A pre-release is chosen only when the range names a pre-release of the same
// major.minor.patch, when the channel of the plugin opts in (Request.Prerelease), when
// a range of Install names one, or when it is installed. A range "<2.0.0" never lets
// 2.0.0-beta.1 in.
//
// # Which solution
//
// The best one, and always the same: the choice is lexicographic. First comes what is
// asked for, by Install or Update, then what is installed and stays as it is if it can;
// Minimal turns this round. After these come their dependencies, first in, first out.
// What depends on another plugin in the same group comes before it, otherwise the order
// is that of the ids. Each takes the best version that leaves a solution: what is
// installed, unless Update names it; then the newest stable one; then the newest
// pre-release. An update never goes down when it can stay.
//
// # What it does not do
//
// Features of a dependency ([catalog.Dependency.Features]) are not looked at: manifests
// do not say which features a plugin has, so there is nothing to solve.
//
// # How
//
// PubGrub over finite domains: each plugin is a bit set of its releases and "not
// installed"; each rule is a set of such sets that must not all hold. A broken rule is
// resolved with the reasons of what broke it into a new rule, and both causes are kept:
// at the end they are the derivation in a Conflict. Every range is evaluated once for
// each known version; pass an [Index] to keep that from one call to the next.
package resolve
