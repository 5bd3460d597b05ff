package frontdoor

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strings"

	"github.com/mountd/mountd/internal/request"
)

// meaning is what a header name stands for.
type meaning uint8

const (
	harmless meaning = iota
	identity         // who the user is
	forwarding
	forbidden // never passed on
	framing   // not removed, but no disguise or trailer may have it
)

// The header names with a meaning, in canonical form. X-Forwarded- names that
// are not here are forwarding ones too.
var wellKnown = map[meaning][]string{
	identity: {
		"Remote-User", "Remote-Groups", "Remote-Group", "Remote-Name", "Remote-Email",
		"X-Forwarded-User", "X-Forwarded-Groups", "X-Forwarded-Name", "X-Forwarded-Email", "X-Forwarded-Preferred-Username",
		"X-Remote-User", "X-Remote-Groups", "X-Remote-Group", "X-Remote-Name", "X-Remote-Email",
		"X-Auth-Request-User", "X-Auth-Request-Groups", "X-Auth-Request-Email", "X-Auth-Request-Preferred-Username",
		"X-Webauth-User", "X-Authenticated-User",
	},
	forwarding: {
		"Forwarded", "X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip",
		"X-Original-Forwarded-For", "X-Original-Host", "X-Forwarded", "X-Scheme", "X-Url-Scheme", "Front-End-Https",
	},
	// These would tell an app another path, prefix or method than ours, or
	// where the gateway keeps its files.
	forbidden: {"Proxy", "X-Original-Url", "X-Original-Uri", "X-Original-Method", "X-Rewrite-Url", "X-Script-Name", "X-Sendfile-Type", "X-Accel-Mapping"},
	framing: {
		"Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Te", "Trailer", "Upgrade", "Expect",
		"Authorization", "Proxy-Authorization", "Cookie", "Content-Type", "Content-Encoding", "Content-Range", "Range",
		"Cache-Control", "Max-Forwards", "Set-Cookie", "Location", "Via",
	},
}

const forwardedPrefix = "X-Forwarded-"

// names tells the meaning of header names.
type names struct {
	known   map[string]meaning
	lengths [256]uint64 // by first byte: the lengths of known names, as bits
	allow   map[string]bool
	plain   bool // no everyday name means anything
}

func newNames(ids, allow []string) (names, error) {
	n := names{known: map[string]meaning{}, allow: map[string]bool{}, plain: true}
	for m, list := range wellKnown {
		for _, name := range list {
			n.learn(name, m)
		}
	}
	var errs []error
	for _, name := range ids {
		name = textproto.CanonicalMIMEHeaderKey(name)
		if !tidy(name) || n.known[name] == framing {
			errs = append(errs, fmt.Errorf("identity header %q cannot be one (use letters, digits and dashes, and no name that HTTP uses)", name))
			continue
		}
		n.learn(name, identity)
		n.plain = n.plain && !everyday(name)
	}
	for i, name := range allow {
		var err error
		if fold := foldName(name); name == "" {
			err = errors.New("the name is empty")
		} else if n.of(fold) != harmless {
			err = fmt.Errorf("%q could be taken for %q (rename it in the client)", name, fold)
			if strings.EqualFold(name, fold) {
				err = fmt.Errorf("%q is no client's to send (rename it in the client)", name)
			}
		}
		if err != nil {
			errs = append(errs, &optionError{fmt.Sprintf("http.allow_headers[%d]", i), err})
			continue
		}
		n.allow[http.CanonicalHeaderKey(name)] = true
	}
	return n, errors.Join(errs...)
}

func (n *names) learn(name string, m meaning) {
	n.known[name] = m
	n.lengths[name[0]] |= 1 << min(len(name), 63)
}

// of gives the meaning of a canonical name.
func (n *names) of(name string) meaning {
	if n.lengths[name[0]]&(1<<min(len(name), 63)) != 0 {
		if m, ok := n.known[name]; ok {
			return m
		}
	}
	if strings.HasPrefix(name, forwardedPrefix) {
		return forwarding
	}
	return harmless
}

// everyday tells the names that most requests have, and that mean nothing to us
// unless the operator says so.
func everyday(name string) bool {
	switch name {
	case "Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cache-Control", "Content-Length", "Content-Type",
		"Cookie", "Dnt", "If-Modified-Since", "If-None-Match", "Origin", "Pragma", "Priority", "Range", "Referer",
		"Sec-Ch-Ua", "Sec-Ch-Ua-Mobile", "Sec-Ch-Ua-Platform", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site",
		"Sec-Fetch-User", "Upgrade-Insecure-Requests", "User-Agent", "X-Requested-With":
		return true
	}
	return false
}

