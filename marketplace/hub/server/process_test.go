package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/marketplace/hub/edge"
	"github.com/souk-dev/souk/marketplace/hub/server"
)

// child is what a process of this binary that is a hub is told.
type child struct {
	Dir, BaseURL, Listen string
	Postgres             string
	Registry, Service    string
}

const childEnv = "SOUK_HUB_CHILD"

// TestMain lets the binary be a hub that can be killed.
func TestMain(m *testing.M) {
	if told := os.Getenv(childEnv); told != "" {
		if err := beHub(told); err != nil {
			fmt.Fprintln(os.Stderr, "hub:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func (c child) options() server.Options {
	o := server.Options{
		Dir: c.Dir, BaseURL: c.BaseURL, Postgres: c.Postgres, Limits: edge.Limits{Read: 1 << 20, Write: 1 << 20, SignIn: 1 << 20},
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if c.Registry != "" {
		o.Registry = &server.Registry{Ref: c.Registry, Service: c.Service, Options: oci.Options{Insecure: true}}
	}
	return o
}

func beHub(told string) error {
	var c child
	if err := json.Unmarshal([]byte(told), &c); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	s, err := server.Open(ctx, c.options())
	if err != nil {
		return err
	}
	web := &http.Server{Handler: s, ReadHeaderTimeout: 5 * time.Second}
	go web.Serve(l) //nolint:errcheck // ends with the process
	fmt.Println("ready")
	err = s.Run(ctx)
	bounded, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if serr := web.Shutdown(bounded); err == nil {
		err = serr
	}
	if cerr := s.Close(); err == nil {
		err = cerr
	}
	return err
}

// process is a hub in a process of its own.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has
	err   error         // of its end
}

// start starts a hub and waits until it serves.
func start(t *testing.T, c child) *process {
	t.Helper()
	told, err := json.Marshal(c)
	require.NoError(t, err)
	p := &process{cmd: exec.Command(os.Args[0]), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), childEnv+"="+string(told))
	p.cmd.Stderr = os.Stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, "the hub did not start")
	require.Equal(t, "ready\n", line)
	go func() {
		io.Copy(io.Discard, out) //nolint:errcheck // until it ends
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(p.kill)
	return p
}

// kill ends it as a power cut would.
func (p *process) kill() {
	p.cmd.Process.Signal(syscall.SIGKILL) //nolint:errcheck // it may have ended
	<-p.ended
}

// stop ends it as an operator would.
func (p *process) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	<-p.ended
	require.NoError(t, p.err)
}

// free returns an address that is free now.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

// port returns the port of an address.
func port(addr string) string { return addr[strings.LastIndex(addr, ":")+1:] }
