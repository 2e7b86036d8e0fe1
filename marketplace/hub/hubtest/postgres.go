package hubtest

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub/sqlstore"
)

// startTime is how long PostgreSQL may take to start, to stop and to make a database.
const startTime = 60 * time.Second

// Server is a PostgreSQL server that this test binary started. It ends with the binary,
// however that ends, and leaves nothing behind.
type Server struct {
	bin    string // directory of its programs
	dir    string // of its data and its socket
	as     *syscall.Credential
	failed error

	mu      sync.Mutex
	running *exec.Cmd
	exited  chan struct{}
	dog     *os.File // ends the server when it is closed, as it is when this process ends
}

// shared is the server of this test binary.
var shared struct {
	once   sync.Once
	server *Server
}

// Postgres returns the address of a database of its own, empty and encoded in UTF-8, and
// the server it is on, which all tests of the binary share: one that stops it must not run
// in parallel with others. Where the environment names a server (SOUK_POSTGRES, an
// address whose user may create databases), that one is used and server is nil. Without
// PostgreSQL the test is skipped, or fails when SOUK_TEST_REQUIRE is "all".
func Postgres(t testing.TB) (dsn string, server *Server) {
	t.Helper()
	if admin := os.Getenv("SOUK_POSTGRES"); admin != "" {
		return createDatabase(t, admin), nil
	}
	shared.once.Do(func() { shared.server = newServer() })
	s := shared.server
	if s.failed != nil {
		if os.Getenv("SOUK_TEST_REQUIRE") == "all" {
			require.NoError(t, s.failed)
		}
		t.Skip("needs PostgreSQL (apt-get install postgresql), or SOUK_POSTGRES: ", s.failed)
	}
	s.Start(t)
	return createDatabase(t, s.dsn("postgres")), s
}

// PostgresStore returns an empty store in a database of its own, see [Postgres].
func PostgresStore(t testing.TB, o sqlstore.Options) (*sqlstore.Store, *Server) {
	t.Helper()
	dsn, server := Postgres(t)
	s, err := sqlstore.OpenPostgres(t.Context(), dsn, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s, server
}

// newServer prepares a server; why it cannot is in failed.
func newServer() *Server {
	s := &Server{}
	s.failed = s.prepare()
	return s
}

func (s *Server) prepare() error {
	initdb, err := exec.LookPath("initdb")
	if err != nil { // Debian keeps it out of the path
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
		if len(found) == 0 {
			return err
		}
		initdb = found[len(found)-1]
	}
	if initdb, err = filepath.EvalSymlinks(initdb); err != nil {
		return err
	}
	s.bin = filepath.Dir(initdb)
	// Not the test's own directory: the server outlives it, and a socket's path is short.
	if s.dir, err = os.MkdirTemp("/tmp", "souk-pg-"); err != nil {
		return err
	}
	if os.Getuid() == 0 { // PostgreSQL refuses to be root
		const nobody = 65534
		s.as = &syscall.Credential{Uid: nobody, Gid: nobody}
		if err := os.Chown(s.dir, nobody, nobody); err != nil {
			return err
		}
	}
	if err := s.watch(); err != nil {
		return err
	}
	out, err := s.command(initdb, "-D", s.data(), "-U", "souk", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	// Databases come and go with the tests: the disk is not waited for, see Durable.
	config, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = config.WriteString("fsync = off\n")
	return errors.Join(err, config.Close())
}

// watch starts a process that ends the server, and removes its files, when this one is
// no more.
func (s *Server) watch() error {
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	const script = `read _
pid=$(head -1 "$0/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid"
while [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
rm -rf "$0"`
	cmd := s.command("/bin/sh", "-c", script, s.dir)
	cmd.Stdin = read
	s.dog = write
	return cmd.Start()
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	// A group of its own: what ends the test from the keyboard is not for it.
	cmd.Dir, cmd.SysProcAttr = s.dir, &syscall.SysProcAttr{Credential: s.as, Setpgid: true}
	return cmd
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) dsn(database string) string {
	return fmt.Sprintf("host=%s user=souk dbname=%s sslmode=disable", s.dir, database)
}

// Start starts the server when it does not run, and waits until it answers.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		return
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer log.Close()
	cmd := s.command(filepath.Join(s.bin, "postgres"), "-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "max_connections=200")
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	exited := make(chan struct{})
	go func() { // until Stop or Kill
		_ = cmd.Wait()
		close(exited)
	}()
	s.running, s.exited = cmd, exited
	for deadline := time.Now().Add(startTime); ; time.Sleep(10 * time.Millisecond) {
		out, err := psql(s.dsn("postgres"), "SELECT 1")
		if err == nil {
			return
		}
		require.True(t, time.Now().Before(deadline), "PostgreSQL does not start: %s", out)
	}
}

// Durable has the server wait for the disk at each commit, as it does outside of tests, for
// the rest of this binary: for what is measured.
func (s *Server) Durable(t testing.TB) {
	t.Helper()
	for _, statement := range []string{"ALTER SYSTEM SET fsync = on", "SELECT pg_reload_conf()"} {
		out, err := psql(s.dsn("postgres"), statement)
		require.NoError(t, err, string(out))
	}
}

// Stop stops the server as its operator would: connections end, nothing is lost.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.end(t, syscall.SIGINT)
}

// Kill ends the server as a crash would.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.end(t, syscall.SIGQUIT)
}

func (s *Server) end(t testing.TB, signal os.Signal) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		return
	}
	require.NoError(t, s.running.Process.Signal(signal))
	select {
	case <-s.exited:
	case <-time.After(startTime):
		require.Fail(t, "PostgreSQL does not end")
	}
	s.running = nil
}

// createDatabase makes a database on the server that admin names, for one test.
func createDatabase(t testing.TB, admin string) string {
	t.Helper()
	var random [8]byte
	_, _ = rand.Read(random[:])
	name := "souk_" + hex.EncodeToString(random[:])
	do := func(statement string) {
		out, err := psql(admin, statement)
		require.NoError(t, err, string(out))
	}
	do("CREATE DATABASE " + name + " ENCODING 'UTF8' TEMPLATE template0")
	t.Cleanup(func() {
		if server := shared.server; server != nil {
			server.Start(t) // whose test stopped it
		}
		do("DROP DATABASE " + name + " WITH (FORCE)")
	})
	if u, err := url.Parse(admin); err == nil && u.Scheme != "" {
		u.Path = "/" + name
		return u.String()
	}
	return admin + " dbname=" + name // the last one counts
}

// psql runs a statement. Only sqlstore imports a driver.
func psql(dsn, statement string) ([]byte, error) {
	program := "psql"
	if server := shared.server; server != nil {
		program = filepath.Join(server.bin, program)
	}
	return exec.Command(program, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", dsn, "-c", statement).CombinedOutput()
}
