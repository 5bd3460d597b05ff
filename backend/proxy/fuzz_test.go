package proxy_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"testing"

	"github.com/mountd/mountd/backend/proxy"
)

// What parse accepts, net/http must read in the same way.
func FuzzParseHead(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\n",
		"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n",
		"HTTP/1.0 404 Not Found\r\nConnection: keep-alive, x-a\r\nx-a: 1\r\n\r\n",
		"HTTP/1.1 304 Not Modified\r\ncontent-length:  7 \r\nEtag: \"x\"\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "HTTP/1.1 200 OK\nA: b\n\n", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	hop := []string{"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Te", "Alt-Svc", "Http2-Settings", "Upgrade", "Transfer-Encoding", "Content-Length", "Trailer"}
	f.Fuzz(func(t *testing.T, block []byte) {
		status, length, chunked, closes, fields, err := proxy.ParseHead(block)
		if err != nil {
			return
		}
		if n := bytes.Index(block, []byte("\r\n\r\n")); n != len(block)-4 {
			t.Fatalf("accepted a block that ends elsewhere")
		}
		if bytes.Count(block, []byte("\r")) != bytes.Count(block, []byte("\r\n")) || bytes.Count(block, []byte("\n")) != bytes.Count(block, []byte("\r\n")) || bytes.IndexByte(block, 0) >= 0 {
			t.Fatalf("accepted a bare CR, LF or NUL")
		}
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(block)), &http.Request{Method: "GET"})
		if err != nil {
			t.Fatalf("net/http refuses it: %v", err)
		}
		if resp.StatusCode != status {
			t.Errorf("status %d, net/http %d", status, resp.StatusCode)
		}
		if got := slices.Equal(resp.TransferEncoding, []string{"chunked"}); got != chunked && status >= 200 && status != 204 && status != 304 {
			t.Errorf("chunked %v, net/http %v", chunked, resp.TransferEncoding)
		}
		if status >= 200 && status != 204 && status != 304 && !chunked && resp.ContentLength != length {
			t.Errorf("length %d, net/http %d", length, resp.ContentLength)
		}
		if resp.Close && !closes && (length >= 0 || chunked) {
			t.Errorf("net/http closes")
		}
		gone := resp.Header.Values("Connection")
		for name, values := range fields {
			if name == "Trailer" {
				continue
			}
			if got := resp.Header[name]; !slices.Equal(got, values) {
				t.Errorf("%s: %q, net/http %q", name, values, got)
			}
		}
		for name := range resp.Header {
			listed := strings.Contains(strings.ToLower(strings.Join(gone, ",")), strings.ToLower(name))
			if _, ok := fields[name]; !ok && !slices.Contains(hop, name) && !listed && !bytes.Contains(bytes.ToLower(block), []byte("connection")) {
				t.Errorf("%s is missing", name)
			}
		}
	})
}

// What the chunk reader accepts, net/http must read in the same way.
func FuzzDechunk(f *testing.F) {
	for _, s := range []string{"5\r\nhello\r\n0\r\n\r\n", "0\r\n\r\n", "3;a=b\r\nabc\r\n0\r\nA: b\r\n\r\n", "3 \r\nabc\r\n0\r\n\r\n", "a\r\n0123456789\r\n00\r\n\r\n", "1\nx\n0\n\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		body, rest, err := proxy.Dechunk(bytes.Clone(in))
		if !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return
		}
		want, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(in)))
		if err != nil || !bytes.Equal(body, want) {
			t.Fatalf("%q: net/http reads %q, %v", body, want, err)
		}
		if taken := in[:len(in)-rest]; !bytes.HasSuffix(taken, []byte("\r\n")) {
			t.Errorf("took %q", taken)
		}
	})
}
