package verify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"sync"
	"time"

	"sendwatch/internal/event/jsonvalue"
)

// mailgun verifies the signatures of Mailgun: the HMAC-SHA-256, in hexadecimal digits, of a timestamp and a random token. It says
// nothing about the payload, so that a signature that is seen on the way would do for any other. Therefore a token is good
// for one payload: the same again is a repeat, another one is refused.
//
// https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks
type mailgun struct {
	keys   [][]byte
	maxAge time.Duration
	used   *usedTokens
}

// mailgunAge is the default limit: Mailgun tries for 8 hours, and nothing says that it signs anew.
const mailgunAge = 12 * time.Hour

// newMailgun needs as Secret the webhook signing key; that of the primary account does for its subaccounts.
func newMailgun(o Options) (Verifier, error) {
	k, err := keys(o.Secret)
	if err != nil {
		return nil, err
	}
	return &mailgun{k, ageOr(o, mailgunAge), newUsedTokens(maxUsedTokens)}, nil
}

func (m *mailgun) Begin(*Request) error { return nil } // the signature stands in the body

func (m *mailgun) Verify(_ context.Context, r *Request, now time.Time) (Vouched, error) {
	s, err := mailgunSignatureOf(r)
	if err != nil {
		return Vouched{}, err
	}
	expected := func(key []byte) []byte { return sum256(key, []byte(s.timestamp), []byte(s.token)) }
	good := false
	for _, signature := range s.signatures {
		if sent, err := hex.DecodeString(signature); err == nil {
			good = anyMatches(m.keys, sent, expected) || good
		}
	}
	if !good {
		return Vouched{}, refuse(Wrong, "the signature does not fit: compare the webhook signing key")
	}
	signed, err := unixSeconds(s.timestamp)
	if err != nil {
		return Vouched{}, err
	}
	if err := checkAge(signed, now, m.maxAge); err != nil {
		return Vouched{}, err
	}
	payload := r.Body
	if r.Form != nil {
		payload = []byte(r.Form.Encode()) // without what parts the fields, which differs from time to time
	}
	if !m.used.mayServe(s.timestamp+s.token, payload) {
		return Vouched{}, refuse(Replayed, "the signature was used for another payload before")
	}
	// Only what is safe in Kafka uses a token up: an attempt after one that failed may be written differently.
	return Vouched{Payload: r.Body, Acknowledged: func() { m.used.note(s.timestamp+s.token, payload) }}, nil
}

type mailgunSignature struct {
	timestamp, token string
	signatures       []string
}

// mailgunSignatureOf finds the signature in a JSON body, or among the fields of a form (webhooks before 2018): there the last
// of several counts, since variables of the sender's own stand before.
func mailgunSignatureOf(r *Request) (mailgunSignature, error) {
	var s mailgunSignature
	if r.Form != nil {
		s = mailgunSignature{lastOf(r.Form, "timestamp"), lastOf(r.Form, "token"), []string{lastOf(r.Form, "signature")}}
	} else {
		var tree jsonvalue.Tree
		body, err := tree.Parse(r.Body)
		if err != nil {
			return s, refuse(Absent, "the body is not JSON, so that it has no signature")
		}
		v := body.Get("signature")
		s = mailgunSignature{v.Get("timestamp").Text(), v.Get("token").Text(), []string{v.Get("signature").Text(), v.Get("parent-signature").Text()}}
	}
	if s.timestamp == "" || s.token == "" || s.signatures[0] == "" {
		return s, refuse(Absent, "the payload has no signature with timestamp and token")
	}
	return s, nil
}

func lastOf(form url.Values, name string) string {
	if values := form[name]; len(values) > 0 {
		return values[len(values)-1]
	}
	return ""
}

// maxUsedTokens is how many tokens are remembered, the newest: 4 MiB or so.
const maxUsedTokens = 1 << 16

type digest [16]byte

func digestOf(b []byte) digest {
	sum := sha256.Sum256(b)
	return digest(sum[:])
}

// usedTokens remembers which payload each of the newest tokens has served.
type usedTokens struct {
	max int

	mu    sync.Mutex
	by    map[digest]digest
	order []digest // a ring
	next  int
}

func newUsedTokens(max int) *usedTokens { return &usedTokens{max: max, by: map[digest]digest{}} }

// mayServe is false when a token has served another payload.
func (u *usedTokens) mayServe(token string, payload []byte) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	served, ok := u.by[digestOf([]byte(token))]
	return !ok || served == digestOf(payload)
}

func (u *usedTokens) note(token string, payload []byte) {
	t, p := digestOf([]byte(token)), digestOf(payload)
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, ok := u.by[t]; ok {
		return
	}
	if len(u.order) < u.max {
		u.order = append(u.order, t)
	} else {
		delete(u.by, u.order[u.next])
		u.order[u.next] = t
		u.next = (u.next + 1) % u.max
	}
	u.by[t] = p
}
