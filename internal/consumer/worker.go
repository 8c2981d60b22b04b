package consumer

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"sendwatch/internal/event"
	"sendwatch/internal/kafka"
)

// worker reads one partition: fetch, decode, fold.
type worker struct {
	consumer *Consumer
	lane     *lane
	log      *kafka.Log
	decoder  Decoder
	logger   *zap.Logger
	trouble  *trouble

	ctx    context.Context // of the generation; here because a visit has no other way to it
	next   int64           // to fetch
	known  bool            // next is the lane's
	now    time.Time       // of the fetch under way
	result event.Result    // of the record under way
	turn   turn            // of the fetch under way
}

// confirmations is how often a log has to be found gone back, a ConfirmEvery apart, before it is believed: a new leader may
// know less than the old one for a moment.
const confirmations = 3

// work reads a lane until the context ends.
func (c *Consumer) work(ctx context.Context, l *lane) {
	logger := c.log.With(zap.String("topic", l.partition.Topic), zap.Int("partition", l.partition.ID))
	decoder, err := c.options.Decoder(l.partition.Topic)
	if err != nil {
		c.stop(l.partition, err) // New has tried it
		return
	}
	w := &worker{consumer: c, lane: l, decoder: decoder, logger: logger, trouble: newTrouble(logger, "reading"), ctx: ctx,
		log: c.client.Log(l.partition.Topic, l.partition.ID, kafka.LogOptions{MaxBytes: c.options.FetchBytes, MaxWait: c.options.FetchWait})}
	defer w.log.Close()
	defer c.restart(l.partition)
	w.run()
}

func (w *worker) run() {
	visit := w.visit // once: a method value is an allocation
	pause := newPause()
	gone := 0
	for w.ctx.Err() == nil {
		err := w.step(visit)
		if w.ctx.Err() != nil {
			return
		}
		if err != nil && !errors.Is(err, errRewind) {
			w.consumer.count(err)
		}
		var hole *kafka.HoleError
		switch category := kafka.CategoryOf(err); {
		case err == nil:
			w.trouble.clear()
			pause.reset()
			gone = 0
		case errors.Is(err, errRewind):
			w.known = false
		case errors.As(err, &hole):
			w.skip(hole)
		case category == kafka.WentBack:
			if gone++; gone < confirmations {
				sleep(w.ctx, w.consumer.options.ConfirmEvery)
				break
			}
			w.lane.halt(true)
			w.consumer.stop(w.lane.partition, err)
			w.awaitStart()
			gone = 0
		default:
			w.trouble.report(err)
			pause.wait(w.ctx)
		}
	}
}

// step finds out where to read, when it does not know, and fetches once.
func (w *worker) step(visit func(int64, []byte) error) error {
	if w.known && w.lane.rewound() {
		w.known = false
	}
	if !w.known {
		if err := w.seek(); err != nil {
			return err
		}
	}
	w.now = w.consumer.options.Now()
	f, err := w.log.Fetch(w.ctx, w.next, visit)
	w.consumer.turns.end(&w.turn)
	w.next = f.Next
	if err != nil {
		return err
	}
	if f.Records > 0 {
		w.consumer.options.Hooks.At("fetched")
	}
	now := w.consumer.options.Now()
	if err := w.lane.advance(w.ctx, f.Next, now); err != nil {
		return err
	}
	w.lane.read(f.HighWatermark, now)
	return nil
}

// seek takes the position from the lane, and from the log when the state has none.
func (w *worker) seek() error {
	next, topicID := w.lane.position()
	w.log.Close()
	w.log.Expect(topicID)
	first, _, err := w.log.Offsets(w.ctx)
	if err != nil {
		return err
	}
	if next < 0 {
		w.logger.Info("no position in the state: reading from the log's beginning", zap.Int64("offset", first))
		next = first
	}
	w.lane.begin(w.log.TopicID(), next)
	w.next, w.known = next, true
	return nil
}

// visit folds one record. Having waited for room, it asks for time: the broker's answer is still being read.
func (w *worker) visit(offset int64, value []byte) error {
	if w.turn == noTurn && w.consumer.turns.begin(&w.turn) {
		w.log.Extend()
	}
	w.result = w.decoder.Decode(value, w.now)
	waited, err := w.lane.add(w.ctx, offset, value, &w.result, w.now)
	if waited {
		w.log.Extend()
	}
	return err
}

// skip counts the records of a hole as lost and goes on behind it.
func (w *worker) skip(hole *kafka.HoleError) {
	if err := w.lane.lose(w.ctx, hole.Lost(), hole.First, w.consumer.options.Now()); err != nil {
		w.known = false // read again from the state's position, and meet the hole again
		return
	}
	w.consumer.hole(w.lane.partition, hole)
	w.next = hole.First
}

// awaitStart waits until somebody has changed the partition's position in the state: that starts it anew.
func (w *worker) awaitStart() {
	w.log.Close()
	for sleep(w.ctx, 5*w.consumer.options.ConfirmEvery) {
		moved, err := w.consumer.applier.reopen(w.ctx, w.lane)
		if err != nil {
			return
		}
		if moved {
			w.lane.halt(false)
			w.logger.Info("partition started anew")
			w.consumer.restart(w.lane.partition)
			w.known = false
			return
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

var _ Producer = (*kafka.Client)(nil)
