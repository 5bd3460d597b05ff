package session

import "time"

// SetNow makes m take the time from now.
func (m *Manager) SetNow(now func() time.Time) { m.now = now }

// DecodeValues reads encoded values, and gives their encoding and size.
func DecodeValues(b []byte) (again []byte, size int, err error) {
	v, err := decodeValues(b)
	if err != nil {
		return nil, 0, err
	}
	return v.encode(), v.size, nil
}
