package policy

// Problem is one mistake in a policy: where, what was found and what is allowed.
type Problem struct {
	Key   string // path inside the policy: "limits[0].below"
	Found string
	Want  string
}

func (p Problem) Error() string { return p.Key + ": " + p.Found + "; " + p.Want }

// Problems are all mistakes in the policy, none when it is valid.
func (p *Policy) Problems() []Problem { panic("not yet") }
