package server_test

import (
	"crypto/tls"
	"io"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/server"
)

// A connection that turns out to speak HTTP/2 when that is not taken any more
// holds nobody up.
func TestHTTP2DuringTheDrain(t *testing.T) {
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	for _, over := range []string{"tls", "clear"} {
		t.Run(over, func(t *testing.T) {
			c := server.Config{Grace: time.Hour}
			if over == "tls" {
				c.TLS = &server.TLS{SelfSigned: true}
			}
			began := make(chan struct{}, 1)
			r := serve(t, c)
			nc := r.dial()
			ended := make(chan error, 1)
			begin := make(chan struct{})
			go func() {
				if over == "tls" {
					k := tls.Client(nc, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}, VerifyConnection: func(tls.ConnectionState) error {
						began <- struct{}{}
						<-begin
						return nil
					}})
					if err := k.Handshake(); err != nil {
						ended <- err
						return
					}
				} else {
					_, _ = io.WriteString(nc, preface[:10])
					began <- struct{}{}
					<-begin
					_, _ = io.WriteString(nc, preface[10:])
				}
				_, err := io.Copy(io.Discard, nc)
				ended <- err
			}()
			wait(t, "half a beginning", began)
			time.Sleep(100 * time.Millisecond) // it arrives
			r.stop()
			wait(t, "the drain", r.Draining())
			time.Sleep(100 * time.Millisecond) // net/http stops
			close(begin)
			wait(t, "the connection's end", ended)
			if err := r.ended(); err != nil {
				t.Error(err)
			}
		})
	}
}
