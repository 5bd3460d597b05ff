package main

import (
	"context"
	"fmt"
)

// rated is a case where servers answer as many requests as they can.
type rated struct {
	name, title string
	path        string
	want        string // the answer; empty: the file of this name's size
	size        string
	connections int
	tls         bool
	handshakes  bool   // a new connection, and so a handshake, for each request
	password    bool   // with the right name and password
	base        string // of the comparison; empty: nginx where it is there, or the first
	relative    string // the column that is compared; empty: the rate
	servers     []string
	goals       []goal
}

func (c rated) id() string { return c.name }

const hello = "Hello, World!"

// ratedCases gives what is measured in requests a second.
func ratedCases() []rated {
	var all []rated
	for _, connections := range []int{32, 256} {
		for _, size := range []string{"13B", "10KiB", "1MiB"} {
			all = append(all, proxyCase(size, connections))
		}
	}
	all = append(all, staticCases()...)
	all = append(all, rated{
		name: "respond-32", title: "A fixed text, 32 connections", path: "/text", want: hello, connections: 32,
		servers: []string{"nginx", "haproxy", "caddy", "mountd", "mountd-bare", "mountd-nethttp"},
	})
	all = append(all, tlsCases()...)
	return append(all, rated{
		name: "basic-auth-32", title: "Basic auth, bcrypt of cost 10 (nginx-apr1: MD5), the right password, 32 connections",
		path: "/private/13B.txt", size: "13B", connections: 32, password: true,
		base: "caddy", servers: []string{"nginx", "nginx-apr1", "caddy", "traefik", "mountd", "mountd-nethttp"},
		goals: []goal{atLeast("mountd", 2, "caddy")},
	}, rated{
		name: "layers-32", title: "What layers cost: a proxied answer of 13 B through stacks of mountd, 32 connections",
		path: "/app/13B.txt", size: "13B", connections: 32, password: true,
		servers: []string{"mountd-bare", "mountd-session", "mountd-form", "mountd-basic", "mountd-full", "mountd-ten", "mountd"},
		goals:   []goal{{Server: "mountd-full", Key: keyCPU, Than: "mountd-bare", Most: true, Limit: 1.15}},
	})
}

func proxyCase(size string, connections int) rated {
	c := rated{
		name:  fmt.Sprintf("proxy-%s-%d", size, connections),
		title: fmt.Sprintf("Proxied, %s, %d connections", size, connections),
		path:  "/app/" + size + ".txt", size: size, connections: connections,
		servers: []string{"nginx", "haproxy", "caddy", "traefik", "mountd", "mountd-bare", "mountd-nethttp"},
	}
	if size != "1MiB" {
		c.goals = []goal{
			atLeast("mountd", 0.85, "nginx"), atLeast("mountd-bare", 0.92, "nginx"), atLeast("mountd", 0.95, "haproxy"),
			atLeast("mountd", 3.5, "caddy"), atLeast("mountd", 2.8, "traefik"),
		}
	}
	if connections == 256 {
		c.goals = append(c.goals,
			goal{Server: "mountd", Key: keyP99, Than: "nginx", Most: true, Limit: 1.5},
			goal{Server: "mountd", Key: keyMemory, Most: true, Limit: 25})
	}
	return c
}

func staticCases() []rated {
	var all []rated
	for _, size := range []string{"1KiB", "100KiB", "1MiB"} {
		c := rated{
			name: "static-" + size + "-32", title: "A file of " + size + ", 32 connections",
			path: "/static/" + size + ".txt", size: size, connections: 32,
			servers: []string{"nginx", "caddy", "mountd", "mountd-bare", "mountd-nethttp"},
		}
		if factor := map[string]float64{"1KiB": 1, "100KiB": 1.1}[size]; factor > 0 {
			c.goals = []goal{atLeast("mountd", factor, "nginx"), atLeast("mountd-bare", factor, "nginx")}
		}
		all = append(all, c)
	}
	return all
}

func tlsCases() []rated {
	proxies := []string{"nginx", "haproxy", "caddy", "traefik", "mountd", "mountd-bare", "mountd-nethttp"}
	goals := []goal{atLeast("mountd", 2, "caddy")}
	return []rated{{
		name: "tls-proxy-13B-32", title: "TLS 1.3, proxied, 13 B, 32 connections kept alive", path: "/app/13B.txt", size: "13B",
		connections: 32, tls: true, servers: proxies, goals: goals,
	}, {
		name: "tls-static-1KiB-32", title: "TLS 1.3, a file of 1 KiB, 32 connections kept alive", path: "/static/1KiB.txt", size: "1KiB",
		connections: 32, tls: true, servers: []string{"nginx", "caddy", "mountd", "mountd-bare", "mountd-nethttp"}, goals: goals,
	}, {
		name: "tls-handshakes-32", title: "TLS 1.3, a full handshake (ECDSA P-256) for each request, 32 at a time", path: "/text", want: hello,
		connections: 32, tls: true, handshakes: true, servers: []string{"nginx", "haproxy", "caddy", "mountd", "mountd-nethttp"}, goals: goals,
	}}
}

// fields gives the request fields that a server needs to see.
func (c rated) fields(ctx context.Context, p *process) ([]string, error) {
	switch {
	case p.name == "mountd-form":
		cookie, err := p.login(ctx)
		return []string{"Cookie: " + cookie}, err
	case c.password:
		return []string{"Authorization: Basic " + credentials(userName, userPassword)}, nil
	}
	return nil, nil
}
