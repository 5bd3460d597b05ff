package control

// MaxConns is how many are served at once.
const MaxConns = maxConns

// NameOf names the socket of a table.
var NameOf = nameOf
