package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/sigstore"
)

// signOptions are what is signed with: a key, or an identity token.
type signOptions struct {
	key            string
	token          string
	fulcio, rekor  string
	trustedRoot    string
	noCertificates bool
}

func (o *signOptions) flags(fs *flag.FlagSet) {
	fs.StringVar(&o.key, "key", "", "`file` with the private key; see `souk keygen`")
	fs.StringVar(&o.token, "identity-token", "", "`file` with an OpenID Connect token for the audience sigstore: sign keyless")
	fs.StringVar(&o.fulcio, "fulcio", sigstore.PublicFulcio, "`address` of the certificate authority, for keyless")
	fs.StringVar(&o.rekor, "rekor", sigstore.PublicRekor, "`address` of the transparency log, for keyless")
	trustFlags(fs, &o.trustedRoot, &o.noCertificates)
}

// signer reads the key, or asks for a certificate.
func (o *signOptions) signer(ctx context.Context) (verify.Signer, error) {
	switch {
	case o.key != "" && o.token != "":
		return nil, usage("--key and --identity-token exclude each other: sign twice for two signatures")
	case o.token != "":
		return o.keyless(ctx)
	case o.key == "":
		return nil, usage("--key is missing: the file of a private key (`souk keygen` makes one), or --identity-token")
	}
	b, err := readFile(o.key, maxSmall)
	if err != nil {
		return nil, err
	}
	s, err := sigstore.ParseKeySigner(b)
	if err != nil {
		return nil, advise(fmt.Errorf("%s: %w", o.key, err), "give the private key, an unencrypted PKCS #8 or SEC 1 file")
	}
	return s, nil
}

func (o *signOptions) keyless(ctx context.Context) (verify.Signer, error) {
	token, err := readFile(o.token, maxSmall)
	if err != nil {
		return nil, err
	}
	k := sigstore.KeylessOptions{Token: string(token), Fulcio: o.fulcio, Rekor: o.rekor}
	if o.trustedRoot != "" {
		if k.Verifier, err = newVerifier(o.trustedRoot, o.noCertificates); err != nil {
			return nil, err
		}
	}
	s, err := sigstore.NewKeylessSigner(ctx, k)
	if err != nil {
		return nil, advise(err, "tokens live for minutes: get a new one, for the audience \"sigstore\", and sign at once")
	}
	return s, nil
}
