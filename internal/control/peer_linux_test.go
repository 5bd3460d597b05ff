package control

import "testing"

func TestWhoMayTalk(t *testing.T) {
	for _, c := range []struct {
		peer, own int
		want      bool
	}{{1000, 1000, true}, {0, 1000, true}, {0, 0, true}, {1000, 0, false}, {1001, 1000, false}} {
		if mayTalk(c.peer, c.own) != c.want {
			t.Errorf("%d to %d: %v", c.peer, c.own, !c.want)
		}
	}
}
