package redisstore

import (
	"context"
	"encoding/binary"
	"math"
	"strconv"

	"sendwatch/internal/windows"
)

const (
	compactQueue = 4096 // keys that wait to be compacted; what comes when it is full comes again with its next kilobyte
	compactBatch = 256
	splitBatch   = 32 // buckets split in one step, some milliseconds
	splitSteps   = 8  // in one go
)

// maintain does what a batch leaves to be done: compacts logs that have become long and splits buckets that have become full.
// Its failures are the next batch's to find: nothing here is needed for the counts to be right.
func (s *Store) maintain(ctx context.Context, sh *shard) {
	for len(sh.compact) > 0 {
		n := min(len(sh.compact), compactBatch)
		if err := s.compactKeys(ctx, sh, sh.compact[:n]); err != nil {
			return
		}
		sh.compact = sh.compact[n:]
	}
	sh.compact = nil
	for k, letter := range [numKinds]string{recipients: "r", prints: "d"} {
		for range splitSteps {
			l := sh.layout[k]
			mean := s.o.bucketEntries(kind(k))
			want := (sh.entries[k] + mean - 1) / mean
			if want <= l.buckets() || l.bits >= mostBits {
				break
			}
			answer, err := s.scripts.split.Run(ctx, s.client, sh.keys(), sh.base, letter, int(l.bits), l.split,
				min(splitBatch, want-l.buckets()), stepTag()).StringSlice()
			if err != nil || len(answer) != 2 {
				return
			}
			bits, err1 := strconv.ParseUint(answer[0], 10, 8)
			split, err2 := strconv.ParseUint(answer[1], 10, 32)
			if err1 != nil || err2 != nil {
				return
			}
			sh.layout[k] = spread{bits: uint8(bits), split: uint32(split)}
		}
	}
}

// compactKeys sums logs up and puts the sums in their place.
func (s *Store) compactKeys(ctx context.Context, sh *shard, keys []string) error {
	values, err := s.client.MGet(ctx, keys...).Result()
	if err != nil {
		return err
	}
	var args []any
	for i, v := range values {
		old, _ := v.(string)
		if old == "" {
			continue
		}
		// A log that is nearly all sums already is left until it has grown.
		if sums := compacted(old); len(sums) < len(old)-len(old)/8 {
			args = append(args, keys[i], old, sums)
		}
	}
	if len(args) == 0 {
		return nil
	}
	return s.scripts.compact.Run(ctx, s.client, sh.keys(), args...).Err()
}

// increments goes over a log of counts: place in the chunk, counter, how many. It is false when the log is broken.
func increments(log string, visit func(place byte, c windows.Counter, n uint64)) bool {
	for i := 0; i < len(log); {
		if len(log)-i < 3 {
			return false
		}
		place, c := log[i], log[i+1]
		n, shift := uint64(0), 0
		for i += 2; ; i++ {
			if i >= len(log) || shift > 63 {
				return false
			}
			n |= uint64(log[i]&0x7f) << shift
			shift += 7
			if log[i] < 0x80 {
				i++
				break
			}
		}
		if int(c) >= windows.NumCounters {
			return false
		}
		visit(place, windows.Counter(c), n)
	}
	return true
}

// compacted is a log with one increment for each place and counter, in their order. A broken log is given back as it is.
func compacted(log string) []byte {
	var sums [math.MaxUint8 + 1][windows.NumCounters]uint64
	low, high := 255, 0
	ok := increments(log, func(place byte, c windows.Counter, n uint64) {
		sums[place][c] += n
		low, high = min(low, int(place)), max(high, int(place))
	})
	if !ok {
		return []byte(log)
	}
	out := make([]byte, 0, len(log))
	for place := low; place <= high; place++ {
		for c, n := range sums[place] {
			if n != 0 {
				out = binary.AppendUvarint(append(out, byte(place), byte(c)), n)
			}
		}
	}
	return out
}
