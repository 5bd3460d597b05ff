package accesslog

import (
	"sync/atomic"
	"time"
)

// A clock writes times. What is the same throughout a second is written once.
type clock struct{ last atomic.Pointer[second] }

// A second is "2006-01-02T15:04:05." and the time's zone. Zones change at
// whole seconds only.
type second struct {
	unix        int64
	place       *time.Location
	before, end string
}

// append writes t with its milliseconds, as RFC 3339 has it.
func (c *clock) append(b []byte, t time.Time) []byte {
	s := c.last.Load()
	if s == nil || s.unix != t.Unix() || s.place != t.Location() {
		s = &second{t.Unix(), t.Location(), t.Format("2006-01-02T15:04:05."), t.Format("Z07:00")}
		c.last.Store(s)
	}
	ms := t.Nanosecond() / 1e6
	b = append(b, s.before...)
	b = append(b, byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
	return append(b, s.end...)
}
