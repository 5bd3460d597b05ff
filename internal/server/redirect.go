package server

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// toHTTPS answers with the same URL over https, at the port that port gives.
// The host is the one that the client asked for, and nothing in the path can
// become another one, since the answer is absolute.
func toHTTPS(port func() int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, ok := hostOnly(r.Host)
		if !ok || !strings.HasPrefix(r.URL.Path, "/") {
			refuse(w, http.StatusBadRequest)
			return
		}
		if p := port(); p != 443 && p != 0 {
			host = net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(p))
		}
		to := url.URL{
			Scheme:     "https",
			Host:       host,
			Path:       r.URL.Path,
			RawPath:    r.URL.RawPath,
			ForceQuery: r.URL.ForceQuery,
			RawQuery:   printable(r.URL.RawQuery),
		}
		w.Header().Set("Location", to.String())
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusPermanentRedirect)
	})
}

// hostOnly gives the host without its port if it is a name or an address and
// nothing else.
func hostOnly(s string) (string, bool) {
	host := s
	if h, port, err := net.SplitHostPort(s); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil && port != "" {
			return "", false
		}
		host = h
	}
	bare := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if ip, err := netip.ParseAddr(bare); err == nil && ip.Zone() == "" {
		if ip.Is6() {
			return "[" + ip.String() + "]", true
		}
		return ip.String(), true
	}
	if host == "" || len(host) > 253 {
		return "", false
	}
	for _, c := range []byte(host) {
		if !isNameByte(c) {
			return "", false
		}
	}
	return host, true
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '-' || c == '.' || c == '_'
}

// printable escapes what may not stand in a header.
func printable(query string) string {
	var b strings.Builder
	for _, c := range []byte(query) {
		if c <= ' ' || c >= 0x7f || c == '"' || c == '<' || c == '>' {
			b.WriteString("%" + strings.ToUpper(strconv.FormatUint(uint64(c)+0x100, 16)[1:]))
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}
