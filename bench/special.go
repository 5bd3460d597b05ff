package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// startCase takes the time from the start of the process to its first answer.
type startCase struct{}

func (startCase) id() string                       { return "start-1000-mounts" }
func (startCase) takes(settings) time.Duration     { return 2 * time.Second }
func (webSocketCase) id() string                   { return "websockets-1000-idle" }
func (webSocketCase) takes(settings) time.Duration { return 5 * time.Second }

func (startCase) run(ctx context.Context, s settings, site *site) (*outcome, error) {
	var mounts strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&mounts, "  /app%d: http://127.0.0.1:%d\n", i, site.ports["backend"])
	}
	sv, err := site.alone(mounts.String())
	if err != nil {
		return nil, err
	}
	var times []float64
	for range 5 {
		begin := time.Now()
		p, err := start(ctx, s, sv)
		if err != nil {
			return nil, err
		}
		err = p.check("/app999/13B.txt", nil, []byte(hello))
		times = append(times, milliseconds(time.Since(begin)))
		p.stop()
		if err != nil {
			return nil, err
		}
	}
	return &outcome{
		Title: "From exec to the first answer, with 1,000 mounts", Columns: []column{{"start", "ms"}},
		Rows: []row{{Server: "mountd", Values: map[string]float64{"start": median(times)}}},
	}, nil
}

// webSocketCase opens upgraded connections through mountd and divides what its
// memory has grown by.
type webSocketCase struct{}

func (webSocketCase) run(ctx context.Context, s settings, site *site) (*outcome, error) {
	const many = 1000
	backend, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer backend.Close()
	go upgradeAll(backend)
	out := &outcome{Title: "1,000 idle WebSockets", Columns: []column{{"each", "KiB each"}}}
	for _, name := range []string{"mountd", "mountd-nethttp"} {
		if !s.wants(name) {
			continue
		}
		sv, err := site.alone(fmt.Sprintf("  /ws: http://%s\n", backend.Addr()))
		if err != nil {
			return nil, err
		}
		if name == "mountd-nethttp" {
			sv.env = []string{netHTTP}
		}
		grown, err := upgradeMany(ctx, s, sv, many)
		if err != nil {
			return nil, err
		}
		out.Rows = append(out.Rows, row{Server: name, Values: map[string]float64{"each": float64(grown) / many / 1024}})
	}
	return out, nil
}

// upgradeMany tells by how much the memory of a server grows.
func upgradeMany(ctx context.Context, s settings, sv server, many int) (int64, error) {
	p, err := start(ctx, s, sv)
	if err != nil {
		return 0, err
	}
	defer p.stop()
	before := p.usage().memory
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for range many {
		c, err := net.Dial("tcp", p.address())
		if err != nil {
			return 0, err
		}
		conns = append(conns, c)
		fmt.Fprintf(c, "GET /ws/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return 0, err
		}
		if res.StatusCode != http.StatusSwitchingProtocols {
			return 0, fmt.Errorf("upgrade: %s", res.Status)
		}
	}
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	return p.usage().memory - before, nil
}

// upgradeAll answers every connection with 101, and keeps it.
func upgradeAll(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			r := bufio.NewReader(c)
			if _, err := http.ReadRequest(r); err != nil {
				c.Close()
				return
			}
			fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
			_, _ = r.ReadByte()
			c.Close()
		}()
	}
}
