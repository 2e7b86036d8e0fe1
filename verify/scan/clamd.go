package scan

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"time"
)

// ClamdOptions of [NewClamd].
type ClamdOptions struct {
	// Timeout is how long clamd may take for one step: to accept the connection, to
	// take a piece of a file, to answer. Zero means DefaultClamdTimeout.
	Timeout time.Duration
	// Rand makes the file that clamd is tried with new; nil means crypto/rand.
	Rand io.Reader
}

// DefaultClamdTimeout is more than clamd's own limit for one file (MaxScanTime, two
// minutes), so that clamd speaks first.
const DefaultClamdTimeout = 150 * time.Second

// Clamd gives the files of a release to a clamd over its socket. It is safe for
// concurrent use; each scan has its own connection.
type Clamd struct {
	network, address string
	opts             ClamdOptions
}

// NewClamd returns the scanner for the clamd that listens at the address, network
// "unix" ("/run/clamav/clamd.ctl" on Debian) or "tcp" ("127.0.0.1:3310"). It does not
// connect: a clamd that is not there is [ErrUnavailable] at each scan, until it is.
//
// clamd says OK of files over its limits unless its configuration has AlertExceedsMax
// yes. So each scan begins with a file that is over them, and is an error when clamd
// does not report it; a file of the release that it reports as over its limits was not
// looked at in full, and is an error too. All is sent over one connection, so that the
// clamd that was tried is the one that looks, and one that dies in mid-scan is an error.
//
// clamd has no authentication and no encryption: an address on another machine trusts
// the network.
func NewClamd(network, address string, opts ClamdOptions) (*Clamd, error) {
	if network != "unix" && network != "tcp" {
		return nil, fmt.Errorf("clamd: network %q is not unix or tcp", network)
	}
	if address == "" || opts.Timeout < 0 {
		return nil, errors.New("clamd: no address, or a negative time limit")
	}
	if opts.Timeout == 0 {
		opts.Timeout = DefaultClamdTimeout
	}
	if opts.Rand == nil {
		opts.Rand = rand.Reader
	}
	return &Clamd{network, address, opts}, nil
}

var _ Scanner = (*Clamd)(nil)

// Name returns "clamd".
func (*Clamd) Name() string { return "clamd" }

// Ping asks clamd whether it is there. The error wraps [ErrUnavailable] when nobody
// accepts the connection.
func (c *Clamd) Ping(ctx context.Context) error {
	s, end, err := c.dial(ctx)
	if err != nil {
		return err
	}
	defer end()
	text, err := s.ask("PING")
	if err == nil && text != "PONG" {
		err = fmt.Errorf("clamd answers PING with %q", Printable(text, 100))
	}
	return err
}

// Database asks clamd for its version and that of its signatures. Without the official
// ones (main, daily) clamd does not say what it has; the Database is then zero.
func (c *Clamd) Database(ctx context.Context) (version string, db Database, err error) {
	s, end, err := c.dial(ctx)
	if err != nil {
		return "", Database{}, err
	}
	defer end()
	return s.version()
}

func (c *clamdSession) version() (string, Database, error) {
	text, err := c.ask("VERSION")
	if err != nil {
		return "", Database{}, err
	}
	return parseClamdVersion(text)
}

func (c *Clamd) dial(ctx context.Context) (s *clamdSession, end func(), err error) {
	d := net.Dialer{Timeout: c.opts.Timeout}
	conn, err := d.DialContext(ctx, c.network, c.address)
	if err != nil {
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		return nil, nil, fmt.Errorf("clamd: %w: %w", ErrUnavailable, err)
	}
	s = &clamdSession{ctx: ctx, conn: conn, timeout: c.opts.Timeout}
	stop := context.AfterFunc(ctx, func() { conn.Close() }) // ends a read or write that waits
	end = func() { stop(); conn.Close() }
	if err := s.send([]byte("zIDSESSION\x00")); err != nil {
		end()
		return nil, nil, err
	}
	return s, end, nil
}

// Scan sends each file that is not empty. See [NewClamd] for what is an error.
func (c *Clamd) Scan(ctx context.Context, fsys fs.FS, _ Subject) (Report, error) {
	out := newSheet(c.Name())
	out.Version = ""
	s, end, err := c.dial(ctx)
	if err != nil {
		return out.broken(err)
	}
	defer end()
	if out.Version, out.Database, err = s.version(); err != nil {
		return out.broken(err)
	}
	if err := c.probe(s); err != nil {
		return out.broken(err)
	}
	over := 0
	err = out.walk(ctx, fsys, func(name string, f fs.File, size int64) error {
		start, all, err := head(ctx, f, 1)
		if err != nil || len(start) == 0 {
			return err
		}
		reply, err := s.stream(all)
		if err != nil {
			return err
		}
		if reply.found == "" {
			return nil
		}
		finding := clamdFinding(reply.found)
		finding.File = name
		out.add(finding)
		if strings.HasPrefix(reply.found, limitsExceeded) {
			over++
		}
		return nil
	})
	if err != nil {
		return out.broken(err)
	}
	if over > 0 {
		return out.broken(fmt.Errorf("clamd did not look at all of %d files, which are over its limits: raise MaxFileSize, MaxScanSize and the like in clamd.conf, or judge by hand", over))
	}
	return out.done()
}

const limitsExceeded = "Heuristics.Limits.Exceeded"

// probe makes sure that clamd tells of files over its limits.
func (c *Clamd) probe(s *clamdSession) error {
	nonce := make([]byte, 32)
	if _, err := io.ReadFull(c.opts.Rand, nonce); err != nil {
		return fmt.Errorf("clamd: random bytes: %w", err)
	}
	file, err := clamdProbe(nonce)
	if err != nil {
		return fmt.Errorf("clamd: probe: %w", err)
	}
	reply, err := s.stream(strings.NewReader(string(file)))
	if err != nil {
		return err
	}
	if !strings.HasPrefix(reply.found, limitsExceeded) {
		said := reply.found
		if said == "" {
			said = "OK"
		}
		return fmt.Errorf("clamd says %s of a file over its limits (archives %d deep), so its OK means nothing: set AlertExceedsMax yes in clamd.conf (and leave ScanArchive yes and MaxRecursion below %d), then restart it", Printable(said, 100), probeDepth, probeDepth)
	}
	return nil
}

// clamdFinding judges the name of a signature: heuristics and unwanted programs are
// for people, all others block.
func clamdFinding(signature string) Finding {
	f := Finding{
		Rule: "malware", Severity: SeverityCritical, Title: "malware", Detail: "clamd found " + signature,
		Advice: "remove it; if clamd is wrong, report that to ClamAV and tell the reviewers",
	}
	switch {
	case strings.HasPrefix(signature, limitsExceeded):
		f.Rule, f.Severity, f.Confidence, f.Title = "malware-limits", SeverityMedium, ConfidenceHigh, "too large or too deep for clamd"
		f.Advice = "ship it unpacked, or in smaller files"
	case strings.HasPrefix(signature, "Heuristics."), strings.HasPrefix(signature, "PUA."):
		f.Rule, f.Severity, f.Confidence, f.Title = "malware-suspected", SeverityHigh, ConfidenceMedium, "suspicious to clamd"
	}
	return f
}
