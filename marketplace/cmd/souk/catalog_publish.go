package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/verify"
)

// publishOptions are what changes with a publish.
type publishOptions struct {
	trust, add, yank       list
	reason                 string
	publishers, advisories string
	trustedRoot            string
	noCertificates         bool
	insecure, asJSON       bool
}

func publishVerb() verb {
	return verb{
		name: "catalog publish", args: "<dir>", min: 1, max: 1,
		short: "add releases to a catalog and publish it",
		long: `
Publishes the catalog in <dir> with what the flags add: panels see it with their next
sync, all of it or none. Without any it is signed anew, which gives the targets
another 90 days.

A release is added when the catalog's own registry serves it with the signature of
its publisher: --trust says once who may sign for a namespace. A release that was
published never changes; to take it back use --yank, which leaves it where it is
installed. --publishers and --advisories replace the whole list; the present one is
in ` + "`souk catalog status --json`" + `.

  souk catalog publish shop --trust acme=acme.pub.pem --add hello-0.1.0.oci
  souk catalog publish shop --add acme/hello@sha256:...
  souk catalog publish shop --yank acme/hello@0.1.0 --reason "loses notes"`,
		flags: func(fs *flag.FlagSet) action {
			var o publishOptions
			fs.Var(&o.trust, "trust", "who may sign for a namespace: `namespace=file` of a public key, or namespace=issuer,subject; may be repeated")
			fs.Var(&o.add, "add", "a release that was pushed: its `layout` or publisher/name@sha256:...; may be repeated")
			fs.Var(&o.yank, "yank", "a `release` not to install any more, publisher/name@version; may be repeated")
			fs.StringVar(&o.reason, "reason", "", "`text` that says why it is yanked")
			fs.StringVar(&o.publishers, "publishers", "", "JSON `file` with all publishers")
			fs.StringVar(&o.advisories, "advisories", "", "JSON `file` with all advisories")
			trustFlags(fs, &o.trustedRoot, &o.noCertificates)
			asJSON, insecure := jsonFlag(fs), insecureFlag(fs)
			return func(ctx context.Context, a *app, args []string) error {
				o.asJSON, o.insecure = *asJSON, *insecure
				return a.withCatalog(ctx, args[0], o.insecure, func(c *openCatalog) error { return a.publish(ctx, c, o) })
			}
		},
	}
}

func (a *app) publish(ctx context.Context, c *openCatalog, o publishOptions) error {
	if err := setPublishers(c, o); err != nil {
		return err
	}
	if o.advisories != "" {
		var all []catalog.Advisory
		if err := readList(o.advisories, &all); err != nil {
			return err
		}
		if err := c.SetAdvisories(all); err != nil {
			return fmt.Errorf("%s: %w", o.advisories, err)
		}
	}
	verifier, err := newVerifier(o.trustedRoot, o.noCertificates)
	if err != nil {
		return err
	}
	refs := []string{}
	for _, what := range o.add {
		r, err := a.add(ctx, c, verifier, what)
		if err != nil {
			return fmt.Errorf("add %s: %w", what, err)
		}
		refs = append(refs, r.String())
	}
	for _, what := range o.yank {
		if err := yank(c, what, o.reason); err != nil {
			return fmt.Errorf("yank %s: %w", what, err)
		}
	}
	serial, err := c.Publish(ctx, c.target)
	if err != nil {
		return registryAdvice(err, c.at)
	}
	if o.asJSON {
		return a.result(struct {
			Serial uint64   `json:"serial"`
			Added  []string `json:"added"`
			Yanked []string `json:"yanked,omitempty"`
		}{serial, refs, o.yank})
	}
	a.say("published catalog %d at %s: added %s", serial, c.at, orNone(refs))
	return nil
}

