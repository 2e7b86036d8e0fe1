package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/tuf"
)

// Target is where a catalog is published to, and by whose keys. All fields are required.
type Target struct {
	Registry Pusher
	Repo     string    // "plugins/catalog"
	Keys     tuf.Keys  // those that sign are private
	Now      time.Time // the time of the signatures
	// Keep stores the state for [Open], durably. It is called when all is uploaded
	// but the file that makes it visible, so that after a crash the next publish
	// continues with a number that nobody has seen another catalog under.
	Keep func(state []byte) error
}

func (t *Target) check() error {
	if t.Registry == nil || t.Repo == "" || t.Keep == nil || t.Now.IsZero() {
		return errors.New("registry, repository, time and a place to keep the state are needed")
	}
	return nil
}

// state is how a Catalog is kept between runs. Its contents lie in the registry.
type state struct {
	Format     int                      `json:"format"`
	TUF        json.RawMessage          `json:"tuf"`
	Manifest   *catalog.CatalogManifest `json:"manifest,omitempty"` // nil before the first publish
	Publishers []catalog.Publisher      `json:"publishers"`
	Advisories catalog.Advisories       `json:"advisories"`
}

const stateFormat = 1

// Open returns the catalog whose state was kept, with its contents read by open.
// Changes that were not published are gone.
func Open(ctx context.Context, kept []byte, open OpenBlob) (*Catalog, error) {
	s, err := readState(kept)
	if err != nil {
		return nil, fmt.Errorf("open catalog: %w", err)
	}
	repository, err := tuf.Open(s.TUF)
	if err != nil {
		return nil, fmt.Errorf("open catalog: %w", err)
	}
	c := New(repository)
	c.publishers, c.advisories = s.Publishers, s.Advisories
	if s.Manifest == nil {
		return c, nil
	}
	c.serial = s.Manifest.Serial
	if err := c.load(ctx, *s.Manifest, open); err != nil {
		return nil, fmt.Errorf("open catalog: %w", err)
	}
	return c, nil
}

// Publish makes all changes since the last publish visible, under the next serial,
// which it returns. It uploads new segments and the catalog manifest, then the
// signed files, leaves first and timestamp.json last: whoever reads meanwhile gets
// the old state or the new one. After an error nothing is visible unless it was
// timestamp.json itself that failed, and Publish can be repeated.
func (c *Catalog) Publish(ctx context.Context, t Target) (uint64, error) {
	serial := c.serial + 1
	if err := c.publish(ctx, t, serial); err != nil {
		return 0, fmt.Errorf("publish catalog %d: %w", serial, err)
	}
	return serial, nil
}

func (c *Catalog) publish(ctx context.Context, t Target, serial uint64) error {
	if err := t.check(); err != nil {
		return err
	}
	l, err := c.lay()
	if err != nil {
		return err
	}
	m := l.manifest(serial)
	index, err := upload(ctx, t, m, l.blobs)
	if err != nil {
		return err
	}
	advisories := c.advisories
	advisories.Format = catalog.AdvisoriesFormat
	if c.advised || advisories.Serial == 0 {
		advisories.Serial++
	}
	targets, err := encodeTargets(index, catalog.Publishers{Format: catalog.PublishersFormat, Publishers: c.publishers}, advisories)
	if err != nil {
		return err
	}
	// The repository is signed in a copy, so that after an error c is as it was.
	before, err := c.tuf.State()
	if err != nil {
		return err
	}
	signed, err := tuf.Open(before)
	if err != nil {
		return err
	}
	p, err := signed.Publish(t.Keys, targets, t.Now)
	if err != nil {
		return err
	}
	if c.serial == 0 {
		if err := pushRoot(ctx, t, signed); err != nil {
			return err
		}
	}
	return c.show(ctx, t, p, func() ([]byte, error) {
		c.tuf, c.serial, c.segments = signed, serial, l.segments
		c.advisories, c.advised = advisories, false
		for _, f := range c.families {
			clear(f.changed)
		}
		return c.state(&m)
	})
}

// Renew keeps an unchanged catalog fresh: it signs a new timestamp, and what else
// is due. See [tuf.Repository.Renew].
func (c *Catalog) Renew(ctx context.Context, t Target) error {
	return c.sign(ctx, t, "renew catalog", func(r *tuf.Repository) (*tuf.Publication, error) { return r.Renew(t.Keys, t.Now) })
}

// Rotate replaces the keys of all roles by t.Keys, in a new root that is signed by
// signers, who are root keys so far. See [tuf.Repository.Rotate].
func (c *Catalog) Rotate(ctx context.Context, t Target, signers []tuf.Key) error {
	return c.sign(ctx, t, "rotate keys of catalog", func(r *tuf.Repository) (*tuf.Publication, error) { return r.Rotate(signers, t.Keys, t.Now) })
}

func (c *Catalog) sign(ctx context.Context, t Target, op string, do func(*tuf.Repository) (*tuf.Publication, error)) error {
	wrap := func(err error) error { return fmt.Errorf("%s: %w", op, err) }
	if err := t.check(); err != nil {
		return wrap(err)
	}
	before, err := c.tuf.State()
	if err != nil {
		return wrap(err)
	}
	signed, err := tuf.Open(before)
	if err != nil {
		return wrap(err)
	}
	p, err := do(signed)
	if err != nil {
		return wrap(err)
	}
	m := c.published()
	err = c.show(ctx, t, p, func() ([]byte, error) {
		c.tuf = signed
		return c.state(m)
	})
	if err != nil {
		return wrap(err)
	}
	return nil
}

