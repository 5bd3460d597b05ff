package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mountd/mountd/internal/assemble"
	"github.com/mountd/mountd/internal/mountfile"
	"github.com/mountd/mountd/internal/server"
)

func (p *Program) run(ctx context.Context, args []string) error {
	f := p.flags("run")
	file := f.String("c", "", "")
	f.StringVar(file, "config", "", "")
	listen := f.String("listen", "", "")
	dev := f.Bool("dev", false, "")
	rest, err := p.parse(f, args)
	if err != nil {
		return err
	}
	src, err := p.source(*file, rest)
	if err != nil {
		return err
	}
	src.listen, src.dev = *listen, *dev
	r := &runner{p: p, ws: p.workshop(src)}
	return r.run(ctx)
}

// runner serves a table and loads it anew when told to.
type runner struct {
	p      *Program
	ws     *workshop
	logger *programLog

	mu      sync.Mutex // one reload at a time
	table   *mountfile.Table
	site    *assemble.Site
	server  *server.Server
	current atomic.Pointer[generation]
	busy    []*generation // replaced ones that still served requests
	retired sync.WaitGroup

	quit    context.CancelFunc // ends as a signal does
	socket  controlSocket
	started time.Time
	history history
	over    bool // nothing is loaded any more
}

// generation is a site with the number of requests it is serving, so that what
// only it had is closed when the last one has ended.
type generation struct {
	handler http.Handler
	grace   time.Duration
	active  atomic.Int64
	retired atomic.Bool
	idle    chan struct{}
	once    sync.Once
}

func newGeneration(h http.Handler, grace time.Duration) *generation {
	return &generation{handler: h, grace: grace, idle: make(chan struct{})}
}

func (g *generation) leave() {
	if g.active.Add(-1) == 0 && g.retired.Load() {
		g.once.Do(func() { close(g.idle) })
	}
}

// retire makes idle close once no request is served any more.
func (g *generation) retire() {
	g.active.Add(1)
	g.retired.Store(true)
	g.leave()
}

func (g *generation) isIdle() bool {
	select {
	case <-g.idle:
		return true
	default:
		return false
	}
}

// awaitIdle waits until none of the generations serves a request, or grace has
// gone by. A part that a reload removes may be in use by requests of any
// generation before.
func awaitIdle(all []*generation, grace time.Duration) {
	limit := time.NewTimer(grace)
	defer limit.Stop()
	for _, g := range all {
		select {
		case <-g.idle:
		case <-limit.C:
			return
		}
	}
}

// ServeHTTP hands the request to the site of the moment.
func (r *runner) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	g := r.enter()
	defer g.leave()
	g.handler.ServeHTTP(w, req)
}

func (r *runner) enter() *generation {
	for {
		g := r.current.Load()
		g.active.Add(1)
		if g == r.current.Load() {
			return g
		}
		g.leave() // replaced in between
	}
}

func (r *runner) run(ctx context.Context) error {
	table, err := r.p.table(r.ws.src)
	if table == nil {
		return err
	}
	var logErr error
	if r.logger, logErr = r.p.openLog(table); logErr != nil {
		r.logger = discardedLog() // the table may have more mistakes
	}
	defer r.logger.close()
	table, site, err := r.ws.build(r.logger.Logger, nil, nil)
	if err != nil {
		return err
	}
	if logErr != nil {
		return errors.Join(logErr, site.Abort())
	}
	r.table, r.site = table, site
	r.p.printMistakes(r.p.Stderr, site.Warnings)
	r.p.printMistakes(r.p.Stderr, site.Broken)
	cfg, err := serverConfig(table)
	if err != nil {
		return errors.Join(err, site.Abort())
	}
	cfg.Handler, cfg.Logger = r, r.logger.Logger
	site.Commit()
	r.current.Store(newGeneration(site.Handler, table.Settings.Grace))
	r.server, err = server.Listen(cfg)
	if err != nil {
		return errors.Join(err, r.ws.pool.Close())
	}
	ctx, r.quit = context.WithCancel(ctx)
	defer r.quit()
	r.started = time.Now()
	if err := r.openControl(table); err != nil {
		return errors.Join(err, r.server.Close(), r.ws.pool.Close())
	}
	return errors.Join(r.serve(ctx), r.ws.pool.Close(), r.socket.close())
}

