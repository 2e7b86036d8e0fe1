package sigstoretest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"time"
)

// certificateLog is a certificate transparency log (RFC 6962) that keeps nothing: it
// signs that it has seen a certificate.
type certificateLog struct {
	key *ecdsa.PrivateKey
	id  [sha256.Size]byte
}

func newCertificateLog() (*certificateLog, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	return &certificateLog{key, sha256.Sum256(der)}, err
}

// issue makes a certificate of ten minutes that carries the log's word.
func (l *certificateLog) issue(email, issuer string, key *ecdsa.PublicKey, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) ([]byte, error) {
	now := time.Now()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: serial, EmailAddresses: []string{email}, NotBefore: now, NotAfter: now.Add(10 * time.Minute),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte(issuer)}},
	}
	// What the log signs is the certificate without the log's word.
	der, err := x509.CreateCertificate(rand.Reader, t, parent, key, parentKey)
	if err != nil {
		return nil, err
	}
	bare, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	list, err := l.sign(bare.RawTBSCertificate, parent, now)
	if err != nil {
		return nil, err
	}
	t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: list})
	return x509.CreateCertificate(rand.Reader, t, parent, key, parentKey)
}

// sign returns the extension SignedCertificateTimestampList, RFC 6962 section 3.3.
func (l *certificateLog) sign(tbs []byte, parent *x509.Certificate, at time.Time) ([]byte, error) {
	by := sha256.Sum256(parent.RawSubjectPublicKeyInfo)
	stamp := binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli()))

	signed := append([]byte{0, 0}, stamp...) // version 1, certificate_timestamp
	signed = append(signed, 0, 1)            // precert_entry
	signed = append(signed, by[:]...)
	signed = append(signed, byte(len(tbs)>>16), byte(len(tbs)>>8), byte(len(tbs)))
	signed = append(signed, tbs...)
	signed = append(signed, 0, 0) // no extensions
	sum := sha256.Sum256(signed)
	sig, err := ecdsa.SignASN1(rand.Reader, l.key, sum[:])
	if err != nil {
		return nil, err
	}
	sct := append([]byte{0}, l.id[:]...)
	sct = append(sct, stamp...)
	sct = append(sct, 0, 0, 4, 3) // no extensions; SHA-256, ECDSA
	sct = binary.BigEndian.AppendUint16(sct, uint16(len(sig)))
	sct = append(sct, sig...)
	list := binary.BigEndian.AppendUint16(nil, uint16(len(sct)+2))
	list = binary.BigEndian.AppendUint16(list, uint16(len(sct)))
	return asn1.Marshal(append(list, sct...))
}
