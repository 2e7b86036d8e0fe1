package mirror

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

func (s *source) snapshot() *catalog.Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == nil {
		return nil
	}
	return s.held.snapshot
}

// open loads what is kept on disk. What is wrong with it goes to s.err.
func (s *source) open(ctx context.Context) {
	kept, err := s.disk.load()
	if err == nil && kept != nil {
		if err = s.Trust.Load(ctx, kept.Trust); err == nil {
			// From here on a damaged segment does not make us forget what we saw.
			s.kept = kept
			s.held, err = s.build(kept, nil)
		}
	}
	if err != nil {
		s.err = fmt.Errorf("kept catalog: %w", err)
	}
}

// sync is one step of the state machine: ask, verify, fetch, persist, show. An
// error leaves all but s.err and s.unsure as it was.
func (s *source) sync(ctx context.Context) (*catalog.Snapshot, error) {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	snap, err := s.step(ctx)
	s.unsure = err != nil
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	return snap, err
}

func (s *source) step(ctx context.Context) (*catalog.Snapshot, error) {
	var since uint64
	if have := s.snapshot(); have != nil && !s.unsure {
		since = have.Serial()
	}
	env, err := s.Source.Source.Snapshot(ctx, since)
	if errors.Is(err, catalog.ErrNotModified) {
		return s.confirm(since)
	}
	if err != nil {
		return nil, err
	}
	now := s.now()
	next, err := s.verify(ctx, env, now)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	old := s.held
	s.mu.Unlock()
	built, err := s.assemble(ctx, next, old, env)
	if err != nil {
		return nil, err
	}
	if err := s.disk.save(next); err != nil {
		return nil, err
	}
	s.kept = next
	s.mu.Lock()
	s.held = built
	s.mu.Unlock()
	if env.Accept != nil {
		env.Accept(built.snapshot.Serial())
	}
	// What is left over costs space only, and is tried again after the next sync.
	_ = s.disk.collect(next.Manifest)
	return built.snapshot, nil
}

// confirm takes "not modified" for an answer: it was asked for by a serial that
// this source gave us and that was verified, and which has not expired since.
func (s *source) confirm(since uint64) (*catalog.Snapshot, error) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case since == 0 || s.held == nil:
		return nil, fmt.Errorf("%w: it says nothing changed, but was not asked for changes", catalog.ErrUnavailable)
	case now.After(s.held.snapshot.Expires()):
		return nil, fmt.Errorf("%w: it still serves catalog %d", catalog.ErrExpired, since)
	}
	confirmed := *s.held
	confirmed.snapshot = s.held.snapshot.At(now.UTC(), s.held.snapshot.Expires())
	s.held = &confirmed
	return confirmed.snapshot, nil
}

// verify returns the state that the envelope's signed files lead to, with the
// catalog manifest, and refuses one that goes back.
func (s *source) verify(ctx context.Context, env *catalog.Envelope, now time.Time) (*kept, error) {
	var known *verify.CatalogState
	if s.kept != nil {
		known = s.kept.Trust
	}
	next, err := s.Trust.Update(ctx, known, env.Metadata, now)
	if err != nil {
		return nil, err
	}
	if err := checkAdvance(known, next); err != nil {
		return nil, err
	}
	t, err := parseTargets(next)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", verify.ErrUntrusted, err)
	}
	k := &kept{Format: keptFormat, Trust: next, Synced: now.UTC()}
	if s.kept != nil && verify.DigestOf(s.kept.Manifest) == t.index.Catalog {
		k.Manifest = s.kept.Manifest
		return k, nil
	}
	k.Manifest, err = readBlob(ctx, env, t.index.Catalog, t.index.Size)
	return k, err
}

// readBlob reads a small blob whole, and checks it whatever the source checked.
func readBlob(ctx context.Context, env *catalog.Envelope, d verify.Digest, size int64) ([]byte, error) {
	r, err := env.Blob(ctx, d, size)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(verify.NewReader(r, d, size))
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", d.Short(), err)
	}
	return b, nil
}

// assemble brings all segments here and makes the snapshot. Where that fails because
// a file on disk is damaged, it is fetched again, once.
func (s *source) assemble(ctx context.Context, next *kept, old *held, env *catalog.Envelope) (*held, error) {
	if err := s.fetch(ctx, next.Manifest, env); err != nil {
		return nil, err
	}
	built, err := s.build(next, old)
	if err == nil || s.disk.dropDamaged(next.Manifest) == 0 {
		return built, err
	}
	if err := s.fetch(ctx, next.Manifest, env); err != nil {
		return nil, err
	}
	return s.build(next, old)
}

// fetch brings all segments of the manifest to the disk, verified.
func (s *source) fetch(ctx context.Context, raw []byte, env *catalog.Envelope) error {
	m, err := catalog.ParseCatalogManifest(raw)
	if err != nil {
		return err
	}
	for _, way := range plan(m, s.disk.has) {
		if err := s.obtain(ctx, m, way, env); err != nil {
			return fmt.Errorf("segment %s: %w", way.segment.DiffID.Short(), err)
		}
	}
	return nil
}

