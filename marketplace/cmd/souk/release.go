package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/sigstore"
)

// releaseVerbs are those about a packed release.
func releaseVerbs() []verb {
	return []verb{{
		name: "keygen", args: "<name>", min: 1, max: 1,
		short: "make a key to sign with",
		long: `
Writes <name>.pem, an ECDSA P-256 private key that only you can read, and
<name>.pub.pem, its public half, which whoever runs a catalog needs to list you as
publisher. The private key is not encrypted: keep it where you keep secrets. Neither
file is overwritten.`,
		flags: func(*flag.FlagSet) action {
			return func(_ context.Context, a *app, args []string) error { return a.keygen(args[0]) }
		},
	}, {
		name: "sign", args: "<layout>", min: 1, max: 1,
		short: "sign a packed plugin",
		long: `
Adds a signature to an image layout that ` + "`souk pack`" + ` wrote: a sigstore bundle, byte for
byte as cosign v3 writes it. It can be done on another machine than packing and
pushing. Sign again with another key for a second signature.

With --key it is signed by a key. With --identity-token it is signed keyless, as in
CI: the token's identity gets a certificate for some minutes, and the signature is
entered into a public log, where the identity can be read for ever. Then panels need
the trusted root of that sigstore instance. With --trusted-root the signature is
verified before it is written.`,
		flags: func(fs *flag.FlagSet) action {
			var o signOptions
			o.flags(fs)
			return func(ctx context.Context, a *app, args []string) error { return a.sign(ctx, args[0], o) }
		},
	}, {
		name: "push", args: "<layout> <registry/prefix>", min: 2, max: 2,
		short: "push a signed plugin to a registry",
		long: `
Pushes a signed image layout to <registry/prefix>/<publisher>/<name>, tagged by its
version, with its signatures attached. Credentials are those of ` + "`docker login`" + `. What is
there already is not sent again, so it can be repeated after an error.

It prints the release by its digest, which is what a catalog and ` + "`souk verify`" + ` want:
registry.example.org/plugins/acme/hello@sha256:...`,
		flags: func(fs *flag.FlagSet) action {
			asJSON, insecure := jsonFlag(fs), insecureFlag(fs)
			return func(ctx context.Context, a *app, args []string) error {
				return a.push(ctx, args[0], args[1], oci.Options{Insecure: *insecure}, *asJSON)
			}
		},
	}, {
		name: "verify", args: "<layout | registry/prefix/publisher/name@sha256:...>", min: 1, max: 1,
		short: "say whether a publisher signed a release",
		long: `
Checks that the release is signed by whom you name: a key with --key, or a keyless
identity with --issuer and --subject, for which --trusted-root is needed (the
trusted_root.json of the sigstore instance). A release in a registry is named by its
digest: a tag can be moved by whoever runs the registry.

Exit status 1 when it is not. Being signed says who made it, not that it is safe.`,
		flags: func(fs *flag.FlagSet) action {
			var o verifyOptions
			o.flags(fs)
			asJSON, insecure := jsonFlag(fs), insecureFlag(fs)
			return func(ctx context.Context, a *app, args []string) error {
				return a.verify(ctx, args[0], o, oci.Options{Insecure: *insecure}, *asJSON)
			}
		},
	}, {
		name: "inspect", args: "<dir | layout | registry/prefix/publisher/name@sha256:...>", min: 1, max: 1,
		short: "show what a plugin is and what it asks for",
		long: `
Shows plugin.json in words: what it is, what it needs, and what it could do with what
it asks for. Of a packed release also its digest, size and number of signatures, which
are not checked here; ` + "`souk verify`" + ` does that.`,
		flags: func(fs *flag.FlagSet) action {
			asJSON, insecure := jsonFlag(fs), insecureFlag(fs)
			return func(ctx context.Context, a *app, args []string) error {
				return a.inspect(ctx, args[0], oci.Options{Insecure: *insecure}, *asJSON)
			}
		},
	}}
}

func insecureFlag(fs *flag.FlagSet) *bool {
	return fs.Bool("insecure", false, "speak plain HTTP to the registry; one on this machine is spoken to so anyway")
}

