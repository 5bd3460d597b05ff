package configs_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a browser may take for anything.
const patience = time.Minute

// chromium is a headless browser with one page, which is steered through a pipe
// (Chrome DevTools Protocol: messages of JSON, with a zero byte after each).
type chromium struct {
	t       *testing.T
	to      io.WriteCloser
	session string
	shots   int

	mu       sync.Mutex
	next     int
	waiting  map[int]chan reply
	problems []string // of scripts and policies, as the console shows them
	over     error
}

type reply struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// newChromium starts a browser that ends with the test.
func newChromium(t *testing.T) *chromium {
	t.Helper()
	program := need(t, "chromium", "chromium")
	profile, err := os.MkdirTemp("", "chromium")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(profile) }) // its last processes may still write
	theirIn, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	from, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
		"--no-first-run", "--disable-extensions", "--log-level=3", "--remote-debugging-pipe", "--user-data-dir="+profile)
	cmd.ExtraFiles = []*os.File{theirIn, theirOut} // 3 and 4
	child(t, cmd)
	_, _ = theirIn.Close(), theirOut.Close()
	c := &chromium{t: t, to: to, waiting: map[int]chan reply{}}
	done := make(chan struct{})
	go func() { defer close(done); c.listen(from) }()
	t.Cleanup(func() {
		c.tell("Browser.close", nil) // it may be gone
		_ = from.SetReadDeadline(time.Now().Add(10 * time.Second))
		<-done
		_, _ = to.Close(), from.Close()
	})
	var target struct{ TargetID string }
	c.ask("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	c.ask("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	c.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		c.ask(domain+".enable", nil, nil)
	}
	c.ask("Emulation.setFocusEmulationEnabled", map[string]any{"enabled": true}, nil)
	return c
}

// listen takes messages of the browser until it ends.
func (c *chromium) listen(from io.Reader) {
	in := bufio.NewReader(from)
	for {
		line, err := in.ReadBytes(0)
		if err != nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.over = fmt.Errorf("the browser has ended: %w", err)
			for _, w := range c.waiting {
				close(w)
			}
			c.waiting = nil
			return
		}
		var m reply
		if err := json.Unmarshal(bytes.TrimSuffix(line, []byte{0}), &m); err != nil {
			continue // no message for us
		}
		c.mu.Lock()
		if m.ID == 0 {
			c.note(m)
		} else if w := c.waiting[m.ID]; w != nil {
			delete(c.waiting, m.ID)
			w <- m
		}
		c.mu.Unlock()
	}
}

// note keeps what the console would show, but for answers that are errors.
func (c *chromium) note(m reply) {
	var event struct {
		Entry            struct{ Source, Level, Text string }
		ExceptionDetails struct{ Text string }
	}
	_ = json.Unmarshal(m.Params, &event) // other events have other fields
	switch {
	case m.Method == "Runtime.exceptionThrown":
		c.problems = append(c.problems, event.ExceptionDetails.Text)
	case m.Method == "Log.entryAdded" && event.Entry.Level == "error" && event.Entry.Source != "network":
		c.problems = append(c.problems, event.Entry.Text)
	}
}

// tell sends a message, and gives where its reply will come.
func (c *chromium) tell(method string, params any) (<-chan reply, error) {
	c.mu.Lock()
	if c.over != nil {
		defer c.mu.Unlock()
		return nil, c.over
	}
	c.next++
	id, w := c.next, make(chan reply, 1)
	c.waiting[id] = w
	c.mu.Unlock()
	message := map[string]any{"id": id, "method": method}
	if params != nil {
		message["params"] = params
	}
	if c.session != "" && !strings.HasPrefix(method, "Browser.") {
		message["sessionId"] = c.session
	}
	line, err := json.Marshal(message)
	if err == nil {
		_, err = c.to.Write(append(line, 0))
	}
	return w, err
}

// ask sends a message and waits for its reply.
func (c *chromium) ask(method string, params, result any) {
	c.t.Helper()
	if err := c.try(method, params, result); err != nil {
		c.t.Fatalf("%s: %v", method, err)
	}
}

func (c *chromium) try(method string, params, result any) error {
	w, err := c.tell(method, params)
	if err != nil {
		return err
	}
	select {
	case m, ok := <-w:
		switch {
		case !ok:
			return c.over
		case m.Error != nil:
			return fmt.Errorf("%s", m.Error.Message)
		case result != nil:
			return json.Unmarshal(m.Result, result)
		}
		return nil
	case <-time.After(patience):
		return fmt.Errorf("no reply within %v", patience)
	}
}