// serve runs until ctx ends or a signal comes; the second signal ends it at
// once.
func (r *runner) serve(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	orders := make(chan os.Signal, 4)
	signal.Notify(orders, syscall.SIGHUP, syscall.SIGUSR1)
	defer signal.Stop(orders)
	r.announce() // whoever reads that may send signals
	background, end := context.WithCancel(ctx)
	stopped := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { r.signals(background, orders) })
	if r.table.Settings.Watch && r.ws.src.file != "" {
		wg.Go(func() { watch(background, r.watched, func() { r.reload("the table has changed") }) })
	}
	wg.Go(func() {
		<-background.Done()
		second := make(chan os.Signal, 1)
		signal.Notify(second, os.Interrupt, syscall.SIGTERM)
		defer signal.Stop(second)
		if ctx.Err() != nil {
			r.logger.Info("stopping", "grace", r.current.Load().grace.String())
		}
		select {
		case <-second:
			r.logger.Warn("stopping at once")
			_ = r.server.Close()
		case <-stopped:
		}
	})
	err := r.server.Serve(ctx)
	end()
	close(stopped)
	wg.Wait()
	r.finish()
	return err
}

// finish waits until what was replaced is closed, and lets nobody replace more.
func (r *runner) finish() {
	r.mu.Lock()
	r.over = true
	r.mu.Unlock()
	r.retired.Wait()
}

// signals reloads on SIGHUP and reopens log files on SIGUSR1.
func (r *runner) signals(ctx context.Context, orders <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-orders:
			if s == syscall.SIGHUP {
				r.reload("told to by SIGHUP")
				continue
			}
			if err := errors.Join(r.logger.reopen(), r.ws.reopen.Reopen()); err != nil {
				r.logger.Error("reopen log files", "err", err)
			}
		}
	}
}

// watched gives the files that the table was read from, and those that its
// includes would find now.
func (r *runner) watched() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	files := slices.Clone(r.table.Files)
	for _, pattern := range r.table.Settings.Include {
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(filepath.Dir(r.table.Path), pattern)
		}
		found, _ := filepath.Glob(pattern) // files that are new
		files = append(files, found...)
	}
	return files
}

// reload builds the table anew and swaps it in. A table with mistakes is
// reported, and the old one stays.
func (r *runner) reload(why string) reloaded {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return reloaded{Refused: true, Mistakes: []string{"mountd is stopping"}}
	}
	table, site, err := r.ws.build(r.logger.Logger, r.site, nil)
	if err != nil {
		return r.refused(table, err)
	}
	cfg, err := serverConfig(table)
	if err != nil {
		_ = site.Abort()
		return r.refused(table, err)
	}
	cfg.Handler, cfg.Logger = r, r.logger.Logger
	if err := r.server.Reload(cfg); err != nil {
		_ = site.Abort()
		return r.refused(table, err)
	}
	for _, e := range slices.Concat(site.Warnings, site.Broken) {
		r.logger.Warn("mount table: " + e.Error())
	}
	closeOld := site.Commit()
	old := r.current.Swap(newGeneration(site.Handler, table.Settings.Grace))
	r.table, r.site = table, site
	r.logger.follow(table.Settings.Log)
	if len(site.Broken) > 0 {
		r.logger.Warn("reloaded, but for included files with mistakes", "why", why, "mounts", site.Count(), "mistakes", len(site.Broken))
	} else {
		r.logger.Info("reloaded", "why", why, "mounts", site.Count())
	}
	if err := r.openControl(table); err != nil {
		r.logger.Error("control socket", "err", err)
	}
	old.retire()
	r.busy = append(slices.DeleteFunc(r.busy, (*generation).isIdle), old)
	busy := slices.Clone(r.busy)
	r.retired.Go(func() {
		awaitIdle(busy, old.grace)
		if err := closeOld(); err != nil {
			r.logger.Error("close what the old table had", "err", err)
		}
	})
	return r.history.add(reloaded{Mistakes: messages(site.Broken), Warnings: messages(site.Warnings), Mounts: site.Count()})
}

func (r *runner) refused(table *mountfile.Table, err error) reloaded {
	var found mountfile.Errors
	if !errors.As(err, &found) {
		found = mountfile.Errors{{Message: err.Error()}}
	}
	for _, e := range found {
		r.logger.Error("mount table: " + e.Error())
	}
	r.logger.Error("the table has mistakes, the old one stays", "mistakes", len(found))
	// What it was read from is watched from now on: a mended include counts.
	if table != nil {
		for _, f := range table.Files {
			if !slices.Contains(r.table.Files, f) {
				r.table.Files = append(r.table.Files, f)
			}
		}
	}
	return r.history.add(reloaded{Refused: true, Mistakes: messages(found), Mounts: r.site.Count()})
}

// announce prints a line for each listener, and at a terminal the mounts.
func (r *runner) announce() {
	r.p.printMounts(r.p.Stdout, r.site.Mounts)
	for _, a := range r.server.Addresses() {
		fmt.Fprintf(r.p.Stdout, "%s: serving %s on %s\n", r.p.Name, plural(r.site.Count(), "mount"), a)
	}
}
