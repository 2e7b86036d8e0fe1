package install

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"syscall"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/verify"
)

// What has to be left on the disk beside what is unpacked: room for the records,
// and for the undoing.
const (
	spareBytes  = 16 << 20
	spareInodes = 100
)

// blockSize is what a file takes on the disk beyond its content, at most.
const blockSize = 4096

// prepareItems decides for every plugin of the plan what will be there, and proves
// that it may be: nothing was downloaded yet but the proof.
func (t *transaction) prepareItems(ctx context.Context) error {
	var target Generation
	if t.plan.Rollback != 0 {
		var err error
		if target, err = t.s.kept(t.plan.Rollback); err != nil {
			return fmt.Errorf("%w: %w", ErrStalePlan, err)
		}
	}
	known := t.s.known()
	for _, st := range t.plan.Steps {
		st.Release.Source = st.Source
		t.at = st.Release.Ref
		var it *item
		var err error
		switch {
		case st.Action == ActRemove:
			continue
		case t.plan.Rollback != 0:
			it, err = t.goBack(ctx, st, target)
		case st.Action == ActKeep:
			it = &item{step: st, to: t.base.Plugins[st.Release.Plugin]}
			it.to.Root = true
		default:
			it, err = t.prove(ctx, st, known)
		}
		if err != nil {
			return err
		}
		if err := t.s.allowed(it.to); err != nil && it.to.Enabled && t.changed[it.to.Plugin] {
			return err
		}
		t.items = append(t.items, it)
	}
	t.at = catalog.Ref{}
	return t.room()
}

// goBack takes a plugin as a kept generation had it.
func (t *transaction) goBack(ctx context.Context, st Step, target Generation) (*item, error) {
	to, ok := target.Plugins[st.Release.Plugin]
	if !ok || to.Digest != st.Release.Digest {
		return nil, ErrStalePlan
	}
	grants, consent, err := t.agreed.grants(st, to.Consent, t.by, t.now)
	if err != nil {
		return nil, err
	}
	to.Grants, to.Consent, to.Since = grants, consent, t.now
	return &item{step: st, to: to}, t.s.checkObject(ctx, to.Object, true)
}

// prove asks who may sign the release and whether they did.
func (t *transaction) prove(ctx context.Context, st Step, known map[verify.Digest]string) (*item, error) {
	r, s := st.Release, t.s
	subject, err := s.o.Supply.Subject(ctx, r)
	if err != nil {
		return nil, err
	}
	if subject.Digest != r.Digest {
		return nil, fmt.Errorf("%w: the catalog has %s now, the plan %s", ErrStalePlan, subject.Digest, r.Digest)
	}
	evidence, err := s.o.Supply.Evidence(ctx, r)
	if err != nil {
		return nil, err
	}
	t.phase = StateVerifying
	artifact, err := catalog.ParseArtifact(evidence.Manifest, r)
	if err != nil {
		return nil, err
	}
	if err := catalog.ContentLimits(s.o.Limits).Announced(artifact); err != nil {
		return nil, err
	}
	report, err := s.o.Verifier.Verify(ctx, subject, evidence)
	if err == nil {
		err = report.Err()
	}
	if err != nil {
		return nil, err
	}
	signer, err := t.continuity(st, report)
	if err != nil {
		return nil, err
	}
	t.phase = StateResolving
	var given sandbox.Consent
	to := Installed{
		Ref: r.Ref, Source: st.Source, Digest: r.Digest, Signer: signer, Root: st.Root, Enabled: true,
		Since: t.now, Manifest: r.Manifest, Published: r.Published, Object: known[r.Digest],
	}
	if from, had := t.base.Plugins[r.Plugin]; had {
		given, to.Enabled = from.Consent, from.Enabled
	}
	if to.Grants, to.Consent, err = t.agreed.grants(st, given, t.by, t.now); err != nil {
		return nil, err
	}
	it := &item{step: st, to: to, artifact: artifact}
	if to.Object != "" {
		if err := s.checkObject(ctx, to.Object, true); err == nil {
			it.artifact = nil // a hit, verified like a download
		} else if !errors.Is(err, ErrModified) {
			return nil, err
		}
	}
	return it, nil
}

// continuity compares who signed with who was locked at first install.
func (t *transaction) continuity(st Step, report *verify.Report) (string, error) {
	who := report.Signer()
	if who == (verify.Identity{}) {
		return "", fmt.Errorf("%w: the check passed without saying who signed", verify.ErrUntrusted)
	}
	from, had := t.base.Plugins[st.Release.Plugin]
	if had && from.Signer != "" && from.Signer != who.ID() && !t.agreed.signers[st.Release.Plugin] {
		t.s.mu.Lock()
		t.s.signers[st.Release.Digest] = who.ID()
		t.s.mu.Unlock()
		return "", fmt.Errorf("%w: %s instead of %s; make the plan again to be asked about it", ErrSigner, who.ID(), from.Signer)
	}
	return who.ID(), nil
}