// readList reads a JSON file.
func readList(name string, v any) error {
	b, err := readFile(name, maxSmall)
	if err != nil {
		return err
	}
	if err := strictJSON(b, v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// setPublishers takes over --publishers and --trust.
func setPublishers(c *openCatalog, o publishOptions) error {
	all := c.Publishers()
	if o.publishers != "" {
		all = nil
		if err := readList(o.publishers, &all); err != nil {
			return err
		}
	}
	for _, t := range o.trust {
		namespace, who, ok := strings.Cut(t, "=")
		if !ok {
			return usage("--trust %.100q is not namespace=file", t)
		}
		id, err := identity(who)
		if err != nil {
			return fmt.Errorf("--trust %s: %w", namespace, err)
		}
		i := slices.IndexFunc(all, func(p catalog.Publisher) bool { return p.Namespace == namespace })
		if i < 0 {
			all = append(all, catalog.Publisher{Namespace: namespace, Name: namespace})
			i = len(all) - 1
		}
		if !slices.ContainsFunc(all[i].Signers, func(s catalog.Signer) bool { return s.Identity == id }) {
			all[i].Signers = append(slices.Clone(all[i].Signers), catalog.Signer{Identity: id})
		}
	}
	if o.publishers == "" && len(o.trust) == 0 {
		return nil
	}
	return c.SetPublishers(all)
}

// identity reads a signer: the file of a public key, or "issuer,subject".
func identity(who string) (verify.Identity, error) {
	if issuer, subject, ok := strings.Cut(who, ","); ok && !exists(who) {
		return verify.Identity{Issuer: issuer, Subject: subject}, nil
	}
	return keyIdentity(who)
}

// mayRelease are the identities that may sign for a namespace now.
func mayRelease(all []catalog.Publisher, namespace string, now time.Time) []verify.Identity {
	var out []verify.Identity
	for _, p := range all {
		if p.Namespace != namespace {
			continue
		}
		for _, s := range p.Signers {
			if s.Revoked.IsZero() && !now.Before(s.From) && (s.Until.IsZero() || now.Before(s.Until)) {
				out = append(out, s.Identity)
			}
		}
	}
	return out
}

// add lists a release that the registry serves and its publisher signed.
func (a *app) add(ctx context.Context, c *openCatalog, v verify.Verifier, what string) (catalog.Ref, error) {
	id, digest, err := c.named(ctx, what)
	if err != nil {
		return catalog.Ref{}, err
	}
	found, err := remote(ctx, c.src, id, digest)
	if errors.Is(err, catalog.ErrNotFound) {
		err = advise(err, "push it first: `souk push <layout> %s`", c.prefix)
	}
	if err != nil {
		return catalog.Ref{}, registryAdvice(err, c.at)
	}
	signers := mayRelease(c.Publishers(), id.Publisher(), a.now())
	if len(signers) == 0 {
		return catalog.Ref{}, advise(fmt.Errorf("%w: nobody may sign for %s yet", verify.ErrUntrusted, id.Publisher()), "--trust %s=<public key file> says who", id.Publisher())
	}
	subject := verify.Subject{Name: found.Ref.String(), Digest: digest, Signers: signers}
	if _, err := v.Verify(ctx, subject, found.evidence); err != nil {
		return catalog.Ref{}, err
	}
	releases, err := c.Releases(id)
	if err != nil {
		return catalog.Ref{}, err
	}
	for _, r := range releases {
		if r.Version == found.Version {
			if r.Digest == digest {
				return found.Ref, nil // it is there: a repeated publish
			}
			return catalog.Ref{}, advise(fmt.Errorf("%s was published as %s, and a release never changes", found.Ref, r.Digest.Short()), "raise its version, pack, sign and push again")
		}
	}
	r := found.Release
	r.Published = a.now().UTC().Truncate(time.Second)
	if r.Notes, err = c.notes(ctx, r); err != nil {
		return catalog.Ref{}, err
	}
	if r.Notes == "" {
		a.say("souk: %s has no release notes: its changelog has no entry for it", r.Ref)
	}
	return r.Ref, c.AddRelease(r)
}

// named reads what --add names.
func (c *openCatalog) named(ctx context.Context, what string) (catalog.PluginID, verify.Digest, error) {
	if isDirectory(what) {
		l, err := readLayout(ctx, what)
		if err != nil {
			return "", "", err
		}
		return l.Package.Manifest.ID, l.Package.OCI.Digest, nil
	}
	at, id, digest, err := parseRef(c.prefix + "/" + strings.TrimPrefix(what, c.prefix+"/"))
	if err == nil && at != c.prefix {
		err = advise(usage("it lies in another registry or prefix"), "push it to %s, beside the catalog", c.prefix)
	}
	return id, digest, err
}

// notes returns the release notes that stand in the changelog of a release, as
// Markdown; none when there are none.
func (c *openCatalog) notes(ctx context.Context, r catalog.Release) (string, error) {
	for _, d := range r.Media {
		if d.Title != r.Manifest.Changelog || d.Title == "" {
			continue
		}
		b, err := c.src.Media(ctx, r, d)
		if err != nil {
			return "", err
		}
		notes, err := publish.FindNotes(b, r.Version)
		if err != nil && !errors.Is(err, catalog.ErrNotFound) {
			return "", fmt.Errorf("%s: %w", d.Title, err)
		}
		return notes.Markdown(), nil
	}
	return "", nil
}

// yank marks a release.
func yank(c *openCatalog, what, reason string) error {
	ref, err := catalog.ParseRef(what)
	if err != nil {
		return usage("%v", err)
	}
	releases, err := c.Releases(ref.Plugin)
	if err != nil {
		return err
	}
	for _, r := range releases {
		if r.Version == ref.Version {
			r.State, r.Reason = catalog.Yanked, reason
			return c.AddRelease(r)
		}
	}
	return advise(catalog.ErrNotFound, "the catalog has no such release")
}
