package redisstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Category says what kind of trouble an error of this package is: a small closed set, fit for a metric label.
type Category string

// The categories. All but Refused, Broken and Cancelled may pass by themselves.
const (
	Network     Category = "network"     // no connection, or it broke: what was under way may have been done
	Loading     Category = "loading"     // Redis reads its data from disk
	ReadOnly    Category = "read_only"   // a replica answered, or too few replicas follow
	OutOfMemory Category = "memory"      // maxmemory is reached, or the disk is full
	Unavailable Category = "unavailable" // the cluster or the server cannot answer now
	Busy        Category = "busy"        // another script runs for too long
	Refused     Category = "refused"     // user, password or rights
	Broken      Category = "broken"      // the state is not what this program wrote, or a bug
	Cancelled   Category = "cancelled"   // the caller gave up
)

// Retryable tells whether trying again can help without anybody doing anything.
func (c Category) Retryable() bool { return c != Refused && c != Broken && c != Cancelled }

// prefixes are how Redis begins its errors.
var prefixes = []struct {
	prefix   string
	category Category
}{
	{"LOADING", Loading}, {"READONLY", ReadOnly}, {"NOREPLICAS", ReadOnly}, {"OOM", OutOfMemory}, {"MISCONF", OutOfMemory},
	{"MASTERDOWN", Unavailable}, {"CLUSTERDOWN", Unavailable}, {"MOVED", Unavailable}, {"ASK", Unavailable},
	{"TRYAGAIN", Unavailable}, {"UNBLOCKED", Unavailable}, {"NOSCRIPT", Unavailable}, {"BUSY", Busy},
	{"ERR max number of clients", Unavailable}, {"NOAUTH", Refused}, {"WRONGPASS", Refused}, {"NOPERM", Refused},
	{"ERR Client sent AUTH", Refused}, {"ERR AUTH", Refused},
}

// CategoryOf tells what kind of trouble an error is.
func CategoryOf(err error) Category {
	if errors.Is(err, context.Canceled) {
		return Cancelled
	}
	if server, ok := errors.AsType[redis.Error](err); ok && !errors.Is(err, redis.Nil) {
		text := server.Error()
		for _, p := range prefixes {
			// An error from within a script is wrapped: "ERR ... script: ... OOM command not allowed".
			if strings.HasPrefix(text, p.prefix) {
				return p.category
			}
		}
		if strings.Contains(text, "OOM command not allowed") {
			return OutOfMemory
		}
		return Broken
	}
	var netError net.Error
	if errors.As(err, &netError) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, redis.ErrClosed) ||
		errors.Is(err, redis.ErrPoolTimeout) || errors.Is(err, redis.ErrPoolExhausted) || errors.Is(err, context.DeadlineExceeded) {
		return Network
	}
	if strings.Contains(err.Error(), "cluster") || strings.Contains(err.Error(), "connect") {
		return Unavailable
	}
	return Broken
}

// A MismatchError says that the state in Redis, or Redis itself, is not one that this configuration can work with. Waiting does
// not help.
type MismatchError struct {
	What     string
	Found    string
	Expected string
	Advice   string
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("redis: %s: found %s, expected %s: %s", e.What, e.Found, e.Expected, e.Advice)
}
