// Package server takes requests off the network and gives them to one
// handler. It opens the ports, speaks TLS, HTTP/1 and HTTP/2, keeps clients
// within limits of size and time, and stops without dropping a request.
//
// It is the only package that knows which HTTP implementation feeds the
// handlers. They see [http.ResponseWriter] and [*http.Request] and must not
// rely on anything else.
//
// # Time
//
// A limit counts only while the client is waited for and does not move. A
// download, a stream of events, a long poll or an upgraded connection may last
// for days. Over TCP on Linux the kernel is asked now and then whether the
// client acknowledged anything, so that answers need no deadlines and sendfile
// and splice stay what they are.
package server
