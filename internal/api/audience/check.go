package audience

import (
	"context"
	"errors"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"sendwatch/internal/engagement"
)

// Standing is what is known of one recipient: its state, and the reasons not to write to it that still hold.
type Standing struct {
	State       engagement.State
	Suppression engagement.Suppression
}

// Recipients looks up many recipients at once.
type Recipients interface {
	// Standings fills out[i] for addresses[i], which are trimmed and lower-cased and must not be kept. It is called from
	// several goroutines.
	Standings(ctx context.Context, tenant string, at time.Time, addresses []string, out []Standing) error
}

// Report is the outcome of a check: Total = Engaged + New + Unengaged + Unknown + Invalid + Duplicates. Suppressed overlaps
// the first four.
type Report struct {
	Total      int64      `json:"total"`
	Engaged    int64      `json:"engaged"`
	New        int64      `json:"new"`
	Unengaged  int64      `json:"unengaged"`
	Unknown    int64      `json:"unknown"`
	Suppressed Suppressed `json:"suppressed"`
	Invalid    int64      `json:"invalid"`
	Duplicates int64      `json:"duplicates"`
	// DuplicatesExact is false when the list has more different addresses than MaxExact.
	DuplicatesExact bool `json:"duplicates_exact"`
}

// Suppressed counts recipients that must not be mailed, by reason; one recipient can be in several.
type Suppressed struct {
	Unsubscribed int64 `json:"unsubscribed"`
	Complained   int64 `json:"complained"`
	HardBounced  int64 `json:"hard_bounced"`
}

// List is what to check.
type List struct {
	Body   io.Reader
	CSV    bool // else told from the first line
	Tenant string
	At     time.Time
}

const (
	batchSize = 2048 // addresses a look-up
	lookUps   = 4    // batches under way at a time
)

// Check reads the list to its end. Memory: the fingerprints of its addresses (see seen) and a few batches.
// Errors are ErrNoColumn, ErrBroken, or those of reading and of looking up.
func Check(ctx context.Context, l List, r Recipients) (Report, error) {
	return check(ctx, l, r, MaxExact)
}

func check(ctx context.Context, l List, r Recipients, maxExact int) (Report, error) {
	src, err := open(l.Body, l.CSV)
	if err != nil {
		return Report{}, err
	}
	group, ctx := errgroup.WithContext(ctx)
	full, free := make(chan *batch), make(chan *batch, lookUps+1)
	for range cap(free) {
		free <- &batch{}
	}
	reports := make([]Report, lookUps)
	for i := range reports {
		group.Go(func() error {
			for b := range full {
				if err := b.lookUp(ctx, l, r, &reports[i]); err != nil {
					return err
				}
				free <- b
			}
			return nil
		})
	}
	var total Report
	group.Go(func() error {
		defer close(full)
		return fill(ctx, src, newSeen(maxExact), free, full, &total)
	})
	if err := group.Wait(); err != nil {
		return Report{}, err
	}
	for i := range reports {
		total.add(&reports[i])
	}
	return total, nil
}

// fill cuts the list into batches of addresses that are valid and new.
func fill(ctx context.Context, src source, known *seen, free <-chan *batch, full chan<- *batch, total *Report) error {
	take := func() (*batch, error) {
		select {
		case b := <-free:
			b.reset()
			return b, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	give := func(b *batch) error {
		select {
		case full <- b:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	b, err := take()
	if err != nil {
		return err
	}
	for {
		text, long, err := src.next()
		if errors.Is(err, io.EOF) {
			total.DuplicatesExact = !known.full()
			return give(b)
		}
		if err != nil {
			return err
		}
		total.Total++
		address, ok := normalise(text)
		switch {
		case long || !ok:
			total.Invalid++
			continue
		case known.add(address):
			total.Duplicates++
			continue
		}
		if b.push(address) < batchSize {
			continue
		}
		if err := give(b); err != nil {
			return err
		}
		if b, err = take(); err != nil {
			return err
		}
	}
}

func (r *Report) add(o *Report) {
	r.Engaged += o.Engaged
	r.New += o.New
	r.Unengaged += o.Unengaged
	r.Unknown += o.Unknown
	r.Suppressed.Unsubscribed += o.Suppressed.Unsubscribed
	r.Suppressed.Complained += o.Suppressed.Complained
	r.Suppressed.HardBounced += o.Suppressed.HardBounced
}

// batch holds the addresses of one look-up in one buffer, so that a list costs one allocation a batch.
type batch struct {
	bytes     []byte
	ends      []int
	addresses []string
	out       []Standing
}

func (b *batch) reset() { b.bytes, b.ends = b.bytes[:0], b.ends[:0] }

func (b *batch) push(address []byte) int {
	b.bytes = append(b.bytes, address...)
	b.ends = append(b.ends, len(b.bytes))
	return len(b.ends)
}

func (b *batch) lookUp(ctx context.Context, l List, r Recipients, report *Report) error {
	if len(b.ends) == 0 {
		return nil
	}
	all, start := string(b.bytes), 0
	b.addresses, b.out = b.addresses[:0], append(b.out[:0], make([]Standing, len(b.ends))...)
	for _, end := range b.ends {
		b.addresses = append(b.addresses, all[start:end])
		start = end
	}
	if err := r.Standings(ctx, l.Tenant, l.At, b.addresses, b.out); err != nil {
		return err
	}
	for _, s := range b.out {
		report.count(s)
	}
	return nil
}

func (r *Report) count(s Standing) {
	switch s.State {
	case engagement.Engaged:
		r.Engaged++
	case engagement.New:
		r.New++
	case engagement.Unengaged:
		r.Unengaged++
	case engagement.Unknown:
		r.Unknown++
	}
	if s.Suppression.Unsubscribed {
		r.Suppressed.Unsubscribed++
	}
	if s.Suppression.Complained {
		r.Suppressed.Complained++
	}
	if s.Suppression.HardBounced {
		r.Suppressed.HardBounced++
	}
}
