package windows

import (
	"encoding/binary"
	"math"
	"slices"
)

// column is one counter's values in the rows of a table, all of one width: 1, 2, 4 or 8 bytes, little-endian, signed, since a
// correction may for a moment precede what it corrects. Rows beyond its end are zero, so that a counter that rests takes
// no memory for new rows.
type column struct {
	data    []byte
	counter Counter
	width   uint8
}

// columnSize is the memory of a column without its data.
const columnSize = 32

// at returns the value in a row.
func (c *column) at(row int) int64 {
	i := row * int(c.width)
	if i >= len(c.data) {
		return 0
	}
	switch d := c.data[i:]; c.width {
	case 1:
		return int64(int8(d[0]))
	case 2:
		return int64(int16(binary.LittleEndian.Uint16(d)))
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(d)))
	default:
		return int64(binary.LittleEndian.Uint64(d))
	}
}

// set writes a value that fits the width into a row that exists.
func (c *column) set(row int, v int64) {
	switch d := c.data[row*int(c.width):]; c.width {
	case 1:
		d[0] = byte(v)
	case 2:
		binary.LittleEndian.PutUint16(d, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(d, uint32(v))
	default:
		binary.LittleEndian.PutUint64(d, uint64(v))
	}
}

// add adds n to a row, widening the column when the sum needs it.
func (c *column) add(row int, n int64) {
	v := c.at(row) + n
	if w := widthOf(v); w > c.width {
		c.widen(w)
	}
	if want := (row + 1) * int(c.width); want > len(c.data) {
		c.data = extendTight(c.data, want)
	}
	c.set(row, v)
}

func widthOf(v int64) uint8 {
	switch {
	case v >= math.MinInt8 && v <= math.MaxInt8:
		return 1
	case v >= math.MinInt16 && v <= math.MaxInt16:
		return 2
	case v >= math.MinInt32 && v <= math.MaxInt32:
		return 4
	}
	return 8
}

func (c *column) widen(width uint8) {
	n := len(c.data) / int(c.width)
	wide := column{data: make([]byte, n*int(width)), counter: c.counter, width: width}
	for row := range n {
		wide.set(row, c.at(row))
	}
	*c = wide
}

// insertZero makes room for a new row.
func (c *column) insertZero(row int) {
	if i := row * int(c.width); i < len(c.data) {
		var zero [8]byte
		c.data = slices.Insert(c.data, i, zero[:c.width]...)
	}
}

// cut forgets the first rows.
func (c *column) cut(rows int) {
	c.data = cutFront(c.data, min(rows*int(c.width), len(c.data)))
}

// sum adds up the rows from first up to, but not including, end.
func (c *column) sum(first, end int) (sum int64) {
	from, to := first*int(c.width), min(end*int(c.width), len(c.data))
	if from >= to {
		return 0
	}
	d := c.data[from:to]
	switch c.width {
	case 1:
		for _, b := range d {
			sum += int64(int8(b))
		}
	case 2:
		for ; len(d) >= 2; d = d[2:] {
			sum += int64(int16(binary.LittleEndian.Uint16(d)))
		}
	case 4:
		for ; len(d) >= 4; d = d[4:] {
			sum += int64(int32(binary.LittleEndian.Uint32(d)))
		}
	default:
		for ; len(d) >= 8; d = d[8:] {
			sum += int64(binary.LittleEndian.Uint64(d))
		}
	}
	return sum
}

// appendTight appends with a slack of an eighth instead of append's doubling: there are hundreds of thousands of these
// slices, and they grow by one row a minute at most.
func appendTight[T any](s []T, v T) []T {
	if len(s) == cap(s) {
		bigger := make([]T, len(s), len(s)+len(s)/8+4)
		copy(bigger, s)
		s = bigger
	}
	return append(s, v)
}

// extendTight lengthens d to n bytes, the new ones zero, with the slack of appendTight.
func extendTight(d []byte, n int) []byte {
	if n > cap(d) {
		bigger := make([]byte, n, n+n/8+4)
		copy(bigger, d)
		return bigger
	}
	old := len(d)
	d = d[:n]
	clear(d[old:])
	return d
}

// cutFront drops the first n elements by moving the others down, so that nothing old is held and the room is used again. It
// gives memory back when three quarters of it are unused.
func cutFront[T any](s []T, n int) []T {
	rest := len(s) - n
	if rest*4 < cap(s) && cap(s) > 64 {
		return append(make([]T, 0, rest+rest/8+4), s[n:]...)
	}
	copy(s, s[n:])
	return s[:rest]
}
