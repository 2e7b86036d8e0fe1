package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/verify"
)

// document is the OpenAPI document as a test holds answers to it.
type document struct {
	raw      map[string]any
	compiler *jsonschema.Compiler
	ops      map[string]*operation // by id

	mu     sync.Mutex
	called map[string]int // successful calls by id
}

type operation struct {
	id, method string
	parts      []string // of the path: "", "api", "v1", "plugins", "{publisher}"
	public     bool
	raw        map[string]any
}

const documentURL = "https://souk.dev/openapi.json"

func load(t *testing.T, w *hubtest.World) *document {
	t.Helper()
	b, err := w.Hub.Document()
	require.NoError(t, err)
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	require.NoError(t, err)
	d := &document{raw: v.(map[string]any), compiler: jsonschema.NewCompiler(), ops: map[string]*operation{}, called: map[string]int{}}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	require.NoError(t, d.compiler.AddResource(documentURL, v))
	for path, item := range d.raw["paths"].(map[string]any) {
		for method, raw := range item.(map[string]any) {
			op := &operation{method: strings.ToUpper(method), parts: strings.Split(path, "/"), raw: raw.(map[string]any)}
			op.id, _ = op.raw["operationId"].(string)
			require.NotEmpty(t, op.id, "%s %s", method, path)
			require.Nil(t, d.ops[op.id], "%s stands twice", op.id)
			for _, s := range op.raw["security"].([]any) {
				op.public = op.public || len(s.(map[string]any)) == 0
			}
			d.ops[op.id] = op
		}
	}
	return d
}

// find returns the operation of a request.
func (d *document) find(method, path string) *operation {
	parts := strings.Split(path, "/")
	var found *operation
	best := -1
	for _, op := range d.ops {
		if op.method != method || len(op.parts) != len(parts) {
			continue
		}
		literal := 0
		ok := true
		for i, p := range op.parts {
			if strings.HasPrefix(p, "{") {
				continue
			}
			if p != parts[i] {
				ok = false
				break
			}
			literal++
		}
		if ok && literal > best {
			found, best = op, literal
		}
	}
	return found
}

// schema compiles the schema at a place in the document.
func (d *document) schema(path ...string) (*jsonschema.Schema, error) {
	for i, p := range path {
		path[i] = strings.NewReplacer("~", "~0", "/", "~1").Replace(p)
	}
	return d.compiler.Compile(documentURL + "#/" + (&url.URL{Path: strings.Join(path, "/")}).EscapedPath())
}

// check holds an answer to what the document says about it.
func (d *document) check(op *operation, status int, contentType string, body []byte) error {
	responses := op.raw["responses"].(map[string]any)
	key := fmt.Sprint(status)
	if responses[key] == nil {
		key = "default"
	}
	answer, ok := responses[key].(map[string]any)
	if !ok {
		return fmt.Errorf("%s: the document has no answer %d", op.id, status)
	}
	content, _ := answer["content"].(map[string]any)
	if len(content) == 0 {
		if len(body) > 0 && status != http.StatusNotModified {
			return fmt.Errorf("%s: answer %d has a body that the document does not have: %.200s", op.id, status, body)
		}
		return nil
	}
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return fmt.Errorf("%s: content type %q: %w", op.id, contentType, err)
	}
	if content[kind] == nil {
		return fmt.Errorf("%s: answer %d is %s, which the document does not have", op.id, status, kind)
	}
	if !strings.HasSuffix(kind, "json") {
		return nil
	}
	s, err := d.schema("paths", strings.Join(op.parts, "/"), strings.ToLower(op.method), "responses", key, "content", kind, "schema")
	if err != nil {
		return fmt.Errorf("%s: %w", op.id, err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s: answer %d is no JSON: %w", op.id, status, err)
	}
	if err := s.Validate(v); err != nil {
		return fmt.Errorf("%s: answer %d: %w\n%.2000s", op.id, status, err, body)
	}
	return nil
}

// RoundTripper holds every answer that comes through it to the document.
type checking struct {
	d    *document
	next http.RoundTripper
	mu   sync.Mutex
	errs []error
}

func (c *checking) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.next.RoundTrip(r)
	if err != nil || !strings.HasPrefix(r.URL.Path, "/api/v1/") || strings.HasPrefix(r.URL.Path, "/api/v1/openapi") {
		return resp, err
	}
	b, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(b))
	op := c.d.find(r.Method, r.URL.Path)
	c.mu.Lock()
	defer c.mu.Unlock()
	if op == nil {
		c.errs = append(c.errs, fmt.Errorf("%s %s is not in the document", r.Method, r.URL.Path))
		return resp, nil
	}
	if err := c.d.check(op, resp.StatusCode, resp.Header.Get("Content-Type"), b); err != nil {
		c.errs = append(c.errs, err)
	}
	if resp.StatusCode < 300 {
		c.d.mu.Lock()
		c.d.called[op.id]++
		c.d.mu.Unlock()
	}
	return resp, nil
}

// TestDocument: what every reader of an OpenAPI document relies on.
func TestDocument(t *testing.T) {
	d := load(t, hubtest.New(t, hubtest.Options{}))
	assert.Equal(t, "3.1.0", d.raw["openapi"])
	assert.Greater(t, len(d.ops), 90)
	for id, op := range d.ops {
		assert.NotEmpty(t, op.raw["summary"], id)
		assert.NotEmpty(t, op.raw["tags"], id)
		named := map[string]bool{}
		params, _ := op.raw["parameters"].([]any)
		for _, p := range params {
			if m := p.(map[string]any); m["in"] == "path" {
				named["{"+m["name"].(string)+"}"] = true
			}
		}
		for _, part := range op.parts {
			assert.True(t, !strings.HasPrefix(part, "{") || named[part], "%s: %s is not described", id, part)
		}
		responses := op.raw["responses"].(map[string]any)
		assert.True(t, slices.ContainsFunc([]string{"200", "201", "202", "204"}, func(s string) bool { return responses[s] != nil }), "%s never works", id)
	}
	for name := range d.raw["components"].(map[string]any)["schemas"].(map[string]any) {
		_, err := d.schema("components", "schemas", name)
		assert.NoError(t, err, name)
	}
	b, err := json.Marshal(d.raw)
	require.NoError(t, err)
	assert.NotContains(t, string(b), `"$ref":"#/components/schemas/"`)
}

// sign signs a statement as `souk sign` does.
func sign(t *testing.T, p *hubtest.Publisher, statement string) string {
	t.Helper()
	b, err := p.Signer.Sign(t.Context(), verify.DigestOf([]byte(statement)))
	require.NoError(t, err)
	return string(b)
}
