package catalog_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

var issued = time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)

func TestDocumentsRoundTrip(t *testing.T) {
	t.Parallel()
	x := catalog.Index{Format: 1, Serial: 7, Catalog: verify.DigestOf(nil), Size: 10}
	b, err := x.Encode()
	require.NoError(t, err)
	gotX, err := catalog.ParseIndex(b)
	require.NoError(t, err)
	assert.Equal(t, x, gotX)

	p := catalog.Publishers{Format: 1, Publishers: []catalog.Publisher{
		{Namespace: "acme", Name: "Acme", Homepage: "https://acme.example", Signers: []catalog.Signer{
			{Identity: verify.Identity{Key: "pem"}, From: issued, Revoked: issued},
			{Identity: verify.Identity{Issuer: "https://issuer.example", Subject: "ci@acme.example"}},
		}},
		{Namespace: "bolt", Name: "Bolt", Signers: []catalog.Signer{}},
	}}
	b, err = p.Encode()
	require.NoError(t, err)
	gotP, err := catalog.ParsePublishers(b)
	require.NoError(t, err)
	assert.Equal(t, p, gotP)

	a := catalog.Advisories{Format: 1, Serial: 3, Advisories: []catalog.Advisory{
		{ID: "A-1", Action: catalog.ActionBlock, Title: "Loses data", Detail: "Line\n\nLine", URL: "https://acme.example/a1", Issued: issued, Plugin: "acme/backup", Range: "<1.2.0", FixedIn: "1.2.0"},
		{ID: "A-2", Action: catalog.ActionDisable, Title: "Stolen key", Issued: issued, Signer: "key:00", Rescinded: issued},
	}}
	b, err = a.Encode()
	require.NoError(t, err)
	gotA, err := catalog.ParseAdvisories(b)
	require.NoError(t, err)
	assert.Equal(t, a, gotA)

	m := catalog.CatalogManifest{Format: 1, Serial: 7, Segments: []catalog.Segment{segment(catalog.FamilyListing, 1), segment(catalog.FamilyListing, 0), segment(catalog.FamilyStats, 0)}}
	m.Segments[0].From = []catalog.Blob{m.Segments[1].Blob}
	b, err = m.Encode()
	require.NoError(t, err)
	gotM, err := catalog.ParseCatalogManifest(b)
	require.NoError(t, err)
	assert.Equal(t, m, gotM)
	assert.Len(t, gotM.Of(catalog.FamilyListing), 2)

	for _, empty := range []interface{ Encode() ([]byte, error) }{
		catalog.Publishers{Format: 1}, catalog.Publishers{Format: 1, Publishers: []catalog.Publisher{{Namespace: "acme", Name: "Acme"}}},
		catalog.Advisories{Format: 1}, catalog.CatalogManifest{Format: 1, Serial: 1},
	} {
		b, err := empty.Encode()
		require.NoError(t, err)
		assert.NotContains(t, string(b), "null")
	}
}

func segment(f catalog.Family, level int) catalog.Segment {
	return catalog.Segment{Family: f, Level: level, Records: 1, Blob: catalog.Blob{Digest: verify.DigestOf([]byte(f)), Size: 10, DiffID: verify.DigestOf([]byte{byte(level)}), Plain: 20}}
}

