//go:build !poison

package request

import "sync"

func recycle(rec *Record) { records.Put(rec) }

func recyclePart(spare *sync.Pool, o, _ any) { spare.Put(o) }
