package accesslog

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/mountd/mountd/internal/logtext"
)

func headerField(side, name string) (appender, error) {
	key := http.CanonicalHeaderKey(name)
	if secret(key) {
		return nil, fmt.Errorf("%s carries credentials and is never logged", key)
	}
	if name == "" || strings.ContainsAny(name, " {}\t\"") {
		return nil, fmt.Errorf("%q is no header name", name)
	}
	return func(m *Middleware, b []byte, e *entry) []byte {
		h := e.w.Header()
		if side == "request" {
			h = e.r.Header
		}
		for i, line := range h[key] {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = m.redact.AppendText(b, line, logtext.ASCII)
		}
		return b
	}, nil
}

func secret(key string) bool {
	switch key {
	case "Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "Cookie2", "Set-Cookie2":
		return true
	}
	return false
}
