package windows

// AtLeast tells whether k ÷ e reaches the limit, exactly.
func AtLeast(k, e int64, limit Ratio) bool { panic("not yet") }

// Certain tells whether k events in an exposure e exceed the limit beyond chance: √k − √(limit·e) ≥ 3/2, exactly.
func Certain(k, e int64, limit Ratio) bool { panic("not yet") }

// Headroom is how many more events the exposure bears before the limit is reached: max(0, ⌈limit·e⌉ − k).
func Headroom(k, e int64, limit Ratio) int64 { panic("not yet") }

// Wilson returns the Wilson score bounds at one-sided 95% of min(k, e) in e, e > 0.
func Wilson(k, e int64) (lower, upper float64) { panic("not yet") }
