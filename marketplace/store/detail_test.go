package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/souk-dev/souk/catalog"
)

func TestVersionsSayWhyTheyDoNotFit(t *testing.T) {
	t.Parallel()
	m := newMarket()
	m.Platform = "linux/amd64"
	m.Listed["acme/backup"].Releases[1].Manifest.Platforms = []string{"windows/amd64"}
	h := shop(t, m, admin)
	page := get(h, "/plugins/p/acme/backup/versions").Body.String()
	wellFormed(t, page)
	item := func(version string) string {
		_, rest, _ := strings.Cut(page, "<h3>"+version+"</h3>")
		part, _, _ := strings.Cut(rest, "</li>")
		return part
	}
	assert.Contains(t, item("2.0.3"), "windows/amd64")
	assert.NotContains(t, item("2.0.3"), `name="version"`)
	assert.NotContains(t, item("2.1.0"), "windows/amd64", "only the one that does not fit")
	assert.Contains(t, item("2.1.0"), `name="version"`)
}

func TestDependenciesSayWhoNeedsItHere(t *testing.T) {
	t.Parallel()
	m := newMarket()
	h := shop(t, m, admin)
	assert.NotContains(t, get(h, "/plugins/p/acme/storage/dependencies").Body.String(), "Needed here by")
	m.Here[1].Manifest.Dependencies = []catalog.Dependency{{ID: "acme/storage", Range: "^2"}}
	page := get(h, "/plugins/p/acme/storage/dependencies").Body.String()
	wellFormed(t, page)
	assert.Contains(t, page, "Needed here by")
	assert.Contains(t, page, "acme/mailer ^2")
}

func TestSecurityShowsSignersOfNowAndBefore(t *testing.T) {
	t.Parallel()
	m := newMarket()
	p := m.Listed["acme/mailer"]
	gone := p.Publisher.Signers[0]
	gone.Subject, gone.Revoked = "stolen", now.Add(-48*time.Hour)
	p.Publisher.Signers = append(p.Publisher.Signers, gone)
	m.Listed["acme/mailer"] = p
	h := shop(t, m, admin)
	page := get(h, "/plugins/p/acme/mailer/security").Body.String()
	wellFormed(t, page)
	assert.Contains(t, page, "Revoked on 1 May 2026.")
	assert.Contains(t, page, "Version 2.0.3, checked")
	assert.Contains(t, page, string(m.Here[1].Digest))
	assert.NotContains(t, get(h, "/plugins/p/acme/backup/security").Body.String(), ", checked", "nothing of it was verified here")
}

func TestOverviewShowsTheRiskiestAndWhatIsNew(t *testing.T) {
	t.Parallel()
	m := newMarket()
	h := shop(t, m, admin)
	page := get(h, "/plugins/p/acme/backup").Body.String()
	wellFormed(t, page)
	_, rest, ok := strings.Cut(page, "What it asks for")
	assert.True(t, ok)
	part, _, _ := strings.Cut(rest, "</section>")
	assert.Equal(t, 3, strings.Count(part, "<li>"))
	assert.Contains(t, part, "See all 4 permissions")
	assert.Contains(t, page, "New in 2.1.0")
	assert.Regexp(t, `<img src="[^"]+" alt="The dashboard[^"]*" width="640" height="400" loading="lazy"`, page)

	m.Listed["acme/backup"].Releases[0].Notes = ""
	assert.NotContains(t, get(h, "/plugins/p/acme/backup").Body.String(), "New in 2.1.0")
	assert.NotContains(t, get(h, "/plugins/p/kiln/redis").Body.String(), "What it asks for", "it asks for nothing")
}
