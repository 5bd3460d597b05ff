//go:build go1.27

package server

import "net/http"

// setMaxLines moves net/http's own bound on header lines out of the way.
func setMaxLines(s *http.Server, n int) { s.MaxHeaderValueCount = n }
