// Command mountd serves a mount table: apps of every kind below the prefixes
// and hosts of one site, each behind its stack of middlewares.
package main

import "github.com/mountd/mountd"

func main() { mountd.Main() }