// tidy reports whether a name has letters, digits and dashes only and is
// written in its canonical form.
func tidy(name string) bool {
	upper := true
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z':
			if upper {
				return false
			}
		case 'A' <= c && c <= 'Z':
			if !upper {
				return false
			}
		case '0' <= c && c <= '9' || c == '-':
		default:
			return false
		}
		upper = c == '-'
	}
	return name != ""
}

// foldName gives the tidy name that a CGI-style environment cannot tell from
// name.
func foldName(name string) string {
	b := []byte(name)
	for i, c := range b {
		if !('a' <= c|0x20 && c|0x20 <= 'z') && !('0' <= c && c <= '9') {
			b[i] = '-'
		}
	}
	return textproto.CanonicalMIMEHeaderKey(string(b))
}

// clean removes the header fields that no layer may see. The identity headers
// of a trusted peer are kept in the record.
func (d *FrontDoor) clean(rec *request.Record) error {
	h, fields := rec.Request.Header, 0
	if h["Connection"] != nil {
		d.endHop(h)
	}
	for name, values := range h {
		fields += len(values)
		if d.names.plain && everyday(name) {
			continue
		}
		switch d.judge(name) {
		case identity:
			if rec.PeerTrusted {
				if rec.Asserted == nil {
					rec.Asserted = http.Header{}
				}
				rec.Asserted[textproto.CanonicalMIMEHeaderKey(name)] = values
			}
			delete(h, name)
		case forwarding:
			rec.Forwarded = true
			if !rec.PeerTrusted {
				delete(h, name)
			}
		case forbidden:
			delete(h, name)
		}
	}
	if fields > d.maxFields {
		return &request.Error{Status: http.StatusRequestHeaderFieldsTooLarge}
	}
	return nil
}

// endHop removes the fields that the client meant for this hop only (RFC 9110,
// section 7.6.1). It happens before any layer writes fields of its own, so that
// no client can have those removed by listing them. Only fields without a
// meaning to us go: a proxy in front may hand the client's Connection on, and
// what it says of the client itself (X-Forwarded-For) must not be lost by that.
func (d *FrontDoor) endHop(h http.Header) {
	values := h["Connection"]
	if len(values) == 1 && isUsual(values[0]) {
		return
	}
	var kept []string
	for _, value := range values {
		for token := range strings.SplitSeq(value, ",") {
			token = strings.Trim(token, " \t")
			if isUsual(token) {
				kept = append(kept, token)
				continue
			}
			if name := textproto.CanonicalMIMEHeaderKey(token); d.judge(name) == harmless {
				delete(h, name)
			}
		}
	}
	if len(kept) == 0 {
		delete(h, "Connection")
		return
	}
	h["Connection"] = []string{strings.Join(kept, ", ")}
}

// isUsual reports the connection options that are about the connection itself.
func isUsual(token string) bool {
	switch len(token) {
	case 2:
		return strings.EqualFold(token, "te")
	case 5:
		return strings.EqualFold(token, "close")
	case 7:
		return strings.EqualFold(token, "upgrade")
	case 10:
		return strings.EqualFold(token, "keep-alive")
	}
	return false
}

// judge gives the meaning of a name as it came.
func (d *FrontDoor) judge(name string) meaning {
	if tidy(name) {
		return d.names.of(name)
	}
	if d.names.allow[http.CanonicalHeaderKey(name)] {
		return harmless
	}
	if c := textproto.CanonicalMIMEHeaderKey(name); tidy(c) {
		return d.names.of(c)
	}
	return forbidden
}

// guardTrailer removes trailers that must not be taken for header fields: those
// announced now, and those that came unannounced when the body has been read.
func (d *FrontDoor) guardTrailer(r *http.Request) {
	d.scrub(r.Trailer)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &guardedBody{r.Body, d, r.Trailer}
	}
}

func (d *FrontDoor) scrub(trailer http.Header) {
	for name := range trailer {
		if d.judge(name) != harmless || strings.HasPrefix(name, "Content-") || strings.HasPrefix(name, "If-") {
			delete(trailer, name)
		}
	}
}

type guardedBody struct {
	io.ReadCloser
	door    *FrontDoor
	trailer http.Header
}

func (b *guardedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.door.scrub(b.trailer)
	}
	return n, err
}
