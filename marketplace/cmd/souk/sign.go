package main

import (
	"flag"
	"fmt"

	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/sigstore"
)

// signOptions are what is signed with.
type signOptions struct{ key string }

func (o *signOptions) flags(fs *flag.FlagSet) {
	fs.StringVar(&o.key, "key", "", "`file` with the private key; see `souk keygen`")
}

func (o *signOptions) signer() (verify.Signer, error) {
	if o.key == "" {
		return nil, usage("--key is missing: the file of a private key; `souk keygen` makes one")
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
