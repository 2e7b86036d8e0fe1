package scan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// Bounds of an OSV database. The dump of all of Go and npm has some 250,000 records.
const (
	MaxOSVRecords = 1_000_000
	maxOSVRecord  = 16 << 20 // bytes of one record; some kernel ones have 2 MB
)

// osvRecord is what is used of a record, see https://ossf.github.io/osv-schema/.
type osvRecord struct {
	ID        string    `json:"id"`
	Modified  time.Time `json:"modified"`
	Withdrawn time.Time `json:"withdrawn"`
	Aliases   []string  `json:"aliases"`
	Summary   string    `json:"summary"`
	Severity  []struct {
		Type  string `json:"type"`
		Score string `json:"score"`
	} `json:"severity"`
	Affected []osvAffected `json:"affected"`
	Database struct {
		Severity any `json:"severity"` // a string in GitHub's, other things in others
	} `json:"database_specific"`
}

type osvAffected struct {
	Package struct {
		Ecosystem string `json:"ecosystem"`
		Name      string `json:"name"`
	} `json:"package"`
	Ranges   []osvRange `json:"ranges"`
	Versions []string   `json:"versions"`
}

// advisory is a record as far as it is about one package.
type advisory struct {
	id, aliases, summary string
	severity             Severity
	ranges               []osvRange
	versions             []string
}

// OSVDatabase is a set of OSV records in memory. It is immutable and safe for
// concurrent use.
type OSVDatabase struct {
	packages   map[string][]advisory // by packageKey
	ecosystems map[string]bool
	ids        []string // id@modified, for the version
	newest     time.Time
}

// LoadOSV reads every *.json file of fsys as one OSV record: an unpacked all.zip of
// osv.dev or the zip itself (archive/zip's Reader is an fs.FS). One broken record is an
// error: a database with holes would say that nothing is known.
func LoadOSV(fsys fs.FS) (*OSVDatabase, error) {
	db := newOSV()
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".json") {
			return err
		}
		f, err := fsys.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		b, err := readAll(f, maxOSVRecord)
		if err == nil {
			var r osvRecord
			if err = json.Unmarshal(b, &r); err == nil {
				err = db.add(r)
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("osv database: %w", err)
	}
	return db.finish()
}

// ReadOSV reads a stream of OSV records, one JSON object after the other.
func ReadOSV(r io.Reader) (*OSVDatabase, error) {
	db := newOSV()
	limited := &io.LimitedReader{R: r}
	dec := json.NewDecoder(limited)
	for {
		limited.N = maxOSVRecord
		var record osvRecord
		err := dec.Decode(&record)
		switch {
		case err != nil && limited.N == 0:
			err = fmt.Errorf("more than %d bytes", maxOSVRecord)
		case errors.Is(err, io.EOF):
			return db.finish()
		}
		if err == nil {
			err = db.add(record)
		}
		if err != nil {
			return nil, fmt.Errorf("osv database: record %d: %w", len(db.ids)+1, err)
		}
	}
}

func newOSV() *OSVDatabase {
	return &OSVDatabase{packages: make(map[string][]advisory), ecosystems: make(map[string]bool)}
}

func (db *OSVDatabase) add(r osvRecord) error {
	switch {
	case r.ID == "" || r.Modified.IsZero():
		return errors.New("it has no id or no time: not an OSV record")
	case len(db.ids) >= MaxOSVRecords:
		return fmt.Errorf("more than %d records", MaxOSVRecords)
	}
	db.ids = append(db.ids, r.ID+"@"+r.Modified.UTC().Format(time.RFC3339Nano))
	if r.Modified.After(db.newest) {
		db.newest = r.Modified.UTC()
	}
	for _, a := range r.Affected {
		ecosystem, _, _ := strings.Cut(a.Package.Ecosystem, ":") // "Debian:12"
		if ecosystem == "" || a.Package.Name == "" {
			continue // about commits only
		}
		db.ecosystems[ecosystem] = true
		if !r.Withdrawn.IsZero() {
			continue
		}
		key := packageKey(ecosystem, a.Package.Name)
		db.packages[key] = append(db.packages[key], advisory{
			id: r.ID, aliases: strings.Join(r.Aliases[:min(len(r.Aliases), 5)], ", "), summary: r.Summary,
			severity: r.severity(), ranges: a.Ranges, versions: a.Versions,
		})
	}
	return nil
}

// severity is the worst that the record says; medium when it says nothing that is
// understood here. A malicious package is critical.
func (r osvRecord) severity() Severity {
	if strings.HasPrefix(r.ID, malicious) {
		return SeverityCritical
	}
	worst, said := SeverityInfo, false
	for _, s := range r.Severity {
		if score, ok := cvss3(s.Score); ok {
			worst, said = min(worst, scoreSeverity(score)), true
		}
	}
	if word, ok := r.Database.Severity.(string); ok {
		words := map[string]Severity{"CRITICAL": SeverityCritical, "HIGH": SeverityHigh, "MODERATE": SeverityMedium, "MEDIUM": SeverityMedium, "LOW": SeverityLow}
		if s, ok := words[strings.ToUpper(word)]; ok {
			worst, said = min(worst, s), true
		}
	}
	if !said {
		return SeverityMedium
	}
	return worst
}

// malicious begins the ids of https://github.com/ossf/malicious-packages.
const malicious = "MAL-"

func (db *OSVDatabase) finish() (*OSVDatabase, error) {
	if len(db.ids) == 0 {
		return nil, errors.New("osv database: there is no record in it")
	}
	slices.Sort(db.ids)
	return db, nil
}

// Database returns the version, which is the number of records and a hash of their ids
// and times, and the time of the newest record.
func (db *OSVDatabase) Database() Database {
	h := sha256.New()
	for _, id := range db.ids {
		h.Write([]byte(id + "\n"))
	}
	return Database{Version: fmt.Sprintf("%d records, %s", len(db.ids), hex.EncodeToString(h.Sum(nil))[:12]), Time: db.newest}
}
