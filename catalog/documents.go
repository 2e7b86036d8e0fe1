package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/souk-dev/souk/verify"
)

// Format numbers of a catalog's documents that this version reads and writes.
const (
	IndexFormat      = 1
	PublishersFormat = 1
	AdvisoriesFormat = 1
)

// Names of a catalog's TUF targets.
const (
	TargetIndex      = "index"
	TargetPublishers = "publishers"
	TargetAdvisories = "advisories"
)

// Bounds of the documents; over one is an error.
const (
	MaxIndex      = 64 << 10 // bytes
	MaxPublishers = 32 << 20 // bytes; some 100,000 publishers
	MaxAdvisories = 16 << 20 // bytes
	MaxSigners    = 100      // of a publisher
	MaxDigests    = 10_000   // of an advisory
	MaxText       = 16 << 10 // bytes of an advisory's detail
)

// Index is the TUF target that says which catalog manifest is the current one.
type Index struct {
	Format  int           `json:"format"`
	Serial  uint64        `json:"serial"` // rises with every publish
	Catalog verify.Digest `json:"catalog"`
	Size    int64         `json:"size"` // bytes of the catalog manifest
}

// Publishers is the TUF target that says who owns which namespace and who may sign there.
type Publishers struct {
	Format     int         `json:"format"`
	Publishers []Publisher `json:"publishers"` // in order of their namespaces
}

// Advisories is the TUF target with all advisories, rescinded ones too. Its serial
// is its own, so that advisories are published without a new catalog.
type Advisories struct {
	Format     int        `json:"format"`
	Serial     uint64     `json:"serial"`
	Advisories []Advisory `json:"advisories"`
}

