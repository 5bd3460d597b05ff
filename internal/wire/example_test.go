package wire_test

import (
	"fmt"
	"io"

	"github.com/mountd/mountd/internal/wire"
)

func ExampleRequest_Parse() {
	in := []byte("GET /list?page=2 HTTP/1.1\r\nhost: www.example.com\r\nX-Note:  hello \r\n\r\n")
	n, err := wire.HeadEnd(in, 0)
	if err != nil || n == 0 {
		return // refuse it, or read more
	}
	var r wire.Request
	if err := r.Parse(string(in[:n]), wire.Limits{MaxHead: 64 << 10, MaxTarget: 16 << 10, MaxFields: 200}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Method, r.Target, r.Host, r.Fields[1].Value)
	err = r.Parse("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", wire.Limits{})
	fmt.Println(err)
	// Output:
	// GET /list?page=2 www.example.com hello
	// a Content-Length that is no number: "5, 5" (RFC 9110, section 8.6)
}

func ExampleChunked() {
	in := []byte("5\r\nhello\r\n7;ext=1\r\n, world\r\n0\r\nX-Sum: 42\r\n\r\n")
	var c wire.Chunked
	for {
		data, n, err := c.Next(in)
		fmt.Printf("%q\n", data)
		in = in[n:]
		if err == io.EOF {
			break
		}
		if err != nil || n == 0 {
			return // refuse it, or read more
		}
	}
	fmt.Println(c.Trailer())
	// Output:
	// "hello"
	// ", world"
	// ""
	// [{X-Sum 42}]
}
