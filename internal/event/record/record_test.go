package record

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"
)

type cut struct {
	Line int
	Text string
}

func readAll(file io.Reader, form Form) (Form, []cut, error) {
	r, err := Open(file, form)
	if err != nil {
		return Detect, nil, err
	}
	defer r.Close()
	var all []cut
	for {
		text, err := r.Next()
		if err == io.EOF {
			return r.Form(), all, nil
		}
		if err != nil {
			return r.Form(), all, err
		}
		all = append(all, cut{r.Line(), string(text)})
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		name, file string
		form       Form
		want       []cut
	}{
		{"empty", "", Whole, nil},
		{"blank", " \r\n\n\t", Whole, nil},
		{"only a mark", "\xef\xbb\xbf", Whole, nil},
		{"lines", "{\"a\":1}\n\n  \n[2]\r\nbroken\n{\"b\":2}", Lines, []cut{{1, `{"a":1}`}, {4, "[2]"}, {5, "broken"}, {6, `{"b":2}`}}},
		{"lines behind blank ones", "\n \n {\"a\":1} \n{}", Lines, []cut{{3, ` {"a":1} `}, {4, "{}"}}},
		{"marked lines", "\xef\xbb\xbf{}\n\xef\xbb\xbf{}\n", Lines, []cut{{1, "{}"}, {2, "\xef\xbb\xbf{}"}}},
		{"a batch in one line", `[{"a":1},{"b":2}]`, Lines, []cut{{1, `[{"a":1},{"b":2}]`}}},
		{"duplicate keys, invalid UTF-8", "{\"a\":\"\xff\",\"a\":1}\n{}", Lines, []cut{{1, "{\"a\":\"\xff\",\"a\":1}"}, {2, "{}"}}},
		{"a value over several lines", "\n{\n\"a\":1\n}\n{}\n", Whole, []cut{{1, "\n{\n\"a\":1\n}\n{}\n"}}},
		{"first line broken", "{\"a\":1,}\n{}\n", Whole, []cut{{1, "{\"a\":1,}\n{}\n"}}},
		{"two values in the first line", "{}{}\n{}", Whole, []cut{{1, "{}{}\n{}"}}},
		{"mail", "From: a@example.com\r\n\r\nhello\r\n", Whole, []cut{{1, "From: a@example.com\r\n\r\nhello\r\n"}}},
		{"blank line before a mail", "\nFrom: a@example.com\n", Whole, []cut{{1, "\nFrom: a@example.com\n"}}},
		{"PowerMTA", "type,timeLogged\nd,1\n\nb,2", PowerMTA, []cut{{1, "type,timeLogged"}, {2, "d,1"}, {4, "b,2"}}},
		{"PowerMTA with a mark", "\xef\xbb\xbftype,timeLogged\r\n", PowerMTA, []cut{{1, "type,timeLogged"}}},
		{"PowerMTA not in the first line", "\ntype,timeLogged\nd,1", Whole, []cut{{1, "\ntype,timeLogged\nd,1"}}},
		{"PowerMTA, other case", "Type,timeLogged\nd,1", Whole, []cut{{1, "Type,timeLogged\nd,1"}}},
		{"PowerMTA over lines", "type,a\nd,\"x,\r\n\"\"y\"\"\nz\"\nb,1", PowerMTA, []cut{{1, "type,a"}, {2, "d,\"x,\r\n\"\"y\"\"\nz\""}, {5, "b,1"}}},
		{"PowerMTA, quote never closed", "type,a\nd,\"x\nb,1", PowerMTA, []cut{{1, "type,a"}, {2, `d,"x`}, {3, "b,1"}}},
		{"PowerMTA, quote closed by a stranger", "type,a\nd,\"x\nb,\"y\"\nt,1", PowerMTA, []cut{{1, "type,a"}, {2, `d,"x`}, {3, `b,"y"`}, {4, "t,1"}}},
		{"PowerMTA, quotes inside", "type,a\nd,x \"y\nb,1", PowerMTA, []cut{{1, "type,a"}, {2, `d,x "y`}, {3, "b,1"}}},
		{"Momentum seconds", "1772439300@a@\n\n1772439301@b\n", Momentum, []cut{{1, "1772439300@a@"}, {3, "1772439301@b"}}},
		{"Momentum microseconds", "1772439300123456@a", Momentum, []cut{{1, "1772439300123456@a"}}},
		{"neither of both", "17724393001@a\n", Whole, []cut{{1, "17724393001@a\n"}}},
		{"digits only", "1772439300\n", Whole, []cut{{1, "1772439300\n"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for way, file := range map[string]io.Reader{
				"at once":      strings.NewReader(c.file),
				"byte by byte": iotest.OneByteReader(strings.NewReader(c.file)),
				"end at once":  iotest.DataErrReader(strings.NewReader(c.file)),
			} {
				form, got, err := readAll(file, Detect)
				if err != nil || form != c.form {
					t.Errorf("%s: form %v, error %v, want form %v", way, form, err, c.form)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", way, diff)
				}
			}
		})
	}
}

// TestGivenForm checks that a form that is asked for is not told from the file: an accounting file may name its columns in
// any order.
func TestGivenForm(t *testing.T) {
	_, got, err := readAll(strings.NewReader("\xef\xbb\xbftimeLogged,type\n1,d\n"), PowerMTA)
	if diff := cmp.Diff([]cut{{1, "timeLogged,type"}, {2, "1,d"}}, got); diff != "" || err != nil {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}

func gzipped(text string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(text))
	w.Close()
	return b.Bytes()
}

func zstandard(text string) []byte {
	w, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	defer w.Close()
	return w.EncodeAll([]byte(text), nil)
}

func TestUnpack(t *testing.T) {
	text := strings.Repeat("{\"a\":1}\n", 1000)
	_, want, _ := readAll(strings.NewReader(text), Detect)
	skippable := append([]byte("\x5a\x2a\x4d\x18\x02\x00\x00\x00xx"), zstandard(text)...)
	for name, file := range map[string][]byte{
		"gzip": gzipped(text), "zstd": zstandard(text), "zstd behind a frame to skip": skippable,
		"gzip in pieces": append(gzipped(text[:800]), gzipped(text[800:])...),
		"zstd in pieces": append(zstandard(text[:804]), zstandard(text[804:])...),
	} {
		_, got, err := readAll(iotest.OneByteReader(bytes.NewReader(file)), Detect)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: error %v, differs: %v", name, err, diff != "")
		}
		if whole := unpackAll(t, file); whole != text {
			t.Errorf("%s: unpacked to %d bytes, want the %d that were packed", name, len(whole), len(text))
		}
	}
	if whole := unpackAll(t, []byte("as it is")); whole != "as it is" {
		t.Errorf("a file without packing became %q", whole)
	}
	if _, err := Unpack(bytes.NewReader(gzipped(text)[:5])); err == nil {
		t.Error("a broken file was unpacked")
	}
}