func TestDocumentsRefuse(t *testing.T) {
	t.Parallel()
	index := func(b []byte) error { _, err := catalog.ParseIndex(b); return err }
	publishers := func(b []byte) error { _, err := catalog.ParsePublishers(b); return err }
	advisories := func(b []byte) error { _, err := catalog.ParseAdvisories(b); return err }
	manifest := func(b []byte) error { _, err := catalog.ParseCatalogManifest(b); return err }
	d := string(verify.DigestOf(nil))
	signers := func(s string) string {
		return `{"format":1,"publishers":[{"namespace":"acme","name":"Acme","signers":[` + s + `]}]}`
	}
	advisory := func(fields string) string {
		return `{"format":1,"serial":1,"advisories":[{"id":"A-1","action":"warn","title":"T","issued":"2026-05-03T12:00:00Z",` + fields + `}]}`
	}
	blob := `"digest":"` + d + `","size":10,"diffID":"` + d + `","plain":20,"records":1`
	for name, c := range map[string]struct {
		parse func([]byte) error
		doc   string
		says  string
	}{
		"newer index":           {index, `{"format":2,"something":1}`, "index has format 2, this version reads 1: a newer Souk is needed"},
		"newer publishers":      {publishers, `{"format":9}`, "a newer Souk is needed"},
		"newer advisories":      {advisories, `{"format":9}`, "a newer Souk is needed"},
		"newer manifest":        {manifest, `{"format":9}`, "a newer Souk is needed"},
		"index without format":  {index, `{"serial":1,"catalog":"` + d + `","size":1}`, "no format number"},
		"publishers no format":  {publishers, `{"publishers":[]}`, "no format number"},
		"advisories no format":  {advisories, `{"serial":1,"advisories":[]}`, "no format number"},
		"manifest no format":    {manifest, `{"serial":1,"segments":[]}`, "no format number"},
		"serial 0":              {index, `{"format":1,"serial":0,"catalog":"` + d + `","size":1}`, "serial"},
		"negative serial":       {index, `{"format":1,"serial":-1,"catalog":"` + d + `","size":1}`, "serial: number -1 does not fit"},
		"index digest":          {index, `{"format":1,"serial":1,"catalog":"sha512:0","size":1}`, "catalog is not a digest"},
		"index size":            {index, `{"format":1,"serial":1,"catalog":"` + d + `","size":99999999}`, "size 99999999"},
		"index trailing":        {index, `{"format":1,"serial":1,"catalog":"` + d + `","size":1} x`, "invalid character"},
		"index twice":           {index, `{"format":1,"format":1,"serial":1,"catalog":"` + d + `","size":1}`, "stands twice"},
		"unknown in publishers": {publishers, `{"format":1,"publishers":[],"x":1}`, `unknown field "x"`},
		"null publishers":       {publishers, `{"format":1,"publishers":null}`, "publishers: is null"},
		"namespace":             {publishers, `{"format":1,"publishers":[{"namespace":"A","name":"A","signers":[]}]}`, `namespace "A"`},
		"out of order": {publishers, `{"format":1,"publishers":[{"namespace":"bolt","name":"B","signers":[]},{"namespace":"acme","name":"A","signers":[]}]}`,
			"acme is not in order"},
		"nobody signs":      {publishers, signers(`{}`), "either a key, or an issuer and a subject"},
		"half a keyless":    {publishers, signers(`{"issuer":"https://i.example"}`), "either a key"},
		"key and keyless":   {publishers, signers(`{"key":"k","issuer":"https://i.example","subject":"s"}`), "either a key"},
		"issuer":            {publishers, signers(`{"issuer":"http://i.example","subject":"s"}`), "issuer"},
		"action":            {advisories, strings.Replace(advisory(`"plugin":"acme/a1"`), `"warn"`, `"delete"`, 1), `action "delete"`},
		"about nothing":     {advisories, advisory(`"detail":"x"`), "exactly one of"},
		"about two things":  {advisories, advisory(`"plugin":"acme/a1","publisher":"acme"`), "exactly one of"},
		"range alone":       {advisories, advisory(`"publisher":"acme","range":"<1"`), "need a plugin"},
		"range and digests": {advisories, advisory(`"plugin":"acme/a1","range":"<1","digests":["` + d + `"]`), "without a range"},
		"unreadable range":  {advisories, advisory(`"plugin":"acme/a1","range":"<banana"`), "version range"},
		"fixed in":          {advisories, advisory(`"plugin":"acme/a1","fixedIn":"v1"`), "fixedIn"},
		"advisory plugin":   {advisories, advisory(`"plugin":"a1"`), "not publisher/name"},
		"advisory digest":   {advisories, advisory(`"digests":["x"]`), "not a digest"},
		"advisory url":      {advisories, advisory(`"plugin":"acme/a1","url":"http://x.example"`), "url"},
		"advisory twice": {advisories, strings.Replace(advisory(`"publisher":"acme"`), `"advisories":[`, `"advisories":[{"id":"A-1","action":"warn","title":"T","issued":"2026-05-03T12:00:00Z","signer":"k"},`, 1),
			"A-1 stands twice"},
		"family":         {manifest, `{"format":1,"serial":1,"segments":[{"family":"x","level":0,` + blob + `}]}`, "a newer Souk is needed"},
		"level":          {manifest, `{"format":1,"serial":1,"segments":[{"family":"stats","level":17,` + blob + `}]}`, "level 17"},
		"lower first":    {manifest, `{"format":1,"serial":1,"segments":[{"family":"stats","level":0,` + blob + `},{"family":"stats","level":1,` + blob + `}]}`, "out of order"},
		"family order":   {manifest, `{"format":1,"serial":1,"segments":[{"family":"stats","level":0,` + blob + `},{"family":"listing","level":0,` + blob + `}]}`, "out of order"},
		"oversized":      {manifest, strings.Replace(`{"format":1,"serial":1,"segments":[{"family":"stats","level":0,`+blob+`}]}`, `"size":10`, `"size":67108865`, 1), "size 67108865"},
		"bomb":           {manifest, strings.Replace(`{"format":1,"serial":1,"segments":[{"family":"stats","level":0,`+blob+`}]}`, `"plain":20`, `"plain":1073741824`, 1), "times as many"},
		"many records":   {manifest, strings.Replace(`{"format":1,"serial":1,"segments":[{"family":"stats","level":0,`+blob+`}]}`, `"records":1`, `"records":2000001`, 1), "records"},
		"segment digest": {manifest, strings.Replace(`{"format":1,"serial":1,"segments":[{"family":"stats","level":0,`+blob+`}]}`, d, "x", 1), "not a digest"},
	} {
		err := c.parse([]byte(c.doc))
		assert.ErrorContains(t, err, c.says, name)
	}
	assert.ErrorContains(t, index([]byte(strings.Repeat(" ", catalog.MaxIndex+1))), "more than the")
}

