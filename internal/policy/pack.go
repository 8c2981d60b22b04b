package policy

// Pack returns the built-in policy of this name.
func Pack(name string) (Policy, bool) { panic("not yet") }

// PackNames are the built-in policies, the default first.
func PackNames() []string { return []string{"dynamics-365", "google-yahoo", "amazon-ses", "strict"} }
