package truth

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"sendwatch/internal/event"
)

// Options say what a stream is made of. The same options give the same stream.
type Options struct {
	Seed       uint64
	Records    int           // records 0 to Records-1; the times of later ones go on at the same pace
	End        time.Time     // about when the last record's events happened
	Span       time.Duration // from the first record to the last, in event time
	Recipients int           // mailboxes; 100,000 when 0
	Tenants    int           // 50 when 0
	MaxBytes   int           // events.max_bytes of the service: some records are larger; 0 = none is
	Horizon    time.Duration // within which repeats have to be recognised, from End back; 48h when 0
	Storm      int           // of all tenants the last few have bad lists: how many; 5 when 0
	Wave       int           // so many records long such a list is used, then not, and so on; 0 = always
	Loose      int           // of a thousand records so many are of events without a recipient; 10 when 0
}

// Stream gives each record by its number. What a record is depends on seed and number alone, so nothing has to be kept. It is
// safe for concurrent use.
type Stream struct{ o Options }

// NewStream returns the stream.
func NewStream(o Options) *Stream {
	o.Recipients = orElse(o.Recipients, 100_000)
	o.Tenants = orElse(o.Tenants, 50)
	o.Storm = orElse(o.Storm, 5)
	o.Loose = orElse(o.Loose, 10)
	if o.Horizon == 0 {
		o.Horizon = 48 * time.Hour
	}
	return &Stream{o}
}

func orElse(n, standard int) int {
	if n == 0 {
		return standard
	}
	return n
}

// Record is one record and what it has to become.
type Record struct {
	Key, Value []byte
	Result     event.Result
	// Loose records belong to no recipient, so they may go to any partition of any topic.
	Loose bool
}

// Number reads a record's number out of its value. A value without one is a record without events.
func Number(value []byte) (int, bool) {
	_, rest, ok := bytes.Cut(value, []byte(`"n":`))
	if !ok {
		return 0, false
	}
	end := bytes.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	n, err := strconv.Atoi(string(rest[:end]))
	return n, err == nil
}

// At returns the n-th record.
func (s *Stream) At(n int) Record {
	r := s.random(n)
	if m, ok := s.repeated(r, n); ok {
		again := s.first(m)
		if again.Loose {
			again.Key = strconv.AppendInt([]byte("k"), int64(n), 10) // to another partition, most times
		}
		return again
	}
	return s.first(n)
}

func (s *Stream) random(n int) *rand.Rand { return rand.New(rand.NewPCG(s.o.Seed, uint64(n))) }

// repeated tells which earlier record this one is a copy of. Only records whose events stay within the horizon until the end
// are repeated: others may or may not count again, by how far each partition has been read.
func (s *Stream) repeated(r *rand.Rand, n int) (int, bool) {
	if n == 0 || r.IntN(25) != 0 {
		return 0, false
	}
	m := n - 1 - r.IntN(min(n, 20_000))
	events := s.first(m).Result.Events
	for i := range events {
		if s.o.End.Sub(events[i].Time) > s.o.Horizon-2*time.Hour {
			return 0, false
		}
	}
	return m, true
}

// first is the record that this number stands for when it is no repeat: the one whose value carries the number.
func (s *Stream) first(n int) Record {
	r := s.random(n)
	r.IntN(25) // as At
	switch x := r.IntN(1000); {
	case x < 4:
		return s.rejected(r, n)
	case x < 7:
		return s.ignored(r, n)
	case x < 10: // late
		e := s.event(r, n)
		e.Time = e.Time.Add(-500 * 24 * time.Hour)
		return single(n, e)
	case x < 20:
		return s.batch(r, n)
	case x < 20+s.o.Loose: // nobody in particular, so nobody's partition
		e := s.event(r, n)
		e.Type, e.Recipient = [...]event.Type{event.Deferral, event.Open, event.Bounce}[r.IntN(3)], ""
		e = own(e)
		rec := single(n, e)
		rec.Key, rec.Loose = strconv.AppendInt([]byte("n"), int64(n), 10), true
		return rec
	}
	return single(n, s.event(r, n))
}

