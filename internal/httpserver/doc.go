// Package httpserver serves HTTP/1.0 and HTTP/1.1 to an [http.Handler].
//
// Handlers see what they see in net/http: an [http.ResponseWriter] that does
// all that [http.ResponseController] offers, and an [*http.Request]. What
// differs is on purpose:
//
//   - A request that could be read in two ways is refused, never repaired, and
//     its connection is closed (package wire holds the rules).
//   - Limits of time count stalls only. One sweep over all connections keeps
//     them, so that no request sets a deadline; they are kept to within a
//     quarter of a second.
//   - A connection that waits holds no buffer.
//   - The context of a request ends within a second of its client's leaving.
//     What has been read ahead of a client that leaves is not known earlier.
//   - A handler may read the request's body while it answers.
//
// # Ownership
//
// The request, its header, URL, body and context belong to the handler for
// good: whoever keeps them sees them stay as they were. They are used again for
// another request only after a handler has called Recycle, a method of the
// response writer, by which it promises that nobody kept any of them. The
// response writer and the body fail once the handler has returned.
package httpserver
