package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"sendwatch/internal/api/audience"
	"sendwatch/internal/engagement"
	"sendwatch/internal/event/record"
)

// split sends a list and puts each of its texts into the file that the service's verdict names. The list is read twice at the same
// time, once to be sent and once to be written, so that nothing of it has to be kept.
func (c *audienceCheck) split(cmd *cobra.Command, name string) (report audience.Report, files []splitFile, err error) {
	if err := os.MkdirAll(c.write, 0o777); err != nil {
		return report, nil, err
	}
	contentType := contentTypeOf(name)
	if name == "-" {
		if name, err = spool(cmd.InOrStdin(), c.write); err != nil {
			return report, nil, fmt.Errorf("keeping standard input: %w", err)
		}
		defer os.Remove(name)
	}
	again, _, err := openList(cmd, name)
	if err != nil {
		return report, nil, err
	}
	defer again.Close()
	content, err := record.Unpack(again)
	if err != nil {
		return report, nil, err
	}
	defer content.Close()
	texts, err := audience.Open(content, contentType == "text/csv")
	if err != nil {
		return report, nil, err
	}
	out, err := newSplitter(c.write, texts, c.overwrite)
	if err != nil {
		return report, nil, err
	}
	defer out.abandon()

	list, size, err := openList(cmd, name)
	if err != nil {
		return report, nil, err
	}
	defer list.Close()
	bar := newProgress(cmd, "checking", size)
	defer bar.done()
	body, err := c.post(cmd.Context(), contentType, bar, list, true)
	if err == nil {
		defer body.Close()
		report, err = out.take(bufio.NewReaderSize(body, 64<<10), texts)
	}
	if err == nil {
		files, err = out.commit()
	}
	if err == nil {
		return report, files, nil
	}
	what := "nothing was written to " + c.write
	if len(files) > 0 {
		what = fmt.Sprintf("%d of the %d files are in %s already, whole", len(files), numSplits, c.write)
	}
	if exit, ok := errors.AsType[*exitError](err); ok {
		return report, nil, &exitError{exit.code, fmt.Errorf("%w; %s", err, what)}
	}
	return report, nil, fmt.Errorf("%w; %s", err, what)
}

