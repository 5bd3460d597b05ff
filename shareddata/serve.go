package shareddata

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/mountd/mountd/internal/request"
)

// failure makes an error that knows its status.
func failure(err error) error {
	var answered *request.Error
	switch {
	case errors.As(err, &answered):
		return err
	case errors.Is(err, fs.ErrPermission):
		return &request.Error{Status: http.StatusForbidden, Err: err}
	case errors.Is(err, fs.ErrClosed):
		err = errClosed
	}
	return &request.Error{Status: http.StatusInternalServerError, Err: err}
}

// answer sends what was found. An error means that nothing was sent.
func (s *site) answer(w http.ResponseWriter, r *http.Request, e *export, v *view, rest string, f found) error {
	switch {
	case f.redirect:
		s.redirect(w, r)
		return nil
	case f.entry == nil:
		return s.list(w, r, e, v, rest, f.list)
	}
	rep := negotiate(f.entry, r.Header["Accept-Encoding"])
	if !conditional(r.Header) {
		return s.sendAll(w, r, v, f.entry, rep)
	}
	switch s.precondition(r, rep) {
	case conditionFailed:
		return &request.Error{Status: http.StatusPreconditionFailed}
	case notModified:
		s.setHeader(w.Header(), r, f.entry, rep)
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	field := r.Header["Range"]
	if len(field) != 1 || r.Method != http.MethodGet || !s.ifRange(r, rep) {
		return s.sendAll(w, r, v, f.entry, rep)
	}
	var set rangeSet
	switch parseRange(field[0], rep.size, &set) {
	case rangeUnsatisfiable:
		return &request.Error{
			Status: http.StatusRequestedRangeNotSatisfiable,
			Header: http.Header{"Content-Range": {"bytes */" + rep.length[0]}},
		}
	case rangeSatisfiable:
		return s.sendParts(w, r, v, f.entry, rep, set.spans[:set.n])
	}
	return s.sendAll(w, r, v, f.entry, rep)
}

// redirect adds a slash to the path. The host is never named, so that the
// answer is right behind any proxy.
func (s *site) redirect(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimRight(r.URL.Path, "/")
	var location string
	if s.scriptName == nil {
		last := path[strings.LastIndexByte(path, '/')+1:]
		location = "./" + url.PathEscape(last) + "/"
	} else {
		location = (&url.URL{Path: cleanSlashes(s.scriptName(r) + path)}).EscapedPath()
	}
	if r.URL.RawQuery != "" {
		location += "?" + r.URL.RawQuery
	}
	h := w.Header()
	h["Location"] = []string{location}
	h["Content-Length"] = []string{"0"}
	w.WriteHeader(http.StatusTemporaryRedirect)
}

// cleanSlashes makes one slash of each run: a path must not begin like a host.
func cleanSlashes(path string) string {
	var b strings.Builder
	for segment := range strings.SplitSeq(path, "/") {
		if segment != "" {
			b.WriteByte('/')
			b.WriteString(segment)
		}
	}
	b.WriteByte('/')
	return b.String()
}

// setHeader sets the fields that whole, partial and unmodified answers share.
func (s *site) setHeader(h http.Header, r *http.Request, e *entry, rep *representation) {
	if rep.etag != nil {
		h["Etag"] = rep.etag
	}
	if rep.lastModified != nil {
		h["Last-Modified"] = rep.lastModified
	}
	if e.varies {
		addVary(h, varyEncoding)
	}
	control := e.control
	if rec := request.From(r.Context()); rec != nil && rec.User != "" {
		control += controlPrivate
	}
	if value := s.cacheControl[control]; value != nil {
		h["Cache-Control"] = value
	}
}

func addVary(h http.Header, value []string) {
	present := h["Vary"]
	if present == nil {
		h["Vary"] = value
		return
	}
	for _, field := range present {
		for name := range strings.SplitSeq(field, ",") {
			if name = strings.Trim(name, " \t"); name == "*" || strings.EqualFold(name, value[0]) {
				return
			}
		}
	}
	h.Add("Vary", value[0])
}

func setContentHeader(h http.Header, rep *representation) {
	h["Content-Type"] = rep.contentType
	h["X-Content-Type-Options"] = noSniff
	h["Accept-Ranges"] = acceptRanges
	if rep.encoding != nil {
		h["Content-Encoding"] = rep.encoding
	}
}

// sendAll sends the whole representation.
func (s *site) sendAll(w http.ResponseWriter, r *http.Request, v *view, e *entry, rep *representation) error {
	var file fs.File
	if rep.large {
		var err error
		if file, err = s.openBody(v, rep); err != nil {
			return err
		}
		defer file.Close()
	}
	h := w.Header()
	s.setHeader(h, r, e, rep)
	setContentHeader(h, rep)
	h["Content-Length"] = rep.length
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	if file != nil {
		sendFile(w, file, rep.size)
	} else if _, err := w.Write(rep.body); err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// openBody opens a file that is read for each answer, if it is the one that
// the header is about.
func (s *site) openBody(v *view, rep *representation) (fs.File, error) {
	f, info, err := openRegular(v, rep.name)
	switch {
	case err != nil && isMissing(v, err):
		return nil, errStale
	case err != nil:
		return nil, err
	case identify(info) != rep.id:
		f.Close()
		return nil, errStale
	}
	return f, nil
}

// sendFile sends the next n bytes of a file, through sendfile where the writer
// can. A file that is too short by now ends in an aborted answer: the client
// must not take it for complete.
func sendFile(w io.Writer, src io.Reader, n int64) {
	limited := &io.LimitedReader{R: src, N: n} // what sendfile looks for
	var sent int64
	var err error
	if rf, ok := w.(io.ReaderFrom); ok {
		sent, err = rf.ReadFrom(limited)
	} else {
		sent, err = io.Copy(w, limited)
	}
	if err != nil || sent < n {
		panic(http.ErrAbortHandler)
	}
}

// sendParts sends one range as it is, several as multipart/byteranges.
func (s *site) sendParts(w http.ResponseWriter, r *http.Request, v *view, e *entry, rep *representation, spans []span) error {
	c := content{body: rep.body}
	if rep.large {
		file, err := s.openBody(v, rep)
		if err != nil {
			return err
		}
		defer file.Close()
		if _, ok := file.(io.Seeker); !ok && len(spans) > 1 {
			return s.sendAll(w, r, v, e, rep)
		}
		c.file = file
	}
	h := w.Header()
	if len(spans) == 1 {
		s.setHeader(h, r, e, rep)
		setContentHeader(h, rep)
		h["Content-Range"] = []string{spans[0].contentRange(rep.length[0])}
		h["Content-Length"] = []string{strconv.FormatInt(spans[0].length, 10)}
		w.WriteHeader(http.StatusPartialContent)
		c.send(w, spans[0])
		return nil
	}
	m := newMultipart(rep, spans)
	s.setHeader(h, r, e, rep)
	setContentHeader(h, rep)
	h["Content-Type"] = []string{"multipart/byteranges; boundary=" + m.boundary}
	h["Content-Length"] = []string{strconv.FormatInt(m.length, 10)}
	w.WriteHeader(http.StatusPartialContent)
	for i, part := range spans {
		writeString(w, m.heads[i])
		c.send(w, part)
	}
	writeString(w, m.tail)
	return nil
}

func writeString(w io.Writer, text string) {
	if _, err := io.WriteString(w, text); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// content is what parts are taken from: memory or a file.
type content struct {
	body []byte
	file fs.File
}

// send sends one part. A file that can not seek is read up to it.
func (c content) send(w io.Writer, part span) {
	if c.file == nil {
		if _, err := w.Write(c.body[part.start : part.start+part.length]); err != nil {
			panic(http.ErrAbortHandler)
		}
		return
	}
	if seeker, ok := c.file.(io.Seeker); ok {
		if _, err := seeker.Seek(part.start, io.SeekStart); err != nil {
			panic(http.ErrAbortHandler)
		}
	} else {
		sendFile(io.Discard, c.file, part.start)
	}
	sendFile(w, c.file, part.length)
}