// value evaluates an expression, which fails while one page replaces another.
func (c *chromium) value(expression string) (any, error) {
	var got struct {
		Result           struct{ Value any }
		ExceptionDetails *struct{ Text string }
	}
	err := c.try("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true}, &got)
	if err == nil && got.ExceptionDetails != nil {
		err = fmt.Errorf("%s: %s", expression, got.ExceptionDetails.Text)
	}
	return got.Result.Value, err
}

// until waits until an expression is true.
func (c *chromium) until(expression string) {
	c.t.Helper()
	var last error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		got, err := c.value(expression)
		if got == true {
			return
		}
		last = err
	}
	page, _ := c.value("location.href + '\\n' + document.body.innerText")
	c.t.Fatalf("%s never came true (%v); the page is %v", expression, last, page)
}

// open goes to an address.
func (c *chromium) open(address string) {
	c.t.Helper()
	c.ask("Page.navigate", map[string]any{"url": address}, nil)
}

// shows waits for the page of a path, with some text.
func (c *chromium) shows(path, text string) {
	c.t.Helper()
	c.until(fmt.Sprintf("document.readyState == 'complete' && location.pathname == %q && document.body.innerText.includes(%q)", path, text))
}

// click clicks on the link or button with this text.
func (c *chromium) click(text string) {
	c.t.Helper()
	found := fmt.Sprintf("[...document.querySelectorAll('a, button')].find((e) => e.textContent.trim() == %q)", text)
	c.until(found + " != undefined")
	// The page may be gone before it can say that it was clicked on.
	if _, err := c.value(found + ".click()"); err != nil && !strings.Contains(err.Error(), "navigated") {
		c.t.Fatal(err)
	}
}

// back goes back to where the page of an address was seen last.
func (c *chromium) back(address string) {
	c.t.Helper()
	var history struct {
		CurrentIndex int
		Entries      []struct {
			ID  int
			URL string
		}
	}
	c.ask("Page.getNavigationHistory", nil, &history)
	for i := history.CurrentIndex; i >= 0; i-- {
		if history.Entries[i].URL == address {
			c.ask("Page.navigateToHistoryEntry", map[string]any{"entryId": history.Entries[i].ID}, nil)
			return
		}
	}
	c.t.Fatalf("%s is not in %v", address, history.Entries)
}

// write types a text where the focus is: on the element with this id.
func (c *chromium) write(id, text string) {
	c.t.Helper()
	c.until(fmt.Sprintf("document.activeElement.id == %q", id))
	c.ask("Input.insertText", map[string]any{"text": text}, nil)
	c.until(fmt.Sprintf("document.getElementById(%q).value.endsWith(%q)", id, text))
}

// press presses Tab or Enter.
func (c *chromium) press(key string) {
	c.t.Helper()
	event := map[string]any{"key": key, "code": key, "windowsVirtualKeyCode": map[string]int{"Tab": 9, "Enter": 13}[key]}
	if key == "Enter" {
		event["text"] = "\r"
	}
	for _, kind := range []string{"keyDown", "keyUp"} {
		event["type"] = kind
		c.ask("Input.dispatchKeyEvent", event, nil)
	}
}

// looks are how a page may be looked at.
var looks = []struct {
	name, scheme  string
	width, height int
}{{"light", "light", 1100, 760}, {"dark", "dark", 1100, 760}, {"narrow", "light", 320, 640}}

// look checks that the page fits the window, wide and narrow. With SCREENSHOTS
// set to a directory it leaves pictures there.
func (c *chromium) look(name string) {
	c.t.Helper()
	c.shots++
	for _, l := range looks {
		c.ask("Emulation.setDeviceMetricsOverride", map[string]any{"width": l.width, "height": l.height, "deviceScaleFactor": 1, "mobile": l.width < 400}, nil)
		c.ask("Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]any{"name": "prefers-color-scheme", "value": l.scheme}}}, nil)
		c.until(fmt.Sprintf("innerWidth == %d && matchMedia('(prefers-color-scheme: %s)').matches", l.width, l.scheme))
		if wide, err := c.value("Math.max(0, document.documentElement.scrollWidth - innerWidth)"); err != nil || wide != 0.0 {
			c.t.Errorf("%s is %v pixels too wide for a window of %d (%v)", name, wide, l.width, err)
		}
		if dir := os.Getenv("SCREENSHOTS"); dir != "" {
			var shot struct{ Data string }
			c.ask("Page.captureScreenshot", nil, &shot)
			png, err := base64.StdEncoding.DecodeString(shot.Data)
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d-%s-%s.png", c.shots, name, l.name)), png, 0o644)
			}
			if err != nil {
				c.t.Error(err)
			}
		}
	}
}

// quiet checks that nothing was wrong on the console.
func (c *chromium) quiet() {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.problems {
		c.t.Errorf("console: %s", p)
	}
}
