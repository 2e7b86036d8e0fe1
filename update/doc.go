// Package update decides when an installed plugin moves to a newer release, does it,
// and takes it back when it turns out bad.
//
// # The pieces
//
// [Find] compares what is installed with the catalogs and makes an [Offer] for each
// newer release: what it is, what was written about the releases in between, and what
// a careful person wants to know, the [RiskDiff]. A [Policy] judges each offer with
// [Policy.Decide]: apply it, wait, ask a person, or leave it, always with the reasons
// in sentences. Both are pure: same input, same answer.
//
// A [Runner] is the part with effects. Its [Runner.Run] fetches catalogs every six
// hours and advisories every hour, at times of its own so that a fleet spreads, and
// applies what the policy allows within the windows of the policy. It talks to the
// panel through a [Market], remembers in a [Keeper], and tells [Notifier]s.
//
// # What it promises
//
//   - An offer never goes down. A yanked newest release is no update to the one before.
//   - What a person rolled back does not come back by itself; a newer one may.
//   - Whatever the policy says, a person decides about another major version, a
//     declared break, another signer, more permissions, new native code, a plugin that
//     is not installed, and a release that an advisory warns of.
//   - Exactly what was decided is applied: a plan that does more is refused, see
//     [CheckPlan].
//   - One bad plugin does not hold back all. A set that failed is divided; what failed
//     is left alone longer and longer, see [Backoff]; two different releases that had
//     to be taken back within a day stop everything for a day, see [State.Breaker].
//   - A change is watched for [SoakTime]. Until that is over nothing else is applied,
//     so that it can be taken back alone. It is written down before it begins, so a
//     panel that dies of it knows afterwards.
//   - The age of a release is waited for, [DefaultMinAge], but not by the first release
//     that answers an advisory.
//
// # What it does not do
//
// It does not install, verify or solve; that is what a Market is for. It does not know
// whether a plugin works beyond what its health check says. It cannot go back for a
// change after which somebody changed something else; then it tells a person.
package update
