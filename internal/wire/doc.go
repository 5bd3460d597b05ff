// Package wire reads the syntax of HTTP/1 messages, RFC 9112, as a server and
// as a gateway meet it.
//
// It is strict: what two readers could read in two ways is an error, never
// repaired. A bare CR or LF, a folded line, a blank before a colon, two lengths
// (even equal ones), a length beside a transfer coding, a list where one value
// belongs, two of a field that has one value (Host, Content-Type,
// Authorization): all of these have let requests pass that nobody had checked.
//
// Where the RFC lets a recipient be lenient, this package is not: it skips no
// empty line before a request (RFC 9112, section 2.2, says a server SHOULD skip
// one; what sends it today is a client that counts its last body wrongly), and
// takes no version but 1.0 and 1.1.
//
// # Targets
//
// A request target is cut out, not understood. It may hold every byte but
// control bytes, blanks and '#'. RFC 3986 has fewer, but browsers send
// "|", "{", "}", "[", "]", "^", "`" and quotes as they are, in paths or
// queries, and old clients bytes above 0x7f; nginx and net/http take them. What
// a path means, and which of these bytes are escaped before anyone else sees
// it, is package canonical's business.
//
// # Limits
//
// A head is limited by [Limits], a chunked body's syntax by constants. Nothing
// here reads, waits, or keeps more than it was given. Values are in bytes.
//
// # Concurrency
//
// A [Request], [Response] or [Chunked] is for one goroutine at a time. The
// functions may be called from any.
package wire
