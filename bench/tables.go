package main

import "fmt"

// stacks that every mount of a mountd goes through. The default one, which is
// not written here, logs every request to a file, as in production.
var stacks = map[string]string{
	"mountd-bare":    "use: []",
	"mountd-session": "use: [session]",
	"mountd-form":    "use: [session, {auth.form: {users: {work}/users.bcrypt}}]",
	"mountd-basic":   "use: [{auth.basic: {users: {work}/users.bcrypt}}]",
	"mountd-full":    "use: [request_id, errors, session, {auth.basic: {users: {work}/users.bcrypt}}]",
	"mountd-ten": `use:
- request_id
- errors
- ip: {deny: [203.0.113.0/24]}
- limit.concurrent: {max: 1000}
- limit.body: {max: 10MiB}
- secure_headers
- headers: {response: {set: {X-Served-By: mountd}, remove: [Server]}}
- cors: {origins: ["https://example.com"]}
- csrf
- compress: {types: [application/x-never]}`,
}

// netHTTP puts the server of net/http in front of mountd, to compare with.
const netHTTP = "MOUNTD_HTTP1=net/http"

// mountd writes the table of a mountd.
func (s *site) mountd(sv *server) {
	listen, secure := fmt.Sprintf("127.0.0.1:%d", sv.port), ""
	if sv.secure != 0 {
		listen = fmt.Sprintf(`["http://127.0.0.1:%d", "127.0.0.1:%d"]`, sv.port, sv.secure)
		secure = s.fill("tls: {cert: {work}/cert.pem, key: {work}/key.pem}")
	}
	private := ""
	if _, ok := stacks[sv.name]; !ok {
		private = s.fill("  /private: {proxy: \"http://127.0.0.1:{backend}\", use: [default, {auth.basic: {users: {work}/users.bcrypt}}]}")
	}
	if sv.name == "mountd-nethttp" {
		sv.env = []string{netHTTP}
	}
	s.table(sv, s.fill(`
listen: {listen}
watch: false
{secure}
{use}
mounts:
  /app: http://127.0.0.1:{backend}
  /static: {files}
  /text: "respond:Hello, World!"
{private}
`, "{listen}", listen, "{secure}", secure, "{use}", s.fill(stacks[sv.name]), "{private}", private))
}

// table makes a server a mountd with this table.
func (s *site) table(sv *server, text string) {
	sv.bin = "mountd"
	s.configure(sv, ".yaml", text, "run", "-c")
}

// alone gives a mountd whose table has these mounts only.
func (s *site) alone(mounts string) (server, error) {
	sv := server{name: "mountd-alone", files: map[string]string{}}
	var err error
	if sv.port, err = s.port(sv.name); err != nil {
		return sv, err
	}
	s.table(&sv, fmt.Sprintf("listen: 127.0.0.1:%d\nmounts:\n%s", sv.port, mounts))
	return sv, nil
}
