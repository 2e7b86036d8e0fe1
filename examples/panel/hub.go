package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace"
	"github.com/souk-dev/souk/marketplace/hub/client"
	"github.com/souk-dev/souk/marketplace/link"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/tuf"
)

// supply is where this panel's catalog comes from, and the root of trust that it pins.
type supply struct {
	source  string // its name
	catalog string // reference
	root    []byte
}

// pin is what a panel keeps of a hub from the first time on: a hub that is somebody
// else's the second time does not get in.
type pin struct {
	Hub     string `json:"hub"`
	Catalog string `json:"catalog"`
	Root    []byte `json:"root"`
}

// aboutWait is how long the hub may take to say what it is.
const aboutWait = 20 * time.Second

// openHub returns the catalog of a hub and where in dir to keep what belongs to it. The
// root of trust is asked for once; it is then what everything is held to. In earnest it
// comes with the panel, or a person compares its digest.
func openHub(ctx context.Context, dir, address string, out io.Writer) (supply, string, error) {
	c, err := client.New(address, client.Options{UserAgent: "souk-panel"})
	if err != nil {
		return supply{}, "", err
	}
	sum := sha256.Sum256([]byte(c.Address()))
	dir = filepath.Join(dir, "hub-"+hex.EncodeToString(sum[:4]))
	file := filepath.Join(dir, "pin.json")
	var p pin
	b, err := os.ReadFile(file)
	switch {
	case err == nil:
		if err := json.Unmarshal(b, &p); err != nil || p.Hub != c.Address() {
			return supply{}, "", fmt.Errorf("%s is damaged: remove it to pin the hub's root of trust again", file)
		}
	case errors.Is(err, fs.ErrNotExist):
		ctx, cancel := context.WithTimeout(ctx, aboutWait)
		defer cancel()
		about, err := c.About(ctx)
		if err != nil {
			return supply{}, "", fmt.Errorf("ask the hub %s what it is: %w", c.Address(), err)
		}
		if _, err := tuf.New(about.Root, tuf.Options{}); err != nil {
			return supply{}, "", fmt.Errorf("the root of trust of the hub %s: %w", c.Address(), err)
		}
		p = pin{c.Address(), about.Catalog, about.Root}
		if b, err = json.Marshal(p); err != nil {
			return supply{}, "", err
		}
		if err := replaceFile(file, b); err != nil {
			return supply{}, "", err
		}
		fmt.Fprintf(out, "First use of the hub %s: its root of trust is pinned from now on.\n  %s\n  Compare that with what the hub's operator says; it is kept in %s.\n", c.Address(), verify.DigestOf(p.Root), file)
	default:
		return supply{}, "", err
	}
	return supply{source: "hub", catalog: p.Catalog, root: p.Root}, dir, nil
}

// openLink opens the panel's link to its hub.
func openLink(dir, address, name string, m *marketplace.Market, numbers bool, log *slog.Logger) (*link.Link, error) {
	if name == "" || catalog.CheckText(name, 60) != nil {
		name = "panel"
	}
	return link.Open(filepath.Join(dir, "link"), link.Options{Hub: address, Name: name, Market: m, PanelVersion: panelVersion, Telemetry: numbers, Log: log})
}
