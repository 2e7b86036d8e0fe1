package marketplace_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/souk-dev/souk/"

// floors is the tower. A package imports only packages on strictly lower floors,
// and every package stands here: a new one is a decision, not an accident.
var floors = map[string]int{
	"sandbox/phrase":               -1, // below all that say something to people
	"sandbox":                      0,
	"sandbox/safefs":               0,
	"sandbox/safefs/safefstest":    1,
	"sandbox/wasm/module":          0,
	"sandbox/wasm/guest":           0, // linked into plugins, never into a panel
	"verify":                       0,
	"sandbox/wasm":                 1,
	"verify/sigstore":              1,
	"verify/sigstore/sigstoretest": 1,
	"verify/tuf":                   1,
	"catalog":                      1,
	"catalog/netguard":             1,
	"catalog/resolve":              2,
	"catalog/search":               2,
	"catalog/oci":                  2,
	"catalog/mirror":               2,
	"catalog/publish":              2,
	"catalog/catalogtest":          2,
	"install":                      3,
	"install/installtest":          4, // builds packages as publish does and installs them
	"update":                       4,
	"marketplace":                  5,
	"marketplace/ui":               5,
	"marketplace/store":            6,
	"marketplace/store/storetest":  7,
	"marketplace/markettest":       7,

	"verify/scan":                       1,
	"marketplace/hub":                   5,
	"marketplace/hub/sqlstore":          6,
	"marketplace/hub/registry":          6,
	"marketplace/hub/signin":            6,
	"marketplace/hub/identity":          6,
	"marketplace/hub/publishing":        6,
	"marketplace/hub/community":         6,
	"marketplace/hub/insight":           6,
	"marketplace/link":                  7,
	"marketplace/hub/edge":              6,
	"marketplace/hub/client":            6,
	"marketplace/hub/signin/signintest": 7,
	"marketplace/hub/api":               7,
	"marketplace/hub/portal":            7,
	"marketplace/hub/server":            8,
	"marketplace/hub/hubtest":           9,
	"marketplace/cmd/souk":              9,
}

// doors says which of our packages may import a third-party module. Test
// packages (those whose name ends in "test") are listed where they are one.
var doors = map[string][]string{
	"github.com/sigstore/sigstore-go/":       {"verify/sigstore", "verify/sigstore/sigstoretest"},
	"github.com/secure-systems-lab/":         {"verify/sigstore/sigstoretest"},                                  // an envelope as the log takes it
	"github.com/sigstore/":                   {"verify/sigstore", "verify/sigstore/sigstoretest", "verify/tuf"}, // go-tuf takes its signers from sigstore/sigstore
	"github.com/theupdateframework/go-tuf/":  {"verify/tuf"},
	"github.com/tetratelabs/wazero":          {"sandbox/wasm"},
	"github.com/google/go-containerregistry": {"catalog/oci", "catalog/catalogtest"},
	"github.com/hashicorp/go-retryablehttp":  {"catalog/oci", "catalog/catalogtest"},
	"github.com/Masterminds/semver/":         {"catalog", "catalog/resolve", "update"},
	"github.com/klauspost/compress":          {"catalog", "catalog/publish", "catalog/mirror", "install", "install/installtest"},
	"github.com/gofrs/flock":                 {"sandbox/safefs"},
	"github.com/yuin/goldmark":               {"marketplace/store", "marketplace/ui"},
	"github.com/microcosm-cc/bluemonday":     {"marketplace/store", "marketplace/ui"},
	"github.com/stretchr/testify":            {"*test"},
	"golang.org/x/sys":                       {"sandbox/safefs"},
	"golang.org/x/text":                      {"catalog", "catalog/search", "install", "verify/scan", "marketplace/store"},

	"github.com/distribution/":       {"marketplace/hub/registry"},
	"github.com/docker/go-events":    {"marketplace/hub/registry"}, // its events
	"github.com/sirupsen/logrus":     {"marketplace/hub/registry"}, // distribution's logger
	"github.com/go-jose/go-jose/":    {"marketplace/hub/registry", "marketplace/hub/signin", "marketplace/hub/signin/signintest"},
	"github.com/coreos/go-oidc/":     {"marketplace/hub/signin"},
	"golang.org/x/oauth2":            {"marketplace/hub/signin"},
	"github.com/go-webauthn/":        {"marketplace/hub/signin"},
	"github.com/zitadel/oidc/":       {"marketplace/hub/signin/signintest"},
	"github.com/danielgtaylor/huma/": {"marketplace/hub/api"},
	"golang.org/x/sync":              {"marketplace/hub/hubtest"},
	"modernc.org/sqlite":             {"marketplace/hub/sqlstore"},
	"github.com/jackc/pgx/":          {"marketplace/hub/sqlstore"},
	"github.com/riverqueue/":         {"marketplace/hub/sqlstore"},
	"golang.org/x/time/rate":         {"marketplace/hub/edge"},
}

// tower is the order of the top folders: code imports its own folder and those to the left.
var tower = []string{"sandbox", "verify", "catalog", "install", "update", "marketplace", "examples"}

type pkg struct {
	ImportPath string
	Name       string
	Dir        string
	GoFiles    []string
	Imports    []string
}

func isTest(p string) bool { return strings.HasSuffix(path.Base(p), "test") }

