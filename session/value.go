package session

import (
	"encoding/json"
	"fmt"
)

// Value is a value of type T in sessions, kept as JSON. Make one for each key,
// with [NewValue], and keep it in a variable. It is safe for concurrent use.
//
//	var cart = session.NewValue[[]Item]("cart")
type Value[T any] struct{ key string }

// NewValue gives the value under key.
func NewValue[T any](key string) Value[T] { return Value[T]{key} }

// Get gives the value, and whether there is one. What does not fit T, such as
// what an older program has put, counts as none.
func (v Value[T]) Get(s *Session) (value T, ok bool) {
	text, ok := s.Lookup(v.key)
	if !ok {
		return value, false
	}
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		var zero T
		return zero, false
	}
	return value, true
}

// Put puts the value. Its error says that the value has no JSON, the session
// would become too large, or the store fails; nothing has changed then.
func (v Value[T]) Put(s *Session, value T) error {
	b, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("session value %q: %w", v.key, err)
	}
	s.Put(v.key, string(b))
	return s.Err()
}

// Delete removes the value.
func (v Value[T]) Delete(s *Session) { s.Delete(v.key) }
