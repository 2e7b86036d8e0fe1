// Package catalogtest is for tests that need a registry: of Souk itself, of panels
// that embed it, and of other implementations of [catalog.Source].
//
//   - [NewRegistry] starts a registry on a loopback port in no time. It is
//     go-containerregistry's, behind a layer that gives it what real ones have:
//     ETags and conditional requests, byte ranges, the referrers API or none, token
//     or basic login. [NewHandler] is the same without a test, for a demo program.
//   - [Handler.Inject] makes it fail in the ways registries fail: see [Fault],
//     [Match] and [Effect]. With [RegistryOptions].Upstream the same faults stand
//     before a real registry.
//   - [Handler.Requests] tells what was asked of it, for tests that count.
//   - [Handler.PushBlob], PushManifest and Attach fill it without HTTP; [NewArtifact]
//     makes a release to fill it with, [Fill] a small catalog.
//   - [SourceConformance] checks an implementation of [catalog.Source].
//   - [NewEd25519Key] and [NewECDSAKey] are keys to throw away.
//
// Nothing here is for production: it keeps all in memory, for ever.
package catalogtest
