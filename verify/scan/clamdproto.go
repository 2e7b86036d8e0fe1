package scan

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// Bounds of the conversation with clamd, see clamd(8).
const (
	maxClamdReply = 4 << 10 // bytes; a reply is an id and a name
	clamdChunk    = 64 << 10
)

// clamdReply is what clamd says of one stream.
type clamdReply struct {
	id    uint64
	found string // name of the signature, empty for OK
	err   string // what clamd says that went wrong
}

// parseClamdReply reads "3: stream: OK", "3: stream: Name FOUND" and "3: text ERROR".
// Anything else is an error: what is not understood is not OK.
func parseClamdReply(b []byte) (clamdReply, error) {
	id, text, err := splitClamdReply(b)
	r := clamdReply{id: id}
	if err != nil {
		return r, err
	}
	if said, ok := strings.CutSuffix(text, " ERROR"); ok {
		r.err = said
		return r, nil
	}
	said, ok := strings.CutPrefix(text, "stream: ")
	if ok && said == "OK" {
		return r, nil
	}
	if name, found := strings.CutSuffix(said, " FOUND"); ok && found && name != "" {
		r.found = name
		return r, nil
	}
	return r, fmt.Errorf("clamd says %q, which is not understood", Printable(text, 100))
}

func splitClamdReply(b []byte) (id uint64, text string, err error) {
	number, text, ok := strings.Cut(string(b), ": ")
	if id, err = strconv.ParseUint(number, 10, 32); !ok || err != nil {
		return 0, "", fmt.Errorf("clamd says %q, which has no number", Printable(string(b), 100))
	}
	return id, text, nil
}

// parseClamdVersion reads "ClamAV 1.4.6/27812/Wed Nov 25 08:21:03 2026". Without the
// official databases there is only the first part. The time has no zone; it is taken
// for UTC.
func parseClamdVersion(text string) (version string, db Database, err error) {
	parts := strings.Split(text, "/")
	version, ok := strings.CutPrefix(parts[0], "ClamAV ")
	if !ok || version == "" || len(parts) != 1 && len(parts) != 3 {
		return "", db, fmt.Errorf("clamd says %q, which is not its version", Printable(text, 100))
	}
	if len(parts) == 1 {
		return Printable(version, maxTitle), db, nil
	}
	db.Version = Printable(parts[1], maxTitle)
	if db.Time, err = time.Parse(time.ANSIC, parts[2]); err != nil {
		return "", Database{}, fmt.Errorf("clamd says %q, which has no time of its database", Printable(text, 100))
	}
	return Printable(version, maxTitle), db, nil
}

// clamdSession is one connection, on which everything is asked one after the other: the
// clamd that was probed is the one that looks, and its death is the end of it.
type clamdSession struct {
	ctx     context.Context
	conn    net.Conn
	timeout time.Duration
	last    uint64 // number of the last command
	unread  []byte
}

var errClamdGone = errors.New("clamd ended the connection before it answered")

// send writes and bounds its time. ctx ends it by the deadline that Clamd.Scan sets.
func (c *clamdSession) send(b []byte) error {
	if err := c.deadline(); err != nil {
		return err
	}
	if _, err := c.conn.Write(b); err != nil {
		return c.cause(err)
	}
	return nil
}

func (c *clamdSession) deadline() error {
	if err := c.conn.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return err
	}
	return context.Cause(c.ctx) // after, so that the deadline that the end of ctx sets is not undone
}

func (c *clamdSession) cause(err error) error {
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	if errors.Is(err, io.EOF) {
		return errClamdGone
	}
	return fmt.Errorf("clamd: %w", err)
}

// reply reads up to a zero byte, which ends each reply to a z command.
func (c *clamdSession) reply() ([]byte, error) {
	if err := c.deadline(); err != nil {
		return nil, err
	}
	buf := make([]byte, 512)
	for {
		if end := bytes.IndexByte(c.unread, 0); end >= 0 {
			b := c.unread[:end:end]
			c.unread = c.unread[end+1:]
			return b, nil
		}
		if len(c.unread) > maxClamdReply {
			return nil, fmt.Errorf("clamd: a reply has more than %d bytes", maxClamdReply)
		}
		n, err := c.conn.Read(buf)
		c.unread = append(c.unread, buf[:n]...)
		if err != nil && n == 0 {
			return nil, c.cause(err)
		}
	}
}

// ask sends a command that is answered by one text.
func (c *clamdSession) ask(command string) (string, error) {
	c.last++
	if err := c.send([]byte("z" + command + "\x00")); err != nil {
		return "", err
	}
	b, err := c.reply()
	if err != nil {
		return "", err
	}
	id, text, err := splitClamdReply(b)
	if err == nil && id != c.last {
		err = fmt.Errorf("clamd answers %d, %d was asked", id, c.last)
	}
	return text, err
}

// sourceError is an error of the file that is sent, not of clamd.
type sourceError struct{ err error }

func (e sourceError) Error() string { return e.err.Error() }
func (e sourceError) Unwrap() error { return e.err }

// stream sends a file, which must not be empty: clamd answers nothing to that.
func (c *clamdSession) stream(r io.Reader) (clamdReply, error) {
	c.last++
	err := c.sendStream(r)
	var source sourceError
	if errors.As(err, &source) || c.ctx.Err() != nil {
		return clamdReply{}, err
	}
	// clamd says why, and then no longer reads: a failed write has an answer, too.
	b, replyErr := c.reply()
	if replyErr != nil {
		return clamdReply{}, errors.Join(err, replyErr)
	}
	reply, parseErr := parseClamdReply(b)
	switch {
	case parseErr != nil:
		return reply, parseErr
	case reply.id != c.last:
		return reply, fmt.Errorf("clamd answers %d, %d was asked", reply.id, c.last)
	case reply.err != "":
		return reply, fmt.Errorf("clamd: %s", Printable(reply.err, 200))
	}
	return reply, err
}

func (c *clamdSession) sendStream(r io.Reader) error {
	if err := c.send([]byte("zINSTREAM\x00")); err != nil {
		return err
	}
	buf := make([]byte, 4+clamdChunk)
	for {
		n, err := io.ReadFull(r, buf[4:])
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return sourceError{err}
		}
		if n > 0 {
			binary.BigEndian.PutUint32(buf, uint32(n))
			if err := c.send(buf[:4+n]); err != nil {
				return err
			}
		}
		if last {
			return c.send([]byte{0, 0, 0, 0})
		}
	}
}

// probeDepth is more than any sensible MaxRecursion of clamd (17 by default).
const probeDepth = 200

// clamdProbe returns a file that is over clamd's limits: zip files inside each other.
// nonce makes it new each time, since clamd remembers what it found clean.
func clamdProbe(nonce []byte) ([]byte, error) {
	inner := nonce
	for range probeDepth {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		w, err := z.CreateRaw(&zip.FileHeader{
			Name: "a", Method: zip.Store, CRC32: crc32.ChecksumIEEE(inner),
			CompressedSize64: uint64(len(inner)), UncompressedSize64: uint64(len(inner)),
		})
		if err == nil {
			_, err = w.Write(inner)
		}
		if err == nil {
			err = z.Close()
		}
		if err != nil {
			return nil, err
		}
		inner = b.Bytes()
	}
	return inner, nil
}
