package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server that was started.
type process struct {
	server
	cmd   *exec.Cmd
	ready time.Duration // from its start to the first connection
	done  chan error
}

// errMissing says that a peer is not installed.
var errMissing = errors.New("not installed")

func (s settings) find(name string) (string, error) {
	if name == "mountd" {
		return s.mountd, nil
	}
	if s.peers != "" {
		if path, err := exec.LookPath(filepath.Join(s.peers, name)); err == nil {
			return filepath.Abs(path)
		}
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", errMissing
	}
	return path, nil
}

func start(ctx context.Context, s settings, sv server) (*process, error) {
	bin, err := s.find(sv.bin)
	if err != nil {
		return nil, err
	}
	for file, text := range sv.files {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	log, err := os.Create(filepath.Join(s.work, sv.name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &process{server: sv, done: make(chan error, 1)}
	p.cmd = exec.Command(bin, sv.args...)
	p.cmd.Env = append(os.Environ(), sv.env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	begin := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.done <- p.cmd.Wait() }()
	for {
		conn, err := net.Dial("tcp", p.address())
		if err == nil {
			p.ready = time.Since(begin)
			return p, conn.Close()
		}
		select {
		case <-p.done:
			text, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("%s ended: %s", sv.name, text)
		case <-ctx.Done():
			p.stop()
			return nil, ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
		if time.Since(begin) > 30*time.Second {
			p.stop()
			return nil, fmt.Errorf("%s does not listen", sv.name)
		}
	}
}

func (p *process) address() string { return "127.0.0.1:" + strconv.Itoa(p.port) }

// url gives a path's address, with TLS where the server has it.
func (p *process) url(path string) string {
	if p.secure != 0 {
		return "https://127.0.0.1:" + strconv.Itoa(p.secure) + path
	}
	return "http://" + p.address() + path
}

// stop ends the process and what it started.
func (p *process) stop() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(3 * time.Second):
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
	}
}

// settle waits until the answer is right: some servers listen before they have
// read all of their configuration.
func (p *process) settle(ctx context.Context, path string, fields []string, want []byte) error {
	for begin := time.Now(); ; {
		err := p.check(path, fields, want)
		if err == nil || time.Since(begin) > 10*time.Second {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// trusting accepts the certificate that was made for this run.
func trusting() *http.Transport {
	return &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
}

// check compares one answer with what it must be.
func (p *process) check(path string, fields []string, want []byte) error {
	req, err := http.NewRequest(http.MethodGet, p.url(path), nil)
	if err != nil {
		return err
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		req.Header.Set(name, value)
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: trusting(), CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK || string(body) != string(want) {
		return fmt.Errorf("%s answers %s with %d bytes instead of %d", p.name, res.Status, len(body), len(want))
	}
	return nil
}

var tokenField = regexp.MustCompile(`name="token" value="([^"]+)"`)

// login sends the form of mountd's login page, and gives the cookies that it
// answers with.
func (p *process) login(ctx context.Context) (string, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: trusting(), Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	page := p.url("/.mountd/login")
	res, err := client.Get(page)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		return "", err
	}
	token := tokenField.FindSubmatch(text)
	if token == nil {
		return "", fmt.Errorf("%s: no token in the login page: %s", p.name, res.Status)
	}
	form := url.Values{"username": {userName}, "password": {userPassword}, "token": {string(token[1])}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, page, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", p.url(""))
	res, err = client.Do(req)
	if err != nil {
		return "", err
	}
	res.Body.Close()
	if res.StatusCode != http.StatusSeeOther {
		return "", fmt.Errorf("%s: the login is answered with %s", p.name, res.Status)
	}
	var cookies []string
	for _, c := range jar.Cookies(req.URL) {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	return strings.Join(cookies, "; "), nil
}
