package holder

import (
	"context"
	"time"

	"sendwatch/internal/alerts"
)

// publishAtOnce is how many records go out before they are removed from the outbox.
const publishAtOnce = 100

// publish sends what is in the outbox, in order, and removes it once it is acknowledged. It looks whenever something was saved,
// and now and then.
func (t *term) publish(ctx context.Context) {
	h := t.h
	for ctx.Err() == nil {
		var entries []alerts.Entry
		err := h.retry(ctx, "outbox", 0, func() (err error) {
			entries, err = h.o.Outbox.Pending(ctx, publishAtOnce)
			return err
		})
		if err != nil {
			t.end(err)
			return
		}
		if len(entries) == 0 {
			select {
			case <-ctx.Done():
			case <-t.wake:
			case <-time.After(5 * time.Second):
			}
			continue
		}
		if err := t.send(ctx, entries); err != nil {
			t.end(err)
			return
		}
	}
}

// send publishes records and removes them from the outbox.
func (t *term) send(ctx context.Context, entries []alerts.Entry) error {
	h := t.h
	h.o.Hook(BeforePublish)
	if err := h.retry(ctx, "alert topic", 0, func() error { return h.o.Topic.Publish(ctx, entries) }); err != nil {
		return err
	}
	h.o.Hook(AfterPublish)
	if err := h.retry(ctx, "outbox", 0, func() error { return h.o.Outbox.Sent(ctx, t.lease, entries) }); err != nil {
		return err
	}
	h.o.Hook(AfterRemoval)
	h.note(func(s *Status) { s.Published += int64(len(entries)) })
	return nil
}

// publishRest sends what is left when the process is stopped, for a moment: it may be the last one for a while.
func (t *term) publishRest(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	for {
		entries, err := t.h.o.Outbox.Pending(ctx, publishAtOnce)
		if err != nil || len(entries) == 0 || t.send(ctx, entries) != nil {
			return // they are sent by whoever takes over
		}
	}
}

// followTopic reads the alert topic behind the position now and then, so that a take-over has little to read, and so that what
// somebody else wrote there (a holder that was replaced while its request was under way) is known.
func (t *term) followTopic(ctx context.Context) {
	h := t.h
	at := t.topic
	for {
		sleep(ctx, h.o.ReadBackEvery)
		if ctx.Err() != nil {
			return
		}
		// An error that passes is tried again soon: until then the process says that it waits for the topic.
		err := h.retry(ctx, "reading the alert topic", 0, func() error {
			return h.o.Topic.After(ctx, at, func(entries []alerts.Entry, next alerts.TopicPosition) error {
				part := topicPart{entries, next, make(chan error, 1)}
				select {
				case t.readBack <- part:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
				select {
				case err := <-part.done:
					if err == nil {
						at = next
					}
					return err
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			})
		})
		if err != nil {
			return // the loop ends the term, or has ended
		}
	}
}
