//go:build unix && !linux

package httpserver

// pollHalfClosed: only Linux tells this apart from bytes to read.
const pollHalfClosed = 0
