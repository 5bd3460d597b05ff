// Package importrule holds no code: its tests keep the architecture true. Their
// table says which package may import what, and that each has one package
// comment.
package importrule
