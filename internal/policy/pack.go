package policy

import (
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/windows"
)

// Default is the name of the policy that is in force when the configuration names none.
const Default = "dynamics-365"

// PackNames are the built-in policies, the default first.
func PackNames() []string { return []string{Default, "google-yahoo", "amazon-ses", "strict"} }

// Pack returns the built-in policy of this name, the caller's to change.
func Pack(name string) (Policy, bool) {
	limits := map[string]func() []Limit{
		Default: dynamics365, "google-yahoo": googleYahoo, "amazon-ses": amazonSES, "strict": strict,
	}
	list, ok := limits[name]
	if !ok {
		return Policy{}, false
	}
	return Policy{Name: name, Limits: list()}, true
}

// slow are the windows for rates whose events come hours after the mail: not the one of an hour.
func slow() []string { return []string{"24h", "7d", "30d"} }

func below(r windows.Rate, a, b int64, names []string) Limit {
	l := NewLimit(r, windows.NewRatio(a, b))
	l.Windows = names
	return l
}

// dynamics365: bounce below 3%, spam complaint below 0.1%, unsubscribe below 1%.
//
// Source: Microsoft Dynamics 365 Marketing on dedicated and shared IPs (2020-10-08; MicrosoftDocs/
// dynamics-365-customer-engagement, ce/marketing/dedicated-vs-shared-ip.md). It names no windows: in one hour few of a
// mailing's complaints and unsubscribes have come, so those two are not judged on 1h.
func dynamics365() []Limit {
	return []Limit{
		below(windows.Bounce, 3, 100, nil),
		below(windows.Complaint, 1, 1000, slow()),
		below(windows.Unsubscribe, 1, 100, slow()),
	}
}

// googleYahoo: a spam rate below 0.1%, and never 0.3% or more.
//
// Sources: Google's sender guidelines (help page 81126) and their FAQ (14229414): keep the rate, computed daily, below 0.1%
// and from ever reaching 0.3%; who is above gets no mitigation until it was below for seven days in a row. Yahoo Sender Hub,
// best practices and FAQ: below 0.3%, of mail delivered to the inbox, evaluated continuously. Neither shows us its inbox placement, and Gmail reports no single complaint, so the denominator is the
// deliveries at mailbox providers that do; watch begins at 0.1%.
func googleYahoo() []Limit {
	l := below(windows.Complaint, 3, 1000, []string{"24h", "7d"})
	l.Over = OverReporting
	l.WatchAt = windows.Ratio{A: 1, B: 3}
	week := 7 * 24 * time.Hour
	l.KeepFiringFor.All = &week
	return []Limit{l}
}

// amazonSES: bounces of class hard under review from 5% and sending paused from 10%; complaints from 0.1% and 0.5%, of mail to
// providers that send feedback.
//
// Source: Amazon SES developer guide (awsdocs/amazon-ses-developer-guide at 5556837, reputationdashboardmessages.md and
// faqs-enforcement.md). Its window is a "representative volume" of mail, not a time; a day, a week and a month stand in for
// it. Mail to domains of one's own and to its simulator, which it leaves out, is counted here.
func amazonSES() []Limit {
	hard, _ := windows.NewClasses(event.Hard)
	bounces := func(name string, a, b int64) Limit {
		l := below(windows.Bounce, a, b, slow())
		l.Name, l.Classes = name, hard
		return l
	}
	complaints := func(name string, a, b int64) Limit {
		l := below(windows.Complaint, a, b, slow())
		l.Name, l.Over = name, OverReporting
		return l
	}
	return []Limit{
		bounces("bounce-review", 5, 100), bounces("bounce-pause", 10, 100),
		complaints("complaint-review", 1, 1000), complaints("complaint-pause", 5, 1000),
	}
}

// strict is for senders who want to hear of a decline before any provider acts: bounce below 2%, complaint below 0.08%,
// unsubscribe below 0.3%.
//
// Sources: 2% is what Amazon SES calls best practice (faqs-enforcement.md) and Dynamics 365 prefers for hard bounces
// (MicrosoftDocs/customer-insights, ci-docs/journeys/email-policies.md); 0.08% is Braze's sign to stop a warm-up
// (braze-inc/braze-docs, ip_warming.md); 0.3% is what Klaviyo and HubSpot name as the aim for unsubscribes.
func strict() []Limit {
	return []Limit{
		below(windows.Bounce, 2, 100, nil),
		below(windows.Complaint, 8, 10_000, slow()),
		below(windows.Unsubscribe, 3, 1000, slow()),
	}
}
