package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

// ErrNobody says that nobody listens on the socket.
var ErrNobody = errors.New("nobody listens")

// Client asks a [Server]. It is safe for concurrent use.
type Client struct{ http *http.Client }

// Dial gives a client of the socket at path. It has reached somebody once; if
// it has not, its error is [ErrNobody], or says why it may not.
func Dial(ctx context.Context, path string) (*Client, error) {
	dial := func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "unix", path) }
	conn, err := dial(ctx)
	switch {
	case err == nil:
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("%w on %s", ErrNobody, path)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("%s belongs to another user (run this as the user who runs mountd, or as root)", path)
	default:
		return nil, err
	}
	_ = conn.Close()
	transport := &http.Transport{
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: maxHeader,
	}
	return &Client{&http.Client{Transport: transport}}, nil
}

// Refusal is an answer that is no success.
type Refusal struct {
	Status  int
	Message string
}

func (e *Refusal) Error() string { return e.Message }

// Ask sends question as JSON, nothing if it is nil, and reads the answer into
// answer. What is answered with an error status is a [*Refusal].
func (c *Client) Ask(ctx context.Context, method, path string, question, answer any) error {
	var body io.Reader
	if question != nil {
		text, err := json.Marshal(question)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://mountd"+path, body)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(r)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return errors.New("mountd has closed the connection (it lets in the user who runs it, and root)")
	case err != nil:
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if len(text) > maxAnswer {
		return errors.New("the answer is too long")
	}
	if resp.StatusCode/100 != 2 {
		return &Refusal{resp.StatusCode, strings.TrimSpace(string(text))}
	}
	return json.Unmarshal(text, answer)
}
