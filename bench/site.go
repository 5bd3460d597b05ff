package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// site is what every server serves: files, and a backend behind a proxy.
type site struct {
	work  string
	files string
	ports map[string]int
}

var sizes = map[string]int{"13B": 13, "1KiB": 1 << 10, "10KiB": 10 << 10, "100KiB": 100 << 10, "1MiB": 1 << 20}

func newSite(work string) (*site, error) {
	s := &site{work: work, files: filepath.Join(work, "files"), ports: map[string]int{}}
	if err := os.MkdirAll(s.files, 0o755); err != nil {
		return nil, err
	}
	for name, size := range sizes {
		if err := os.WriteFile(filepath.Join(s.files, name+".txt"), text(size), 0o644); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"backend", "nginx", "haproxy", "caddy", "caddy-admin", "traefik", "mountd", "mountd-bare", "mountd-ten", "mountd-one"} {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		s.ports[name] = port
	}
	return s, nil
}

// text gives size bytes that compress badly enough not to flatter anyone.
func text(size int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(size)))
	b := make([]byte, size)
	for i := range b {
		b[i] = "abcdefghijklmnopqrstuvwxyz      \n"[r.IntN(33)]
	}
	return b
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// server is a program with its configuration.
type server struct {
	name string
	port int
	file string // of the configuration
	text string // of it
	args []string
	bin  string
	env  []string
}

func (s *site) config(name, text string) server {
	file := filepath.Join(s.work, name+".conf")
	return server{name: name, port: s.ports[name], file: file, text: strings.ReplaceAll(text, "\t", "    ")}
}

// backend is nginx answering from files, or at once.
func (s *site) backend() server {
	sv := s.config("backend", fmt.Sprintf(`
daemon off; worker_processes 1; pid %[1]s/backend.pid; error_log /dev/null crit;
worker_rlimit_nofile 8192;
events { worker_connections 4096; }
http {
	access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; keepalive_timeout 1h;
	open_file_cache max=100; default_type text/plain;
	client_body_temp_path %[1]s/b1; proxy_temp_path %[1]s/b2; fastcgi_temp_path %[1]s/b3; uwsgi_temp_path %[1]s/b4; scgi_temp_path %[1]s/b5;
	server {
		listen 127.0.0.1:%[2]d backlog=4096;
		location = /13B.txt { return 200 "Hello, World!"; }
		location / { root %[3]s; }
	}
}
`, s.work, s.ports["backend"], s.files))
	sv.bin, sv.args = "nginx", []string{"-c", sv.file, "-p", s.work}
	return sv
}

func (s *site) nginx() server {
	sv := s.config("nginx", fmt.Sprintf(`
daemon off; worker_processes 2; pid %[1]s/nginx.pid; error_log /dev/null crit;
worker_rlimit_nofile 8192;
events { worker_connections 4096; }
http {
	access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; keepalive_timeout 1h;
	default_type text/plain;
	client_body_temp_path %[1]s/n1; proxy_temp_path %[1]s/n2; fastcgi_temp_path %[1]s/n3; uwsgi_temp_path %[1]s/n4; scgi_temp_path %[1]s/n5;
	upstream backend { server 127.0.0.1:%[3]d; keepalive 512; keepalive_requests 1000000000; keepalive_timeout 1h; }
	server {
		listen 127.0.0.1:%[2]d backlog=4096;
		location /static/ { alias %[4]s/; }
		location /app/ {
			proxy_pass http://backend/; proxy_http_version 1.1; proxy_set_header Connection "";
			proxy_set_header Host $http_host;
			proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
			proxy_set_header X-Forwarded-Proto $scheme;
			proxy_set_header X-Forwarded-Host $http_host;
			proxy_set_header X-Forwarded-Prefix /app;
		}
	}
}
`, s.work, s.ports["nginx"], s.ports["backend"], s.files))
	sv.bin, sv.args = "nginx", []string{"-c", sv.file, "-p", s.work}
	return sv
}

