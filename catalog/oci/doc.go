// Package oci reads catalogs, plugins and evidence from an OCI registry ([Source],
// and by digest alone [Reader]), writes them there and copies releases within it
// ([Pusher]). Any registry that speaks the distribution spec
// will do; one without the referrers API serves evidence by the referrers tag schema.
//
// What it promises
//
//   - A digest decides, a tag never: but for the catalog's TUF files, which are
//     signed, everything is asked for by digest and checked while it streams.
//     Wrong bytes are [verify.ErrDigest] and are not asked for again.
//   - "Not there" ([catalog.ErrNotFound]), "nothing in it" (an empty list) and "could
//     not say" ([catalog.ErrUnavailable]) are three different answers.
//   - One failure costs at most [MaxFailures] requests, however many redirects,
//     logins and resumptions are involved. Retry-After is obeyed up to
//     [MaxRetryAfter]; a registry that asks for more is reported, not waited for.
//   - A download whose connection drops goes on where it was, with a closed range.
//   - Credentials go to the registry's own host and to its token server, see
//     [Options.TokenHosts]; a redirect is followed without them and never to plain
//     HTTP. Redirects, uploads and token servers cannot lead into private networks:
//     the address that is dialled is checked, not the name. The urls and data of a
//     descriptor are ignored.
//
// What it does not do: verify signatures (verify/sigstore), judge a catalog's
// freshness (verify/tuf), keep anything (catalog/mirror), or delete.
package oci
