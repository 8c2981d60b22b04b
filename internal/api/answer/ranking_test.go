package answer_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sendwatch/internal/api/answer"
	"sendwatch/internal/api/apitest"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

// theStory is read by all tests and changed by none.
var theStory = sync.OnceValue(apitest.NewStory)

// counting counts how often subjects are listed, and can hold that up.
type counting struct {
	*apitest.Book
	lists atomic.Int64
	rows  atomic.Int64
	hold  chan struct{}
	fail  error
}

func (c *counting) Subjects(ctx context.Context, comb windows.Combination, cursor string, limit int) ([]string, string, error) {
	c.lists.Add(1)
	if c.hold != nil {
		<-c.hold
	}
	return c.Book.Subjects(ctx, comb, cursor, min(limit, 3)) // several pages, so that all of them are asked for
}

func (c *counting) Rows(ctx context.Context, subject string, at time.Time, kept windows.Kept, f policy.Filter) ([]policy.Row, error) {
	c.rows.Add(1)
	if c.fail != nil {
		return nil, c.fail
	}
	return c.Book.Rows(ctx, subject, at, kept, f)
}

func source(c *counting) *answer.Source {
	b := c.Book
	return answer.NewSource(answer.Readers{Clock: b, Rates: c, Counts: b, Alerts: b, Status: b}, "1", b.Shape, time.Now)
}

func byTenant(limit int) answer.RankQuery {
	return answer.RankQuery{Dimensions: windows.Combination{windows.Tenant}, Limit: limit}
}

// Of many who ask the same thing at once, one reads all subjects.
func TestManyAskersOneReading(t *testing.T) {
	book := theStory()
	synctest.Test(t, func(t *testing.T) {
		c := &counting{Book: book, hold: make(chan struct{})}
		s := source(c)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if page, err := s.Ranking(t.Context(), byTenant(5)); err != nil || len(page.Rates.Rates) != 5 {
					t.Errorf("%v, %v", page, err)
				}
			})
		}
		synctest.Wait() // one reads, the others wait for it
		close(c.hold)
		wg.Wait()
		if n := c.lists.Load(); n != 3 { // 7 tenants in pages of 3
			t.Errorf("subjects were listed %d times, want 3", n)
		}
	})
}

// Further pages are taken from the first page's ranking: they read their own subjects only.
func TestFurtherPagesDoNotReadAllAgain(t *testing.T) {
	c := &counting{Book: theStory()}
	s := source(c)
	page, err := s.Ranking(t.Context(), byTenant(4))
	if err != nil {
		t.Fatal(err)
	}
	lists := c.lists.Load()
	q := byTenant(4)
	q.Cursor = *page.NextCursor
	next, err := s.Ranking(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if c.lists.Load() != lists || !next.AsOf.Equal(page.AsOf) {
		t.Errorf("listed %d times more, as of %s and %s", c.lists.Load()-lists, page.AsOf, next.AsOf)
	}
	// Another process has no ranking of it, and gives the same page.
	other, err := source(c).Ranking(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	for i := range next.Rates.Rates {
		if a, b := next.Rates.Rates[i], other.Rates.Rates[i]; a.SubjectKey != b.SubjectKey || a.Rate != b.Rate || a.Window != b.Window {
			t.Errorf("row %d: %s %s %s there, %s %s %s here", i, b.SubjectKey, b.Rate, b.Window, a.SubjectKey, a.Rate, a.Window)
		}
	}
}

// One who gives up does not take the others with it, and a reader's own error is the one that is told.
func TestAskersWhoGiveUpAndReadersWhoFail(t *testing.T) {
	book := theStory()
	synctest.Test(t, func(t *testing.T) {
		c := &counting{Book: book, hold: make(chan struct{})}
		s := source(c)
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error, 1)
		go func() {
			_, err := s.Ranking(ctx, byTenant(5))
			first <- err
		}()
		synctest.Wait()
		cancel()
		close(c.hold)
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up got %v", err)
		}
		if _, err := s.Ranking(t.Context(), byTenant(5)); err != nil {
			t.Errorf("the next got %v", err)
		}
	})
	broken := &counting{Book: book, fail: fmt.Errorf("redis: %w", answer.ErrUnavailable)}
	if _, err := source(broken).Ranking(t.Context(), byTenant(5)); !errors.Is(err, answer.ErrUnavailable) {
		t.Errorf("a reader that fails: %v", err)
	}
}
