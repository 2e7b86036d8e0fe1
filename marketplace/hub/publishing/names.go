package publishing

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"unicode/utf8"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/verify/scan"
)

// checkNamespace holds a name to the grammar of ids.
func checkNamespace(name string) error {
	if _, err := catalog.ParsePluginID(name + "/xx"); err != nil || strings.Contains(name, "/") {
		return fmt.Errorf("must be 2 to %d of a-z, 0-9 and single inner hyphens, beginning with a letter", catalog.MaxIDPart)
	}
	return nil
}

// reservedName says why a name is nobody's, whatever an administrator reserves: it would
// make an address or a repository mean something else, or promise what nobody checks.
func reservedName(name string) (why string, reserved bool) {
	switch name {
	case "catalog", "staging":
		return "is where the hub keeps its own", true
	case "souk", "admin", "api", "auth", "login", "system", "hub":
		return "is a word of the hub", true
	case "official", "verified", "support", "security":
		return "promises what nobody checks", true
	}
	return "", false
}

// freeNamespace says why a namespace cannot be taken.
func freeNamespace(ctx context.Context, tx hub.Tx, name string) error {
	if why, reserved := reservedName(name); reserved {
		return hub.Invalid("namespace", "is reserved: %s", why)
	}
	switch r, err := tx.Reserved().Get(ctx, name); {
	case err == nil:
		return hub.Invalid("namespace", "is reserved: %s", r.Reason)
	case !errors.Is(err, hub.ErrNotFound):
		return err
	}
	switch _, err := tx.Publishers().Get(ctx, name); {
	case err == nil:
		return fmt.Errorf("the namespace %s is taken: %w", name, hub.ErrExists)
	case !errors.Is(err, hub.ErrNotFound):
		return err
	}
	var reserved, verified []string
	all, err := tx.Reserved().List(ctx, hub.Query{})
	if err != nil {
		return err
	}
	for _, r := range all {
		reserved = append(reserved, r.Name)
	}
	want := skeleton(name)
	for last := ""; ; {
		page, err := tx.Publishers().List(ctx, hub.Query{Where: []hub.Cond{hub.Gt("namespace", last)}})
		if err != nil {
			return err
		}
		for _, p := range page {
			if last = p.Namespace; skeleton(p.Namespace) == want {
				return hub.Invalid("namespace", "looks like %s, which is somebody else's", p.Namespace)
			}
			if p.Verified {
				verified = append(verified, p.Namespace)
			}
		}
		if len(page) < hub.MaxList {
			break
		}
	}
	if m, ok := scan.Similar(name, reserved); ok {
		return hub.Invalid("namespace", "looks like the reserved name %s: %s", m.Name, m.Why)
	}
	if m, ok := scan.Similar(name, verified); ok {
		return hub.Invalid("namespace", "looks like %s, a verified publisher: %s", m.Name, m.Why)
	}
	return nil
}

// skeleton is equal for two names that people take for each other; hyphens are not seen.
func skeleton(name string) string { return scan.Skeleton(strings.ReplaceAll(name, "-", "")) }

// checkProse checks a text of several lines; empty is in order.
func checkProse(s string, most int) error {
	if s == "" {
		return nil
	}
	if n := utf8.RuneCountInString(s); n > most {
		return fmt.Errorf("has %d characters, more than %d", n, most)
	}
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(strings.ReplaceAll(line, "\t", " "))
		if line == "" {
			continue
		}
		if err := catalog.CheckText(line, most); err != nil {
			return err
		}
	}
	return nil
}

func checkContact(s string) error {
	if s == "" {
		return nil
	}
	if a, err := mail.ParseAddress(s); err != nil || a.Address != s || len(s) > maxContact {
		return hub.Invalid("contact", "must be a plain mail address")
	}
	return nil
}
