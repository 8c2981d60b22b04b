package apitest

import "testing"

func TestStory(t *testing.T) {
	b := NewStory()
	firing := 0
	for _, r := range b.Log() {
		if testing.Verbose() {
			t.Logf("%s %s %s %s %s %s %v", r.Change, r.Severity, r.SubjectKey, r.Rate, r.Window, r.Incident, r.Observed.Numerator)
		}
		firing++
	}
	if firing == 0 {
		t.Error("nothing happened in it")
	}
}
