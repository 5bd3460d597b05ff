package auth

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/mountd/mountd/internal/request"
)

// Bounds of what a browser sends with the login page. Password managers add
// fields; none comes near.
const (
	maxFormBody   = 16 << 10
	maxFormFields = 20
	maxUserName   = 256
)

// formFields are what the login page sends.
type formFields struct{ user, password, to, token string }

// readForm reads the body of r, which has a small number of fields or is
// refused.
func readForm(w http.ResponseWriter, r *http.Request) (formFields, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return formFields{}, &request.Error{
			Status: http.StatusUnsupportedMediaType, Message: "The login page sends a form of another type.",
			Err: fmt.Errorf("the type of the form is %q", r.Header.Get("Content-Type")),
		}
	}
	if r.ContentLength > maxFormBody {
		return formFields{}, tooLargeForm()
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxFormBody))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return formFields{}, tooLargeForm()
		}
		return formFields{}, &request.Error{Status: http.StatusBadRequest, Message: "The form did not arrive completely.", Err: err}
	}
	f, err := parseForm(string(body))
	if err != nil {
		return f, &request.Error{Status: http.StatusBadRequest, Message: "The form is not as the login page sends it.", Err: err}
	}
	return f, nil
}

func tooLargeForm() error {
	return &request.Error{Status: http.StatusRequestEntityTooLarge, Message: "The form is too large."}
}

// parseForm reads a form in the encoding of URLs. Fields that come twice are
// refused: two readers of the form could take different ones.
func parseForm(body string) (f formFields, err error) {
	if strings.Count(body, "&") >= maxFormFields {
		return f, fmt.Errorf("the form has more than %d fields", maxFormFields)
	}
	seen := map[*string]bool{}
	for pair := range strings.SplitSeq(body, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, errName := url.QueryUnescape(name)
		value, errValue := url.QueryUnescape(value)
		if err := errors.Join(errName, errValue); err != nil {
			return f, err
		}
		var to *string
		switch name {
		case "username":
			to = &f.user
		case "password":
			to = &f.password
		case "to":
			to = &f.to
		case "token":
			to = &f.token
		default:
			continue
		}
		if seen[to] {
			return f, fmt.Errorf("the form has the field %q twice", name)
		}
		seen[to] = true
		*to = value
	}
	return f, nil
}

// validUserName reports whether a user may have the name: what cannot go into a
// header or a log as it is belongs to no user (RFC 7617 says the same).
func validUserName(name string) bool {
	if name == "" || len(name) > maxUserName || !utf8.ValidString(name) {
		return false
	}
	return !hasControl(name)
}

func hasControl(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == 0x7f {
			return true
		}
	}
	return strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029' })
}
