package option_test

import (
	"encoding"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/mountd/mountd/internal/option"
)

func TestSizes(t *testing.T) {
	good := map[string]option.Size{
		"0": 0, "512": 512, "1KiB": 1 << 10, "10MiB": 10 << 20, "1MB": 1e6, "2 GiB": 2 << 30, "3kb": 3000, "7B": 7, "8388607TiB": 8388607 << 40,
	}
	for text, want := range good {
		var got option.Size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5MiB", "10XB", "9223372036854775808", "9000000TiB", "1 0", "0x10"} {
		if err := new(option.Size).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken for a size", text)
		}
	}
}

func TestRates(t *testing.T) {
	good := map[string]option.Rate{
		"20/s": {20, time.Second}, "5/m": {5, time.Minute}, "100/h": {100, time.Hour}, "1/d": {1, 24 * time.Hour}, "10/30s": {10, 30 * time.Second}, "3 / m": {3, time.Minute},
	}
	for text, want := range good {
		var got option.Rate
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "20", "/s", "0/s", "-1/s", "20/", "20/x", "20/0s", "20/-1s", "1.5/s", "20/s/m"} {
		if err := new(option.Rate).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken for a rate", text)
		}
	}
	if got := (option.Rate{Count: 30, Per: time.Minute}).PerSecond(); got != 0.5 {
		t.Errorf("30/m is %v a second", got)
	}
}

func TestARelativeFileStartsAtItsDirectory(t *testing.T) {
	for path, want := range map[option.File]option.File{"": "", "/etc/x": "/etc/x", "x": "/srv/x", "../x": "/x", ".": "/srv"} {
		got := path
		if got.SetDir("/srv"); got != want {
			t.Errorf("%q became %q, not %q", path, got, want)
		}
	}
}

func TestStringsAreOneOrMany(t *testing.T) {
	decode := func(text string, list []string) func(any) error {
		return func(v any) error {
			switch v := v.(type) {
			case *string:
				if list != nil {
					return errors.New("a list")
				}
				*v = text
			case *[]string:
				*v = list
			default:
				return fmt.Errorf("decoded into %T", v)
			}
			return nil
		}
	}
	var one, many option.Strings
	if err := errors.Join(one.UnmarshalOption(decode("a", nil)), many.UnmarshalOption(decode("", []string{"a", "b"}))); err != nil {
		t.Fatal(err)
	}
	if len(one) != 1 || len(many) != 2 {
		t.Errorf("%q, %q", one, many)
	}
}

type fakeNode struct{ err error }

func (n fakeNode) Decode(any) error { return n.err }

func TestAnEmptyNodeDecodesNothing(t *testing.T) {
	var n option.Node
	if !n.Empty() || n.Decode(nil) != nil {
		t.Error("the zero Node is not empty")
	}
	want := errors.New("seen")
	n.CaptureOption(fakeNode{want})
	if n.Empty() || n.Decode(nil) != want {
		t.Error("the node is not kept")
	}
}

func FuzzTexts(f *testing.F) {
	for _, s := range []string{"10MiB", "1 KB", "20/s", "10/30s", "", "/", "9999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var size, size2 option.Size
		if size.UnmarshalText([]byte(s)) == nil {
			if size < 0 {
				t.Errorf("%q is negative: %d", s, size)
			}
			again(t, size, &size2)
			if size != size2 {
				t.Errorf("%q: %d is written %s", s, size, size)
			}
		}
		var rate, rate2 option.Rate
		if rate.UnmarshalText([]byte(s)) == nil {
			again(t, rate, &rate2)
			if rate != rate2 || rate.Count <= 0 || rate.Per <= 0 {
				t.Errorf("%q: %v is written %s", s, rate, rate)
			}
		}
	})
}

func again(t *testing.T, from encoding.TextMarshaler, to encoding.TextUnmarshaler) {
	t.Helper()
	text, err := from.MarshalText()
	if err == nil {
		err = to.UnmarshalText(text)
	}
	if err != nil {
		t.Errorf("%v: %v", from, err)
	}
}

func ExampleSize() {
	var s option.Size
	if err := s.UnmarshalText([]byte("64KiB")); err != nil {
		fmt.Println(err)
	}
	fmt.Println(int64(s), s)
	fmt.Println(s.UnmarshalText([]byte("a lot")))
	// Output:
	// 65536 64KiB
	// "a lot" is not a size (write it like 512, 64KiB or 10MiB)
}
