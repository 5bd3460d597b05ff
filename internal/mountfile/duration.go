package mountfile

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

var errDuration = errors.New("not a duration")

// parseDuration reads what [time.ParseDuration] does, and days (180d) and
// weeks (2w) as 24 and 168 hours. Durations of options are never negative.
func parseDuration(s string) (time.Duration, error) {
	if s == "0" {
		return 0, nil
	}
	if s == "" {
		return 0, errDuration
	}
	var total time.Duration
	for s != "" {
		part := component(s)
		d, err := parseComponent(part)
		if err != nil {
			return 0, err
		}
		if d > math.MaxInt64-total {
			return 0, strconv.ErrRange
		}
		total += d
		s = s[len(part):]
	}
	return total, nil
}

// component cuts the first number with its unit off.
func component(s string) string {
	digits := len(s) - len(strings.TrimLeft(s, "0123456789."))
	unit := strings.IndexAny(s[digits:], "0123456789.")
	if unit < 0 {
		return s
	}
	return s[:digits+unit]
}

func parseComponent(s string) (time.Duration, error) {
	if s[0] != '.' && (s[0] < '0' || s[0] > '9') {
		return 0, errDuration
	}
	hours := map[byte]float64{'d': 24, 'w': 168}[s[len(s)-1]]
	if hours == 0 {
		d, err := time.ParseDuration(s)
		if err != nil {
			return 0, errDuration
		}
		return d, nil
	}
	f, err := strconv.ParseFloat(s[:len(s)-1], 64)
	if err != nil {
		return 0, errDuration
	}
	if f *= hours * float64(time.Hour); f >= math.MaxInt64 {
		return 0, strconv.ErrRange
	}
	return time.Duration(math.Round(f)), nil
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
