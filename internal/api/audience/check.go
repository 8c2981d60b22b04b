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
	State engagement.State
	engagement.Suppression
}

// Recipients opens what is known of a tenant's recipients at a time.
type Recipients interface {
	Standings(tenant string, at time.Time) (Standings, error)
}

// Standings tells how recipients stand. Addresses are given numbers, so that nobody has to keep them.
type Standings interface {
	// Number is called from one goroutine. The address is trimmed and lower-cased and changes after the call.
	Number(address []byte) uint64
	// Find fills out[i] for the address with numbers[i]. It is called from several goroutines.
	Find(ctx context.Context, numbers []uint64, out []Standing) error
	// Close ends it: nothing is called any more.
	Close()
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

// Suppressed counts recipients that must not be mailed, by reason; one recipient can be in several, and is once in Any.
type Suppressed struct {
	Unsubscribed int64 `json:"unsubscribed"`
	Complained   int64 `json:"complained"`
	HardBounced  int64 `json:"hard_bounced"`
	Any          int64 `json:"any"`
}

// List is what to check.
type List struct {
	Body   io.Reader
	CSV    bool // else told from the first line
	Tenant string
	At     time.Time
	// Verdicts gets a line for each text of the list, in its order: see Verdict. Nil when only sums are asked for.
	Verdicts io.Writer
}

const (
	// blockSize is how many addresses are looked up together: the more, the more of them lie under the same key of a large state.
	blockSize = 1 << 18
	// blockTexts bounds a block of a list with little else than mistakes and duplicates.
	blockTexts = 4 * blockSize
	lookUps    = 2 // blocks under way at a time; the state answers one question while it is sent the next
)

// Check reads the list to its end. Memory: the fingerprints of its addresses (see seen) and three blocks of 4 MB.
// Errors are ErrNoColumn, ErrBroken, or those of reading, of looking up and of writing verdicts.
func Check(ctx context.Context, l List, r Recipients) (Report, error) {
	return check(ctx, l, r, limits{MaxExact, blockSize, blockTexts})
}

type limits struct{ exact, block, texts int }

func check(ctx context.Context, l List, r Recipients, max limits) (Report, error) {
	src, err := Open(l.Body, l.CSV)
	if err != nil {
		return Report{}, err
	}
	known, err := r.Standings(l.Tenant, l.At)
	if err != nil {
		return Report{}, err
	}
	defer known.Close()
	group, ctx := errgroup.WithContext(ctx)
	// Blocks go round: filled, looked up by whoever is free, taken in the order of the list, free again.
	free, full, ordered := make(chan *block, lookUps+1), make(chan *block, lookUps+1), make(chan *block, lookUps+1)
	for range cap(free) {
		free <- &block{found: make(chan struct{}, 1)}
	}
	for range lookUps {
		group.Go(func() error {
			for b := range full {
				if err := known.Find(ctx, b.numbers, b.out[:len(b.numbers)]); err != nil {
					return err
				}
				b.found <- struct{}{}
			}
			return nil
		})
	}
	exact := true
	group.Go(func() error {
		defer close(full)
		defer close(ordered)
		seen := newSeen(max.exact)
		defer func() { exact = !seen.full() }()
		return fill(ctx, src, known, seen, max, free, full, ordered)
	})
	var total Report
	group.Go(func() error {
		for b := range ordered {
			select {
			case <-b.found:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			if err := b.take(&total, l.Verdicts); err != nil {
				return err
			}
			free <- b
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return Report{}, err
	}
	total.DuplicatesExact = exact
	return total, nil
}

// fill cuts the list into blocks.
func fill(ctx context.Context, src *Texts, known Standings, seen *seen, max limits, free <-chan *block, full, ordered chan<- *block) error {
	for {
		var b *block
		select {
		case b = <-free:
			b.reset()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		var err error
		for err == nil && len(b.numbers) < max.block && len(b.texts) < max.texts {
			err = b.read(src, known, seen)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		full <- b // there is room for every block
		ordered <- b
		if err != nil {
			return nil
		}
	}
}

// block is a run of the list's texts.
type block struct {
	texts   []byte        // what each is: textAddress, textInvalid or textDuplicate
	numbers []uint64      // of the addresses among them
	out     []Standing    // of these
	found   chan struct{} // out is filled
}

const (
	textAddress = iota
	textInvalid
	textDuplicate
)

func (b *block) reset() { b.texts, b.numbers = b.texts[:0], b.numbers[:0] }

// read takes the next text into the block.
func (b *block) read(src *Texts, known Standings, seen *seen) error {
	text, err := src.Next()
	if err != nil {
		return err
	}
	what := byte(textAddress)
	switch address, ok := text.Address(); {
	case !ok:
		what = textInvalid
	case seen.add(address):
		what = textDuplicate
	default:
		b.numbers = append(b.numbers, known.Number(address))
		if len(b.out) < len(b.numbers) {
			b.out = append(b.out, Standing{})
		}
	}
	b.texts = append(b.texts, what)
	return nil
}

// take adds the block to the report and writes its verdicts.
func (b *block) take(r *Report, verdicts io.Writer) error {
	next := 0
	var line []byte
	for _, what := range b.texts {
		v := Verdict{Invalid: what == textInvalid, Duplicate: what == textDuplicate}
		if what == textAddress {
			v.Standing = b.out[next]
			next++
		}
		r.Count(v)
		if verdicts == nil {
			continue
		}
		line = append(v.Append(line[:0]), '\n')
		if _, err := verdicts.Write(line); err != nil {
			return err
		}
	}
	return nil
}

// Count adds what was found of one text.
func (r *Report) Count(v Verdict) {
	r.Total++
	switch {
	case v.Invalid:
		r.Invalid++
		return
	case v.Duplicate:
		r.Duplicates++
		return
	}
	switch v.State {
	case engagement.Engaged:
		r.Engaged++
	case engagement.New:
		r.New++
	case engagement.Unengaged:
		r.Unengaged++
	case engagement.Unknown:
		r.Unknown++
	}
	s := &r.Suppressed
	for _, reason := range []struct {
		holds bool
		n     *int64
	}{{v.Unsubscribed, &s.Unsubscribed}, {v.Complained, &s.Complained}, {v.HardBounced, &s.HardBounced}, {v.Any(), &s.Any}} {
		if reason.holds {
			*reason.n++
		}
	}
}
