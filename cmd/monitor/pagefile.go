package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// pageFile is a file that appears under its name when it is whole, or not at all. Until then it is a hidden one beside it.
type pageFile struct {
	file *os.File
	name string
}

// newPageFile makes the hidden file, so that a name that cannot be written is told before hours of reading.
func newPageFile(name string) (*pageFile, error) {
	if name == "-" {
		return nil, usagef("--html -: expected the name of a file; standard output has the tables")
	}
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target // a link goes on leading there
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return nil, usagef("--html %s: expected a file or a new name; it is a %s", name, kindOf(info.Mode()))
	}
	hidden := filepath.Join(filepath.Dir(name), fmt.Sprintf(".%s.%d", filepath.Base(name), os.Getpid()))
	file, err := os.OpenFile(hidden, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return nil, fmt.Errorf("--html: %w", err)
	}
	return &pageFile{file: file, name: name}, nil
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "directory"
	case mode&fs.ModeNamedPipe != 0:
		return "pipe"
	}
	return "device or socket"
}

// write fills the file and gives it its name.
func (p *pageFile) write(fill func(io.Writer) error) error {
	w := bufio.NewWriterSize(p.file, 1<<16)
	if err := errors.Join(fill(w), w.Flush(), p.file.Sync(), p.file.Close()); err != nil {
		return err
	}
	return os.Rename(p.file.Name(), p.name)
}

// drop removes what was not given its name.
func (p *pageFile) drop() {
	p.file.Close()
	os.Remove(p.file.Name()) // gone already when all went well
}
