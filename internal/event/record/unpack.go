package record

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// unpacker reads a file that may be packed, told by its first bytes. It keeps apart what is wrong with the file and what
// is wrong with its packing.
type unpacker struct {
	file    tracked
	content io.Reader
	packing string // "", "gzip" or "zstd"
	zstd    *zstd.Decoder
}

// tracked remembers the error of a reader, which unpacking would hide in one of its own.
type tracked struct {
	io.Reader
	err error
}

func (t *tracked) Read(p []byte) (int, error) {
	n, err := t.Reader.Read(p)
	if err != nil && err != io.EOF {
		t.err = err
	}
	return n, err
}

// Unpack gives what a file holds, whole and uncut: unpacked when its first bytes say gzip or zstd, else as it is. Closing
// frees what unpacking holds and does not close the file. The error tells of a file that cannot be read, or is broken inside
// its packing. It is for one goroutine at a time.
func Unpack(file io.Reader) (io.ReadCloser, error) {
	u := &unpacker{}
	if err := u.open(file); err != nil {
		u.close()
		return nil, err
	}
	return unpacked{u}, nil
}

type unpacked struct{ *unpacker }

func (u unpacked) Close() error {
	u.close()
	return nil
}

func (u *unpacker) open(file io.Reader) error {
	u.file = tracked{Reader: file}
	packed := bufio.NewReaderSize(&u.file, 1<<16)
	u.content = packed
	magic, err := packed.Peek(4)
	if err != nil && err != io.EOF {
		return err
	}
	switch {
	case bytes.HasPrefix(magic, []byte("\x1f\x8b")):
		u.packing = "gzip"
		u.content, err = gzip.NewReader(packed)
	case isZstd(magic):
		u.packing = "zstd"
		// The same limit as that of the zstd command: a frame that wants more memory has to be meant.
		const maxWindow = 128 << 20
		u.zstd, err = zstd.NewReader(packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		u.content = u.zstd
	default:
		return nil
	}
	return u.explain(err, false)
}

func (u *unpacker) Read(p []byte) (int, error) {
	n, err := u.content.Read(p)
	if u.packing == "" {
		return n, err
	}
	return n, u.explain(err, true)
}

// explain says what is broken. At the end of the content io.EOF is right; before there is any it is not.
func (u *unpacker) explain(err error, begun bool) error {
	switch {
	case err == nil, begun && err == io.EOF:
		return err
	case u.file.err != nil:
		return u.file.err
	case errors.Is(err, io.ErrUnexpectedEOF), err == io.EOF:
		return fmt.Errorf("broken %s data: it ends too early, the file was cut off", u.packing)
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return errors.New("zstd data that needs more than 128 MiB of memory to unpack: pack it again without --long")
	}
	return fmt.Errorf("broken %s data: %w", u.packing, err)
}

func (u *unpacker) close() {
	if u.zstd != nil {
		u.zstd.Close()
	}
}

// isZstd knows the magic numbers of frames (RFC 8878), of those to be skipped too.
func isZstd(magic []byte) bool {
	return bytes.HasPrefix(magic, []byte("\x28\xb5\x2f\xfd")) ||
		len(magic) == 4 && magic[0]&0xf0 == 0x50 && string(magic[1:]) == "\x2a\x4d\x18"
}
