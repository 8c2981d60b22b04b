package redisstore

import (
	"fmt"
	"strconv"
	"strings"

	"sendwatch/internal/windows"
)

// schema is the number of the layout that doc.go describes. A state of another one is refused.
const schema = "2"

// chunkOf is how many buckets of a step share a key. More make fewer keys, and longer logs to write anew when one is
// compacted. A place in a chunk fits into a byte.
var chunkOf = [windows.NumSteps]int64{windows.Minute: 120, windows.Hour: 120, windows.Day: 200}

var stepLetters = [windows.NumSteps]string{"m", "h", "d"}

// shardBase is what the keys of a shard begin with.
func (s *Store) shardBase(shard int) string { return fmt.Sprintf("%s:{s%02d}:", s.o.Prefix, shard) }

// appendCountKey appends a count key without its base.
func appendCountKey(dst []byte, step windows.Step, chunk int64, subject string) []byte {
	dst = append(dst, stepLetters[step]...)
	dst = append(dst, ':')
	dst = strconv.AppendInt(dst, chunk, 10)
	dst = append(dst, ':')
	return append(dst, subject...)
}

// parseCountKey reads what appendCountKey wrote.
func parseCountKey(key string) (step windows.Step, chunk int64, subject string, ok bool) {
	letter, rest, ok := strings.Cut(key, ":")
	if !ok {
		return 0, 0, "", false
	}
	number, subject, ok := strings.Cut(rest, ":")
	if !ok {
		return 0, 0, "", false
	}
	chunk, err := strconv.ParseInt(number, 10, 64)
	for s, l := range stepLetters {
		if l == letter {
			return windows.Step(s), chunk, subject, err == nil
		}
	}
	return 0, 0, "", false
}

// positionField names a partition in the hash of positions. Topic names have no slash.
func positionField(p windows.Partition) string { return p.Topic + "/" + strconv.Itoa(p.ID) }

func parsePositionField(field string) (windows.Partition, bool) {
	i := strings.LastIndexByte(field, '/')
	if i < 0 {
		return windows.Partition{}, false
	}
	id, err := strconv.Atoi(field[i+1:])
	return windows.Partition{Topic: field[:i], ID: id}, err == nil
}
