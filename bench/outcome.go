package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// outcome is what a case has shown: a row of values to each server. It is
// kept as JSON, so that cases can be measured one by one.
type outcome struct {
	Case     string
	Title    string
	Path     string
	Command  string
	When     string // UTC
	Base     string // the server that the others are compared with
	Relative string // the column that is compared; empty: none
	Columns  []column
	Rows     []row
	Verdicts []verdict
}

type column struct{ Key, Head string }

type row struct {
	Server  string
	Missing bool               `json:",omitempty"`
	Values  map[string]float64 `json:",omitempty"`
}

func (o *outcome) head(key string) string {
	for _, c := range o.Columns {
		if c.Key == key {
			return c.Head
		}
	}
	return key
}

func (o *outcome) value(server, key string) (float64, bool) {
	for _, r := range o.Rows {
		if r.Server == server {
			v, ok := r.Values[key]
			return v, ok
		}
	}
	return 0, false
}

// base gives the wanted server where it is there, then nginx, then the first.
func (o *outcome) base(wanted string) string {
	if _, ok := o.value(wanted, keyRate); ok {
		return wanted
	}
	for _, r := range o.Rows {
		if r.Server == "nginx" && !r.Missing {
			return r.Server
		}
	}
	for _, r := range o.Rows {
		if !r.Missing {
			return r.Server
		}
	}
	return ""
}

// relative gives a server's value as a multiple of the base's.
func (o *outcome) relative(r row) float64 {
	base, _ := o.value(o.Base, o.Relative)
	if base == 0 {
		return 0
	}
	return r.Values[o.Relative] / base
}

func (o *outcome) relativeHead() string {
	if o.Relative == keyRate {
		return "× " + o.Base
	}
	return o.head(o.Relative) + " × " + o.Base
}

// table writes the outcome as Markdown.
func (o *outcome) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s** (`%s`)\n\n| server |", o.Title, o.Case)
	if o.Relative != "" {
		b.WriteString(" " + o.relativeHead() + " |")
	}
	for _, c := range o.Columns {
		fmt.Fprintf(&b, " %s |", c.Head)
	}
	rule := "|---|" + strings.Repeat("--:|", len(o.Columns))
	if o.Relative != "" {
		rule += "--:|"
	}
	b.WriteString("\n" + rule + "\n")
	for _, r := range o.Rows {
		fmt.Fprintf(&b, "| %s |", r.Server)
		if r.Missing {
			b.WriteString(" not installed |\n")
			continue
		}
		if o.Relative != "" {
			fmt.Fprintf(&b, " %.2f |", o.relative(r))
		}
		for _, c := range o.Columns {
			if v, ok := r.Values[c.Key]; ok {
				fmt.Fprintf(&b, " %s |", figure(v))
			} else {
				b.WriteString(" |")
			}
		}
		b.WriteString("\n")
	}
	if len(o.Verdicts) > 0 {
		b.WriteString("\n" + verdictHead)
		for _, v := range o.Verdicts {
			b.WriteString(v.line(""))
		}
	}
	return b.String()
}

const verdictHead = "| goal | measured | |\n|---|--:|---|\n"

// line is a goal's row; before stands in front of it.
func (v verdict) line(before string) string {
	word := "missed"
	if v.Met {
		word = "met"
	}
	return fmt.Sprintf("| %s%s: %s | %s | %s |\n", before, v.Server, v.Goal, v.Measured, word)
}

// figure rounds to what a measurement can tell.
func figure(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100 || v == math.Trunc(v):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
}
