package audit

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sendwatch/internal/alerts"
	"sendwatch/internal/event"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

// Following rates changes nothing of what is found, and every alert's peak is in its course.
func TestCoursesChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := genStream(t)
		report := func(courses int) *Report {
			o := options(touchy(), windows.DefaultWindows())
			o.Courses = courses
			a := New(o)
			for i := range list {
				a.Take(&event.Result{Events: list[i : i+1]})
			}
			return a.Finish()
		}
		without, with := report(0), report(1000)
		var want, got bytes.Buffer
		if err := without.WriteJSON(&want); err != nil {
			t.Fatal(err)
		}
		if err := with.WriteJSON(&got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want.Bytes(), got.Bytes()) {
			t.Fatal("the reports differ")
		}
		for i := range with.Alerts {
			checkCourse(t, &with.Alerts[i], with.Course(&with.Alerts[i]))
			if without.Course(&with.Alerts[i]) != nil {
				t.Fatal("a course that nobody asked for")
			}
		}
	})
}

func checkCourse(t *rapid.T, a *alerts.Record, points []Point) {
	peak := false
	for i, p := range points {
		if p.Exposure <= 0 || i > 0 && p.At.Before(points[i-1].At) {
			t.Fatalf("point %d of %s: %+v after %+v", i, a.SubjectKey, p, points[max(0, i-1)])
		}
		peak = peak || p.Numerator == a.Peak.Numerator && p.Exposure == a.Peak.Exposure
	}
	if !peak {
		t.Fatalf("the peak of %s/%s/%s, %d of %d, is not among %v", a.SubjectKey, a.Rate, a.Window, a.Peak.Numerator, a.Peak.Exposure, points)
	}
}

func TestCourseBeginsBeforeTheBreach(t *testing.T) {
	o := options([]policy.Policy{{Name: "p", Limits: []policy.Limit{limit(windows.Bounce, "10%", nil)}}}, windows.DefaultWindows())
	o.Courses = 1000
	a := New(o)
	id := 0
	take := func(kind event.Type, n int, at time.Time) {
		for range n {
			id++
			a.Take(&event.Result{Events: []event.Event{{Type: kind, Time: at, ID: fmt.Sprint(id), Tenant: "acme", BounceClass: event.Hard}}})
		}
	}
	for hour := range 20 {
		take(event.Delivery, 50, start.Add(time.Duration(hour)*time.Hour))
		take(event.Bounce, 1, start.Add(time.Duration(hour)*time.Hour+time.Second))
	}
	take(event.Bounce, 300, start.Add(20*time.Hour))
	take(event.Delivery, 1, start.Add(40*time.Hour))
	r := a.Finish()
	seen := 0
	for i := range r.Alerts {
		al := &r.Alerts[i]
		if al.Change != alerts.Fired || al.Window != "24h" && al.Window != "1h" {
			continue
		}
		seen++
		points := r.Course(al)
		before := 0
		for _, p := range points {
			if p.At.Before(al.StartsAt) {
				before++
				if p.Judged() >= 0.1 {
					t.Errorf("%s: %d of %d at %s, before the limit was broken", al.Window, p.Numerator, p.Exposure, p.At)
				}
			}
		}
		if before < 10 {
			t.Errorf("%s of %s: only %d readings before it fired", al.Window, al.SubjectKey, before)
		}
		if last := points[len(points)-1]; al.Window == "24h" && last.At.Before(start.Add(39*time.Hour)) {
			t.Errorf("%s ends at %s", al.Window, last.At)
		}
	}
	if seen == 0 {
		t.Fatal("nothing fired")
	}
}

// A course has a bounded number of points, whatever happens, and its peak stays.
func TestCourseIsThinned(t *testing.T) {
	c := course{apart: 60}
	for i := range int64(5 * maxPoints) {
		k := i % 7
		if i == 700 {
			k = 99
		}
		c.add(Point{start.Add(time.Duration(i) * time.Minute), k, 100})
	}
	most, first := int64(0), c.points[0]
	for _, p := range c.points {
		most = max(most, p.Numerator)
	}
	if len(c.points) > maxPoints || most != 99 || !first.At.Equal(start) || c.apart <= 60 {
		t.Errorf("%d points from %s, at most %d, looks %d s apart", len(c.points), first.At, most, c.apart)
	}
}

// No more rates are followed than was asked for.
func TestCoursesAreBounded(t *testing.T) {
	o := options(touchy(), windows.DefaultWindows())
	o.Courses = 3
	a := New(o)
	for i := range 200 {
		a.Take(&event.Result{Events: []event.Event{{Type: event.Bounce, Time: start.Add(time.Duration(i) * time.Second), ID: fmt.Sprint(i), Tenant: "acme", BounceClass: event.Hard}}})
	}
	r := a.Finish()
	followed := 0
	for _, g := range r.order {
		for i := range g.tracks {
			if g.tracks[i].course != nil {
				followed++
			}
		}
	}
	if followed != 3 {
		t.Errorf("%d rates are followed", followed)
	}
}
