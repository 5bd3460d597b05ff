//go:build !go1.27

package server

import "net/http"

// setMaxLines does nothing: there is no such bound yet.
func setMaxLines(*http.Server, int) {}
