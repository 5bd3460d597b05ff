// Package e2e holds no code: its tests run the whole program, assembled from a
// mount table and reached over real sockets, against what has broken systems
// of its kind. Rows keep the names of the catalogue of failures that they come
// from: A are paths, B header fields, C framing, D files, G proxying, I tables
// and reloads, J faults, K limits.
package e2e
