package signintest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Authenticator is a browser and its authenticator in one: it makes passkeys (ES256,
// discoverable, without attestation) and signs with them. The fields may be changed
// between calls, to make it lie. It is safe for concurrent use.
type Authenticator struct {
	// Origin is the page that it believes to be on: "https://hub.example.org".
	Origin string
	// RPID, if not empty, is used in place of the one that is asked for.
	RPID string
	// SkipVerification leaves out asking for the PIN, and says so.
	SkipVerification bool
	// Synced makes passkeys that are copied to other devices, and do not count.
	Synced bool
	// Handle, if not nil, is said to be the user's, whatever it is.
	Handle []byte

	mu   sync.Mutex
	keys []passkey
}

type passkey struct {
	id, handle []byte
	rpID       string
	key        *ecdsa.PrivateKey
	count      uint32
	synced     bool
}

// The flags of authenticator data (Web Authentication, section 6.1).
const (
	userPresent    = 1 << 0
	userVerified   = 1 << 2
	backupEligible = 1 << 3
	backedUp       = 1 << 4
	attested       = 1 << 6
)

type descriptor struct {
	ID string `json:"id"`
}

// Create is navigator.credentials.create: it takes publicKey, and returns the
// PublicKeyCredential, both as JSON.
func (a *Authenticator) Create(publicKey []byte) ([]byte, error) {
	var o struct {
		Challenge string              `json:"challenge"`
		RP        struct{ ID string } `json:"rp"`
		User      struct{ ID string } `json:"user"`
		Params    []struct{ Alg int } `json:"pubKeyCredParams"`
		Exclude   []descriptor        `json:"excludeCredentials"`
	}
	if err := json.Unmarshal(publicKey, &o); err != nil {
		return nil, err
	}
	const es256 = -7
	offered := false
	for _, p := range o.Params {
		offered = offered || p.Alg == es256
	}
	if !offered {
		return nil, errors.New("NotSupportedError: no algorithm in common")
	}
	handle, err := base64.RawURLEncoding.DecodeString(o.User.ID)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	rpID, err := a.domain(o.RP.ID)
	if err != nil {
		return nil, err
	}
	for _, k := range a.keys {
		for _, e := range o.Exclude {
			if e.ID == base64.RawURLEncoding.EncodeToString(k.id) {
				return nil, errors.New("InvalidStateError: there is one already")
			}
		}
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	k := passkey{id: []byte(rand.Text()), handle: handle, rpID: rpID, key: private, synced: a.Synced}
	data, err := a.authData(&k, true)
	if err != nil {
		return nil, err
	}
	a.keys = append(a.keys, k)
	return a.credential(k, map[string]any{
		"clientDataJSON":    b64(a.clientData("webauthn.create", o.Challenge)),
		"attestationObject": b64(attestation(data)),
		"transports":        []string{"internal", "hybrid"},
	})
}

// Get is navigator.credentials.get: it takes publicKey, and returns the
// PublicKeyCredential, both as JSON. Of several passkeys that fit it takes the newest.
func (a *Authenticator) Get(publicKey []byte) ([]byte, error) {
	var o struct {
		Challenge string       `json:"challenge"`
		RPID      string       `json:"rpId"`
		Allow     []descriptor `json:"allowCredentials"`
	}
	if err := json.Unmarshal(publicKey, &o); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, err := a.domain(o.RPID); err != nil {
		return nil, err
	}
	for n := len(a.keys) - 1; n >= 0; n-- {
		k := &a.keys[n]
		if k.rpID != o.RPID && a.RPID == "" || !allowed(o.Allow, k.id) {
			continue
		}
		data, err := a.authData(k, false)
		if err != nil {
			return nil, err
		}
		client := a.clientData("webauthn.get", o.Challenge)
		hash := sha256.Sum256(client)
		digest := sha256.Sum256(append(bytes.Clone(data), hash[:]...))
		signature, err := ecdsa.SignASN1(rand.Reader, k.key, digest[:])
		if err != nil {
			return nil, err
		}
		handle := k.handle
		if a.Handle != nil {
			handle = a.Handle
		}
		return a.credential(*k, map[string]any{
			"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature), "userHandle": b64(handle),
		})
	}
	return nil, errors.New("NotAllowedError: no passkey for " + o.RPID)
}

// Clone copies the authenticator with its keys, as an attacker would.
func (a *Authenticator) Clone() *Authenticator {
	a.mu.Lock()
	defer a.mu.Unlock()
	return &Authenticator{Origin: a.Origin, Synced: a.Synced, keys: append([]passkey(nil), a.keys...)}
}

// domain does what a browser does before an authenticator hears of it: the RP ID is the
// page's host or a parent of it.
func (a *Authenticator) domain(asked string) (string, error) {
	if a.RPID != "" {
		return a.RPID, nil
	}
	_, host, _ := strings.Cut(a.Origin, "://")
	host, _, _ = strings.Cut(host, ":")
	if host != asked && !strings.HasSuffix(host, "."+asked) {
		return "", fmt.Errorf("SecurityError: %s is not a domain of %s", asked, a.Origin)
	}
	return asked, nil
}

func (a *Authenticator) clientData(kind, challenge string) []byte {
	b, err := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": a.Origin, "crossOrigin": false})
	must(err)
	return b
}

func (a *Authenticator) authData(k *passkey, withKey bool) ([]byte, error) {
	rpID := k.rpID
	if a.RPID != "" {
		rpID = a.RPID
	}
	sum := sha256.Sum256([]byte(rpID))
	flags := byte(userPresent | userVerified)
	if a.SkipVerification {
		flags = userPresent
	}
	if k.synced {
		flags |= backupEligible | backedUp
	} else {
		k.count++
	}
	if withKey {
		flags |= attested
	}
	out := binary.BigEndian.AppendUint32(append(sum[:], flags), k.count)
	if !withKey {
		return out, nil
	}
	point, err := k.key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		return nil, err
	}
	out = append(out, make([]byte, 16)...) // AAGUID: not said
	out = binary.BigEndian.AppendUint16(out, uint16(len(k.id)))
	out = append(out, k.id...)
	// COSE_Key in CBOR: {1: 2 (EC2), 3: -7 (ES256), -1: 1 (P-256), -2: x, -3: y}
	out = append(out, 0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20)
	out = append(out, point[1:33]...)
	return append(append(out, 0x22, 0x58, 0x20), point[33:]...), nil
}

// attestation is {"fmt": "none", "attStmt": {}, "authData": data} in CBOR.
func attestation(data []byte) []byte {
	out := append([]byte{0xa3, 0x63}, "fmt\x64none\x67attStmt\xa0\x68authData\x59"...)
	return append(binary.BigEndian.AppendUint16(out, uint16(len(data))), data...)
}

func (a *Authenticator) credential(k passkey, response map[string]any) ([]byte, error) {
	return json.Marshal(map[string]any{
		"id": b64(k.id), "rawId": b64(k.id), "type": "public-key", "authenticatorAttachment": "platform",
		"response": response, "clientExtensionResults": map[string]any{},
	})
}

func allowed(list []descriptor, id []byte) bool {
	for _, d := range list {
		if d.ID == b64(id) {
			return true
		}
	}
	return len(list) == 0
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
