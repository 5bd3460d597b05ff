package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/mountd/mountd/internal/control"
	"github.com/mountd/mountd/internal/mountfile"
)

// controlSocket is where a running program takes orders.
type controlSocket struct {
	server  *control.Server // nil: there is none
	setting mountfile.Control
}

func (c *controlSocket) close() error {
	if c.server == nil {
		return nil
	}
	return c.server.Close()
}

// openControl opens the socket that the table asks for, and closes the one
// before. A socket that was asked for by its path and can't be had is an error.
func (r *runner) openControl(table *mountfile.Table) error {
	setting := cmp.Or(table.Settings.Control, "auto")
	if setting == r.socket.setting && (r.socket.server != nil || setting == "off") {
		return nil
	}
	fresh, err := r.listenControl(setting)
	switch {
	case errors.Is(err, control.ErrTaken):
		r.logger.Warn("no control socket: another mountd runs this table", "err", err)
	case err != nil && setting == "auto":
		r.logger.Warn("no control socket", "err", err)
	case err != nil:
		return notThere(table, err)
	}
	old := r.socket
	r.socket = controlSocket{fresh, setting}
	if old.server == nil {
		return nil
	}
	if err := old.server.Unlink(); err != nil {
		r.logger.Error("remove the old control socket", "err", err)
	}
	r.retired.Go(func() { // it may be serving the request to reload
		if err := old.close(); err != nil {
			r.logger.Error("close the old control socket", "err", err)
		}
	})
	return nil
}

// notThere is the mistake of a path where no socket can be.
func notThere(table *mountfile.Table, err error) *mountfile.Error {
	return setting(table, "control").Errorf("control socket: %v", err).WithHint("choose another path, auto or off")
}

// listenControl gives no server where none is wanted: where it is off, or there
// is no table that could name it.
func (r *runner) listenControl(setting mountfile.Control) (*control.Server, error) {
	path := string(setting)
	switch setting {
	case "off":
		return nil, nil
	case "auto":
		if r.ws.src.file == "" {
			return nil, nil
		}
		table, err := filepath.Abs(r.ws.src.file)
		if err != nil {
			return nil, err
		}
		if path, err = control.OwnPlaces(r.p.Env).Socket(table); err != nil {
			return nil, err
		}
	}
	return control.Listen(path, r.orders())
}

// status is what a running program tells of itself.
type status struct {
	Version   string    `json:"version"`
	PID       int       `json:"pid"`
	Table     string    `json:"table"`
	Started   time.Time `json:"started"`
	Listeners []string  `json:"listeners"`
	Mounts    int       `json:"mounts"`
	Reloads   int       `json:"reloads"`
	Last      *reloaded `json:"last_reload,omitempty"`
}

// reloaded is what became of a reload.
type reloaded struct {
	At       time.Time `json:"at"`
	Refused  bool      `json:"refused"` // the old table stays
	Mistakes []string  `json:"mistakes,omitempty"`
	Warnings []string  `json:"warnings,omitempty"`
	Mounts   int       `json:"mounts"`
}

// history counts reloads and keeps the last one.
type history struct {
	count int
	last  *reloaded
}

func (h *history) add(now reloaded) reloaded {
	now.At = time.Now()
	h.count++
	h.last = &now
	return now
}

func messages(errs mountfile.Errors) []string {
	var lines []string
	for _, e := range errs {
		lines = append(lines, e.Error())
	}
	return lines
}

// sessionList is what is told of sessions. Total counts those that are left
// out, too.
type sessionList struct {
	Sessions []sessionLine `json:"sessions"`
	Total    int           `json:"total"`
	Failures []string      `json:"failures,omitempty"` // of stores
}

type sessionLine struct {
	ID      string    `json:"id"`
	User    string    `json:"user"`
	Store   string    `json:"store"`
	Created time.Time `json:"created"`
	Seen    time.Time `json:"seen"`
	Expires time.Time `json:"expires"`
}

// sessionEnd says which sessions are to end: one of the three.
type sessionEnd struct {
	ID   string `json:"id,omitempty"`
	User string `json:"user,omitempty"`
	All  bool   `json:"all,omitempty"`
}

type sessionsEnded struct {
	Ended    int      `json:"ended"`
	Failures []string `json:"failures,omitempty"`
}

// maxListed bounds how many sessions are told of at once.
const maxListed = 10_000

// orders answers what is asked over the control socket.
func (r *runner) orders() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { tell(w, r.status()) })
	mux.HandleFunc("POST /reload", func(w http.ResponseWriter, _ *http.Request) { tell(w, r.reload("told to by mountd reload")) })
	mux.HandleFunc("POST /stop", func(w http.ResponseWriter, _ *http.Request) {
		tell(w, r.status())
		r.quit()
	})
	mux.HandleFunc("GET /sessions", r.listSessions)
	mux.HandleFunc("POST /sessions/end", r.endSessions)
	return mux
}

func tell(w http.ResponseWriter, what any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(what) // who asked may have left
	_ = http.NewResponseController(w).Flush()
}

func (r *runner) status() status {
	r.mu.Lock()
	defer r.mu.Unlock()
	table := r.ws.src.file
	if abs, err := filepath.Abs(table); err == nil && table != "" {
		table = abs
	}
	return status{
		Version: r.p.versionText(), PID: os.Getpid(), Table: table, Started: r.started, Listeners: r.server.Addresses(),
		Mounts: r.site.Count(), Reloads: r.history.count, Last: r.history.last,
	}
}

func (r *runner) listSessions(w http.ResponseWriter, req *http.Request) {
	ctx := context.WithoutCancel(req.Context())
	found, err := r.ws.logins.List(ctx, req.URL.Query().Get("user"))
	list := sessionList{Total: len(found), Failures: failures(err), Sessions: []sessionLine{}}
	for _, s := range found[:min(len(found), maxListed)] {
		list.Sessions = append(list.Sessions, sessionLine{s.ID, s.User, s.Store, s.Created, s.Seen, s.Expires})
	}
	tell(w, list)
}

func (r *runner) endSessions(w http.ResponseWriter, req *http.Request) {
	var what sessionEnd
	if err := json.NewDecoder(req.Body).Decode(&what); err != nil {
		http.Error(w, "which sessions? "+err.Error(), http.StatusBadRequest)
		return
	}
	ctx := context.WithoutCancel(req.Context())
	var done sessionsEnded
	var err error
	switch {
	case what.ID != "":
		var ended bool
		if ended, err = r.ws.logins.End(ctx, what.ID); ended {
			done.Ended = 1
		}
	case what.User != "":
		done.Ended, err = r.ws.logins.EndUser(ctx, what.User)
	case what.All:
		done.Ended, err = r.ws.logins.EndAll(ctx)
	default:
		http.Error(w, "which sessions?", http.StatusBadRequest)
		return
	}
	done.Failures = failures(err)
	r.logger.Info("sessions ended by an operator", "ended", done.Ended, "user", what.User, "all", what.All)
	tell(w, done)
}

// failures gives a line for each store that failed.
func failures(err error) []string {
	if err == nil {
		return nil
	}
	many, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []string{err.Error()}
	}
	var lines []string
	for _, e := range many.Unwrap() {
		lines = append(lines, e.Error())
	}
	return lines
}
