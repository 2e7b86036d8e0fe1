package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/souk-dev/souk/examples/plugins/panelapi"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/sandbox/wasm"
)

// Bounds of what plugins give to the panel.
const (
	maxStored   = 1 << 20 // bytes of all that a plugin stores
	maxFetched  = 1 << 20 // bytes of an answer from the network
	maxCardText = 500     // characters of each text of a card
	maxCardRows = 20
	maxSeries   = 500
)

// functions are what a plugin can call, if it was granted.
func (h *host) functions(p install.Installed, slot *cardSlot) []wasm.HostFunc {
	kv := &kvStore{dir: p.DataDir}
	return []wasm.HostFunc{
		{Name: "server.read", Permission: "api:server:read", Call: func(context.Context, []byte) ([]byte, error) {
			return json.Marshal(h.gauges.server())
		}},
		{Name: "ui.card", Permission: "ui:dashboard.card", Call: func(_ context.Context, in []byte) ([]byte, error) {
			var c panelapi.Card
			if err := json.Unmarshal(in, &c); err != nil {
				return nil, err
			}
			if err := checkCard(c); err != nil {
				return nil, err
			}
			slot.set(c)
			return nil, nil
		}},
		{Name: "kv.get", Permission: "db:notes:read", Call: kv.get},
		{Name: "kv.put", Permission: "db:notes:write", Call: kv.put},
		{Name: "net.fetch", Kind: sandbox.KindNetOut, Needs: destination, Call: fetch},
	}
}

func checkCard(c panelapi.Card) error {
	if len(c.Rows) > maxCardRows || len(c.Series) > maxSeries {
		return fmt.Errorf("a card has at most %d rows and %d values", maxCardRows, maxSeries)
	}
	texts := []string{c.Title, c.Value, c.Unit, c.Text}
	for _, r := range c.Rows {
		texts = append(texts, r.Label, r.Value)
	}
	for _, t := range texts {
		if utf8.RuneCountInString(t) > maxCardText {
			return fmt.Errorf("a text of a card has at most %d characters", maxCardText)
		}
	}
	switch c.Level {
	case "", "ok", "warn", "danger":
		return nil
	}
	return fmt.Errorf("a card has no level %q", c.Level)
}

// kvStore keeps what a plugin stores, in one file of its data directory. The calls of
// one plugin do not overlap.
type kvStore struct{ dir string }

func (s *kvStore) file() string { return filepath.Join(s.dir, "kv.json") }

func (s *kvStore) load() (map[string]string, error) {
	all := map[string]string{}
	b, err := os.ReadFile(s.file())
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &all)
	}
	return all, err
}

func (s *kvStore) get(_ context.Context, in []byte) ([]byte, error) {
	var req panelapi.Get
	if err := json.Unmarshal(in, &req); err != nil {
		return nil, err
	}
	all, err := s.load()
	if err != nil {
		return nil, err
	}
	v, found := all[req.Key]
	return json.Marshal(panelapi.Value{Value: v, Found: found})
}

func (s *kvStore) put(_ context.Context, in []byte) ([]byte, error) {
	var req panelapi.Put
	if err := json.Unmarshal(in, &req); err != nil {
		return nil, err
	}
	all, err := s.load()
	if err != nil {
		return nil, err
	}
	all[req.Key] = req.Value
	b, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	if len(b) > maxStored {
		return nil, fmt.Errorf("a plugin stores at most %d bytes here", maxStored)
	}
	return nil, replaceFile(s.file(), b)
}

// destination is the permission that a request needs.
func destination(in []byte) (sandbox.Permission, error) {
	var req panelapi.Fetch
	if err := json.Unmarshal(in, &req); err != nil {
		return "", err
	}
	u, err := url.Parse(req.URL)
	if err != nil {
		return "", err
	}
	return permissionFor(u)
}

func permissionFor(u *url.URL) (sandbox.Permission, error) {
	port := u.Port()
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return "", fmt.Errorf("only http and https can be fetched, not %q", u.Scheme)
	case port == "" && u.Scheme == "https":
		port = "443"
	case port == "":
		port = "80"
	}
	return sandbox.Parse(string(sandbox.KindNetOut) + ":" + net.JoinHostPort(u.Hostname(), port))
}

// fetch makes a request for a plugin. A redirect needs its own grant, and a name that
// resolves to a private address is refused: it would reach what is behind the panel.
func fetch(ctx context.Context, in []byte) ([]byte, error) {
	var req panelapi.Fetch
	if err := json.Unmarshal(in, &req); err != nil {
		return nil, err
	}
	if req.Method == "" {
		req.Method = http.MethodGet
	}
	r, err := http.NewRequestWithContext(ctx, req.Method, req.URL, http.NoBody)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: 2 * time.Second, Control: publicOnly}
	transport := &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}
	client := http.Client{Transport: transport, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		if len(via) > 5 {
			return errors.New("more than five redirects")
		}
		p, err := permissionFor(next.URL)
		if err != nil {
			return err
		}
		return wasm.Allowed(ctx, p)
	}}
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxFetched))
	if err != nil {
		return nil, err
	}
	return json.Marshal(panelapi.Response{Status: resp.StatusCode, Body: string(body)})
}

func publicOnly(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if a := at.Addr().Unmap(); !a.IsGlobalUnicast() || a.IsPrivate() {
		return fmt.Errorf("%s is not a public address", a)
	}
	return nil
}
