package errorhandler

import (
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// explain gives a plain sentence of what happened and one of what to do next.
func explain(status int) (what, next string) {
	if e, ok := explanations[status]; ok {
		return e.what, e.next
	}
	if status < 500 {
		return explanations[400].what, explanations[400].next
	}
	return explanations[500].what, explanations[500].next
}

var explanations = map[int]struct{ what, next string }{
	400: {"The server could not understand this request.", "Check the address, or go back and try again."},
	401: {"You need to sign in to see this.", "Reload the page to sign in."},
	403: {"You are not allowed to see this.", "If you should be, ask whoever runs this site for access."},
	404: {"There is nothing at this address.", "Check it for typing errors, or begin at the home page."},
	405: {"This address does not take that kind of request.", "Go back and try another way."},
	406: {"This page is not available in a form that your program accepts.", "Try it in a web browser."},
	408: {"Your request took too long to arrive.", "Check your connection and try again."},
	409: {"Someone else has changed this meanwhile.", "Reload the page and try again."},
	410: {"This page is gone for good.", "Begin at the home page to find what you need."},
	411: {"The request does not say how long it is.", "Try again with another program."},
	412: {"This has changed since you last loaded it.", "Reload the page and try again."},
	413: {"What you sent is larger than this site takes.", "Send less at a time."},
	414: {"The address is too long.", "Check it, or begin at the home page."},
	415: {"This site does not take files of that type.", "Send it in another format."},
	416: {"The part you asked for does not exist.", "Load the file anew from its beginning."},
	421: {"This request reached the wrong server.", "Reload the page."},
	422: {"The server could not process what you sent.", "Check what you have entered and try again."},
	423: {"This is locked at the moment.", "Try again later."},
	425: {"This request came before the connection was safe.", "Reload the page."},
	426: {"This address needs another protocol.", "Use a program that speaks it."},
	429: {"You have sent too many requests in a short time.", "Wait a moment, then try again."},
	431: {"Your browser sent more than this site takes.", "Delete the cookies of this site and try again."},
	451: {"This page is not available for legal reasons.", ""},
	500: {"Something went wrong on our side.", "Try again in a while. If it happens again, tell whoever runs this site."},
	501: {"This site cannot do that.", "Go back and try another way."},
	502: {"The application behind this address did not answer properly.", "Try again in a moment."},
	503: {"This page is not available right now.", "Try again in a moment."},
	504: {"The application behind this address took too long to answer.", "Try again in a moment."},
	507: {"The server has no room left for this.", "Try again later."},
	508: {"This address leads back to itself.", "Tell whoever runs this site."},
}

func statusText(status int) string {
	if s := http.StatusText(status); s != "" {
		return s
	}
	return "Error " + strconv.Itoa(status)
}

// sentence makes a sentence of a message that was written as a phrase.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return s
	}
	s = string(unicode.ToUpper(first)) + s[size:]
	if last, _ := utf8.DecodeLastRuneInString(s); unicode.IsLetter(last) || unicode.IsDigit(last) {
		s += "."
	}
	return s
}