func (s *site) haproxy() server {
	sv := s.config("haproxy", fmt.Sprintf(`
global
	nbthread 2
	maxconn 4096
defaults
	mode http
	timeout connect 5s
	timeout client 60s
	timeout server 60s
	option http-keep-alive
	http-reuse always
frontend f
	bind 127.0.0.1:%[1]d backlog 4096
	http-request set-header X-Forwarded-Proto http
	http-request set-header X-Forwarded-Host %%[req.hdr(host)]
	http-request set-header X-Forwarded-Prefix /app
	option forwardfor
	http-request replace-path /app/(.*) /\1
	default_backend b
backend b
	server one 127.0.0.1:%[2]d maxconn 1024 pool-max-conn 1024
`, s.ports["haproxy"], s.ports["backend"]))
	sv.bin, sv.args = "haproxy", []string{"-db", "-f", sv.file}
	return sv
}

func (s *site) caddy() server {
	sv := s.config("caddy", fmt.Sprintf(`
{
	admin off
	auto_https off
	persist_config off
	log {
		level ERROR
	}
}
http://127.0.0.1:%[1]d, http://localhost:%[1]d {
	handle_path /app/* {
		reverse_proxy 127.0.0.1:%[2]d {
			transport http {
				keepalive_idle_conns_per_host 512
				keepalive_idle_conns 512
				compression off
			}
		}
	}
	handle_path /static/* {
		root * %[3]s
		file_server
	}
}
`, s.ports["caddy"], s.ports["backend"], s.files))
	sv.bin, sv.args = "caddy", []string{"run", "--adapter", "caddyfile", "--config", sv.file}
	sv.env = []string{"XDG_DATA_HOME=" + s.work, "XDG_CONFIG_HOME=" + s.work}
	return sv
}

func (s *site) traefik() server {
	dynamic := filepath.Join(s.work, "traefik-dynamic.yaml")
	sv := s.config("traefik", fmt.Sprintf(`
entryPoints:
  web:
    address: 127.0.0.1:%[1]d
providers:
  file:
    filename: %[2]s
log:
  level: ERROR
serversTransport:
  maxIdleConnsPerHost: 512
global:
  checkNewVersion: false
  sendAnonymousUsage: false
`, s.ports["traefik"], dynamic))
	sv.file += ".yaml"
	_ = os.WriteFile(dynamic, fmt.Appendf(nil, `
http:
  routers:
    app: {rule: "PathPrefix(%[1]s)", service: app, middlewares: [strip]}
  middlewares:
    strip: {stripPrefix: {prefixes: [/app]}}
  services:
    app: {loadBalancer: {servers: [{url: "http://127.0.0.1:%[2]d"}]}}
`, "`/app`", s.ports["backend"]), 0o644)
	sv.bin, sv.args = "traefik", []string{"--configFile=" + sv.file}
	return sv
}

// mountd writes a table; use is what every mount goes through.
func (s *site) mountd(name, use string) server {
	sv := s.config(name, fmt.Sprintf(`
listen: 127.0.0.1:%d
watch: false
%s
mounts:
  /app: http://127.0.0.1:%d
  /static: %s
`, s.ports[name], use, s.ports["backend"], s.files))
	sv.file += ".yaml"
	sv.bin, sv.args = "mountd", []string{"run", "-c", sv.file}
	return sv
}

// The stacks that mountd is measured with. The default one writes its access
// log as it does in production: one line for each request.
const (
	bareStack    = "use: [errors]"
	defaultStack = ""
	tenLayers    = `
use:
- request_id
- errors
- ip: {deny: [203.0.113.0/24]}
- limit.concurrent: {max: 1000}
- limit.body: {max: 10MiB}
- secure_headers
- headers: {response: {set: {X-Served-By: mountd}, remove: [Server]}}
- cors: {origins: ["https://example.com"]}
- csrf
- compress: {types: [application/x-never]}`
)
