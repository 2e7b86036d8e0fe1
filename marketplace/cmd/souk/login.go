package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/client"
)

// loginsFile is below the user's settings. It holds tokens, so nobody else may read it.
const loginsFile = "hubs.json"

// maxToken is the most bytes of a token that is read. A hub's have some 50, those of a CI
// job's identity 2,000.
const maxToken = 16 << 10

// logins are the hubs that somebody logged in to.
type logins struct {
	Last   string            `json:"last,omitempty"` // the hub that is meant when none is named
	Tokens map[string]string `json:"tokens"`         // by address
}

func (a *app) loginsDir() string { return filepath.Join(a.env.config, "souk") }

func (a *app) readLogins() (logins, error) {
	l := logins{Tokens: map[string]string{}}
	if a.env.config == "" {
		return l, nil
	}
	b, err := readFile(filepath.Join(a.loginsDir(), loginsFile), maxSmall)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &l)
	}
	if err != nil {
		err = advise(fmt.Errorf("reading what you logged in to: %w", err), "remove %s and log in again", filepath.Join(a.loginsDir(), loginsFile))
	}
	if l.Tokens == nil {
		l.Tokens = map[string]string{}
	}
	return l, err
}

func (a *app) writeLogins(l logins) (err error) {
	if a.env.config == "" {
		return advise(errors.New("there is no directory for settings to keep a token in"), "set SOUK_HUB and SOUK_TOKEN instead")
	}
	b, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	root, err := openRoot(a.loginsDir(), 0o700)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	return root.WriteFile(loginsFile, append(b, '\n'), 0o600)
}

func (a *app) login(ctx context.Context, address string) error {
	c, err := client.New(address, client.Options{})
	if err != nil {
		return usage("%v", err)
	}
	address = c.Address()
	about, err := c.About(ctx)
	if err != nil {
		return hubAdvice(err, address)
	}
	token, err := a.readSecret(ctx, fmt.Sprintf("Token for %s (%s), from %s/account/tokens: ", about.Name, address, address))
	if err != nil {
		return err
	}
	as := ""
	switch who, err := c.WithToken(token).Account(ctx); {
	case err == nil:
		as = " as " + cmp.Or(who.Name, who.ID)
	case errors.Is(err, hub.ErrForbidden): // a token for less than that
	case errors.Is(err, hub.ErrUnauthenticated):
		return advise(fmt.Errorf("%s does not know this token, or it has expired", address), "make one at %s/account/tokens and copy all of it, from souk_ to the last letter", address)
	default:
		return hubAdvice(err, address)
	}
	l, err := a.readLogins()
	if err != nil {
		return err
	}
	l.Last, l.Tokens[address] = address, token
	if err := a.writeLogins(l); err != nil {
		return err
	}
	a.say("logged in to %s%s", about.Name, as)
	return nil
}

func (a *app) logout(address string) error {
	l, err := a.readLogins()
	if err != nil {
		return err
	}
	address = strings.TrimSuffix(cmp.Or(address, l.Last), "/")
	if l.Tokens[address] == "" {
		return advise(fmt.Errorf("you are not logged in to %.200q", address), "give the address as you gave it to `souk login`")
	}
	delete(l.Tokens, address)
	if l.Last == address {
		l.Last = ""
	}
	if err := a.writeLogins(l); err != nil {
		return err
	}
	a.say("logged out of %s; the token is still good: revoke it at %s/account/tokens when nobody needs it", address, address)
	return nil
}

// readSecret reads a line from standard input, which is not shown when a person types it.
func (a *app) readSecret(ctx context.Context, prompt string) (string, error) {
	f, isFile := a.stdin.(*os.File)
	terminal := false
	if isFile {
		info, err := f.Stat()
		terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	if terminal {
		restore, err := silence(f)
		if err != nil {
			return "", advise(fmt.Errorf("the token would be seen while you type it: %w", err), "put it into a file that only you can read, and give that: souk login <hub> < file")
		}
		defer restore()
		fmt.Fprint(a.stderr, prompt)
		defer fmt.Fprintln(a.stderr)
	}
	type answer struct {
		line string
		err  error
	}
	read := make(chan answer, 1)
	go func() { // ends with the process at the latest: nothing else reads its input
		line, err := bufio.NewReader(io.LimitReader(a.stdin, maxToken)).ReadString('\n')
		if errors.Is(err, io.EOF) && line != "" {
			err = nil
		}
		read <- answer{strings.TrimSpace(line), err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case got := <-read:
		if got.err == nil && got.line == "" {
			got.err = io.ErrUnexpectedEOF
		}
		if got.err != nil {
			return "", fmt.Errorf("no token was given: %w", got.err)
		}
		return got.line, nil
	}
}

// silence keeps a terminal from showing what is typed. stty is on every Unix; where it is
// not, nothing is typed.
func silence(terminal *os.File) (restore func(), err error) {
	stty := func(args ...string) (string, error) {
		cmd := exec.Command("stty", args...)
		cmd.Stdin = terminal
		out, err := cmd.Output()
		return strings.TrimSpace(string(out)), err
	}
	before, err := stty("-g")
	if err != nil {
		return nil, err
	}
	if _, err := stty("-echo"); err != nil {
		return nil, err
	}
	return func() { _, _ = stty(before) }, nil // it was that a moment ago
}
