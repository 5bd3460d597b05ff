package main

import (
	"cmp"
	"fmt"
	"strings"
)

var plotColors = map[string]string{
	"nginx": "#4b8f5b", "nginx-apr1": "#8fbf9a", "haproxy": "#6b7fb3", "caddy": "#7aa9c9", "traefik": "#b08bb5",
	"mountd": "#d9662c", "mountd-bare": "#e8a27c", "mountd-nethttp": "#9a9a9a",
}

// plot draws what is compared beside each other, one group of bars to a case.
func (rep *report) plot() []byte {
	const bar, gap, label, width = 16, 26, 190, 760
	var b strings.Builder
	y := gap
	for _, o := range rep.Outcomes {
		if o.Relative != keyRate {
			continue
		}
		most := 0.0
		for _, r := range o.Rows {
			most = max(most, o.relative(r))
		}
		fmt.Fprintf(&b, `<text x="8" y="%d" font-weight="600">%s</text>`, y, o.Title)
		y += 6
		for _, r := range o.Rows {
			if r.Missing {
				continue
			}
			ratio := o.relative(r)
			w := int(ratio / max(most, 0.01) * (width - label - 60))
			fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end" fill="#444">%s</text><rect x="%d" y="%d" width="%d" height="%d" fill="%s"/><text x="%d" y="%d" fill="#222">%.2f</text>`,
				label-8, y+bar-5, r.Server, label, y+1, max(w, 1), bar-3, cmp.Or(plotColors[r.Server], "#f0c3a8"), label+w+5, y+bar-5, ratio)
			y += bar
		}
		y += gap - 6
	}
	head := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui, sans-serif" font-size="12" role="img"><title>Requests per second, as a multiple of the base server</title><rect width="100%%" height="100%%" fill="#fff"/>`, width, y)
	return []byte(head + b.String() + "</svg>\n")
}
