package issuer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Keys are the keys that tokens are verified with, wherever they come from.
// They are safe for concurrent use.
type Keys struct {
	static *KeySet
	cell   *Cell[*KeySet]
}

// SecretKeys gives a secret that issuer and verifier share.
func SecretKeys(secret []byte) *Keys {
	return &Keys{static: &KeySet{keys: []key{{public: bytes.Clone(secret)}}}}
}

// FileKeys gives the keys in a file, which must be there and hold some. A
// change of the file counts a few seconds later; while it is unreadable or
// holds nothing of use, the keys stay what they were.
func FileKeys(name string, log func(error)) (*Keys, error) {
	var last *KeySet
	load := func(context.Context) (*KeySet, error) {
		data, err := readFile(name)
		if err != nil {
			return nil, err
		}
		if last != nil && bytes.Equal(data, last.raw) {
			return last, nil
		}
		set, err := ParseKeySet(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if set.Len() == 0 {
			return nil, fmt.Errorf("%s: it holds no key that can be used", name)
		}
		last = set
		return set, nil
	}
	set, err := load(context.Background())
	if err != nil {
		return nil, err
	}
	cell := NewCell(CellConfig[*KeySet]{Load: load, Refresh: 2 * time.Second, Interval: 2 * time.Second, Log: log})
	cell.Set(set)
	return &Keys{cell: cell}, nil
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, MaxAnswer+1))
	if err == nil && len(data) > MaxAnswer {
		err = fmt.Errorf("%s: larger than %d bytes", name, MaxAnswer)
	}
	return data, err
}

// RemoteConfig says where keys are published. Client and URL must be set.
type RemoteConfig struct {
	Client *Client

	// URL gives the address of the JWK Set.
	URL func(context.Context) (string, error)

	Refresh, Lifetime, Interval time.Duration // as in [CellConfig]

	Log func(error)
}

// RemoteKeys gives the keys that an issuer publishes. They are fetched when
// they are first asked for.
func RemoteKeys(cfg RemoteConfig) *Keys {
	var last *KeySet
	load := func(ctx context.Context) (*KeySet, error) {
		address, err := cfg.URL(ctx)
		if err != nil {
			return nil, err
		}
		data, err := cfg.Client.Get(ctx, address)
		if err != nil {
			return nil, err
		}
		if last != nil && bytes.Equal(data, last.raw) {
			return last, nil
		}
		set, err := ParseKeySet(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", address, err)
		}
		last = set
		return set, nil
	}
	return &Keys{cell: NewCell(CellConfig[*KeySet]{
		Load: load, Refresh: cfg.Refresh, Lifetime: cfg.Lifetime, Interval: cfg.Interval, Log: cfg.Log,
	})}
}

// Current gives the keys as they are known, nil if there are none. It never
// waits, and is cheap.
func (k *Keys) Current() *KeySet {
	if k.static != nil {
		return k.static
	}
	set, _ := k.cell.Peek()
	return set
}

// Close ends what runs.
func (k *Keys) Close() error {
	if k.cell != nil {
		k.cell.Close()
	}
	return nil
}

// find gives the keys that may have signed a token; none means that the
// issuer does not know its kid either, or has been asked too recently.
func (k *Keys) find(ctx context.Context, kid, alg string) ([]any, *KeySet, error) {
	if k.static != nil {
		return k.static.find(kid, alg), k.static, nil
	}
	set, err := k.cell.Get(ctx)
	if err != nil {
		return nil, nil, unavailable(err)
	}
	found := set.find(kid, alg)
	if len(found) > 0 {
		return found, set, nil
	}
	renewed, err := k.cell.Renew(ctx)
	if err != nil {
		return nil, set, nil //nolint:nilerr // the old keys don't know it: that is the answer
	}
	return renewed.find(kid, alg), renewed, nil
}

func unavailable(err error) error {
	if errors.Is(err, ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