// spool keeps what can be read once in a file of a directory.
func spool(r io.Reader, dir string) (name string, err error) {
	f, err := os.CreateTemp(dir, ".list-*.partial")
	if err != nil {
		return "", err
	}
	if _, err = io.Copy(f, r); err == nil {
		err = f.Close()
	}
	if err != nil {
		f.Close()
		os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// The files of a split list.
const (
	splitEngaged = iota
	splitNew
	splitUnengaged
	splitUnknown
	splitSuppressed
	splitInvalid
	numSplits
)

var splitNames = [numSplits]string{"engaged", "new", "unengaged", "unknown", "suppressed", "invalid"}

// splitFile is a file that was written.
type splitFile struct {
	Name      string `json:"name"`
	Path      string `json:"path"`
	Addresses int64  `json:"addresses"`
}

// splitter writes a list's parts under other names, and gives them theirs when all are whole.
type splitter struct {
	overwrite bool
	parts     [numSplits]splitPart
}

type splitPart struct {
	splitFile
	file *os.File // nil once it has its name, or is gone
	buf  *bufio.Writer
	csv  *csv.Writer // nil for lines
}

func newSplitter(dir string, texts *audience.Texts, overwrite bool) (*splitter, error) {
	s := &splitter{overwrite: overwrite}
	ext := ".txt"
	if texts.Header != nil {
		ext = ".csv"
	}
	for i, name := range splitNames {
		s.parts[i].splitFile = splitFile{Name: name, Path: filepath.Join(dir, name+ext)}
	}
	if err := s.vacant(); err != nil {
		return nil, &exitError{exitUsage, err}
	}
	for i := range s.parts {
		p := &s.parts[i]
		var err error
		if p.file, err = os.CreateTemp(dir, "."+p.Name+"-*.partial"); err != nil {
			s.abandon()
			return nil, err
		}
		p.buf = bufio.NewWriterSize(p.file, 256<<10)
		if texts.Header == nil {
			continue
		}
		p.csv = csv.NewWriter(p.buf)
		p.csv.Comma = texts.Comma
		if err := p.csv.Write(texts.Header); err != nil {
			s.abandon()
			return nil, err
		}
	}
	return s, nil
}

// vacant tells of files that are there already and must stay.
func (s *splitter) vacant() error {
	if s.overwrite {
		return nil
	}
	var all []error
	for i := range s.parts {
		if _, err := os.Lstat(s.parts[i].Path); err == nil {
			all = append(all, fmt.Errorf("%s exists; name another directory, or add --overwrite", s.parts[i].Path))
		}
	}
	return errors.Join(all...)
}

// take puts each text where its verdict says, and returns the report at the end of the verdicts.
func (s *splitter) take(verdicts *bufio.Reader, texts *audience.Texts) (report audience.Report, err error) {
	for n := 0; ; n++ {
		line, err := verdicts.ReadSlice('\n')
		if err != nil {
			return report, fmt.Errorf("the answer broke off after %d lines: %w", n, err)
		}
		line = line[:len(line)-1]
		text, end := texts.Next()
		if len(line) > 0 && line[0] == '{' {
			return lastLine(line, n, end)
		}
		verdict, err := audience.ParseVerdict(line)
		if err != nil {
			return report, fmt.Errorf("line %d of the answer: %w", n+1, err)
		}
		if errors.Is(end, io.EOF) {
			return report, fmt.Errorf("the service found more addresses than the list's %d; did the list change meanwhile?", n)
		}
		if end != nil {
			return report, end
		}
		if i := partOf(verdict); i < numSplits {
			if err := s.parts[i].add(&text); err != nil {
				return report, err
			}
		}
	}
}

// lastLine reads the report after n verdicts, or why there is none. end is what came instead of a text after the n-th.
func lastLine(line []byte, n int, end error) (report audience.Report, err error) {
	var problem struct {
		Status int
		Detail string
	}
	if err := json.Unmarshal(line, &problem); err == nil && problem.Detail != "" {
		return report, errors.New(problem.Detail)
	}
	if err := json.Unmarshal(line, &report); err != nil {
		return report, fmt.Errorf("the answer is not what this version expects: %w", err)
	}
	if end == nil || report.Total != int64(n) {
		return report, fmt.Errorf("the service found %d addresses and the list has more; did it change meanwhile?", report.Total)
	}
	if !errors.Is(end, io.EOF) {
		return report, end
	}
	return report, nil
}

// partOf is where a text belongs; numSplits = nowhere.
func partOf(v audience.Verdict) int {
	switch {
	case v.Duplicate:
		return numSplits
	case v.Invalid:
		return splitInvalid
	case v.Any():
		return splitSuppressed
	}
	return [...]int{engagement.Unknown: splitUnknown, engagement.Engaged: splitEngaged, engagement.New: splitNew, engagement.Unengaged: splitUnengaged}[v.State]
}

func (p *splitPart) add(t *audience.Text) error {
	p.Addresses++
	if p.csv != nil {
		return p.csv.Write(t.Row)
	}
	if _, err := p.buf.Write(t.Line); err != nil {
		return err
	}
	return p.buf.WriteByte('\n')
}

// commit writes all files down and then gives them their names. It returns those that have them, after an error too.
func (s *splitter) commit() ([]splitFile, error) {
	for i := range s.parts {
		if err := s.parts[i].finish(); err != nil {
			return nil, err
		}
	}
	if err := s.vacant(); err != nil {
		return nil, err
	}
	var files []splitFile
	for i := range s.parts {
		p := &s.parts[i]
		if err := os.Rename(p.file.Name(), p.Path); err != nil {
			return files, err
		}
		p.file = nil
		files = append(files, p.splitFile)
	}
	return files, nil
}

func (p *splitPart) finish() error {
	if p.csv != nil {
		if p.csv.Flush(); p.csv.Error() != nil {
			return p.csv.Error()
		}
	}
	if err := p.buf.Flush(); err != nil {
		return err
	}
	if err := p.file.Sync(); err != nil {
		return err
	}
	return p.file.Close()
}

// abandon removes what has no name yet.
func (s *splitter) abandon() {
	for i := range s.parts {
		if f := s.parts[i].file; f != nil {
			f.Close()
			os.Remove(f.Name())
			s.parts[i].file = nil
		}
	}
}
