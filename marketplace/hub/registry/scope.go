package registry

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Bounds of what one request for a token may ask for.
const (
	MaxScopes    = 16  // a mount needs two; docker buildx asks for a handful
	MaxScope     = 512 // bytes of one; a repository's name has at most 255
	maxScopeText = 8 << 10
	maxName      = 255 // characters of a repository's name, as registries have it
)

// Access is what may be done with one resource of a registry. The zero value
// allows nothing.
type Access struct {
	Type    string   `json:"type"`    // "repository", or "registry"
	Name    string   `json:"name"`    // "acme/backup"; "catalog" for the list of all repositories
	Actions []string `json:"actions"` // "pull", "push", "delete", or "*" for all
}

// Repository is access to one repository, such as Repository("acme/backup", "pull").
func Repository(name string, actions ...string) Access {
	return Access{Type: "repository", Name: name, Actions: actions}
}

// String is the access as a scope: "repository:acme/backup:pull,push".
func (a Access) String() string {
	return a.Type + ":" + a.Name + ":" + strings.Join(a.Actions, ",")
}

// covers reports whether a allows all of b.
func (a Access) covers(b Access) bool {
	return a.Type == b.Type && a.Name == b.Name && (slices.Contains(a.Actions, "*") ||
		!slices.ContainsFunc(b.Actions, func(action string) bool { return !slices.Contains(a.Actions, action) }))
}

var (
	repositoryName = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	resourceType   = regexp.MustCompile(`^[a-z0-9]+$`)
	action         = regexp.MustCompile(`^([a-z]{1,32}|\*)$`)
)

// check holds an access to the grammar of scopes. Names have no host in front: the
// service says already which registry is meant.
func (a Access) check() error {
	switch {
	case !resourceType.MatchString(a.Type) || len(a.Type) > 32:
		return fmt.Errorf("%.50q is not a type of resource", a.Type)
	case !repositoryName.MatchString(a.Name) || len(a.Name) > maxName:
		return fmt.Errorf("%.300q is not a name", a.Name)
	case len(a.Actions) == 0 || len(a.Actions) > 8:
		return fmt.Errorf("%d actions; there may be 1 to 8", len(a.Actions))
	}
	for _, s := range a.Actions {
		if !action.MatchString(s) {
			return fmt.Errorf("%.50q is not an action", s)
		}
	}
	return nil
}

// ParseScopes reads the scope parameters of a request for a token, each of which
// may hold several scopes with spaces between them, as
// https://distribution.github.io/distribution/spec/auth/scope/ has them. Scopes for
// the same resource become one. More than [MaxScopes] scopes, a scope of more than
// [MaxScope] bytes and anything outside the grammar are errors. The class of a
// resource, "repository(plugin):…", is dropped.
func ParseScopes(params []string) ([]Access, error) {
	var out []Access
	n, size := 0, 0
	for _, p := range params {
		if size += len(p); size > maxScopeText {
			return nil, fmt.Errorf("scopes of more than %d bytes", maxScopeText)
		}
		for _, s := range strings.Fields(p) {
			if n++; n > MaxScopes {
				return nil, fmt.Errorf("more than %d scopes", MaxScopes)
			}
			a, err := parseScope(s)
			if err != nil {
				return nil, fmt.Errorf("scope %d: %w", n, err)
			}
			out = merge(out, a)
		}
	}
	return out, nil
}

func parseScope(s string) (Access, error) {
	if len(s) > MaxScope {
		return Access{}, fmt.Errorf("%d bytes are more than %d", len(s), MaxScope)
	}
	kind, rest, ok := strings.Cut(s, ":")
	name, actions, also := strings.Cut(rest, ":")
	if !ok || !also {
		return Access{}, errors.New("is not type:name:actions")
	}
	if kind, class, ok := strings.Cut(kind, "("); ok {
		if class, ok = strings.CutSuffix(class, ")"); !ok || !resourceType.MatchString(class) {
			return Access{}, errors.New("is not type(class):name:actions")
		}
		return checked(Access{Type: kind, Name: name, Actions: unique(strings.Split(actions, ","))})
	}
	return checked(Access{Type: kind, Name: name, Actions: unique(strings.Split(actions, ","))})
}

func checked(a Access) (Access, error) { return a, a.check() }

// merge adds an access to a list that names each resource once.
func merge(list []Access, a Access) []Access {
	for i := range list {
		if list[i].Type == a.Type && list[i].Name == a.Name {
			list[i].Actions = unique(append(list[i].Actions, a.Actions...))
			return list
		}
	}
	return append(list, a)
}

func unique(s []string) []string {
	slices.Sort(s)
	return slices.Compact(s)
}
