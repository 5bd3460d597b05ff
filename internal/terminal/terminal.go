// Package terminal writes for people who sit at one: colours where they are
// wanted, tables that line up, log lines that can be read.
//
// The voice of everything that mountd says there: lower case, no full stop,
// "mountd: " before what the program says about itself, the bad value in
// quotes, and what to do about it after the error, not mixed into it.
package terminal

import (
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"
)

// byDefault is the width where none can be found out.
const byDefault = 80

// IsTerminal reports whether what is written to w appears on a terminal.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}

// Width is the number of columns of the terminal behind w, then what COLUMNS
// says, then 80.
func Width(w io.Writer) int {
	if f, ok := w.(interface{ Fd() uintptr }); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
	}
	if width, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && width > 0 {
		return width
	}
	return byDefault
}

// Palette styles text, or leaves it alone: its zero value has no colours.
type Palette struct{ colour bool }

// Colours decides for w: never with NO_COLOR, always with CLICOLOR_FORCE,
// otherwise on a terminal that is not dumb. Empty variables count as unset,
// and CLICOLOR_FORCE=0 too.
func Colours(w io.Writer) Palette {
	switch force := os.Getenv("CLICOLOR_FORCE"); {
	case os.Getenv("NO_COLOR") != "":
		return Palette{}
	case force != "" && force != "0":
		return Palette{colour: true}
	}
	return Palette{colour: os.Getenv("TERM") != "dumb" && IsTerminal(w)}
}

// Enabled reports whether styles do anything.
func (p Palette) Enabled() bool { return p.colour }

// Bold and the others style s, which must not hold styles itself.
func (p Palette) Bold(s string) string   { return p.style("1", s) }
func (p Palette) Dim(s string) string    { return p.style("2", s) }
func (p Palette) Red(s string) string    { return p.style("31", s) }
func (p Palette) Green(s string) string  { return p.style("32", s) }
func (p Palette) Yellow(s string) string { return p.style("33", s) }
func (p Palette) Cyan(s string) string   { return p.style("36", s) }

func (p Palette) style(code, s string) string {
	if !p.colour || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// Safe escapes what would move the cursor, change colours or turn text around:
// control characters, invalid UTF-8 and the marks of direction. Strangers
// choose much of what is shown.
func Safe(s string) string {
	if isSafe(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unsafeRune(r) {
			b.WriteString(strings.Trim(strconv.QuoteToASCII(string(r)), `"`))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func isSafe(s string) bool {
	for _, r := range s {
		if unsafeRune(r) {
			return false
		}
	}
	return true
}

func unsafeRune(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0xfffd || // an invalid byte reads as this one
		r == 0x061c || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e ||
		r >= 0x2060 && r <= 0x206f || r == 0xfeff
}
