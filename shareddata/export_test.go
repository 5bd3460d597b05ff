package shareddata

// ParseRange gives parseRange to tests: "ignored", "unsatisfiable" or the spans
// as pairs of start and length.
func ParseRange(field string, size int64) (result string, spans [][2]int64) {
	var set rangeSet
	switch parseRange(field, size, &set) {
	case rangeIgnored:
		return "ignored", nil
	case rangeUnsatisfiable:
		return "unsatisfiable", nil
	}
	for _, s := range set.spans[:set.n] {
		spans = append(spans, [2]int64{s.start, s.length})
	}
	return "satisfiable", spans
}

// AcceptEncoding gives acceptEncoding to tests.
func AcceptEncoding(fields ...string) (weights [3]int, identity int) { return acceptEncoding(fields) }

// MatchTags gives matches to tests.
func MatchTags(field, tag string) bool {
	return (&representation{etag: []string{tag}}).matches([]string{field}, weak)
}

// MatchGlob compiles a glob and compares it with a path.
func MatchGlob(pattern string, components []string) (matches bool, err error) {
	g, err := newGlob(pattern)
	if err != nil || len(components) == 0 {
		return false, err
	}
	g.matchFile(components)
	return g.matchAny(components), nil
}
