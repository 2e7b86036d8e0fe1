package catalog

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/klauspost/compress/zstd"

	"github.com/souk-dev/souk/verify"
)

// Record is one line of a segment. Line has no line break, begins with
// {"id":"publisher/name" and is, when it came from a segment, only valid until the
// next record is read.
type Record struct {
	ID   PluginID
	Line []byte
}

// Tombstone returns the record which says that the plugin is gone.
func Tombstone(id PluginID) Record {
	return Record{id, []byte(`{"id":"` + string(id) + `","deleted":true}`)}
}

// Deleted reports whether the record is a tombstone.
func (r Record) Deleted() bool { return bytes.Equal(r.Line, Tombstone(r.ID).Line) }

var recordPrefix = []byte(`{"id":"`)

// recordOf reads the id from the beginning of a line.
func recordOf(line []byte) (Record, error) {
	rest, ok := bytes.CutPrefix(line, recordPrefix)
	id, _, end := bytes.Cut(rest, []byte{'"'})
	if !ok || !end {
		return Record{}, fmt.Errorf("record %.60q does not begin with its id", line)
	}
	parsed, err := ParsePluginID(string(id))
	if err != nil {
		return Record{}, err
	}
	return Record{parsed, line}, nil
}

// ReadSegment yields the records of a segment from its compressed bytes. It reads
// no more than b announces, and ends with an error, wrapping [verify.ErrDigest]
// where that is it, when the lines are not those of b.DiffID, out of order, or
// malformed. What it yielded before an error must not be used. The compressed bytes
// are not compared with b.Digest: a merge made here has other ones; wrap them in
// [verify.NewReader] when they come from a network.
func ReadSegment(r io.Reader, b Blob) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if err := b.check(); err != nil {
			yield(Record{}, fmt.Errorf("segment %s: %w", b.DiffID.Short(), err))
			return
		}
		if err := readLines(r, b, func(r Record) bool { return yield(r, nil) }); err != nil && !errors.Is(err, errStopped) {
			yield(Record{}, fmt.Errorf("segment %s: %w", b.DiffID.Short(), err))
		}
	}
}

var errStopped = errors.New("stopped")

func readLines(r io.Reader, b Blob, yield func(Record) bool) error {
	stored := &watched{r: r}
	z, err := zstd.NewReader(stored, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(16<<20), zstd.WithDecoderLowmem(true))
	if err != nil {
		return err
	}
	defer z.Close()
	plain := bufio.NewReaderSize(verify.NewReader(z, b.DiffID, b.Plain), 256<<10)
	var before PluginID
	var long []byte
	for {
		line, err := plain.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			if long = append(long, line...); len(long) > MaxRecord {
				return fmt.Errorf("a record is longer than %d bytes", MaxRecord)
			}
			continue
		}
		if len(long) > 0 {
			long = append(long, line...)
			line, long = long, long[:0]
		}
		switch {
		case len(line) > MaxRecord:
			return fmt.Errorf("a record is longer than %d bytes", MaxRecord)
		case err == io.EOF && len(line) == 0:
			return nil
		case err == io.EOF:
			return errors.New("the last line has no end")
		case err != nil && stored.err == nil && !errors.Is(err, verify.ErrDigest):
			return fmt.Errorf("%w: %w", verify.ErrDigest, err) // it does not decompress
		case err != nil:
			return err
		}
		rec, err := recordOf(line[:len(line)-1])
		if err != nil {
			return err
		}
		if rec.ID <= before {
			return fmt.Errorf("%s after %s is not in order", rec.ID, before)
		}
		before = rec.ID
		if !yield(rec) {
			return errStopped
		}
	}
}

