package identity

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

// RegistryAccess is what may be done with one repository of the registry.
type RegistryAccess struct {
	Repository string   // "acme/backup", "staging/acme/backup"
	Actions    []string // "pull" and "push"; no other is ever granted
}

// MaxRegistryAccess is how many repositories one request may be about; a mount needs two.
const MaxRegistryAccess = 100

// repositoryName is the distribution specification's, of 255 characters at most.
var repositoryName = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)

// AuthorizeRegistry says what a client of the registry may do of what it wants. Secret is
// a token of the hub; username does not matter, as there are clients that must have one.
// Both empty is anybody. Subject is the account, empty for anybody.
//
//   - everybody pulls what does not begin with "staging/"
//   - who may push for a plugin (a member, by a token with the verb "push") pulls and
//     pushes staging/<publisher>/<name>, while the publisher is not suspended
//   - who may read its submissions (members, reviewers, moderators, administrators, by a
//     token with the verb "read") pulls from there
//
// Nobody pushes elsewhere (only the hub itself does), and nobody deletes. What is not
// granted is left out; a repository of which nothing is granted, too. The error is
// [hub.ErrUnauthenticated] for a secret that is no valid token: it is not taken for
// nobody's.
func (s *Service) AuthorizeRegistry(ctx context.Context, username, secret string, want []RegistryAccess) (granted []RegistryAccess, subject string, err error) {
	if len(want) > MaxRegistryAccess {
		return nil, "", hub.Invalid("scope", "has more than %d repositories", MaxRegistryAccess)
	}
	var actor hub.Actor
	if username != "" || secret != "" {
		if actor, err = s.AuthenticateToken(ctx, secret); err != nil {
			return nil, "", err
		}
	}
	for _, w := range want {
		may, err := s.registryActions(ctx, actor, w.Repository)
		if err != nil {
			return nil, "", fmt.Errorf("registry: %w", err)
		}
		may = slices.DeleteFunc(may, func(a string) bool { return !slices.Contains(w.Actions, a) })
		if len(may) > 0 {
			granted = append(granted, RegistryAccess{w.Repository, may})
		}
	}
	return granted, actor.Account, nil
}

// registryActions returns all that the actor may do with a repository.
func (s *Service) registryActions(ctx context.Context, actor hub.Actor, repository string) ([]string, error) {
	if len(repository) > 255 || !repositoryName.MatchString(repository) {
		return nil, nil
	}
	first, rest, _ := strings.Cut(repository, "/")
	if first != "staging" {
		return []string{"pull"}, nil
	}
	id, err := catalog.ParsePluginID(rest)
	if err != nil {
		return nil, nil // staging has nothing but publisher/name
	}
	o := hub.Object{Publisher: id.Publisher(), Plugin: rest}
	push, read := actor.May(hub.ActStagingPush, o) == nil, actor.May(hub.ActSubmissionRead, o) == nil
	if push {
		err := s.env.Store.View(ctx, func(tx hub.Tx) error {
			p, err := tx.Publishers().Get(ctx, o.Publisher)
			if errors.Is(err, hub.ErrNotFound) {
				push, err = false, nil
			}
			push = push && p.State == hub.PublisherActive
			return err
		})
		if err != nil {
			return nil, err
		}
		if push {
			return []string{"pull", "push"}, nil
		}
		read = true // its members still see what is there
	}
	if read {
		return []string{"pull"}, nil
	}
	return nil, nil
}
