package main

import (
	"fmt"
	"strings"
)

// fill replaces {names}, in pairs with what they stand for; configurations are
// written with tabs here.
func (s *site) fill(text string, pairs ...any) string {
	replace := []string{"\t", "    ", "{work}", s.work, "{files}", s.files, "{backend}", fmt.Sprint(s.ports["backend"])}
	for _, p := range pairs {
		replace = append(replace, fmt.Sprint(p))
	}
	return strings.NewReplacer(replace...).Replace(text)
}

const nginxHead = `
daemon off; worker_processes {workers}; pid {work}/{name}.pid; error_log /dev/null crit;
worker_rlimit_nofile {descriptors};
events { worker_connections {connections}; }
http {
	access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; keepalive_timeout 1h;
	default_type text/plain;
	client_body_temp_path {work}/{name}1; proxy_temp_path {work}/{name}2; fastcgi_temp_path {work}/{name}3;
	uwsgi_temp_path {work}/{name}4; scgi_temp_path {work}/{name}5;
`

// backend is nginx answering from files, or at once.
func (s *site) backend() server {
	sv := server{name: "backend", bin: "nginx", files: map[string]string{}}
	sv.port, _ = s.port("backend")
	s.configure(&sv, ".conf", s.fill(nginxHead+`
	open_file_cache max=100;
	server {
		listen 127.0.0.1:{backend} backlog=4096;
		location = /13B.txt { return 200 "Hello, World!"; }
		location / { root {files}; }
	}
}
`, "{name}", "backend", "{workers}", 1, "{descriptors}", 8192, "{connections}", 4096), "-p", s.work, "-c")
	return sv
}

// configure gives a server its file, whose name ends its command line.
func (s *site) configure(sv *server, ending, text string, args ...string) {
	file := s.file(sv.name + ending)
	sv.files[file], sv.args = text, append(args, file)
}

func (s *site) nginx(sv *server, v variant) {
	sv.bin = "nginx"
	secure, users, descriptors, connections := "", "users.bcrypt", 8192, 4096
	if sv.secure != 0 {
		secure = s.fill("listen 127.0.0.1:{port} ssl backlog=4096; ssl_certificate {work}/cert.pem; ssl_certificate_key {work}/key.pem; ssl_protocols TLSv1.2 TLSv1.3;", "{port}", sv.secure)
	}
	if sv.name == "nginx-apr1" {
		users = "users.apr1"
	}
	if v.many {
		descriptors, connections = 20000, 16384 // its memory grows with these
	}
	s.configure(sv, ".conf", s.fill(nginxHead+`
	upstream backend { server 127.0.0.1:{backend}; keepalive 512; keepalive_requests 1000000000; keepalive_timeout 1h; }
	proxy_http_version 1.1;
	proxy_set_header Connection "";
	proxy_set_header Host $http_host;
	proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
	proxy_set_header X-Forwarded-Proto $scheme;
	proxy_set_header X-Forwarded-Host $http_host;
	proxy_set_header X-Forwarded-Prefix /app;
	server {
		listen 127.0.0.1:{port} backlog=4096;
		{secure}
		location = /text { return 200 "Hello, World!"; }
		location /static/ { alias {files}/; }
		location /app/ { proxy_pass http://backend/; }
		location /private/ { auth_basic Restricted; auth_basic_user_file {work}/{users}; proxy_pass http://backend/; }
	}
}
`, "{name}", sv.name, "{workers}", 2, "{descriptors}", descriptors, "{connections}", connections, "{port}", sv.port, "{secure}", secure, "{users}", users), "-p", s.work, "-c")
}

func (s *site) haproxy(sv *server) {
	sv.bin = "haproxy"
	secure := ""
	if sv.secure != 0 {
		secure = s.fill("bind 127.0.0.1:{port} backlog 4096 ssl crt {work}/both.pem ssl-min-ver TLSv1.2 alpn http/1.1", "{port}", sv.secure)
	}
	s.configure(sv, ".cfg", s.fill(`
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
	bind 127.0.0.1:{port} backlog 4096
	{secure}
	http-request return status 200 content-type text/plain string "Hello, World!" if { path /text }
	http-request set-header X-Forwarded-Proto https if { ssl_fc }
	http-request set-header X-Forwarded-Proto http unless { ssl_fc }
	http-request set-header X-Forwarded-Host %[req.hdr(host)]
	http-request set-header X-Forwarded-Prefix /app
	option forwardfor
	http-request replace-path /app/(.*) /\1
	default_backend b
backend b
	server one 127.0.0.1:{backend} maxconn 1024 pool-max-conn 1024
`, "{port}", sv.port, "{secure}", secure), "-db", "-f")
}

func (s *site) caddy(sv *server) {
	sv.bin = "caddy"
	secure := ""
	if sv.secure != 0 {
		secure = s.fill("https://127.0.0.1:{port}, https://localhost:{port} {\n\ttls {work}/cert.pem {work}/key.pem\n\timport site\n}\n", "{port}", sv.secure)
	}
	s.configure(sv, ".caddy", s.fill(`
{
	admin off
	auto_https off
	persist_config off
	default_sni localhost
	servers {
		protocols h1 h2
	}
	log {
		level ERROR
	}
}
(backend) {
	reverse_proxy 127.0.0.1:{backend} {
		transport http {
			keepalive_idle_conns_per_host 512
			keepalive_idle_conns 512
			compression off
		}
	}
}
(site) {
	respond /text "Hello, World!"
	handle_path /app/* {
		import backend
	}
	handle_path /private/* {
		basic_auth {
			{user} {hash}
		}
		import backend
	}
	handle_path /static/* {
		root * {files}
		file_server
	}
}
http://127.0.0.1:{port}, http://localhost:{port} {
	import site
}
{secure}
`, "{port}", sv.port, "{secure}", secure, "{user}", userName, "{hash}", bcryptHash), "run", "--adapter", "caddyfile", "--config")
	sv.env = []string{"XDG_DATA_HOME=" + s.work, "XDG_CONFIG_HOME=" + s.work}
}

func (s *site) traefik(sv *server) {
	sv.bin = "traefik"
	secure := ""
	if sv.secure != 0 {
		secure = s.fill("\n  websecure: {address: \"127.0.0.1:{port}\", http: {tls: {}}}", "{port}", sv.secure)
	}
	dynamic := s.file("traefik-dynamic.yaml")
	sv.files[dynamic] = s.fill(`
http:
  routers:
    app: {rule: "PathPrefix({q}/app{q})", service: backend, middlewares: [strip]}
    private: {rule: "PathPrefix({q}/private{q})", service: backend, middlewares: [users, strip]}
  middlewares:
    strip: {stripPrefix: {prefixes: [/app, /private]}}
    users: {basicAuth: {users: ["{user}:{hash}"]}}
  services:
    backend: {loadBalancer: {servers: [{url: "http://127.0.0.1:{backend}"}]}}
tls:
  stores: {default: {defaultCertificate: {certFile: "{work}/cert.pem", keyFile: "{work}/key.pem"}}}
`, "{q}", "`", "{user}", userName, "{hash}", bcryptHash)
	s.configure(sv, ".yaml", s.fill(`
entryPoints:
  web: {address: "127.0.0.1:{port}"}{secure}
providers:
  file:
    filename: {dynamic}
log:
  level: ERROR
serversTransport:
  maxIdleConnsPerHost: 512
global:
  checkNewVersion: false
  sendAnonymousUsage: false
`, "{port}", sv.port, "{secure}", secure, "{dynamic}", dynamic))
	for file := range sv.files {
		if file != dynamic {
			sv.args = []string{"--configFile=" + file}
		}
	}
}