func unpackAll(t *testing.T, file []byte) string {
	t.Helper()
	content, err := Unpack(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	all, err := io.ReadAll(content)
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}

// TestBroken checks that a broken packing is told in words, wherever it breaks, and that the lines before the break are
// given all the same.
func TestBroken(t *testing.T) {
	text := strings.Repeat("{\"a\":1}\n", 1000)
	for packing, file := range map[string][]byte{"gzip": gzipped(text), "zstd": zstandard(text)} {
		for _, size := range []int{5, len(file) / 2, len(file) - 1} {
			_, _, err := readAll(bytes.NewReader(file[:size]), Detect)
			if err == nil || !strings.Contains(err.Error(), "broken "+packing+" data") {
				t.Errorf("%s cut at %d of %d: error %v", packing, size, len(file), err)
			}
		}
		damaged := bytes.Clone(file)
		damaged[len(damaged)-3] ^= 0xff // in the checksum
		_, got, err := readAll(bytes.NewReader(damaged), Detect)
		if err == nil || !strings.Contains(err.Error(), "broken "+packing+" data") {
			t.Errorf("%s damaged: error %v", packing, err)
		}
		if packing == "gzip" && len(got) != 1000 {
			t.Errorf("gzip damaged: %d lines, want all 1000", len(got))
		}
	}
}

// TestReadError checks that what is wrong with the file is not taken for a broken packing.
func TestReadError(t *testing.T) {
	sick := errors.New("disk on fire")
	for name, file := range map[string][]byte{
		"plain": []byte("{}\n{}"), "plain, one line": []byte("{"), "gzip": gzipped("{}\n{}"), "zstd": zstandard("{}\n{}"), "nothing": nil,
	} {
		_, _, err := readAll(io.MultiReader(bytes.NewReader(file[:len(file)/2]), iotest.ErrReader(sick)), Detect)
		if !errors.Is(err, sick) {
			t.Errorf("%s: error %v, want %v", name, err, sick)
		}
	}
}

func TestTooLarge(t *testing.T) {
	r, err := Open(strings.NewReader("{}\n\n"+strings.Repeat("x", 1<<17)), Lines)
	if err != nil {
		t.Fatal(err)
	}
	r.lines.max = 1 << 16
	if text, err := r.Next(); err != nil || string(text) != "{}" {
		t.Fatalf("first record %q, error %v", text, err)
	}
	if _, err = r.Next(); err == nil || !strings.Contains(err.Error(), "line 3 is larger than 65536 bytes") {
		t.Errorf("error %v, want one that names line and limit", err)
	}
}

// TestLinesAreKept checks against strings.Split that nothing is lost or torn, whatever the sizes of lines and reads.
func TestLinesAreKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []cut
		var file strings.Builder
		file.WriteString("{}\n")
		want = append(want, cut{1, "{}"})
		for i, n := range rapid.SliceOfN(rapid.IntRange(0, 200_000), 0, 8).Draw(t, "sizes") {
			line := strings.Repeat("x", n)
			if n > 0 {
				want = append(want, cut{i + 2, line})
			}
			file.WriteString(line + rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "break"))
		}
		_, got, err := readAll(strings.NewReader(file.String()), Detect)
		if err != nil || !cmp.Equal(want, got) {
			t.Fatalf("error %v, %d records, want %d", err, len(got), len(want))
		}
	})
}

