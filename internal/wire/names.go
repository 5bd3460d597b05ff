package wire

import "net/textproto"

// A kind tells the fields that mean something to this package.
type kind uint8

const (
	kindOther kind = iota
	kindHost
	kindLength
	kindEncoding
	kindConnection
	kindExpect
	kindUpgrade
	kindTrailer
	kindSingle // has one value, and who reads which of two is anybody's guess
)

type knownName struct {
	name string
	kind kind
}

// known is what most messages are made of. All fields of a kind are here.
var known = [...]knownName{
	{"Host", kindHost}, {"Content-Length", kindLength}, {"Transfer-Encoding", kindEncoding},
	{"Connection", kindConnection}, {"Expect", kindExpect}, {"Upgrade", kindUpgrade}, {"Trailer", kindTrailer},
	{"Content-Type", kindSingle}, {"Authorization", kindSingle},
	{name: "Accept"}, {name: "Accept-Encoding"}, {name: "Accept-Language"}, {name: "Accept-Ranges"},
	{name: "Access-Control-Allow-Origin"}, {name: "Access-Control-Request-Headers"},
	{name: "Access-Control-Request-Method"}, {name: "Age"}, {name: "Allow"}, {name: "Alt-Svc"},
	{name: "Alt-Used"}, {name: "Cache-Control"}, {name: "Content-Disposition"}, {name: "Content-Encoding"},
	{name: "Content-Language"}, {name: "Content-Location"}, {name: "Content-Range"},
	{name: "Content-Security-Policy"}, {name: "Cookie"}, {name: "Date"}, {name: "Dnt"}, {name: "Etag"},
	{name: "Expires"}, {name: "Forwarded"}, {name: "From"}, {name: "Http2-Settings"}, {name: "If-Match"},
	{name: "If-Modified-Since"}, {name: "If-None-Match"}, {name: "If-Range"}, {name: "If-Unmodified-Since"},
	{name: "Keep-Alive"}, {name: "Last-Modified"}, {name: "Link"}, {name: "Location"}, {name: "Origin"},
	{name: "Pragma"}, {name: "Priority"}, {name: "Proxy-Authorization"}, {name: "Proxy-Connection"},
	{name: "Range"}, {name: "Referer"}, {name: "Referrer-Policy"}, {name: "Retry-After"}, {name: "Sec-Ch-Ua"},
	{name: "Sec-Ch-Ua-Mobile"}, {name: "Sec-Ch-Ua-Platform"}, {name: "Sec-Fetch-Dest"},
	{name: "Sec-Fetch-Mode"}, {name: "Sec-Fetch-Site"}, {name: "Sec-Fetch-User"}, {name: "Sec-Gpc"},
	{name: "Sec-Websocket-Accept"}, {name: "Sec-Websocket-Extensions"}, {name: "Sec-Websocket-Key"},
	{name: "Sec-Websocket-Protocol"}, {name: "Sec-Websocket-Version"}, {name: "Server"}, {name: "Set-Cookie"},
	{name: "Strict-Transport-Security"}, {name: "Te"}, {name: "Traceparent"}, {name: "Tracestate"},
	{name: "Upgrade-Insecure-Requests"}, {name: "User-Agent"}, {name: "Vary"}, {name: "Via"},
	{name: "Www-Authenticate"}, {name: "X-Content-Type-Options"}, {name: "X-Csrf-Token"},
	{name: "X-Forwarded-For"}, {name: "X-Forwarded-Host"}, {name: "X-Forwarded-Port"},
	{name: "X-Forwarded-Proto"}, {name: "X-Frame-Options"}, {name: "X-Powered-By"}, {name: "X-Real-Ip"},
	{name: "X-Request-Id"}, {name: "X-Requested-With"},
}

const slots = 512

// index finds the one known name that s, which is not empty, could be.
var index = func() (t [slots]knownName) {
	for _, k := range known {
		t[slot(k.name)] = k
	}
	return t
}()

// slot takes at least two bytes. It is different for all known names, whatever their case; a test holds it
// to that.
func slot(s string) uint {
	n := uint(len(s))
	return (n*133 + uint(s[n-1]|0x20)*13 + uint(s[n-2]|0x20)*290 + uint(s[n/2]|0x20)*44) % slots
}

// canonical gives a field name the form that Go's header maps use. A known name
// is a string of the program's own. It fails for what is no token.
func canonical(s string) (knownName, bool) {
	if len(s) > 1 {
		if k := &index[slot(s)]; s == k.name || sameName(s, k.name) {
			return *k, true
		}
	}
	if !IsToken(s) {
		return knownName{}, false
	}
	return knownName{name: textproto.CanonicalMIMEHeaderKey(s)}, true
}

// sameName compares names whatever their case. b is a known one, which has
// letters, digits and '-' only.
func sameName(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if a[i] != b[i] && (a[i]^b[i] != 0x20 || 'a' > a[i]|0x20 || a[i]|0x20 > 'z') {
			return false
		}
	}
	return true
}

// CanonicalName gives a field name the form that Go's header maps use
// ([textproto.CanonicalMIMEHeaderKey]), for common ones without an allocation.
// It fails for what is no token.
func CanonicalName(name string) (string, bool) {
	k, ok := canonical(name)
	return k.name, ok
}

// method gives the program's own string for a common method.
func method(s string) string {
	switch s {
	case "GET":
		return "GET"
	case "POST":
		return "POST"
	case "HEAD":
		return "HEAD"
	case "PUT":
		return "PUT"
	case "DELETE":
		return "DELETE"
	case "OPTIONS":
		return "OPTIONS"
	case "PATCH":
		return "PATCH"
	case "CONNECT":
		return "CONNECT"
	case "TRACE":
		return "TRACE"
	}
	return s
}