// watched remembers the error of a reader, to tell it from those of what is read.
type watched struct {
	r   io.Reader
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

// WriteSegment compresses records, which must be sorted by id, and returns the
// bytes and what to write into the catalog manifest of them; family and level are
// the caller's to fill in. Same records, same DiffID.
func WriteSegment(records iter.Seq2[Record, error]) ([]byte, Segment, error) {
	var out compressor
	var s Segment
	hash := sha256.New()
	var before PluginID
	var line []byte
	for rec, err := range records {
		if err == nil {
			err = checkLine(rec, before)
		}
		if err != nil {
			return nil, Segment{}, err
		}
		before = rec.ID
		line = append(line[:0], rec.Line...)
		line = append(line, '\n')
		hash.Write(line)
		if err := out.write(line); err != nil {
			return nil, Segment{}, err
		}
		s.Records++
		s.Plain += int64(len(line))
		if out.buf.Len() > MaxSegment || s.Plain > MaxSegmentPlain {
			return nil, Segment{}, fmt.Errorf("segment is larger than %d bytes compressed or %d plain", MaxSegment, MaxSegmentPlain)
		}
	}
	raw, err := out.close()
	if err != nil {
		return nil, Segment{}, err
	}
	s.Digest, s.Size = verify.DigestOf(raw), int64(len(raw))
	s.DiffID = verify.DigestFromHash(hash)
	return raw, s, s.Blob.check()
}

// compressor compresses to memory. Most segments are small: for them it takes little
// memory, for large ones a window of 8 MiB.
type compressor struct {
	buf   bytes.Buffer
	small []byte // all of it, until it is no longer small
	large *zstd.Encoder
}

const smallSegment = 512 << 10 // bytes

func (c *compressor) write(b []byte) (err error) {
	if c.large == nil {
		if c.small = append(c.small, b...); len(c.small) < smallSegment {
			return nil
		}
		if c.large, err = newEncoder(&c.buf, 8<<20); err != nil {
			return err
		}
		b = c.small
	}
	_, err = c.large.Write(b)
	return err
}

func (c *compressor) close() ([]byte, error) {
	if c.large != nil {
		err := c.large.Close()
		return c.buf.Bytes(), err
	}
	z, err := newEncoder(nil, smallSegment)
	if err != nil {
		return nil, err
	}
	return z.EncodeAll(c.small, nil), z.Close()
}

func newEncoder(w io.Writer, window int) (*zstd.Encoder, error) {
	return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBetterCompression),
		zstd.WithWindowSize(window), zstd.WithLowerEncoderMem(true))
}

func checkLine(r Record, before PluginID) error {
	switch again, err := recordOf(r.Line); {
	case err != nil:
		return err
	case again.ID != r.ID || bytes.IndexByte(r.Line, '\n') >= 0 || len(r.Line) >= MaxRecord:
		return fmt.Errorf("record of %s is malformed or longer than %d bytes", r.ID, MaxRecord)
	case r.ID <= before:
		return fmt.Errorf("%s after %s is not in order", r.ID, before)
	}
	return nil
}

// MergeRecords yields the newest record of every plugin in segments, which are given
// oldest first, in order of their ids. With base, tombstones are left out: there is
// nothing older that they hide. The result depends on the records alone, so that a
// publisher and every client compute the same segment from the same inputs.
func MergeRecords(base bool, segments ...iter.Seq2[Record, error]) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		type head struct {
			rec  Record
			more bool
			next func() (Record, error, bool)
		}
		heads := make([]*head, len(segments))
		advance := func(h *head) error {
			var err error
			h.rec, err, h.more = h.next()
			return err
		}
		for i, s := range segments {
			next, stop := iter.Pull2(s)
			defer stop()
			heads[i] = &head{next: next}
			if err := advance(heads[i]); err != nil {
				yield(Record{}, err)
				return
			}
		}
		for {
			var newest *head
			for _, h := range heads {
				if h.more && (newest == nil || h.rec.ID <= newest.rec.ID) {
					newest = h // the last of equal ones is the newest
				}
			}
			if newest == nil {
				return
			}
			id := newest.rec.ID
			if !(base && newest.rec.Deleted()) && !yield(newest.rec, nil) {
				return
			}
			for _, h := range heads {
				if h.more && h.rec.ID == id {
					if err := advance(h); err != nil {
						yield(Record{}, err)
						return
					}
				}
			}
		}
	}
}
