// Command guestbook is a small application for the demo table. It believes to
// live at the root of its host: its redirects and cookies say so.
package main

import (
	_ "embed"
	"flag"
	"html/template"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

//go:embed page.html
var source string

var page = template.Must(template.New("page").Parse(source))

type entry struct {
	Who  string
	When time.Time
}

type guestbook struct {
	mu      sync.Mutex
	entries []entry
}

func (g *guestbook) show(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	entries := append([]entry(nil), g.entries...)
	g.mu.Unlock()
	who := r.FormValue("who")
	if c, err := r.Cookie("who"); err == nil && who == "" {
		who, _ = url.QueryUnescape(c.Value)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = page.Execute(w, map[string]any{"Entries": entries, "Who": who, "Path": r.URL.Path, "Prefix": r.Header.Get("X-Forwarded-Prefix")})
}

func (g *guestbook) sign(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4096)
	who := strings.TrimSpace(r.FormValue("who"))
	if who == "" || utf8.RuneCountInString(who) > 40 {
		http.Error(w, "a name of 1 to 40 characters", http.StatusBadRequest)
		return
	}
	g.mu.Lock()
	g.entries = append([]entry{{who, time.Now()}}, g.entries[:min(len(g.entries), 19)]...)
	g.mu.Unlock()
	// Both name its own root, not the site's.
	http.SetCookie(w, &http.Cookie{Name: "who", Value: url.QueryEscape(who), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func main() {
	socket := flag.String("socket", "/tmp/mountd-demo.sock", "listen on this unix socket")
	flag.Parse()
	_ = os.Remove(*socket)
	listener, err := net.Listen("unix", *socket)
	if err != nil {
		log.Fatal(err)
	}
	g := &guestbook{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", g.show)
	mux.HandleFunc("POST /sign", g.sign)
	mux.HandleFunc("GET /crash", func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.Serve(listener))
}
