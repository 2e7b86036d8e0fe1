package store_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

// TestSignersAreNamed: builders that everybody knows by a name, and whatever only looks
// like one of them as it stands.
func TestSignersAreNamed(t *testing.T) {
	t.Parallel()
	const github, gitlab = "https://token.actions.githubusercontent.com", "https://gitlab.com"
	for _, c := range []struct{ issuer, subject, says string }{
		{github, "https://github.com/acme/backup/.github/workflows/release.yml@refs/heads/main", "acme/backup on GitHub, by its workflow release.yml at main"},
		{github, "https://github.com/acme/backup/.github/workflows/release.yml@refs/tags/v1.2", "acme/backup on GitHub, by its workflow release.yml at v1.2"},
		{gitlab, "https://gitlab.com/acme/tools/backup//.gitlab-ci.yml@refs/heads/main", "acme/tools/backup on GitLab, by its pipeline .gitlab-ci.yml at main"},
		{"https://token.actions.githubusercontent.com.evil.example", "https://github.com/acme/backup/.github/workflows/release.yml@refs/heads/main", "vouched for by https://token.actions.githubusercontent.com.evil.example"},
		{gitlab, "https://github.com/acme/backup/.github/workflows/release.yml@refs/heads/main", "vouched for by https://gitlab.com"},
		{github, "https://github.com/acme/backup/.github/workflows/release.yml@refs/heads/main on GitLab", "vouched for by"},
		{github, "https://github.com.evil.example/acme/backup/.github/workflows/release.yml@refs/heads/main", "github.com.evil.example/acme"},
		{github, "https://github.com/acme/bäckup/.github/workflows/release.yml@refs/heads/main", "vouched for by"},
	} {
		m := newMarket()
		p := m.Listed["acme/backup"]
		p.Publisher.Signers = []catalog.Signer{{Identity: verify.Identity{Issuer: c.issuer, Subject: c.subject}}}
		m.Listed[p.ID] = p
		assert.Contains(t, get(shop(t, m, admin), "/plugins/p/acme/backup/security").Body.String(), c.says, c.subject)
	}
}
