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

// special measures what is no matter of requests a second: the start with many
// mounts, and connections that only wait.
func special(ctx context.Context, s settings, st *site, rep *report) error {
	for _, one := range []struct {
		name string
		run  func(context.Context, settings, *site) (string, error)
	}{
		{"start-1000-mounts", startMany},
		{"websockets-1000-idle", idleWebSockets},
	} {
		if !s.only.MatchString(one.name) {
			continue
		}
		text, err := one.run(ctx, s, st)
		if err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
		rep.note(one.name + ": " + text)
	}
	return nil
}

// startMany takes the time from the start of the process to its first answer.
func startMany(ctx context.Context, s settings, site *site) (string, error) {
	var mounts strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&mounts, "  /app%d: http://127.0.0.1:%d\n", i, site.ports["backend"])
	}
	sv := site.config("mountd-one", fmt.Sprintf("listen: 127.0.0.1:%d\nmounts:\n%s", site.ports["mountd-one"], mounts.String()))
	sv.file += ".yaml"
	sv.bin, sv.args = "mountd", []string{"run", "-c", sv.file}
	var times []time.Duration
	for range max(3, s.rounds) {
		begin := time.Now()
		p, err := start(ctx, s, sv)
		if err != nil {
			return "", err
		}
		err = p.check("/app999/13B.txt", []byte("Hello, World!"))
		times = append(times, time.Since(begin))
		p.stop()
		if err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%v from exec to the first answer (median of %d)", median(times).Round(time.Millisecond), len(times)), nil
}

// idleWebSockets opens upgraded connections through mountd and divides what
// its memory has grown by.
func idleWebSockets(ctx context.Context, s settings, site *site) (string, error) {
	const many = 1000
	backend, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer backend.Close()
	go upgradeAll(backend)
	sv := site.config("mountd-one", fmt.Sprintf("listen: 127.0.0.1:%d\nmounts:\n  /ws: http://%s\n", site.ports["mountd-one"], backend.Addr()))
	sv.file += ".yaml"
	sv.bin, sv.args = "mountd", []string{"run", "-c", sv.file}
	p, err := start(ctx, s, sv)
	if err != nil {
		return "", err
	}
	defer p.stop()
	before := p.usage().rss
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for range many {
		c, err := net.Dial("tcp", p.address())
		if err != nil {
			return "", err
		}
		conns = append(conns, c)
		fmt.Fprintf(c, "GET /ws/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return "", err
		}
		if res.StatusCode != http.StatusSwitchingProtocols {
			return "", fmt.Errorf("upgrade: %s", res.Status)
		}
	}
	select {
	case <-time.After(3 * time.Second):
	case <-ctx.Done():
		return "", ctx.Err()
	}
	grown := p.usage().rss - before
	return fmt.Sprintf("%.1f KiB each", float64(grown)/many/1024), nil
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
