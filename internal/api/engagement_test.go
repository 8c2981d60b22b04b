package api

import (
	"testing"

	"sendwatch/internal/api/answer"
	"sendwatch/internal/api/apitest"
	"sendwatch/internal/windows"
)

// The shares of interactions are told without and with those that machines made, which make nobody engaged.
func TestInteractionsOfMachines(t *testing.T) {
	b := apitest.NewBook(apitest.StoryTime)
	for c, n := range map[windows.Counter]int64{windows.Delivered: 200, windows.DeliveredEngaged: 50, windows.Opened: 30, windows.Clicked: 10, windows.Replied: 2,
		windows.Machine: 58, windows.OptedIn: 7} {
		b.Count(apitest.StoryTime.AddDate(0, 0, -3), windows.Labels{{Dimension: windows.Tenant, Value: "acme"}}, c, n)
	}
	h := newHarness(t, b)
	var e answer.Engagement
	h.get("/api/v1/engagement?tenant=acme", &e)
	if i := e.Interactions; i.People != 42 || i.Machine != 58 || *i.Share != 0.21 || *i.ShareWithMachine != 0.5 || *e.EngagedShare != 0.25 {
		t.Errorf("%+v", e)
	}
	e = answer.Engagement{}
	h.get("/api/v1/engagement?tenant=nobody", &e)
	if i := e.Interactions; i.People != 0 || i.Machine != 0 || i.Share != nil || i.ShareWithMachine != nil {
		t.Errorf("%+v", i)
	}
}
