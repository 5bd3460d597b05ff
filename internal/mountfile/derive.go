package mountfile

// WithText gives a scalar at n's place with another text.
func (n *Node) WithText(text string) *Node {
	s := &Node{kind: Scalar, text: text, raw: text}
	if n != nil {
		s.pos, s.dir, s.varied, s.secret = n.pos, n.dir, n.varied, n.secret
	}
	if s.varied {
		s.raw = n.raw // what variables stood for is not shown
	}
	return s
}

// Split gives the value of a key of a mapping, nil when it is not written, and
// the mapping without it.
func (n *Node) Split(key string) (value, rest interface{ Decode(v any) error }) {
	v := n.Get(key)
	if v == nil {
		return nil, n
	}
	return v, n.Without(key)
}

// Mistake is [Node.Errorf] for callers that know a Node by its methods only.
func (n *Node) Mistake(message string) error { return n.Errorf("%s", message) }

// SetMount adds a mount, or replaces the one of the same pattern.
func (t *Table) SetMount(key, value *Node) {
	for i, e := range t.Mounts {
		if e.Name() == key.Text() {
			t.Mounts[i] = Entry{Key: key, Value: value}
			return
		}
	}
	t.Mounts = append(t.Mounts, Entry{Key: key, Value: value})
}