// violations holds packages to the laws of the architecture, a sentence each.
func violations(pkgs []pkg) []string {
	var out []string
	bad := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, p := range pkgs {
		name := strings.TrimPrefix(p.ImportPath, module)
		top, _, _ := strings.Cut(name, "/")
		floor, known := floors[name]
		if !known && top != "examples" {
			bad("%s stands on no floor: add it to the table, or put the code where it belongs", name)
			continue
		}
		for _, imp := range p.Imports {
			if to, ours := strings.CutPrefix(imp, module); ours {
				toTop, _, _ := strings.Cut(to, "/")
				if slices.Index(tower, toTop) > slices.Index(tower, top) {
					bad("%s imports %s, which is to its right in the tower", name, to)
				}
				if isTest(to) && !isTest(name) && top != "examples" {
					bad("%s imports the test package %s", name, to)
				}
				if toFloor := floors[to]; top != "examples" && toFloor >= floor {
					bad("%s (floor %d) imports %s (floor %d)", name, floor, to, toFloor)
				}
				if to == "sandbox/wasm/guest" && !strings.HasPrefix(name, "examples/plugins/") {
					bad("%s imports %s, which is for plugins only", name, to)
				}
				continue
			}
			if !strings.Contains(strings.Split(imp, "/")[0], ".") {
				continue // standard library
			}
			if !mayImport(name, imp) {
				bad("%s imports %s, which has another door or none", name, imp)
			}
		}
	}
	return out
}

// mayImport looks at the most exact door there is.
func mayImport(name, imp string) bool {
	longest := ""
	for prefix := range doors {
		if strings.HasPrefix(imp, prefix) && len(prefix) > len(longest) {
			longest = prefix
		}
	}
	allowed := doors[longest]
	return slices.Contains(allowed, name) || isTest(name) && slices.Contains(allowed, "*test")
}

// diskVerbs are the functions of package os that change a disk. Only
// sandbox/safefs may call them; test packages and examples are free.
var diskVerbs = []string{
	"Create", "OpenFile", "WriteFile", "Mkdir", "MkdirAll", "MkdirTemp", "CreateTemp", "Rename", "Remove",
	"RemoveAll", "Link", "Symlink", "Truncate", "Chmod", "Chown", "Chtimes", "OpenRoot", "CopyFS",
}

// diskCalls returns the calls in src that change a disk, as file:line: os.Verb.
func diskCalls(file string, src any) ([]string, error) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, file, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var out []string
	ast.Inspect(f, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == "os" && slices.Contains(diskVerbs, sel.Sel.Name) {
			out = append(out, fmt.Sprintf("%s: os.%s", set.Position(sel.Pos()), sel.Sel.Name))
		}
		return true
	})
	return out, nil
}

func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Name,Dir,GoFiles,Imports", "./...")
	cmd.Dir = ".."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return pkgs
		}
		require.NoError(t, err)
		pkgs = append(pkgs, p)
	}
}

func TestLayers(t *testing.T) {
	pkgs := list(t)
	require.Greater(t, len(pkgs), 10, "go list found too little to say anything")
	assert.Empty(t, violations(pkgs))
	for _, p := range pkgs {
		name := strings.TrimPrefix(p.ImportPath, module)
		if name == "sandbox/safefs" || isTest(name) || strings.HasPrefix(name, "examples/") {
			continue
		}
		for _, f := range p.GoFiles {
			calls, err := diskCalls(filepath.Join(p.Dir, f), nil)
			require.NoError(t, err)
			assert.Empty(t, calls, "only sandbox/safefs changes a disk")
		}
	}
}

// TestLayersGoesRed shows that each law catches its breach.
func TestLayersGoesRed(t *testing.T) {
	for want, p := range map[string]pkg{
		"stands on no floor":         {ImportPath: module + "catalog/util"},
		"to its right in the tower":  {ImportPath: module + "catalog/mirror", Imports: []string{module + "install"}},
		"(floor 2) imports":          {ImportPath: module + "catalog/search", Imports: []string{module + "catalog/oci"}},
		"imports the test package":   {ImportPath: module + "install", Imports: []string{module + "catalog/catalogtest"}},
		"another door or none":       {ImportPath: module + "install", Imports: []string{"github.com/sigstore/sigstore-go/pkg/verify"}},
		"which is for plugins only":  {ImportPath: module + "sandbox/wasm", Imports: []string{module + "sandbox/wasm/guest"}},
		"yaml, which has another":    {ImportPath: module + "catalog", Imports: []string{"gopkg.in/yaml"}},
		"marketplace/store (floor 6": {ImportPath: module + "marketplace", Imports: []string{module + "marketplace/store"}},
	} {
		found := violations([]pkg{p})
		assert.True(t, slices.ContainsFunc(found, func(v string) bool { return strings.Contains(v, want) }), "%s not among %q", want, found)
	}
	calls, err := diskCalls("x.go", "package x\nimport \"os\"\nfunc f() { os.Remove(\"a\") }")
	require.NoError(t, err)
	assert.Len(t, calls, 1)
	assert.Empty(t, violations([]pkg{{ImportPath: module + "install", Imports: []string{module + "catalog", "io"}}}))
}

// TestHeadlessPanelLinksNoTemplates holds the promise that the facade costs
// nothing that a panel without pages does not need, nor the modules of verifiers
// and sources that it plugs in itself.
func TestHeadlessPanelLinksNoTemplates(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "./marketplace")
	cmd.Dir = ".."
	out, err := cmd.Output()
	require.NoError(t, err)
	for _, unwanted := range []string{"html/template", "github.com/sigstore/", "github.com/theupdateframework/", "github.com/tetratelabs/wazero", "github.com/google/go-containerregistry"} {
		assert.NotContains(t, string(out), unwanted)
	}
}
