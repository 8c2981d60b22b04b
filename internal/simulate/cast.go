package simulate

import "time"

// A sender is one tenant of the simulated pipeline: how much it mails, from where, and how its recipients answer.
type sender struct {
	tenant    string
	share     float64 // of all mails
	ips       []string
	pool      string
	domain    string
	campaigns []string
	usual     manner
	episodes  []episode
}

// manner is how the recipients of a mailing answer: shares of the mails delivered, bounces of the mails sent.
type manner struct {
	hard, soft, block float64
	deferred          float64
	complaint         float64 // at mailbox providers that send reports
	unsubscribe       float64
	open, machineOpen float64
	click             float64 // of opens
	dropped           float64
}

// episode is a stretch of each cycle in which a sender's mail is answered in another manner.
type episode struct {
	from, to time.Duration
	campaign string
	at       string // only at this mailbox provider, "" = everywhere
	manner   manner
}

func (m manner) with(change func(*manner)) manner {
	change(&m)
	return m
}

// cycle is how long the story lasts before it is told again.
const cycle = 8 * time.Minute

func healthy() manner {
	return manner{hard: 0.003, soft: 0.003, block: 0.001, deferred: 0.02, complaint: 0.0002, unsubscribe: 0.0015,
		open: 0.25, machineOpen: 0.2, click: 0.12, dropped: 0.004}
}

// Cast lists the tenants, each with what it is there to show.
func Cast() map[string]string {
	return map[string]string{
		"healthy":   "a weekly newsletter that does everything right",
		"bad-list":  "mails a bought list for a minute: hard bounces far above 3%",
		"storm":     "one campaign is reported as spam at one mailbox provider",
		"noisy":     "shares an IP with neighbour and mails people who want to leave and addresses that block it",
		"neighbour": "shares the noisy one's IP and does nothing wrong",
		"small":     "so little mail that one bounce looks like a catastrophe, and is none",
	}
}

func cast() []sender {
	usual := healthy()
	return []sender{
		{
			tenant: "healthy", share: 0.3585, ips: []string{"192.0.2.10", "192.0.2.11"}, pool: "dedicated", domain: "news.healthy.example",
			campaigns: []string{"weekly", "product-tips"}, usual: usual,
		},
		{
			tenant: "bad-list", share: 0.22, ips: []string{"192.0.2.20"}, pool: "dedicated", domain: "mail.bad-list.example",
			campaigns: []string{"customers"}, usual: usual,
			episodes: []episode{{10 * time.Second, 50 * time.Second, "bought-list", "", usual.with(func(m *manner) {
				m.hard, m.soft, m.open, m.unsubscribe = 0.16, 0.02, 0.05, 0.002
			})}},
		},
		{
			tenant: "storm", share: 0.20, ips: []string{"192.0.2.30"}, pool: "dedicated", domain: "offers.storm.example",
			campaigns: []string{"monthly"}, usual: usual,
			episodes: []episode{{20 * time.Second, 55 * time.Second, "surprise-offer", "yahoo", usual.with(func(m *manner) {
				m.complaint, m.open = 0.08, 0.1
			})}},
		},
		{
			tenant: "noisy", share: 0.12, ips: []string{"198.51.100.7"}, pool: "shared", domain: "noisy.example",
			campaigns: []string{"deals"}, usual: usual,
			episodes: []episode{{15 * time.Second, 60 * time.Second, "last-chance", "", usual.with(func(m *manner) {
				m.block, m.unsubscribe, m.deferred = 0.12, 0.05, 0.1
			})}},
		},
		{
			tenant: "neighbour", share: 0.10, ips: []string{"198.51.100.7"}, pool: "shared", domain: "neighbour.example",
			campaigns: []string{"school-news"}, usual: usual,
		},
		{
			tenant: "small", share: 0.0015, ips: []string{"198.51.100.8"}, pool: "shared", domain: "small.example",
			campaigns: []string{"club"}, usual: usual.with(func(m *manner) { m.hard = 0.08 }),
		},
	}
}

// mailboxes are the mailbox providers with their share of recipients, and whether they report complaints.
type mailbox struct {
	name    string
	domain  string
	share   float64
	reports bool
}

func mailboxes() []mailbox {
	return []mailbox{
		{"gmail", "gmail.example", 0.45, false},
		{"outlook", "outlook.example", 0.22, true},
		{"yahoo", "yahoo.example", 0.15, true},
		{"apple", "icloud.example", 0.08, false},
		{"other", "corp.example", 0.10, true},
	}
}
