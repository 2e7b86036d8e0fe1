package sigstore

import (
	"github.com/sigstore/sigstore-go/pkg/bundle"

	"github.com/souk-dev/souk/verify"
)

// Proves is the verification core, without the questions on top of it: of any
// bundle version, envelope or bare message signature.
func (v *Verifier) Proves(raw []byte, by verify.Identity, about verify.Digest) error {
	b := new(bundle.Bundle)
	if err := b.UnmarshalJSON(raw); err != nil {
		return err
	}
	who, err := signers([]verify.Identity{by})
	if err != nil {
		return err
	}
	what, err := digestPolicy(about)
	if err != nil {
		return err
	}
	_, err = v.proves(b, who[0], what)
	return err
}

// SignPayload signs any payload, which KeySigner does not offer.
func SignPayload(s *KeySigner, payload []byte) ([]byte, error) { return s.envelope(payload) }
