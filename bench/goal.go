package main

import "fmt"

// goal is what a server shall reach in a case: a multiple of what another one
// does, or an absolute value.
type goal struct {
	Server string
	Key    string
	Than   string // empty: absolute
	Most   bool   // at most, or else at least
	Limit  float64
}

func atLeast(server string, factor float64, than string) goal {
	return goal{Server: server, Key: keyRate, Than: than, Limit: factor}
}

// verdict is a goal beside what was measured.
type verdict struct {
	Server, Goal, Measured string
	Met                    bool
}

// judge compares what can be compared: a goal whose servers did not run says
// nothing.
func (o *outcome) judge(goals []goal) {
	for _, g := range goals {
		value, ok := o.value(g.Server, g.Key)
		if !ok {
			continue
		}
		sign, what := "≥", o.head(g.Key)
		if g.Most {
			sign = "≤"
		}
		v := verdict{Server: g.Server}
		if g.Than == "" {
			v.Goal, v.Measured = fmt.Sprintf("%s %s %g", what, sign, g.Limit), fmt.Sprintf("%.1f", value)
		} else {
			other, ok := o.value(g.Than, g.Key)
			if !ok || other == 0 {
				continue
			}
			value /= other
			v.Goal, v.Measured = fmt.Sprintf("%s %s %g × %s", what, sign, g.Limit, g.Than), fmt.Sprintf("%.2f", value)
		}
		v.Met = value >= g.Limit
		if g.Most {
			v.Met = value <= g.Limit
		}
		o.Verdicts = append(o.Verdicts, v)
	}
}
