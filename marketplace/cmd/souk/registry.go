package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/verify"
)

// packed is a release with what is offered as proof of it, which nobody checked.
type packed struct {
	catalog.Release
	evidence verify.Evidence
}

func isDirectory(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// load reads a release from an image layout or a registry.
func (a *app) load(ctx context.Context, target string, o oci.Options) (*packed, error) {
	if isDirectory(target) {
		l, err := readLayout(ctx, target)
		if err != nil {
			return nil, err
		}
		return &packed{l.Package.Release(a.now(), ""), l.Evidence()}, nil
	}
	at, id, digest, err := parseRef(target)
	if err != nil {
		return nil, err
	}
	var found *packed
	err = a.during(ctx, "reading", func(ctx context.Context) error {
		// Plugins lie beside a catalog; whether there is one does not matter here.
		src, err := oci.New(at+"/catalog", o)
		if err != nil {
			return usage("%v", err)
		}
		defer src.Close()
		found, err = remote(ctx, src, id, digest)
		return registryAdvice(err, at)
	})
	return found, err
}

// remote reads a release by its digest. What it says of itself agrees with that
// digest; who made it is not checked.
func remote(ctx context.Context, src *oci.Source, id catalog.PluginID, digest verify.Digest) (*packed, error) {
	// Until it is read, its digest stands for its version in what errors say.
	r := catalog.Release{Ref: catalog.Ref{Plugin: id, Version: digest.Short()}, Digest: digest}
	evidence, err := src.Evidence(ctx, r)
	if err != nil {
		return nil, err
	}
	wrap := func(err error) error { return fmt.Errorf("%s@%s: %w", id, digest.Short(), err) }
	m, err := catalog.ParseOCIManifest(evidence.Manifest)
	if err != nil {
		return nil, wrap(err)
	}
	// The config is a blob of the release like those of the detail page.
	config := catalog.Descriptor{Title: publish.ManifestFile, MediaType: m.Config.MediaType, Digest: m.Config.Digest, Size: m.Config.Size}
	if config.Size > catalog.MaxManifest {
		return nil, wrap(fmt.Errorf("its plugin.json has %d bytes, more than %d", config.Size, catalog.MaxManifest))
	}
	r.Media = []catalog.Descriptor{config}
	raw, err := src.Media(ctx, r, config)
	if err != nil {
		return nil, err
	}
	if r.Manifest, err = catalog.ParseManifest(raw); err != nil {
		return nil, wrap(err)
	}
	if r.Manifest.ID != id {
		return nil, wrap(fmt.Errorf("%w: it is %s, in the repository of another", verify.ErrUntrusted, r.Manifest.ID))
	}
	r.Version = r.Manifest.Version
	artifact, err := catalog.ParseArtifact(evidence.Manifest, r)
	if err != nil {
		return nil, err
	}
	r.Size, r.Media = artifact.Content.Size, artifact.Media
	return &packed{r, evidence}, nil
}

// parseRef reads "registry.example.org/plugins/acme/hello@sha256:...".
func parseRef(s string) (at string, id catalog.PluginID, digest verify.Digest, err error) {
	name, d, found := strings.Cut(s, "@")
	if !found {
		return "", "", "", advise(usage("%.200q is neither a directory nor names a release by its digest", s),
			"a tag can be moved, so it is not enough: add @sha256:..., which `souk push` printed")
	}
	if digest, err = verify.ParseDigest(d); err != nil {
		return "", "", "", usage("%.200q: %v", s, err)
	}
	i := strings.LastIndexByte(name, '/')
	if i > 0 {
		i = strings.LastIndexByte(name[:i], '/')
	}
	if i <= 0 {
		return "", "", "", usage("%.200q is not registry/prefix/publisher/name@sha256:...", s)
	}
	if id, err = catalog.ParsePluginID(name[i+1:]); err != nil {
		return "", "", "", usage("%.200q: %v", s, err)
	}
	return name[:i], id, digest, nil
}

// registryAdvice says what helps against what registries answer.
func registryAdvice(err error, at string) error {
	host, _, _ := strings.Cut(strings.TrimPrefix(at, "https://"), "/")
	switch {
	case errors.Is(err, oci.ErrUnauthorized):
		return advise(err, "log in with `docker login %s` as somebody who may do this", host)
	case errors.Is(err, catalog.ErrUnavailable):
		return advise(err, "see whether %s is up and the address is right, then run it again", host)
	case errors.Is(err, catalog.ErrNotFound):
		return advise(err, "see whether it was pushed there: `souk push` prints the address with the digest")
	}
	return err
}
