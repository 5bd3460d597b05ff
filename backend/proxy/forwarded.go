package proxy

import (
	"bytes"
	"net/http"
	"net/netip"
	"strings"

	"github.com/mountd/mountd/internal/request"
)

// appendForwarded writes the fields that tell the upstream who asked for what.
func (p *Proxy) appendForwarded(dst []byte, r *http.Request, rec *request.Record, foreign bool) ([]byte, int, error) {
	n := 0
	peer, client, host, proto, trusted := whence(r, rec)
	if peer.IsValid() || trusted {
		dst = append(dst, "X-Forwarded-For: "...)
		start := len(dst)
		if trusted {
			for _, v := range r.Header["X-Forwarded-For"] {
				dst = append(dst, v...)
				dst = append(dst, ',', ' ')
			}
		}
		if peer.IsValid() {
			dst = peer.AppendTo(dst)
		} else {
			dst = bytes.TrimSuffix(dst, []byte(", "))
		}
		if len(dst) == start {
			dst = dst[:start-len("X-Forwarded-For: ")]
		} else {
			dst = append(dst, '\r', '\n')
			n++
		}
	}
	if client.IsValid() {
		dst = append(dst, "X-Real-Ip: "...)
		dst = client.AppendTo(dst)
		dst = append(dst, '\r', '\n')
		n++
	}
	if !foreign {
		dst = appendField(dst, "X-Forwarded-Host", host)
		n++
	}
	dst = appendField(dst, "X-Forwarded-Proto", proto)
	n++
	dst, k := p.appendForwardedPrefix(dst, r, rec)
	n += k
	dst = append(dst, "Forwarded: "...)
	if trusted {
		for _, v := range r.Header["Forwarded"] {
			dst = append(dst, v...)
			dst = append(dst, ',', ' ')
		}
	}
	dst = appendElement(dst, peer, host, proto, foreign)
	n++
	via := r.Header["Via"]
	dst = append(dst, "Via: "...)
	hops := 0
	for _, v := range via {
		hops += strings.Count(v, viaName)
		dst = append(dst, v...)
		dst = append(dst, ',', ' ')
	}
	if hops >= maxHops {
		return dst, n, errLoop
	}
	dst = append(dst, viaName+"\r\n"...)
	return dst, n + 1, nil
}

func (p *Proxy) appendForwardedPrefix(dst []byte, r *http.Request, rec *request.Record) ([]byte, int) {
	const name = "X-Forwarded-Prefix: "
	dst = append(dst, name...)
	start := len(dst)
	if rec != nil && rec.Prefix != "" {
		dst = appendEscaped(dst, strings.TrimRight(rec.Prefix, "/"), true)
	}
	if !p.cfg.KeepPrefix {
		dst = p.appendScriptName(dst, r)
	}
	if len(dst) == start {
		return dst[:start-len(name)], 0
	}
	return append(dst, '\r', '\n'), 1
}

// appendElement writes this hop's element of Forwarded, RFC 7239, and the end
// of the line.
func appendElement(dst []byte, peer netip.Addr, host, proto string, foreign bool) []byte {
	dst = append(dst, "for="...)
	switch {
	case !peer.IsValid():
		dst = append(dst, "unknown"...)
	case peer.Is4():
		dst = peer.AppendTo(dst)
	default:
		dst = append(dst, '"', '[')
		dst = peer.AppendTo(dst)
		dst = append(dst, ']', '"')
	}
	if !foreign && strings.IndexByte(host, '"') < 0 && strings.IndexByte(host, '\\') < 0 {
		dst = append(dst, ";host=\""...)
		dst = append(dst, host...)
		dst = append(dst, '"')
	}
	dst = append(dst, ";proto="...)
	dst = append(dst, proto...)
	return append(dst, '\r', '\n')
}

// whence tells where r comes from: the front door knows, or else the
// connection is believed and nothing else.
func whence(r *http.Request, rec *request.Record) (peer, client netip.Addr, host, proto string, trusted bool) {
	if rec != nil {
		peer, client, host, proto, trusted = rec.Peer, rec.Client, rec.HostPort, rec.Scheme, rec.PeerTrusted
	} else {
		peer = remoteAddr(r.RemoteAddr)
		client = peer
	}
	if host == "" {
		host = r.Host
	}
	if proto == "" {
		proto = "http"
		if r.TLS != nil {
			proto = "https"
		}
	}
	return peer, client, host, proto, trusted
}

func remoteAddr(s string) netip.Addr {
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}
