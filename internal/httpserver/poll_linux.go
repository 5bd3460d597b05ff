package httpserver

import "golang.org/x/sys/unix"

// pollHalfClosed asks whether the other side has ended its half.
const pollHalfClosed = unix.POLLRDHUP
