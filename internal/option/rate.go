package option

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rate is a number of events in a time, written like "20/s", "5/m", "100/h"
// or "10/30s". Its zero value is no rate at all; one that was read from text
// is positive.
type Rate struct {
	Count int
	Per   time.Duration
}

var rateUnits = map[string]time.Duration{
	"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour,
}

// UnmarshalText reads count/time.
func (r *Rate) UnmarshalText(text []byte) error {
	count, per, _ := strings.Cut(string(text), "/")
	n, err := strconv.Atoi(strings.TrimSpace(count))
	d, ok := ratePer(strings.TrimSpace(per))
	if err != nil || !ok || n <= 0 || d <= 0 {
		return fmt.Errorf("%q is not a rate (write it like 20/s, 5/m or 100/h)", text)
	}
	*r = Rate{Count: n, Per: d}
	return nil
}

func ratePer(s string) (time.Duration, bool) {
	if d, ok := rateUnits[s]; ok {
		return d, true
	}
	d, err := time.ParseDuration(s)
	return d, err == nil
}

// MarshalText gives the form UnmarshalText reads.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

func (r Rate) String() string {
	if r.Per <= 0 {
		return strconv.Itoa(r.Count)
	}
	for _, unit := range []string{"s", "m", "h", "d"} {
		if rateUnits[unit] == r.Per {
			return strconv.Itoa(r.Count) + "/" + unit
		}
	}
	return strconv.Itoa(r.Count) + "/" + r.Per.String()
}

// PerSecond gives the rate as events per second.
func (r Rate) PerSecond() float64 {
	if r.Per <= 0 {
		return 0
	}
	return float64(r.Count) / r.Per.Seconds()
}

// JSONSchema describes a rate.
func (Rate) JSONSchema() map[string]any {
	return map[string]any{"type": "string", "pattern": `^[0-9]+ ?/ ?([0-9.]+(ns|us|µs|ms|s|m|h))*[smhd]?$|\$\{`}
}