// obtain gets one segment. Where inputs of a merge cannot be had any more, or are
// not what they say, the merged segment itself is fetched.
func (s *source) obtain(ctx context.Context, m catalog.CatalogManifest, way supply, env *catalog.Envelope) error {
	if way.merge {
		err := s.download(ctx, way.fetch, env)
		if err == nil {
			err = s.merge(isBase(m, way.segment), way.segment)
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		way.fetch = []catalog.Blob{way.segment.Blob}
	}
	return s.download(ctx, way.fetch, env)
}

func (s *source) download(ctx context.Context, blobs []catalog.Blob, env *catalog.Envelope) error {
	for _, b := range blobs {
		raw, err := readBlob(ctx, env, b.Digest, b.Size)
		if err != nil {
			return err
		}
		for _, err := range catalog.ReadSegment(bytes.NewReader(raw), b) {
			if err != nil {
				return err
			}
		}
		if err := s.disk.put(b.DiffID, raw); err != nil {
			return err
		}
	}
	return nil
}

// merge computes a segment from its inputs on disk.
func (s *source) merge(base bool, to catalog.Segment) error {
	inputs := make([]iter.Seq2[catalog.Record, error], len(to.From))
	for i, b := range to.From {
		inputs[i] = s.disk.records(b)
	}
	raw, made, err := catalog.WriteSegment(catalog.MergeRecords(base, inputs...))
	if err != nil {
		return err
	}
	if made.DiffID != to.DiffID {
		return fmt.Errorf("%w: merged to %s, not %s", verify.ErrDigest, made.DiffID, to.DiffID)
	}
	return s.disk.put(to.DiffID, raw)
}

// build makes the snapshot of what is kept. It reads every segment and checks it on
// the way, unless old, the one before, is of the same catalog manifest.
func (s *source) build(k *kept, old *held) (*held, error) {
	t, err := parseTargets(k.Trust)
	if err != nil {
		return nil, err
	}
	h := &held{catalog: t.index.Catalog}
	if old != nil && old.catalog == h.catalog {
		h.contents, h.providers = old.contents, old.providers
	} else {
		if h.contents, err = s.contents(k, t.index); err != nil {
			return nil, err
		}
		h.providers = providersOf(h.contents.Releases)
	}
	h.contents.Expires, h.contents.Synced = k.Trust.Expires, k.Synced
	h.contents.Publishers, h.contents.Advisories = t.publishers.Publishers, t.advisories.Advisories
	if h.snapshot, err = catalog.NewSnapshot(h.contents); err != nil {
		return nil, err
	}
	return h, nil
}

// contents reads what the catalog manifest lists.
func (s *source) contents(k *kept, x catalog.Index) (catalog.Contents, error) {
	if got := verify.DigestOf(k.Manifest); got != x.Catalog {
		return catalog.Contents{}, fmt.Errorf("catalog manifest: %w: got %s, want %s", verify.ErrDigest, got, x.Catalog)
	}
	m, err := catalog.ParseCatalogManifest(k.Manifest)
	if err != nil {
		return catalog.Contents{}, err
	}
	if m.Serial != x.Serial {
		return catalog.Contents{}, fmt.Errorf("%w: catalog manifest %d under index %d", verify.ErrUntrusted, m.Serial, x.Serial)
	}
	c := catalog.Contents{Source: s.Name, Serial: m.Serial}
	err = s.read(m, &c)
	return c, err
}

// read decodes all segments into c.
func (s *source) read(m catalog.CatalogManifest, c *catalog.Contents) error {
	var d catalog.RecordReader
	for _, f := range catalog.Families() {
		var inputs []iter.Seq2[catalog.Record, error]
		for _, seg := range m.Of(f) {
			inputs = append(inputs, s.disk.records(seg.Blob))
		}
		for r, err := range catalog.MergeRecords(true, inputs...) {
			if err == nil {
				err = decode(&d, f, r, c)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func decode(d *catalog.RecordReader, f catalog.Family, r catalog.Record, c *catalog.Contents) error {
	switch f {
	case catalog.FamilyListing:
		l, err := d.Listing(r)
		c.Listings = append(c.Listings, l)
		return err
	case catalog.FamilyReleases:
		all, err := d.Releases(r)
		c.Releases = append(c.Releases, all...)
		return err
	default:
		st, err := d.Stats(r)
		c.Stats = append(c.Stats, st)
		return err
	}
}

// providersOf lists for every id the plugins with a release that provides or
// replaces it, in order.
func providersOf(releases []catalog.Release) map[catalog.PluginID][]catalog.PluginID {
	out := make(map[catalog.PluginID][]catalog.PluginID)
	add := func(id, by catalog.PluginID) {
		if !slices.Contains(out[id], by) {
			out[id] = append(out[id], by)
		}
	}
	for _, r := range releases {
		for _, id := range r.Manifest.Provides {
			add(id, r.Plugin)
		}
		for _, rel := range r.Manifest.Replaces {
			add(rel.ID, r.Plugin)
		}
	}
	for _, by := range out {
		slices.Sort(by)
	}
	return out
}