// single is a record of one event.
func single(n int, e event.Event) Record {
	return Record{Key: []byte(e.Recipient), Value: appendEvent(nil, n, &e), Result: event.Result{Events: []event.Event{e}}}
}

// appendEvent writes an event as a producer might: with keys that nobody knows, and the recipient in letters of any case.
func appendEvent(dst []byte, n int, e *event.Event) []byte {
	written := *e
	if n%7 == 0 {
		written.Recipient = " " + strings.ToUpper(e.Recipient)
	}
	dst = strconv.AppendInt(append(dst, `{"n":`...), int64(n), 10)
	dst = append(dst, ',')
	at := len(dst)
	dst = event.AppendJSON(dst, &written)
	copy(dst[at:], dst[at+1:]) // the inner brace
	return dst[:len(dst)-1]
}

// event is an ordinary one. Recipients keep to their tenants, and a few are everybody's.
func (s *Stream) event(r *rand.Rand, n int) event.Event {
	step := float64(s.o.Span) / float64(max(1, s.o.Records))
	at := s.o.End.Add(-s.o.Span).Add(time.Duration(step * float64(n)))
	at = at.Add(-time.Duration(r.ExpFloat64() * float64(min(2*time.Minute, s.o.Span/50))))
	if r.IntN(100) == 0 {
		at = at.Add(-time.Duration(r.Int64N(int64(20 * time.Hour))))
	}
	tenant := r.IntN(s.o.Tenants)
	who := r.IntN(s.o.Recipients/s.o.Tenants)*s.o.Tenants + tenant
	if r.IntN(20) == 0 {
		who = r.IntN(100)
	}
	e := event.Event{
		Time: at.Truncate(time.Microsecond).UTC(), Recipient: fmt.Sprintf("r%d@%s", who, [...]string{"gmail.com", "outlook.de", "yahoo.co.uk", "example.org", "mail.example"}[who%5]),
		Tenant: fmt.Sprintf("tenant-%02d", tenant), IP: fmt.Sprintf("203.0.113.%d", tenant*4+r.IntN(4)), Campaign: fmt.Sprintf("c%d, 50%% off", r.IntN(4)),
		MessageID: fmt.Sprintf("m%d", n), ID: fmt.Sprintf("e%d.%d", s.o.Seed, n),
	}
	bad := tenant >= s.o.Tenants-s.o.Storm && (s.o.Wave == 0 || (n/s.o.Wave+tenant)%2 == 0)
	e.Type = kindOf(r, bad)
	switch x := r.IntN(100); {
	case x < 3:
		e.ID = ""
	case x < 5:
		e.ID, e.MessageID = "", ""
	case x < 8:
		e.Tenant = "" // "default"
	case x < 12:
		e.IP, e.Campaign = "", ""
	case x < 16:
		e.Provider = "yahoo"
	}
	switch e.Type {
	case event.Bounce:
		e.BounceClass = event.BounceClass(r.IntN(5))
		e.BounceAsync = r.IntN(4) == 0
		e.BounceCode = "5.1.1"
	case event.Complaint:
		e.ComplaintKind = event.ComplaintKind(r.IntN(6))
	case event.Unsubscribe:
		e.UnsubscribeMethod = event.UnsubscribeMethod(r.IntN(5))
	case event.OptIn:
		e.OptInDouble = r.IntN(2) == 0
	}
	e.Machine = r.IntN(3) == 0
	return own(e)
}

// own leaves out what does not belong to the event's type.
func own(e event.Event) event.Event {
	if e.Type != event.Bounce {
		e.BounceClass, e.BounceAsync, e.BounceCode = 0, false, ""
	}
	e.Machine = e.Machine && (e.Type == event.Open || e.Type == event.Click || e.Type == event.Reply)
	if e.Type != event.Complaint {
		e.ComplaintKind = 0
	}
	if e.Type != event.Unsubscribe {
		e.UnsubscribeMethod = 0
	}
	e.OptInDouble = e.OptInDouble && e.Type == event.OptIn
	return e
}

