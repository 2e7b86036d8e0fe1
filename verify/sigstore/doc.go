// Package sigstore answers one question: did one of these publishers make this
// release? It implements [verify.Verifier] and [verify.Signer] with sigstore
// bundles, and is the only package that imports sigstore-go.
//
// # What is accepted
//
// A signature is what cosign v3 writes: a sigstore bundle v0.3 holding a DSSE
// envelope with an in-toto statement v1 of predicate type [SignatureType], about
// exactly one subject, the SHA-256 of the OCI manifest. It is by a key (ECDSA
// P-256 or Ed25519), or keyless: a short-lived certificate for an exact issuer
// and subject, entered in a transparency log and with a trusted time.
//
// A provenance attestation by the right key is not a signature, and a signature
// is not an attestation. [Verifier.Verify] accepts the one, [Verifier.Attested]
// the other, and neither accepts what the other does.
//
// # What is not
//
// Verifying needs no network: keyless identities are checked against the trusted root
// given in [Options], and without one they are refused. A signature by a key
// alone carries no trusted time, so revoking the key revokes all it signed. The
// digest comes from the catalog and the list of signers too; nothing in a bundle
// decides what it has to prove.
//
// To require several co-signers, ask once for each with a Subject that lists
// only that one.
//
// # Signing
//
// [KeySigner] signs with a key and does no I/O but its crypto.Signer's. It has no
// part in the above: [KeylessSigner] does speak to a network, to a certificate
// authority (Fulcio) and a transparency log (Rekor, API v1). Not built: Rekor's API
// v2 and timestamp authorities.
package sigstore
