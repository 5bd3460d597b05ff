package shareddata

import (
	"net/http"
	"strings"
	"time"
)

// conditional reports whether a header has a field that could change the
// answer.
func conditional(h http.Header) bool {
	return h["If-None-Match"] != nil || h["If-Modified-Since"] != nil || h["Range"] != nil ||
		h["If-Match"] != nil || h["If-Unmodified-Since"] != nil
}

type condition int

const (
	conditionHolds condition = iota
	conditionFailed
	notModified
)

// precondition evaluates the fields in the order of RFC 9110 §13.2.2. A date
// counts only where there is no tag to compare, and a malformed one never.
func (s *site) precondition(r *http.Request, rep *representation) condition {
	h := r.Header
	if tags := h["If-Match"]; tags != nil {
		if !rep.matches(tags, strong) {
			return conditionFailed
		}
	} else if date, ok := parseDate(h["If-Unmodified-Since"]); ok && rep.known && rep.second > date.Unix() {
		return conditionFailed
	}
	if tags := h["If-None-Match"]; tags != nil {
		if rep.matches(tags, weak) {
			return notModified
		}
	} else if rep.notModifiedSince(h["If-Modified-Since"]) {
		return notModified
	}
	return conditionHolds
}

// notModifiedSince takes a date in the future for malformed, as clients make
// them up.
func (rep *representation) notModifiedSince(field []string) bool {
	if !rep.known || len(field) != 1 {
		return false
	}
	if field[0] == rep.lastModified[0] {
		return true
	}
	date, ok := parseDate(field)
	return ok && rep.second <= date.Unix() && !date.After(time.Now())
}

// ifRange reports whether a Range counts: If-Range must name exactly the
// representation, by a strong tag or by a date that is old enough to be strong
// (RFC 9110 §13.1.5).
func (s *site) ifRange(r *http.Request, rep *representation) bool {
	field := r.Header["If-Range"]
	if len(field) == 0 {
		return true
	}
	if len(field) > 1 {
		return false
	}
	value := strings.Trim(field[0], " \t")
	if strings.HasPrefix(value, `"`) {
		return rep.etag != nil && value == rep.etag[0]
	}
	date, ok := parseDate(field)
	return ok && rep.known && date.Unix() == rep.second && time.Since(date) > young
}

func parseDate(field []string) (time.Time, bool) {
	if len(field) != 1 {
		return time.Time{}, false
	}
	t, err := http.ParseTime(field[0])
	return t, err == nil
}

type comparison bool

const (
	strong comparison = false
	weak   comparison = true // W/ makes no difference
)

// matches reports whether a list of tags has that of rep. "*" is any.
func (rep *representation) matches(fields []string, how comparison) bool {
	for _, field := range fields {
		for {
			field = strings.TrimLeft(field, " \t,")
			if field == "" {
				break
			}
			if field[0] == '*' {
				return true
			}
			tag, isWeak, rest, ok := cutTag(field)
			if !ok {
				break
			}
			if rep.etag != nil && tag == rep.etag[0] && (how == weak || !isWeak) {
				return true
			}
			field = rest
		}
	}
	return false
}

// cutTag takes the first entity tag off a list.
func cutTag(list string) (tag string, isWeak bool, rest string, ok bool) {
	list, isWeak = strings.CutPrefix(list, "W/")
	if list == "" || list[0] != '"' {
		return "", false, "", false
	}
	end := strings.IndexByte(list[1:], '"')
	if end < 0 {
		return "", false, "", false
	}
	return list[:end+2], isWeak, list[end+2:], true
}
