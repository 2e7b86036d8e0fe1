package markettest

import (
	"context"
	"encoding/json"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/sigstore"
	"github.com/souk-dev/souk/verify/tuf"
)

// Plugin is a release to publish.
type Plugin struct {
	Manifest catalog.Manifest
	// Files are the package's files by path, without plugin.json, which is made of
	// Manifest. None: one small file.
	Files map[string]string
	Notes string // release notes, Markdown
	// Published is when; zero: a month ago, so that no minimum age is in the way.
	Published time.Time
	// Signer signs it; nil: its publisher. Somebody else's signature is not accepted.
	Signer  verify.Signer
	State   catalog.State
	Rollout *catalog.Rollout
}

// Manifest returns a valid manifest of a static plugin, to be changed as needed.
func Manifest(id catalog.PluginID, version string) catalog.Manifest {
	return catalog.Manifest{
		Format: catalog.ManifestFormat, ID: id, Version: version, Name: string(id), Summary: "A plugin for tests.",
		License: "Apache-2.0", Runtime: catalog.Runtime{Kind: catalog.RuntimeStatic},
	}
}

// prefix is where everything lies in the registry.
const prefix = "plugins"

// office is where the catalog is made: its keys and the publishers'.
type office struct {
	w          *World
	keys       tuf.Keys
	root       []byte
	catalog    *publish.Catalog
	publishers map[string]*sigstore.KeySigner
	advisories []catalog.Advisory
}

func newOffice(w *World) *office {
	o := &office{w: w, publishers: map[string]*sigstore.KeySigner{}}
	for _, role := range []struct {
		keys *[]tuf.Key
		n    int
	}{{&o.keys.Root, 2}, {&o.keys.Targets, 1}, {&o.keys.Snapshot, 1}, {&o.keys.Timestamp, 1}} {
		for range role.n {
			key, err := tuf.GenerateKey()
			require.NoError(w.t, err)
			*role.keys = append(*role.keys, key)
		}
	}
	repository, first, err := tuf.Init(o.keys, w.now(), tuf.Config{})
	require.NoError(w.t, err)
	o.root = first.Files["1.root.json"]
	o.catalog = publish.New(repository)
	return o
}

// signer returns the key of a publisher, made when it is first needed.
func (o *office) signer(namespace string) *sigstore.KeySigner {
	if s, ok := o.publishers[namespace]; ok {
		return s
	}
	s, err := sigstore.NewKeySigner(catalogtest.NewECDSAKey(o.w.t))
	require.NoError(o.w.t, err)
	o.publishers[namespace] = s
	return s
}

func (o *office) publish(ctx context.Context, plugins []Plugin) {
	for _, p := range plugins {
		o.push(ctx, p)
	}
	var all []catalog.Publisher
	for namespace, s := range o.publishers {
		all = append(all, catalog.Publisher{Namespace: namespace, Name: namespace, Signers: []catalog.Signer{{Identity: s.Identity()}}})
	}
	require.NoError(o.w.t, o.catalog.SetPublishers(all))
	require.NoError(o.w.t, o.catalog.SetAdvisories(o.advisories))
	_, err := o.catalog.Publish(ctx, o.target())
	require.NoError(o.w.t, err, "publish the catalog")
}

func (o *office) push(ctx context.Context, p Plugin) {
	t := o.w.t
	raw, err := json.Marshal(p.Manifest)
	require.NoError(t, err)
	files := fstest.MapFS{publish.ManifestFile: {Data: raw}}
	if p.Files == nil {
		p.Files = map[string]string{"VERSION": p.Manifest.Version + "\n"}
	}
	for name, content := range p.Files {
		files[name] = &fstest.MapFile{Data: []byte(content)}
	}
	pkg, err := publish.Pack(ctx, files, publish.PackOptions{})
	require.NoError(t, err, "pack %s", p.Manifest.ID)
	owner := o.signer(p.Manifest.ID.Publisher())
	if p.Signer == nil {
		p.Signer = owner
	}
	require.NoError(t, publish.Push(ctx, o.w.Registry, prefix, pkg, p.Signer))
	if p.Published.IsZero() {
		p.Published = o.w.now().AddDate(0, -1, 0)
	}
	r := pkg.Release(p.Published, p.Notes)
	r.State, r.Rollout = p.State, p.Rollout
	require.NoError(t, o.catalog.AddRelease(r), "list %s", r.Ref)
}

func (o *office) target() publish.Target {
	return publish.Target{
		Registry: o.w.Registry, Repo: prefix + "/catalog", Keys: o.keys, Now: o.w.now(),
		Keep: func([]byte) error { return nil }, // the registry ends with the test, and so does the catalog
	}
}
