package terminal

import (
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Table is text in aligned columns. The zero value is empty and ready; it is
// not safe for concurrent use.
type Table struct {
	rows [][]string
}

// Row adds a row. Cells may be styled; what strangers chose must have been
// through [Safe].
func (t *Table) Row(cells ...string) { t.rows = append(t.rows, cells) }

// gap stands between two columns.
const gap = "  "

// Fit shortens the cells of one column, so that rows stay within width where
// that leaves the column at least so many. Styled cells stay as they are.
func (t *Table) Fit(column, width, least int) {
	room := width
	for i, widest := range t.widths() {
		if i != column && widest > 0 {
			room -= widest + len(gap)
		}
	}
	for _, row := range t.rows {
		if column < len(row) && !strings.Contains(row[column], "\x1b") {
			row[column] = Cut(row[column], max(room, least))
		}
	}
}

// Cut shortens text without styles to a number of columns; an ellipsis tells
// of it.
func Cut(s string, columns int) string {
	if Cells(s) <= columns {
		return s
	}
	used := 1
	for i, r := range s {
		if used += runeCells(r); used > columns {
			return s[:i] + "…"
		}
	}
	return s
}

func (t *Table) widths() []int {
	var widths []int
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], Cells(cell))
		}
	}
	return widths
}

// WriteTo writes the table, every row on a line of its own without trailing
// spaces.
func (t *Table) WriteTo(w io.Writer) (int64, error) {
	widths := t.widths()
	var b strings.Builder
	for _, row := range t.rows {
		pad := 0
		for i, cell := range row {
			if cell != "" {
				b.WriteString(strings.Repeat(" ", pad))
				b.WriteString(cell)
				pad = 0
			}
			pad += widths[i] - Cells(cell) + len(gap)
		}
		b.WriteByte('\n')
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

// Cells is the number of columns that s takes: two for wide characters, none
// for combining ones and for styles.
func Cells(s string) int {
	n := 0
	for i := 0; i < len(s); {
		if s[i] == 0x1b {
			i += styleLen(s[i:])
			continue
		}
		if s[i] < 0x80 {
			n++
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		n += runeCells(r)
		i += size
	}
	return n
}

// styleLen is the length of the escape sequence at the beginning of s.
func styleLen(s string) int {
	if end := strings.IndexByte(s, 'm'); strings.HasPrefix(s, "\x1b[") && end > 0 {
		return end + 1
	}
	return 1
}

func runeCells(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case isWide(r):
		return 2
	}
	return 1
}

// wide holds the blocks of East Asian wide characters and of emoji.
var wide = [...][2]rune{
	{0x1100, 0x115f}, {0x231a, 0x231b}, {0x23e9, 0x23ec}, {0x2614, 0x2615}, {0x26a1, 0x26a1}, {0x2705, 0x2705},
	{0x274c, 0x274c}, {0x2753, 0x2757}, {0x2b50, 0x2b50}, {0x2e80, 0x303e}, {0x3041, 0x4dbf}, {0x4e00, 0xa4cf},
	{0xa960, 0xa97f}, {0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0xffe0, 0xffe6},
	{0x16fe0, 0x18cff}, {0x1b000, 0x1b2ff}, {0x1f004, 0x1f004}, {0x1f18e, 0x1f18e}, {0x1f191, 0x1f19a},
	{0x1f200, 0x1f320}, {0x1f32d, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f7e0, 0x1f7eb}, {0x1f90c, 0x1f9ff},
	{0x1fa70, 0x1faff}, {0x20000, 0x3fffd},
}

func isWide(r rune) bool {
	for _, block := range wide {
		if r <= block[1] {
			return r >= block[0]
		}
	}
	return false
}