// endless repeats a text for ever.
type endless struct {
	text string
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.text[e.at:])
	e.at = (e.at + n) % len(e.text)
	return n, nil
}

func TestLinesAllocateNothing(t *testing.T) {
	for form, text := range map[Form]string{Lines: "{\"type\":\"delivery\"}\n\n", PowerMTA: "d,1,\"a, b\nc\",x\n", Momentum: "1772439300@a@b\n"} {
		r, err := Open(&endless{text: text}, form)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(1<<16, func() { r.Next() }); n != 0 {
			t.Errorf("form %v: %v allocations a record, want none", form, n)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("{}\n{}\n"), byte(0))
	f.Add([]byte("type,a\nd,\"x\ny\"\n"), byte(0))
	f.Add([]byte("1772439300@a\n"), byte(0))
	f.Add(gzipped("{}\n"), byte(0))
	f.Add(zstandard("{}\n"), byte(3))
	f.Fuzz(func(t *testing.T, file []byte, form byte) {
		_, all, err := readAll(bytes.NewReader(file), Form(form%5))
		_, again, err2 := readAll(iotest.OneByteReader(bytes.NewReader(file)), Form(form%5))
		if !cmp.Equal(all, again) || (err == nil) != (err2 == nil) {
			t.Errorf("records depend on how the file is read: %v, %v and %v, %v", all, err, again, err2)
		}
		for i := range all {
			if all[i].Text == "" || i > 0 && all[i].Line <= all[i-1].Line {
				t.Errorf("record %d: %v", i, all[i])
			}
		}
	})
}

func BenchmarkLines(b *testing.B) {
	line := `{"type":"delivery","time":"2026-03-02T08:15:05Z","recipient":"ann@example.org","tenant":"acme","ip":"203.0.113.9"}` + "\n"
	r, err := Open(&endless{text: line}, Lines)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		if _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
	}
}