func TestAdvisoryConcerns(t *testing.T) {
	t.Parallel()
	digest := verify.DigestOf([]byte("bad"))
	rel := func(ref string) catalog.Release {
		r, err := catalog.ParseRef(ref)
		require.NoError(t, err)
		return catalog.Release{Ref: r, Digest: verify.DigestOf([]byte(ref))}
	}
	bad := rel("acme/backup@1.0.0")
	bad.Digest = digest
	for name, c := range map[string]struct {
		a    catalog.Advisory
		r    catalog.Release
		want bool
	}{
		"plugin":                {catalog.Advisory{Plugin: "acme/backup"}, rel("acme/backup@1.0.0"), true},
		"other plugin":          {catalog.Advisory{Plugin: "acme/backup"}, rel("acme/notes@1.0.0"), false},
		"in range":              {catalog.Advisory{Plugin: "acme/backup", Range: "<1.2.0"}, rel("acme/backup@1.1.9"), true},
		"fixed":                 {catalog.Advisory{Plugin: "acme/backup", Range: "<1.2.0"}, rel("acme/backup@1.2.0"), false},
		"pre-release in range":  {catalog.Advisory{Plugin: "acme/backup", Range: "<1.2.0"}, rel("acme/backup@1.1.0-beta.1"), true},
		"pre-release of fix":    {catalog.Advisory{Plugin: "acme/backup", Range: "<1.2.0"}, rel("acme/backup@1.2.0-rc.1"), true},
		"unreadable range":      {catalog.Advisory{Plugin: "acme/backup", Range: "banana"}, rel("acme/backup@9.0.0"), true},
		"publisher":             {catalog.Advisory{Publisher: "acme"}, rel("acme/notes@1.0.0"), true},
		"other publisher":       {catalog.Advisory{Publisher: "acme"}, rel("acmes/notes@1.0.0"), false},
		"digest":                {catalog.Advisory{Digests: []verify.Digest{digest}}, bad, true},
		"rightful owner":        {catalog.Advisory{Plugin: "acme/backup", Digests: []verify.Digest{digest}}, rel("acme/backup@1.0.0"), false},
		"digest of the plugin":  {catalog.Advisory{Plugin: "acme/backup", Digests: []verify.Digest{digest}}, bad, true},
		"digest, other plugin":  {catalog.Advisory{Plugin: "acme/notes", Digests: []verify.Digest{digest}}, bad, false},
		"signer says nothing":   {catalog.Advisory{Signer: "key:00"}, rel("acme/backup@1.0.0"), false},
		"about nothing at all":  {catalog.Advisory{}, rel("acme/backup@1.0.0"), false},
		"build metadata counts": {catalog.Advisory{Plugin: "acme/backup", Range: "=1.0.0"}, rel("acme/backup@1.0.0+b5"), true},
	} {
		assert.Equal(t, c.want, c.a.Concerns(c.r), name)
	}
	assert.True(t, catalog.Advisory{Signer: "key:00"}.ConcernsSigner("key:00"))
	assert.False(t, catalog.Advisory{Signer: "key:00"}.ConcernsSigner("key:01"))
	assert.False(t, catalog.Advisory{}.ConcernsSigner(""))
}

func TestAdvisoryActive(t *testing.T) {
	t.Parallel()
	a := catalog.Advisory{Issued: issued}
	assert.True(t, a.Active(issued.AddDate(10, 0, 0)))
	assert.True(t, a.Active(issued.AddDate(-10, 0, 0)), "a clock set back lifts nothing")
	a.Rescinded = issued.Add(time.Hour)
	assert.True(t, a.Active(issued))
	assert.False(t, a.Active(a.Rescinded))
}

func FuzzDocuments(f *testing.F) {
	f.Add([]byte(`{"format":1,"serial":1,"catalog":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":1}`))
	f.Add([]byte(`{"format":1,"publishers":[{"namespace":"acme","name":"Acme","signers":[{"key":"k"}]}]}`))
	f.Add([]byte(`{"format":1,"serial":1,"advisories":[{"id":"A-1","action":"warn","title":"T","issued":"2026-05-03T12:00:00Z","publisher":"acme"}]}`))
	f.Add([]byte(`{"format":1,"serial":1,"segments":[{"family":"stats","level":0,"records":1,"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":10,"diffID":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","plain":20}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if x, err := catalog.ParseIndex(b); err == nil {
			_, err = x.Encode()
			require.NoError(t, err)
		}
		if p, err := catalog.ParsePublishers(b); err == nil {
			_, err = p.Encode()
			require.NoError(t, err)
		}
		if a, err := catalog.ParseAdvisories(b); err == nil {
			_, err = a.Encode()
			require.NoError(t, err)
		}
		if m, err := catalog.ParseCatalogManifest(b); err == nil {
			_, err = m.Encode()
			require.NoError(t, err)
		}
	})
}

func ExampleParseIndex() {
	_, err := catalog.ParseIndex([]byte(`{"format": 2, "serial": 812, "shards": []}`))
	fmt.Println(err)
	// Output: format: index has format 2, this version reads 1: a newer Souk is needed to read it
}
