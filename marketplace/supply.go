package marketplace

import (
	"context"
	"fmt"
	"io"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/verify"
)

// supply serves the installer from the sources, and tells it who may sign what by
// the catalogs as they are at that moment, not as they were when it was planned.
type supply struct{ m *Market }

var _ install.Supply = (*supply)(nil)

func (s *supply) Subject(_ context.Context, r catalog.Release) (verify.Subject, error) {
	snap, err := s.m.snapshotOf(r.Plugin, r.Source)
	if err != nil {
		return verify.Subject{}, err
	}
	if err := s.m.current(snap); err != nil {
		return verify.Subject{}, err
	}
	listed, err := snap.Release(r.Ref)
	if err != nil {
		return verify.Subject{}, err
	}
	if listed.Digest != r.Digest {
		return verify.Subject{}, fmt.Errorf("%s is another release in the catalog than in the plan: %w", r.Ref, verify.ErrDigest)
	}
	if listed.State == catalog.Withdrawn {
		return verify.Subject{}, fmt.Errorf("%s was withdrawn (%s): %w", r.Ref, listed.Reason, catalog.ErrBlocked)
	}
	if why := s.m.blocked(listed); why != "" {
		return verify.Subject{}, fmt.Errorf("%s is %s: %w", r.Ref, why, catalog.ErrBlocked)
	}
	return verify.Subject{Name: r.Ref.String(), Digest: listed.Digest, Signers: s.m.signers(listed)}, nil
}

func (s *supply) Evidence(ctx context.Context, r catalog.Release) (verify.Evidence, error) {
	src, err := s.m.source(r.Source)
	if err != nil {
		return verify.Evidence{}, err
	}
	es, ok := src.(catalog.EvidenceSource)
	if !ok {
		return verify.Evidence{}, fmt.Errorf("source %q serves no signatures: %w", r.Source, verify.ErrUntrusted)
	}
	return es.Evidence(ctx, r)
}

func (s *supply) Open(ctx context.Context, r catalog.Release) (io.ReadCloser, error) {
	src, err := s.m.source(r.Source)
	if err != nil {
		return nil, err
	}
	return src.Open(ctx, r)
}
