package compose

// Info describes one layer of a resolved chain.
type Info struct {
	Name       string `json:"name"`
	Label      string `json:"label,omitempty"`
	Definition string `json:"-"`
	Doc        string `json:"doc,omitempty"`
	Detail     string `json:"detail,omitempty"`
	When       string `json:"when,omitempty"`
	Except     string `json:"except,omitempty"`
	LeftOut    bool   `json:"left_out,omitempty"` // the very same layer stands further out
}

// Explain describes the layers of a stack as they are built: what each does,
// and which are left out because the same one stands further out. The end of a
// group is one of them.
func (r Registry) Explain(outer []Layer, layers ...Layer) []Info {
	slots, _ := r.resolve(outer, layers)
	infos := make([]Info, 0, len(slots)+1)
	for i := range slots {
		s := &slots[i]
		in := Info{Name: s.layer.Name, Label: s.layer.Label, Definition: s.layer.Definition, Doc: r[s.layer.Name].Doc, LeftOut: s.same}
		if f := r[s.layer.Name]; f.Describe != nil && s.options != nil {
			in.Detail = f.Describe(s.options)
		}
		if s.layer.When != nil {
			in.When = s.layer.When.String()
		}
		if s.layer.Except != nil {
			in.Except = s.layer.Except.String()
		}
		infos = append(infos, in)
		if end := ends(slots, i); end != nil {
			l := endLayer(slots, i)
			infos = append(infos, Info{Name: l.Name, Definition: l.Definition, Doc: end.Doc, Detail: end.Doc})
		}
	}
	return infos
}