// show uploads a publication. Before its last file, commit takes over the new
// state, which is then kept.
func (c *Catalog) show(ctx context.Context, t Target, p *tuf.Publication, commit func() ([]byte, error)) error {
	for i, name := range p.Order {
		if i == len(p.Order)-1 {
			kept, err := commit()
			if err != nil {
				return err
			}
			if err := t.Keep(kept); err != nil {
				return fmt.Errorf("keep the state: %w", err)
			}
		}
		if err := pushOne(ctx, t.Registry, t.Repo, name, catalog.TypeMetadata, p.Files[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// State returns the catalog for [Open], as [Target.Keep] is given it: what was
// published, not the changes since then. It holds nothing secret.
func (c *Catalog) State() ([]byte, error) { return c.state(c.published()) }

// published is the catalog manifest of the last publish, nil before the first.
func (c *Catalog) published() *catalog.CatalogManifest {
	if c.serial == 0 {
		return nil
	}
	m := (&layout{segments: c.segments}).manifest(c.serial)
	return &m
}

func (c *Catalog) state(m *catalog.CatalogManifest) ([]byte, error) {
	signing, err := c.tuf.State()
	if err != nil {
		return nil, err
	}
	return json.Marshal(state{stateFormat, signing, m, c.publishers, c.advisories})
}

func pushRoot(ctx context.Context, t Target, r *tuf.Repository) error {
	root, err := r.Root()
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%d.root.json", r.Status().Root.Version)
	return pushOne(ctx, t.Registry, t.Repo, name, catalog.TypeMetadata, root)
}

func encodeTargets(x catalog.Index, p catalog.Publishers, a catalog.Advisories) (map[string][]byte, error) {
	index, err := x.Encode()
	if err != nil {
		return nil, err
	}
	publishers, err := p.Encode()
	if err != nil {
		return nil, err
	}
	advisories, err := a.Encode()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{catalog.TargetIndex: index, catalog.TargetPublishers: publishers, catalog.TargetAdvisories: advisories}, nil
}

// upload stores new segments and the catalog manifest, held together by an OCI
// manifest so that a registry keeps them and a copy of it has all of the catalog.
func upload(ctx context.Context, t Target, m catalog.CatalogManifest, blobs map[verify.Digest][]byte) (catalog.Index, error) {
	raw, err := m.Encode()
	if err != nil {
		return catalog.Index{}, err
	}
	config, err := pushBytes(ctx, t.Registry, t.Repo, catalog.TypeCatalogManifest, raw)
	if err != nil {
		return catalog.Index{}, fmt.Errorf("catalog manifest: %w", err)
	}
	holder := catalog.OCIManifest{
		SchemaVersion: 2,
		MediaType:     catalog.TypeManifest,
		ArtifactType:  catalog.TypeCatalog,
		Config:        config,
		Layers:        []catalog.OCIDescriptor{},
	}
	held := make(map[verify.Digest]bool)
	for _, s := range m.Segments {
		for _, b := range append([]catalog.Blob{s.Blob}, s.From...) {
			if held[b.Digest] {
				continue
			}
			held[b.Digest] = true
			holder.Layers = append(holder.Layers, catalog.OCIDescriptor{MediaType: catalog.TypeSegment, Digest: b.Digest, Size: b.Size})
			if body, isNew := blobs[b.Digest]; isNew {
				if _, err := pushBytes(ctx, t.Registry, t.Repo, catalog.TypeSegment, body); err != nil {
					return catalog.Index{}, fmt.Errorf("segment %s: %w", b.Digest.Short(), err)
				}
			}
		}
	}
	oci, err := json.Marshal(holder)
	if err != nil {
		return catalog.Index{}, err
	}
	if _, err := t.Registry.PushManifest(ctx, t.Repo, fmt.Sprintf("catalog.%d", m.Serial), catalog.TypeManifest, oci); err != nil {
		return catalog.Index{}, fmt.Errorf("catalog manifest: %w", err)
	}
	return catalog.Index{Format: catalog.IndexFormat, Serial: m.Serial, Catalog: config.Digest, Size: config.Size}, nil
}

// Status is what an operator watches of a catalog whose state was kept.
type Status struct {
	Serial     uint64 // of the last publish; 0 before the first
	TUF        tuf.Status
	Publishers []catalog.Publisher
	Advisories []catalog.Advisory
}

// StatusOf reads the status from what [Target.Keep] was given, without a registry.
func StatusOf(kept []byte) (Status, error) {
	s, err := readState(kept)
	if err != nil {
		return Status{}, fmt.Errorf("read state of catalog: %w", err)
	}
	repository, err := tuf.Open(s.TUF)
	if err != nil {
		return Status{}, fmt.Errorf("read state of catalog: %w", err)
	}
	out := Status{TUF: repository.Status(), Publishers: s.Publishers, Advisories: s.Advisories.Advisories}
	if s.Manifest != nil {
		out.Serial = s.Manifest.Serial
	}
	return out, nil
}

func readState(kept []byte) (s state, err error) {
	if err := json.Unmarshal(kept, &s); err != nil {
		return s, err
	}
	if s.Format != stateFormat {
		return s, fmt.Errorf("its state has format %d, this version reads %d", s.Format, stateFormat)
	}
	return s, nil
}
