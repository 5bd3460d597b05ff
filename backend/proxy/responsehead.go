package proxy

import (
	"errors"
	"fmt"
	"net/textproto"
	"strings"

	"github.com/mountd/mountd/internal/wire"
)

// Limits of an answer's head. Beyond them it is refused.
const (
	maxHead   = 64 << 10
	maxFields = 256
	maxInform = 32 // 1xx answers before the final one
)

// errMalformed is wrapped by everything that is wrong with an answer.
var errMalformed = errors.New("malformed answer")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errMalformed}, args...)...)
}

// A head is that of an answer. Its fields are end-to-end ones only.
type head struct{ wire.Response }

// parse reads the block up to and including its empty line. Anything that two
// readers could read in two ways is an error.
func (h *head) parse(block []byte, method string) error {
	if err := h.Parse(string(block), wire.Limits{MaxHead: maxHead, MaxFields: maxFields}, method); err != nil {
		return malformed("%w", err)
	}
	h.dropHopByHop()
	return nil
}

// dropHopByHop takes out what is for this connection only, RFC 9110 section
// 7.6.1, and what frames the message.
func (h *head) dropHopByHop() {
	var listed []string
	if h.Listed {
		listed = h.listed()
	}
	kept := 0
	for i := range h.Fields {
		f := &h.Fields[i]
		switch f.Name {
		case "Content-Length", "Transfer-Encoding", "Connection", "Upgrade",
			"Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Te", "Alt-Svc", "Http2-Settings":
			continue
		}
		if listed != nil && nameList(listed).has(f.Name) {
			continue
		}
		if kept < i {
			h.Fields[kept] = *f
		}
		kept++
	}
	clear(h.Fields[kept:])
	h.Fields = h.Fields[:kept]
}

// listed gives what Connection names: fields for this connection only.
func (h *head) listed() (names []string) {
	for _, f := range h.Fields {
		if f.Name == "Connection" {
			for part := range strings.SplitSeq(f.Value, ",") {
				names = append(names, textproto.CanonicalMIMEHeaderKey(wire.Trim(part)))
			}
		}
	}
	return names
}
