package limit

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/netip"

	"github.com/mountd/mountd/internal/request"
)

// ByClient gives the key of a request's client: its IPv4 address, or the /64
// network of its IPv6 address, since one client has all of that. Clients
// without an address, as on a unix socket, share one key.
func ByClient(r *http.Request) string {
	addr := clientOf(r).Unmap().WithZone("")
	if !addr.IsValid() {
		return "unknown"
	}
	if addr.Is4() {
		a := addr.As4()
		return "4" + string(a[:])
	}
	a := addr.As16()
	return "6" + string(a[:8])
}

func clientOf(r *http.Request) netip.Addr {
	if rec := request.From(r.Context()); rec != nil {
		return rec.Client
	}
	ap, _ := netip.ParseAddrPort(r.RemoteAddr)
	return ap.Addr()
}

// ByHeader gives a key function over a header field, for a field that a layer
// outside has checked, such as an API key: clients that can choose its value
// freely can choose a fresh limit each time. Requests without it, or with
// several, fall back on [ByClient].
func ByHeader(name string) func(r *http.Request) string {
	name = http.CanonicalHeaderKey(name)
	return func(r *http.Request) string {
		if v := r.Header[name]; len(v) == 1 {
			return v[0]
		}
		return ""
	}
}

// maxKey is the length of the longest key that is kept as it is.
const maxKey = 64

// short bounds the length of a key, and keeps long ones apart.
func short(key string) string {
	if len(key) <= maxKey {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:]) + "…"
}