func (s *Store) refusedSigner(d verify.Digest) (string, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	by, ok := s.signers[d]
	return by, ok
}

// known returns the objects of the kept generations by the digest of their release.
// A damaged record only costs a download.
func (s *Store) known() map[verify.Digest]string {
	out := make(map[verify.Digest]string)
	list, err := s.chain()
	if err != nil {
		s.o.Log.Warn("old generations cannot be read", "error", err)
		list = []Generation{s.Current()}
	}
	for _, g := range list {
		for _, p := range g.Plugins {
			out[p.Digest] = p.Object
		}
	}
	return out
}

// room fails early when the disk is too small for what will be unpacked.
func (t *transaction) room() error {
	var bytes, files int64
	for _, it := range t.items {
		if a := it.artifact; a != nil {
			bytes += a.Unpacked + int64(a.Entries)*blockSize
			files += int64(a.Entries)
		}
	}
	return t.s.room(bytes, files)
}

func (s *Store) room(bytes, files int64) error {
	free, err := s.fs.Free()
	if err != nil {
		return err
	}
	if need := uint64(max(bytes, 0)) + spareBytes; free.Bytes < need {
		return fmt.Errorf("%w: %d MiB are free, %d MiB are needed", syscall.ENOSPC, free.Bytes>>20, need>>20)
	}
	if need := uint64(max(files, 0)) + spareInodes; free.Inodes < need {
		return fmt.Errorf("%w: room for %d files, %d are needed", syscall.ENOSPC, free.Inodes, need)
	}
	return nil
}

// stage brings every object to its place. Nothing refers to it yet.
func (t *transaction) stage(ctx context.Context) error {
	for i, it := range t.items {
		if it.artifact == nil {
			continue
		}
		t.enter(StateDownloading, it.to.Ref)
		it.staging = path.Join(storeDir, fmt.Sprintf("%s%s-%d", stagingPrefix, t.entry.ID, i))
		if err := t.fetch(ctx, it); err != nil {
			return err
		}
	}
	t.enter(StateVerifying, catalog.Ref{})
	for _, it := range t.items {
		if it.staging != "" {
			t.at = it.to.Ref
			if err := t.s.fs.SyncTree(it.staging); err != nil {
				return err
			}
		}
	}
	t.enter(StateStaging, catalog.Ref{})
	placed := false
	for _, it := range t.items {
		if it.staging == "" {
			continue
		}
		t.at = it.to.Ref
		if err := t.place(ctx, it); err != nil {
			return err
		}
		placed = true
	}
	if placed {
		if err := t.s.fs.SyncDir(storeDir); err != nil {
			return err
		}
	}
	for _, it := range t.items {
		if t.changed[it.to.Plugin] && it.to.Enabled {
			t.at = it.to.Ref
			if err := t.s.prepare(ctx, t.s.locate(it.to)); err != nil {
				return err
			}
		}
	}
	return nil
}

// fetch downloads, checks and unpacks one release in one pass.
func (t *transaction) fetch(ctx context.Context, it *item) error {
	rc, err := t.s.o.Supply.Open(ctx, it.step.Release)
	if err != nil {
		return err
	}
	total := it.artifact.Content.Size
	u := unpacker{fs: t.s.fs, dir: it.staging, limits: t.s.o.Limits}
	if t.ev.Progress != nil {
		u.say = func(n int64) { t.ev.Progress(it.to.Plugin, n, total) }
	}
	it.to.Object, err = u.unpack(ctx, rc, it.artifact)
	if cerr := rc.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return checkEntry(it.to.Manifest.Runtime, u.nodes)
}

// checkEntry makes sure that what the manifest says is run is there.
func checkEntry(r catalog.Runtime, files []node) error {
	if r.Entry == "" {
		return nil
	}
	i := slices.IndexFunc(files, func(n node) bool { return n.path == r.Entry })
	if i < 0 || files[i].dir && r.Kind != catalog.RuntimeStatic {
		return fmt.Errorf("%w: its manifest names the entry %.200q, which is not in it", ErrArchive, r.Entry)
	}
	return nil
}

// place renames an object to its name. One that is there already stays when it is
// whole; else it is replaced.
func (t *transaction) place(ctx context.Context, it *item) error {
	r, dir := t.s.fs, objectDir(it.to.Object)
	if _, err := r.Stat(dir); err == nil {
		err := t.s.checkObject(ctx, it.to.Object, true)
		if err == nil {
			return r.RemoveAll(it.staging)
		}
		if !errors.Is(err, ErrModified) && !errors.Is(err, ErrCorrupt) {
			return err
		}
		if err := r.RemoveAll(dir); err != nil {
			return err
		}
	}
	return r.Rename(it.staging, dir)
}
