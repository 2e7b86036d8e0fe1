package publishing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/verify"
)

// pushed is what lies in a repository under a digest, checked as far as that goes
// without looking into the content.
type pushed struct {
	repo     string
	release  catalog.Release
	artifact *catalog.Artifact
	evidence verify.Evidence
}

// faultError is something that is wrong with what was pushed, as opposed to something
// that went wrong while looking.
type faultError struct {
	rule string
	err  error
}

func (f *faultError) Error() string { return f.err.Error() }
func (f *faultError) Unwrap() error { return f.err }

// Rules of validation beyond those of [publish.Rules].
const (
	RulePushed    = "pushed"    // something lies in staging under the digest
	RuleArtifact  = "artifact"  // it is a plugin's manifest, of the plugin and version that were named
	RuleSignature = "signature" // one of the publisher's signers signed it
	RuleLimit     = "package-size"
)

// judge says whether an error is the fault of what was pushed.
func judge(ctx context.Context, rule string, err error) error {
	if err == nil || passing(ctx, err) {
		return err
	}
	if errors.Is(err, catalog.ErrNotFound) {
		rule = RulePushed
	}
	return &faultError{rule, err}
}

// passing reports whether an error may be gone at the next try.
func passing(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, catalog.ErrUnavailable) || errors.Is(err, hub.ErrUnavailable)
}

// look reads a manifest with its evidence from a repository, and the plugin.json in it.
// A *faultError says what is wrong with it.
func (s *Service) look(ctx context.Context, repo, plugin, version, digest string) (*pushed, error) {
	ref := catalog.Ref{Plugin: catalog.PluginID(plugin), Version: version}
	p := &pushed{repo: repo, release: catalog.Release{Ref: ref, Digest: verify.Digest(digest)}}
	var err error
	if p.evidence, err = s.o.Reader.Evidence(ctx, repo, p.release.Digest); err != nil {
		return nil, judge(ctx, RuleArtifact, err)
	}
	m, err := catalog.ParseOCIManifest(p.evidence.Manifest)
	if err != nil {
		return nil, &faultError{RuleArtifact, err}
	}
	if m.Config.Size < 0 || m.Config.Size > catalog.MaxManifest || !m.Config.Digest.Valid() {
		return nil, &faultError{RuleArtifact, fmt.Errorf("plugin.json has %d bytes, more than %d, or no digest", m.Config.Size, catalog.MaxManifest)}
	}
	config, err := s.blob(ctx, repo, catalog.Descriptor{MediaType: m.Config.MediaType, Digest: m.Config.Digest, Size: m.Config.Size})
	if err != nil {
		return nil, judge(ctx, RuleArtifact, err)
	}
	if p.release.Manifest, err = catalog.ParseManifest(config); err != nil {
		return nil, &faultError{RuleArtifact, err}
	}
	if got := p.release.Manifest; got.ID != ref.Plugin || got.Version != ref.Version {
		return nil, &faultError{RuleArtifact, fmt.Errorf("is %s@%s and not the %s that was submitted", got.ID, got.Version, ref)}
	}
	if p.artifact, err = catalog.ParseArtifact(p.evidence.Manifest, p.release); err != nil {
		return nil, &faultError{RuleArtifact, err}
	}
	p.release.Size, p.release.Media = p.artifact.Content.Size, p.artifact.Media
	return p, nil
}

// blob reads a small blob whole.
func (s *Service) blob(ctx context.Context, repo string, d catalog.Descriptor) (b []byte, err error) {
	r, err := s.o.Reader.Blob(ctx, repo, d)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return io.ReadAll(r)
}

// signer returns who of the identities signed what was pushed.
func (s *Service) signer(ctx context.Context, p *pushed, who []verify.Identity) (string, error) {
	if len(who) == 0 {
		return "", &faultError{RuleSignature, fmt.Errorf("%s has no signer for it that is valid now", p.release.Plugin.Publisher())}
	}
	report, err := s.o.Verifier.Verify(ctx, verify.Subject{Name: p.release.Ref.String(), Digest: p.release.Digest, Signers: who}, p.evidence)
	if err == nil && report.Err() != nil {
		err = report.Err() // a Verifier that breaks its contract
	}
	if err != nil {
		return "", judge(ctx, RuleSignature, err)
	}
	id := report.Signer()
	if !slices.Contains(who, id) {
		return "", &faultError{RuleSignature, fmt.Errorf("%w: the signer is none of the publisher's", verify.ErrUntrusted)}
	}
	return id.ID(), nil
}

// unpack reads the content into memory.
func (s *Service) unpack(ctx context.Context, p *pushed) (files *publish.Files, err error) {
	r, err := s.o.Reader.Blob(ctx, p.repo, p.artifact.Content)
	if err != nil {
		return nil, judge(ctx, RuleArtifact, err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	files, err = publish.Unpack(ctx, r, p.artifact, publish.PackOptions{})
	return files, judge(ctx, RuleArtifact, err)
}

// place waits until another package may be held in memory.
func (s *Service) place(ctx context.Context) (leave func(), err error) {
	select {
	case s.unpacking <- struct{}{}:
		return func() { <-s.unpacking }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// readFile reads a file of at most limit bytes; a longer one is an error.
func readFile(fsys fs.FS, name string, limit int64) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s has %d bytes, more than %d", name, info.Size(), limit)
	}
	return fs.ReadFile(fsys, name)
}