func (a *app) keygen(name string) error {
	private, err := sigstore.GenerateKey()
	if err != nil {
		return err
	}
	signer, err := sigstore.ParseKeySigner(private)
	if err != nil {
		return err
	}
	public := name + ".pub.pem"
	if _, err := os.Lstat(public); err == nil {
		return advise(fmt.Errorf("%s: %w", public, os.ErrExist), "nothing is overwritten: choose another name")
	}
	if err := writeNew(name+".pem", private, 0o600); err != nil {
		return err
	}
	if err := writeNew(public, []byte(signer.Identity().Key), 0o644); err != nil {
		return err
	}
	a.say("wrote %s.pem, keep it secret, and %s, give it to who runs the catalog", name, public)
	return a.print("%s", signer.Identity().ID())
}

func (a *app) sign(ctx context.Context, dir string, o signOptions) error {
	var l *publish.Layout
	var signer verify.Signer
	err := a.during(ctx, "signing", func(ctx context.Context) (err error) {
		if signer, err = o.signer(ctx); err != nil {
			return err
		}
		if l, err = readLayout(ctx, dir); err != nil {
			return err
		}
		return l.Sign(ctx, signer)
	})
	if err != nil {
		return err
	}
	if err := writeLayout(dir, l); err != nil {
		return err
	}
	m := l.Package.Manifest
	a.say("signed %s@%s by %s", m.ID, m.Version, signer.Identity().ID())
	return a.print("%s", l.Package.OCI.Digest)
}

func (a *app) push(ctx context.Context, dir, at string, o oci.Options, asJSON bool) error {
	l, err := readLayout(ctx, dir)
	if err != nil {
		return err
	}
	if len(l.Bundles) == 0 {
		return advise(fmt.Errorf("%s is not signed, so nobody could install it", dir), "`souk sign %s --key <file>` signs it", dir)
	}
	p, err := oci.NewPusher(at, o)
	if err != nil {
		return usage("%v", err)
	}
	defer p.Close()
	err = a.during(ctx, "pushing", func(ctx context.Context) error { return l.Push(ctx, p, "") })
	if err != nil {
		return registryAdvice(err, at)
	}
	m := l.Package.Manifest
	ref := at + "/" + string(m.ID) + "@" + string(l.Package.OCI.Digest)
	if asJSON {
		return a.result(struct {
			Plugin  catalog.PluginID `json:"plugin"`
			Version string           `json:"version"`
			Digest  verify.Digest    `json:"digest"`
			Ref     string           `json:"ref"`
		}{m.ID, m.Version, l.Package.OCI.Digest, ref})
	}
	a.say("pushed %s@%s with %d signatures", m.ID, m.Version, len(l.Bundles))
	return a.print("%s", ref)
}

// verifyOptions are who has to have signed.
type verifyOptions struct {
	keys            list
	issuer, subject string
	trustedRoot     string
	noCertificates  bool
}

func (o *verifyOptions) flags(fs *flag.FlagSet) {
	fs.Var(&o.keys, "key", "`file` with a public key that may have signed; may be repeated")
	fs.StringVar(&o.issuer, "issuer", "", "`address` of the OpenID Connect issuer of a keyless identity")
	fs.StringVar(&o.subject, "subject", "", "exact `subject` of a keyless identity: a mail address or a workflow")
	trustFlags(fs, &o.trustedRoot, &o.noCertificates)
}

// trustFlags are about the sigstore instance whose keyless signatures are believed.
func trustFlags(fs *flag.FlagSet, root *string, noLog *bool) {
	fs.StringVar(root, "trusted-root", "", "`file` trusted_root.json of the sigstore instance; needed for keyless identities")
	fs.BoolVar(noLog, "no-certificate-log", false, "accept certificates that are in no certificate log, as private sigstore instances issue them")
}

func newVerifier(root string, noLog bool) (*sigstore.Verifier, error) {
	o := sigstore.Options{NoCertificateLog: noLog}
	if root != "" {
		b, err := readFile(root, sigstore.MaxTrustedRoot)
		if err != nil {
			return nil, err
		}
		o.TrustedRoot = b
	}
	return sigstore.New(o)
}

