package bearer

import (
	"errors"
	"net/http"
	"strings"

	"github.com/mountd/mountd/internal/issuer"
)

var errSeveral = errors.New("several Authorization fields")

// credentials gives the token in a request's header. It may have any form.
func credentials(h http.Header) (token string, found bool, err error) {
	lines := h["Authorization"]
	if len(lines) == 0 {
		return "", false, nil
	}
	token, found = fromLine(lines[0])
	if len(lines) > 1 {
		for _, line := range lines {
			if _, is := fromLine(line); is {
				return "", false, errSeveral
			}
		}
		return "", false, nil
	}
	if !found {
		return "", false, nil
	}
	if len(token) > issuer.MaxToken {
		return "", false, &issuer.InvalidError{Reason: "longer than 16384 bytes"}
	}
	return token, true, nil
}

func fromLine(line string) (token string, found bool) {
	const scheme = "bearer"
	if len(line) < len(scheme) || !strings.EqualFold(line[:len(scheme)], scheme) {
		return "", false
	}
	rest := line[len(scheme):]
	if rest == "" {
		return "", true
	}
	if rest[0] != ' ' {
		return "", false
	}
	return strings.Trim(rest, " "), true
}

// wellFormed holds a token to the characters of RFC 6750, 2.1.
func wellFormed(token string) bool {
	if token == "" || token[0] == '=' {
		return false
	}
	end := len(token)
	for end > 0 && token[end-1] == '=' {
		end--
	}
	for i := range end {
		if !tokenChar[token[i]] {
			return false
		}
	}
	return true
}

var tokenChar = func() (t [256]bool) {
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/" {
		t[c] = true
	}
	return t
}()

// looksSigned tells a JSON Web Token from other ones: two dots, and a header
// that begins as a JSON object does.
func looksSigned(token string) bool {
	return strings.HasPrefix(token, "ey") && strings.Count(token, ".") == 2
}

func isURL(s string) bool {
	return strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://")
}
