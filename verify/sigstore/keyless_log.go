package sigstore

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
)

// The wire forms of a keyless bundle, in the JSON of protocol buffers, where 64-bit
// numbers are strings. See sigstore_bundle.proto and sigstore_rekor.proto in
// https://github.com/sigstore/protobuf-specs.
type (
	keylessBundle struct {
		MediaType string          `json:"mediaType"`
		Material  keylessMaterial `json:"verificationMaterial"`
		Envelope  wireEnvelope    `json:"dsseEnvelope"`
	}
	keylessMaterial struct {
		Certificate wireCertificate `json:"certificate"`
		Entries     []wireEntry     `json:"tlogEntries"`
	}
	wireCertificate struct {
		Raw []byte `json:"rawBytes"`
	}
	wireEntry struct {
		Index int64 `json:"logIndex,string"`
		Log   struct {
			KeyID []byte `json:"keyId"`
		} `json:"logId"`
		Kind    wireKind `json:"kindVersion"`
		Time    int64    `json:"integratedTime,string"`
		Promise struct {
			Signature []byte `json:"signedEntryTimestamp"`
		} `json:"inclusionPromise"`
		Proof wireProof `json:"inclusionProof"`
		Body  []byte    `json:"canonicalizedBody"`
	}
	wireKind struct {
		Kind    string `json:"kind"`
		Version string `json:"version"`
	}
	wireProof struct {
		Index      int64    `json:"logIndex,string"`
		Root       []byte   `json:"rootHash"`
		Size       int64    `json:"treeSize,string"`
		Hashes     [][]byte `json:"hashes"`
		Checkpoint struct {
			Envelope string `json:"envelope"`
		} `json:"checkpoint"`
	}
)

// rekorEntry is an entry as Rekor's API v1 answers.
// See https://github.com/sigstore/rekor/blob/main/openapi.yaml.
type rekorEntry struct {
	Body         []byte `json:"body"`
	Time         int64  `json:"integratedTime"`
	LogID        string `json:"logID"`
	Index        int64  `json:"logIndex"`
	Verification struct {
		Promise []byte `json:"signedEntryTimestamp"`
		Proof   struct {
			Checkpoint string   `json:"checkpoint"`
			Hashes     []string `json:"hashes"`
			Index      int64    `json:"logIndex"`
			Root       string   `json:"rootHash"`
			Size       int64    `json:"treeSize"`
		} `json:"inclusionProof"`
	} `json:"verification"`
}

// enter puts a signature into the transparency log.
func (s *KeylessSigner) enter(ctx context.Context, envelope wireEnvelope) (*wireEntry, error) {
	e, err := json.Marshal(envelope)
	if err != nil {
		return nil, err
	}
	type content struct {
		Envelope  string   `json:"envelope"`
		Verifiers [][]byte `json:"verifiers"`
	}
	var question struct {
		Version string `json:"apiVersion"`
		Kind    string `json:"kind"`
		Spec    struct {
			Content content `json:"proposedContent"`
		} `json:"spec"`
	}
	question.Version, question.Kind = "0.0.1", "dsse"
	question.Spec.Content = content{string(e), [][]byte{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.cert})}}
	var answer map[string]rekorEntry
	if err := s.post(ctx, s.rekor+"/api/v1/log/entries", "", question, &answer, http.StatusCreated); err != nil {
		return nil, fmt.Errorf("transparency log: %w", err)
	}
	if len(answer) != 1 {
		return nil, fmt.Errorf("transparency log: it answered with %d entries, not one", len(answer))
	}
	var out *wireEntry
	for _, entry := range answer { // the one
		if out, err = entry.wire(); err != nil {
			return nil, fmt.Errorf("transparency log: %w", err)
		}
	}
	return out, nil
}

// wire returns the entry as a bundle has it.
func (r *rekorEntry) wire() (*wireEntry, error) {
	var e wireEntry
	var err error
	e.Index, e.Time, e.Body = r.Index, r.Time, r.Body
	e.Promise.Signature = r.Verification.Promise
	p := r.Verification.Proof
	e.Proof.Index, e.Proof.Size = p.Index, p.Size
	e.Proof.Checkpoint.Envelope = p.Checkpoint
	if e.Log.KeyID, err = hex.DecodeString(r.LogID); err != nil {
		return nil, fmt.Errorf("id of the log: %w", err)
	}
	if e.Proof.Root, err = hex.DecodeString(p.Root); err != nil {
		return nil, fmt.Errorf("root of the log: %w", err)
	}
	e.Proof.Hashes = [][]byte{}
	for _, h := range p.Hashes {
		b, err := hex.DecodeString(h)
		if err != nil {
			return nil, fmt.Errorf("proof: %w", err)
		}
		e.Proof.Hashes = append(e.Proof.Hashes, b)
	}
	var kind struct {
		Version string `json:"apiVersion"`
		Kind    string `json:"kind"`
	}
	if err := json.Unmarshal(r.Body, &kind); err != nil {
		return nil, fmt.Errorf("entry: %w", err)
	}
	e.Kind = wireKind{kind.Kind, kind.Version}
	return &e, nil
}