// identities reads who may have signed.
func (o *verifyOptions) identities() ([]verify.Identity, error) {
	var out []verify.Identity
	for _, name := range o.keys {
		id, err := keyIdentity(name)
		if err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	switch {
	case (o.issuer == "") != (o.subject == ""):
		return nil, usage("--issuer and --subject belong together")
	case o.issuer != "" && o.trustedRoot == "":
		return nil, usage("a keyless identity needs --trusted-root")
	case o.issuer != "":
		out = append(out, verify.Identity{Issuer: o.issuer, Subject: o.subject})
	case len(out) == 0:
		return nil, usage("say who has to have signed: --key, or --issuer and --subject")
	}
	return out, nil
}

// keyIdentity reads a public key.
func keyIdentity(name string) (verify.Identity, error) {
	b, err := readFile(name, maxSmall)
	if err != nil {
		return verify.Identity{}, err
	}
	id, err := sigstore.KeyIdentity(b)
	if err != nil {
		return verify.Identity{}, advise(fmt.Errorf("%s: %w", name, err), "give the public key, <name>.pub.pem")
	}
	return id, nil
}

func (a *app) verify(ctx context.Context, target string, o verifyOptions, reg oci.Options, asJSON bool) error {
	signers, err := o.identities()
	if err != nil {
		return err
	}
	verifier, err := newVerifier(o.trustedRoot, o.noCertificates)
	if err != nil {
		return err
	}
	found, err := a.load(ctx, target, reg)
	if err != nil {
		return err
	}
	report, err := verifier.Verify(ctx, verify.Subject{Name: found.Ref.String(), Digest: found.Digest, Signers: signers}, found.evidence)
	if asJSON && report != nil {
		if perr := a.result(report); perr != nil {
			return perr
		}
		if err != nil {
			return errFound
		}
		return nil
	}
	if err != nil {
		if report != nil {
			for _, c := range report.Considered {
				a.say("souk: looked at %s: %s", c.Bundle.Short(), c.Detail)
			}
		}
		return err
	}
	return a.print("%s %s is signed by %s", found.Ref, found.Digest, report.Signer().ID())
}

func (a *app) inspect(ctx context.Context, target string, reg oci.Options, asJSON bool) error {
	var found *packed
	if isDirectory(target) && !publish.IsLayout(os.DirFS(target)) {
		r, err := older(ctx, target)
		if err != nil {
			return err
		}
		found = &packed{Release: r}
	} else {
		var err error
		if found, err = a.load(ctx, target, reg); err != nil {
			return err
		}
	}
	m := found.Manifest
	if asJSON {
		return a.result(struct {
			Manifest   catalog.Manifest     `json:"manifest"`
			Digest     verify.Digest        `json:"digest,omitempty"`
			Size       int64                `json:"size,omitempty"`
			Media      []catalog.Descriptor `json:"media,omitempty"`
			Signatures int                  `json:"signatures"` // unverified
		}{m, found.Digest, found.Size, found.Media, len(found.evidence.Bundles)})
	}
	return a.describe(found)
}

// describe shows a release in words.
func (a *app) describe(found *packed) error {
	m := found.Manifest
	lines := []string{
		fmt.Sprintf("%s@%s  %s", m.ID, m.Version, m.Name), m.Summary, "",
		"licence   " + m.License, "runtime   " + m.Runtime.Kind + " " + m.Runtime.Entry,
	}
	if found.Digest != "" {
		lines = append(lines, "digest    "+string(found.Digest), "download  "+bytesText(found.Size),
			fmt.Sprintf("signed    %d bundles, not checked here", len(found.evidence.Bundles)))
	}
	for _, d := range m.Dependencies {
		lines = append(lines, fmt.Sprintf("needs     %s %s", d.ID, d.Range))
	}
	if len(m.Permissions) == 0 {
		lines = append(lines, "asks for  nothing")
	}
	for _, p := range m.Permissions {
		sentence, risk := sandbox.Explain(p.Permission())
		optional := ""
		if p.Optional {
			optional = ", optional"
		}
		lines = append(lines, fmt.Sprintf("asks for  %s (%s%s)", p.Permission(), risk, optional), "          "+sentence, "          because: "+p.Reason)
	}
	for _, l := range lines {
		if err := a.print("%s", l); err != nil {
			return err
		}
	}
	return nil
}
