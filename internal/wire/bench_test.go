package wire_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/mountd/mountd/internal/wire"
)

// What load generators and browsers send.
const (
	wrkHead = "GET /app/some/path?x=1 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n"

	browserHead = "GET /app/list?page=2&sort=name HTTP/1.1\r\n" +
		"Host: www.example.com\r\n" +
		"Connection: keep-alive\r\n" +
		"Cache-Control: max-age=0\r\n" +
		"sec-ch-ua: \"Chromium\";v=\"140\", \"Not=A?Brand\";v=\"24\"\r\n" +
		"sec-ch-ua-mobile: ?0\r\n" +
		"sec-ch-ua-platform: \"Linux\"\r\n" +
		"Upgrade-Insecure-Requests: 1\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n" +
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8\r\n" +
		"Sec-Fetch-Site: same-origin\r\n" +
		"Sec-Fetch-Mode: navigate\r\n" +
		"Sec-Fetch-User: ?1\r\n" +
		"Sec-Fetch-Dest: document\r\n" +
		"Referer: https://www.example.com/app/\r\n" +
		"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
		"Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n" +
		"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\r\n"

	answerHead = "HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: text/plain\r\n" +
		"Content-Length: 13\r\nEtag: \"abc\"\r\n\r\n"
)

func BenchmarkRequest(b *testing.B) {
	for name, head := range map[string]string{"wrk": wrkHead, "browser": browserHead} {
		b.Run(name, func(b *testing.B) {
			var r wire.Request
			b.ReportAllocs()
			b.SetBytes(int64(len(head)))
			for b.Loop() {
				if err := r.Parse(head, wire.Limits{MaxHead: 64 << 10, MaxTarget: 16 << 10, MaxFields: 200}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkResponse(b *testing.B) {
	var r wire.Response
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Parse(answerHead, wire.Limits{MaxHead: 64 << 10, MaxFields: 256}, "GET"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHeadEnd(b *testing.B) {
	for name, head := range map[string]string{"wrk": wrkHead, "browser": browserHead} {
		b.Run(name, func(b *testing.B) {
			in := []byte(head)
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				if n, err := wire.HeadEnd(in, 0); n != len(in) || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

func BenchmarkChunked(b *testing.B) {
	for name, size := range map[string]int{"small": 16, "large": 16 << 10} {
		b.Run(name, func(b *testing.B) {
			var in []byte
			for range 64 {
				in = wire.AppendChunkSize(in, size)
				in = append(append(in, bytes.Repeat([]byte("x"), size)...), '\r', '\n')
			}
			in = append(in, wire.LastChunk...)
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			var c wire.Chunked
			for b.Loop() {
				c.Reset()
				for rest := in; ; {
					_, n, err := c.Next(rest)
					rest = rest[n:]
					if err == io.EOF {
						break
					}
					if err != nil || n == 0 {
						b.Fatal(n, err)
					}
				}
			}
		})
	}
}
