// Package scan looks at the unpacked files of a release and says what is wrong with
// them: one half of "did someone I trust look at it?".
//
// A [Scanner] gives a [Report] with findings and a verdict; a [Set] runs several over a
// release and gives one [Result], which can be published as an attestation of type
// [PredicateType]. Built in:
//
//   - [Secrets]: private keys, tokens of well-known services, what looks like a secret
//   - [Native]: ELF files and Go programs, what they link and are built from
//   - [WASM]: imports of WebAssembly modules against the permissions asked for
//   - [Archives]: bombs, depth, names that escape or hide, links, devices
//   - [Squatting]: ids that look like those of popular plugins; [Similar] does the same
//     for publishers' names
//   - [OSV]: components of CycloneDX files and Go programs in a dump of OSV records
//   - [Clamd]: an adapter to ClamAV's daemon
//
// # Verdicts
//
// A finding of severity high or critical and of high confidence blocks: the verdict is
// fail. All others are for people to judge. What could not be looked at in full is an
// error: over a bound, unreadable, out of time, a scanner that panicked, died or is not
// there ([ErrUnavailable]). An error is never a pass, whatever the other scanners say;
// only a scanner that the operator made optional may be missing. "Not configured" says
// that there was nothing a scanner could speak about, and is no pass either.
//
// Scanner, version, database and times are recorded. A verdict is of its time: scan
// again when the database is newer.
//
// # Hostile files
//
// Nothing is run or written. Everything read is bounded by constants of this package;
// texts from files are clipped and made printable before they stand in a report; a
// secret found is named by its first four characters.
//
// # Not built
//
// Secrets and native code inside archives of a package are not looked for. xz, zstd,
// 7z and rar are not unpacked, and archives are known by their first bytes, so that one
// appended to another file is not seen. Versions of PyPI, Maven and other ecosystems
// with an order of their own are not compared. CycloneDX in XML and SPDX are not read.
// CVSS 4 vectors are not computed; the severity that the record names is used then.
// Confusables are a table of some 170 letters, not all of Unicode's. No finding can say
// that code is harmless.
package scan
