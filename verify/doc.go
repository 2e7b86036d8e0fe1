// Package verify holds the words in which Souk speaks about proof: what is
// checked ([Subject]), what is offered as proof ([Evidence]), who may have made
// it ([Identity]), and what came out ([Report]).
//
// Three questions are kept apart. Is this the catalog the operator trusts, and
// is it fresh? That is [CatalogTrust], implemented by verify/tuf. Did this
// publisher make this release? That is [Verifier], implemented by
// verify/sigstore. Did someone I trust look at it? That is a review or scan
// attestation, judged by policy.
//
// A missing proof is a failure, and an error in a check is not a pass: the zero
// [Verdict] is Error, and [Report.Err] is nil only when a Verifier said Pass.
//
// The package is pure and imports the standard library only. Everything in it is
// safe for concurrent use unless it says otherwise.
package verify