// kindOf draws a type: mostly deliveries and opens; more of everything bad for a bad list.
func kindOf(r *rand.Rand, bad bool) event.Type {
	x := r.IntN(1000)
	if bad && x >= 900 {
		return [...]event.Type{event.Bounce, event.Bounce, event.Bounce, event.Complaint, event.Unsubscribe}[x%5]
	}
	for _, k := range []struct {
		below int
		t     event.Type
	}{{560, event.Delivery}, {750, event.Open}, {800, event.Send}, {840, event.Click}, {860, event.Deferral}, {870, event.Bounce},
		{874, event.Complaint}, {884, event.Unsubscribe}, {890, event.Reply}, {896, event.OptIn}, {905, event.Drop}} {
		if x < k.below {
			return k.t
		}
	}
	return event.Delivery
}

// batch is an array of a few events about one mailbox, sometimes with a mistake among them.
func (s *Stream) batch(r *rand.Rand, n int) Record {
	var rec Record
	first := s.event(r, n)
	rec.Key = []byte(first.Recipient)
	value := []byte("[")
	for i := range 2 + r.IntN(3) {
		e := s.event(r, n)
		e.Recipient = first.Recipient
		if e.ID != "" {
			e.ID += "-" + strconv.Itoa(i)
		}
		if e.MessageID != "" {
			e.MessageID += "-" + strconv.Itoa(i)
		}
		rec.Result.Events = append(rec.Result.Events, e)
		value = append(appendEvent(value, n, &e), ',')
	}
	if r.IntN(3) == 0 {
		value = append(value, `{"type":"opened","time":1},`...)
		rec.Result.Rejected = &event.Rejection{Reason: event.UnknownType}
	}
	rec.Value = append(value[:len(value)-1], ']')
	return rec
}

// rejected is a record with nothing good in it.
func (s *Stream) rejected(r *rand.Rand, n int) Record {
	e := s.event(r, n)
	rec := single(n, e)
	rec.Result = event.Result{}
	mark := fmt.Sprintf(`"n":%d`, n)
	reason := event.NotJSON
	switch x := r.IntN(8); {
	case x == 0:
		rec.Value = append([]byte(nil), rec.Value[:len(rec.Value)-2]...)
	case x == 1:
		rec.Value = append(rec.Value, " and more"...)
	case x == 2:
		rec.Value, reason = []byte(fmt.Sprintf(`{%s,"type":"delivery","time":"yesterday"}`, mark)), event.BadTime
	case x == 3:
		rec.Value, reason = []byte(fmt.Sprintf(`{%s,"type":"deliverance","time":1700000000}`, mark)), event.UnknownType
	case x == 4:
		rec.Value, reason = []byte(fmt.Sprintf(`{%s,"hello":"world"}`, mark)), event.UnknownShape
	case x == 5:
		e.Time = s.o.End.Add(365 * 24 * time.Hour)
		rec.Value, reason = appendEvent(nil, n, &e), event.AheadOfClock
	case x == 6:
		e.Tenant = strings.Repeat("t", 201)
		rec.Value, reason = appendEvent(nil, n, &e), event.BadValue
	case s.o.MaxBytes > 0:
		rec.Value, reason = []byte(fmt.Sprintf(`{%s,"pad":"%s"}`, mark, strings.Repeat("x", s.o.MaxBytes))), event.TooLarge
	default:
		rec.Value = []byte(fmt.Sprintf(`broken "n":%d`, n))
	}
	rec.Result.Rejected = &event.Rejection{Reason: reason}
	return rec
}

// ignored is a record that is known and holds no mail event.
func (s *Stream) ignored(r *rand.Rand, n int) Record {
	rec := Record{Key: strconv.AppendInt([]byte("i"), int64(n), 10), Result: event.Result{Ignored: 1}, Loose: true}
	switch r.IntN(4) {
	case 0: // no value at all
	case 1:
		rec.Value = []byte("[]")
	case 2:
		rec.Value = []byte(fmt.Sprintf(`{"n":%d,"Type":"SubscriptionConfirmation","MessageId":"x","TopicArn":"arn:aws:sns:us-west-2:1:t","Message":"m"}`, n))
	case 3:
		rec.Value = []byte(fmt.Sprintf(`[{"n":%d,"notificationType":"Received","mail":{}},{"notificationType":"AmazonSnsSubscriptionSucceeded","mail":{}}]`, n))
		rec.Result.Ignored = 2
	}
	return rec
}
