package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/mountd/mountd/internal/request"
)

// A Preview is what an upstream would be sent for a request.
type Preview struct {
	Method, Target string
	Header         http.Header
	Notes          []string // what else would play a part
}

// Preview tells what would be sent for r, and to whom, without sending it or
// taking part in balancing.
func (p *Proxy) Preview(r *http.Request) Preview {
	pre := Preview{Method: r.Method, Header: http.Header{}}
	list := p.available()
	if len(list) == 0 {
		pre.Notes = append(pre.Notes, p.noneLeft().Error())
		list = p.upstreams
	}
	o, err := list[0].origin(r)
	if err != nil {
		pre.Notes = append(pre.Notes, err.Error())
		return pre
	}
	f := framing{length: r.ContentLength, declare: r.ContentLength == 0 && meansContent(r.Method)}
	head, err := p.appendHead(nil, r, request.From(r.Context()), o, f, "")
	if err != nil {
		pre.Notes = append(pre.Notes, err.Error())
		return pre
	}
	line, fields, _ := bytes.Cut(head, []byte("\r\n"))
	if parts := strings.Split(string(line), " "); len(parts) == 3 {
		pre.Target = parts[1]
	}
	if h, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(fields))).ReadMIMEHeader(); err == nil {
		pre.Header = http.Header(h)
	}
	if o.network == "unix" {
		pre.Target = "unix:" + o.addr + " " + pre.Target
	} else {
		pre.Target = o.scheme() + "://" + o.addr + pre.Target
	}
	if n := len(p.upstreams); n > 1 {
		pre.Notes = append(pre.Notes, fmt.Sprintf("one of %d upstreams, %d of them available", n, len(list)))
	}
	return pre
}

// available gives the upstreams that might be chosen now.
func (p *Proxy) available() []*upstream {
	p.balancer.mu.Lock()
	defer p.balancer.mu.Unlock()
	list, _ := p.candidates(nil)
	return slices.Clone(list)
}