// parseDocument reads a catalog's document: first its format number, then all of it.
func parseDocument(b []byte, name string, format, limit int, v any) error {
	if len(b) <= limit {
		if err := checkFormat(b, name, format); err != nil {
			return err
		}
	}
	if err := newStrict().decode(b, limit, v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// ParseIndex reads the target "index".
func ParseIndex(b []byte) (Index, error) {
	var x Index
	if err := parseDocument(b, TargetIndex, IndexFormat, MaxIndex, &x); err != nil {
		return Index{}, err
	}
	switch {
	case x.Format != IndexFormat:
		return Index{}, errors.New("index: has no format number")
	case x.Serial == 0:
		return Index{}, errors.New("index: serial is missing or 0")
	case !x.Catalog.Valid():
		return Index{}, errors.New("index: catalog is not a digest")
	case x.Size <= 0 || x.Size > MaxCatalogManifest:
		return Index{}, fmt.Errorf("index: size %d is not between 1 and %d", x.Size, MaxCatalogManifest)
	}
	return x, nil
}

// ParsePublishers reads the target "publishers".
func ParsePublishers(b []byte) (Publishers, error) {
	var p Publishers
	if err := parseDocument(b, TargetPublishers, PublishersFormat, MaxPublishers, &p); err != nil {
		return Publishers{}, err
	}
	if p.Format != PublishersFormat {
		return Publishers{}, errors.New("publishers: has no format number")
	}
	for i, one := range p.Publishers {
		if err := one.Check(); err != nil {
			return Publishers{}, fmt.Errorf("publishers[%d]: %w", i, err)
		}
		if i > 0 && p.Publishers[i-1].Namespace >= one.Namespace {
			return Publishers{}, fmt.Errorf("publishers[%d]: %s is not in order, or stands twice", i, one.Namespace)
		}
	}
	return p, nil
}

// Check says what is wrong with a publisher's entry.
func (p *Publisher) Check() error {
	if !validPart(p.Namespace) {
		return fmt.Errorf("namespace %.60q is not 2 to %d of a-z, 0-9 and single inner hyphens, beginning with a letter", p.Namespace, MaxIDPart)
	}
	if err := CheckText(p.Name, MaxPluginName); err != nil {
		return fmt.Errorf("%s: name %w", p.Namespace, err)
	}
	c := &checker{}
	if c.url("homepage", p.Homepage); c.err != nil {
		return fmt.Errorf("%s: homepage %s", p.Namespace, c.err.Reason)
	}
	if len(p.Signers) > MaxSigners {
		return fmt.Errorf("%s: %d signers are more than %d", p.Namespace, len(p.Signers), MaxSigners)
	}
	for i, s := range p.Signers {
		if err := checkIdentity(s.Identity); err != nil {
			return fmt.Errorf("%s: signers[%d]: %w", p.Namespace, i, err)
		}
	}
	return nil
}

func checkIdentity(i verify.Identity) error {
	key, keyless := i.Key != "", i.Issuer != "" && i.Subject != ""
	switch {
	case key == keyless || key && (i.Issuer != "" || i.Subject != ""):
		return errors.New("must have either a key, or an issuer and a subject")
	case len(i.Key) > 4096 || len(i.Issuer) > 1000 || len(i.Subject) > 1000:
		return errors.New("is too long")
	}
	if keyless {
		if u, err := url.Parse(i.Issuer); err != nil || u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("issuer %.100q is not an https:// address", i.Issuer)
		}
	}
	return nil
}

// ParseAdvisories reads the target "advisories".
func ParseAdvisories(b []byte) (Advisories, error) {
	var a Advisories
	if err := parseDocument(b, TargetAdvisories, AdvisoriesFormat, MaxAdvisories, &a); err != nil {
		return Advisories{}, err
	}
	if a.Format != AdvisoriesFormat {
		return Advisories{}, errors.New("advisories: has no format number")
	}
	seen := make(map[string]bool, len(a.Advisories))
	for i, one := range a.Advisories {
		if err := one.Check(); err != nil {
			return Advisories{}, fmt.Errorf("advisories[%d]: %w", i, err)
		}
		if seen[one.ID] {
			return Advisories{}, fmt.Errorf("advisories[%d]: %s stands twice", i, one.ID)
		}
		seen[one.ID] = true
	}
	return a, nil
}

// Check says what is wrong with an advisory. It must be about exactly one thing:
// Digests (Plugin may stand beside them), a Plugin, a Publisher or a Signer.
func (a *Advisory) Check() error {
	if a.ID == "" || len(a.ID) > 100 || CheckText(a.ID, 100) != nil {
		return fmt.Errorf("id %.100q is missing or unfit", a.ID)
	}
	bad := func(format string, args ...any) error { return fmt.Errorf(a.ID+": "+format, args...) }
	if a.Action != ActionWarn && a.Action != ActionBlock && a.Action != ActionDisable {
		return bad("action %.40q is not warn, block or disable", a.Action)
	}
	if err := CheckText(a.Title, 2*MaxSummary); err != nil {
		return bad("title %w", err)
	}
	if len(a.Detail) > MaxText {
		return bad("detail has %d bytes, more than %d", len(a.Detail), MaxText)
	}
	c := &checker{}
	if c.url("url", a.URL); c.err != nil {
		return bad("url %s", c.err.Reason)
	}
	if a.Issued.IsZero() {
		return bad("issued is missing")
	}
	return a.checkScope(bad)
}

func (a *Advisory) checkScope(bad func(string, ...any) error) error {
	scopes := 0
	for _, has := range []bool{len(a.Digests) > 0 || a.Plugin != "", a.Publisher != "", a.Signer != ""} {
		if has {
			scopes++
		}
	}
	if scopes != 1 {
		return bad("must be about exactly one of: a plugin or digests, a publisher, a signer")
	}
	if a.Plugin == "" && (a.Range != "" || a.FixedIn != "") || a.Range != "" && len(a.Digests) > 0 {
		return bad("range and fixedIn need a plugin, and digests go without a range")
	}
	if a.Plugin != "" {
		if _, err := ParsePluginID(string(a.Plugin)); err != nil {
			return bad("%w", err)
		}
	}
	if a.Publisher != "" && !validPart(a.Publisher) {
		return bad("publisher %.60q is not a namespace", a.Publisher)
	}
	if _, err := ParseRange(a.Range); err != nil {
		return bad("%w", err)
	}
	if a.FixedIn != "" {
		if _, err := ParseVersion(a.FixedIn); err != nil {
			return bad("fixedIn: %w", err)
		}
	}
	if len(a.Digests) > MaxDigests {
		return bad("%d digests are more than %d", len(a.Digests), MaxDigests)
	}
	for _, d := range a.Digests {
		if !d.Valid() {
			return bad("%.80q is not a digest", d)
		}
	}
	return nil
}

// Encode returns the document as its parser reads it, and an error when it would not.
func (x Index) Encode() ([]byte, error) {
	return encode(x, func(b []byte) error { _, err := ParseIndex(b); return err })
}

// Encode returns the document as its parser reads it, and an error when it would not.
func (p Publishers) Encode() ([]byte, error) {
	list := make([]Publisher, len(p.Publishers)) // never null
	for i, one := range p.Publishers {
		if list[i] = one; one.Signers == nil {
			list[i].Signers = []Signer{}
		}
	}
	p.Publishers = list
	return encode(p, func(b []byte) error { _, err := ParsePublishers(b); return err })
}

// Encode returns the document as its parser reads it, and an error when it would not.
func (a Advisories) Encode() ([]byte, error) {
	if a.Advisories == nil {
		a.Advisories = []Advisory{} // never null
	}
	return encode(a, func(b []byte) error { _, err := ParseAdvisories(b); return err })
}

func encode(v any, check func([]byte) error) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if err := check(b); err != nil {
		return nil, err
	}
	return b, nil
}
