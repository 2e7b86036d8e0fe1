package signin

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

const minRSABits = 2048

// algorithms are those a token may be signed with: the asymmetric ones. Neither "none"
// nor a MAC, whose key the issuer would have to share.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
		jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	}
}

func algorithmNames() []string {
	var names []string
	for _, a := range algorithms() {
		names = append(names, string(a))
	}
	return names
}

// key is a public key of an issuer, for signatures.
type key struct {
	id, algorithm string // as the issuer says; either may be empty
	public        any    // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

func (r *remote) fetchKeys(ctx context.Context) ([]key, error) {
	m, err := r.meta.get(ctx, false)
	if err != nil {
		return nil, err
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := r.getJSON(ctx, m.JWKSURL, &set); err != nil {
		return nil, err
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("%w: %s has %d keys, more than %d", ErrUnavailable, r.issuer, len(set.Keys), maxKeys)
	}
	var keys []key
	for _, raw := range set.Keys {
		// RFC 7517, section 5: a key that is not understood is ignored, not an error.
		var k jose.JSONWebKey
		if k.UnmarshalJSON(raw) == nil && (k.Use == "" || k.Use == "sig") && strong(k.Key) {
			keys = append(keys, key{k.KeyID, k.Algorithm, k.Key})
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: %s publishes no key that can be used", ErrUnavailable, r.issuer)
	}
	return keys, nil
}

// strong says whether k is a public key that is long enough.
func strong(k any) bool {
	switch k := k.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= minRSABits
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}

// keySet is the oidc.KeySet of one verification. It keeps the error that go-oidc
// flattens to text, so that "could not look" is not taken for "is wrong".
type keySet struct {
	r   *remote
	err error // why the keys could not be had
}

var _ oidc.KeySet = (*keySet)(nil)

// VerifySignature implements oidc.KeySet.
func (s *keySet) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(token, algorithms())
	if err != nil {
		return nil, err
	}
	header := jws.Signatures[0].Protected
	// RFC 8725, section 3.11: an access or logout token of the same issuer is no ID token.
	if t, there := header.ExtraHeaders[jose.HeaderType]; there {
		if name, _ := t.(string); !strings.EqualFold(name, "JWT") {
			return nil, fmt.Errorf("a token of type %.40q", t)
		}
	}
	for _, again := range []bool{false, true} {
		keys, err := s.r.keys.get(ctx, again)
		if err != nil {
			s.err = err
			return nil, err
		}
		for _, k := range keys {
			if header.KeyID != "" && k.id != header.KeyID || k.algorithm != "" && k.algorithm != header.Algorithm {
				continue
			}
			if payload, err := jws.Verify(k.public); err == nil {
				return payload, nil
			}
		}
	}
	return nil, fmt.Errorf("not signed by a key of the issuer (key id %.60q)", header.KeyID)
}
