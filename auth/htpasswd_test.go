package auth_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/mountd/mountd/auth"
	"github.com/mountd/mountd/internal/request"
)

// quick is a bcrypt hash of the lowest cost.
func quick(t testing.TB, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

func newUsers(t testing.TB, cfg auth.UsersConfig) *auth.Users {
	t.Helper()
	u, err := auth.NewUsers(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close() })
	return u
}

func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "htpasswd")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func knows(t testing.TB, u *auth.Users, name, password string) bool {
	t.Helper()
	user, err := u.Verify(context.Background(), name, password)
	if err != nil {
		t.Fatal(err)
	}
	if user != nil && user.Name != name {
		t.Errorf("%q is %q", name, user.Name)
	}
	return user != nil
}

// Hashes with their passwords. SHA-crypt: the vectors of its specification;
// others: written by htpasswd, openssl, argon2 (RFC 9106's reference program)
// and PHP.
var known = []struct{ hash, password string }{
	{"$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "Hello world!"},
	{"$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA", "Hello world!"},
	{"$5$toolongsaltstrin$Un/5jzAHMgOGZ5.mWJpuVolil07guHPvOW8mGRcvxa5", "This is just a test"},
	{"$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1", "Hello world!"},
	{"$6$rounds=1400$anotherlongsalts$POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1", "a very much longer text to encrypt.  This one even stretches over morethan one line."},
	{"$apr1$salt$Xxd1irWT9ycqoYxGFn4cb.", "password"},
	{"$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/", "test"},
	{"$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/", "secret"},
	{"{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "password"},
	{"$2y$05$XWP4SvYGQ13ffbTdsEqvKOGR/rSA1tT1vpQ2MO6ff02EIffj5x.9e", "secret"},
	{"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "password"},
}

func TestHashesOfOtherPrograms(t *testing.T) {
	for _, k := range known {
		u := newUsers(t, auth.UsersConfig{Inline: map[string]string{"joe": k.hash}, Remember: -1})
		if !knows(t, u, "joe", k.password) {
			t.Errorf("%s is not of %q", k.hash, k.password)
		}
		if knows(t, u, "joe", k.password+"x") || knows(t, u, "ann", k.password) {
			t.Errorf("%s lets others in", k.hash)
		}
	}
}

func TestPasswordFilesOfApache(t *testing.T) {
	u := newUsers(t, auth.UsersConfig{File: file(t, "\uFEFF# comment\r\napr1:$apr1$salt$Xxd1irWT9ycqoYxGFn4cb.\r\n\r\nsha:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=  \t\n"+
		"joe:"+quick(t, "pw")+":Joe Doe\njörg:"+quick(t, "ü")+"\n  # indented\n")})
	for _, c := range []struct {
		name, password string
		want           bool
	}{
		{"apr1", "password", true},
		{"apr1", "Password", false},
		{"sha", "password", true},
		{"joe", "pw", true},
		{"joe", "pw ", false},
		{"joe", "", false},
		{"jörg", "ü", true},
		{"nobody", "pw", false},
		{"", "pw", false},
		{"joe:pw", "", false},
		{"joe", "pw\x00", false},
		{"joe", strings.Repeat("x", 5000), false},
	} {
		if got := knows(t, u, c.name, c.password); got != c.want {
			t.Errorf("%q %q: %v", c.name, c.password, got)
		}
	}
}

func TestMistakesInPasswordFiles(t *testing.T) {
	good := quick(t, "pw")
	for _, c := range []struct{ line, want string }{
		{"test", "1: there is no colon"},
		{"user:", `1: user "user": the hash is empty`},
		{"user:  ", `1: user "user": the hash is empty`},
		{"user:plain", `1: user "user": this is no hash`},
		{"user:{PLAIN}x", `1: user "user": this kind of hash is not supported`},
		{"user:{SSHA}yI6cZwQadOA1e+/f+T+H3eCQQhRzYWx0", "not supported"},
		{"user:$1$salt$abc", "not supported"},
		{":" + good, `1: user "": the user's name is empty`},
		{"user:$apr1$", "the $apr1$ hash is broken"},
		{"user:$apr1$$Xxd1irWT9ycqoYxGFn4cb.", "the $apr1$ hash is broken"},
		{"user:$apr1$salt$Xxd1irWT9ycqoYxGFn4cb", "the $apr1$ hash is broken"},
		{"user:{SHA}W6ph", "the {SHA} hash is broken"},
		{"user:{SHA}", "the {SHA} hash is broken"},
		{"user:$5$", "the $5$ hash is broken"},
		{"user:$5$salt$abc", "the $5$ hash is broken"},
		{"user:$6$rounds=1$salt$" + strings.Repeat("a", 86), "the number of rounds"},
		{"user:$6$rounds=999999999$salt$" + strings.Repeat("a", 86), "the number of rounds"},
		{"user:$2b$99$" + good[7:], "the bcrypt cost 99"},
		{"user:$2b$31$" + good[7:], "the bcrypt cost 31"},
		{"user:" + good[:59], "the bcrypt hash is broken"},
		{"user:" + good[:58] + "!x", "the bcrypt hash is broken"},
		{"user:$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ", "the argon2id hash is broken"},
		{"user:$argon2id$v=16$m=65536,t=3,p=4$c2FsdHNhbHQ$" + strings.Repeat("a", 43), "not of version 19"},
		{"user:$argon2id$v=19$m=4294967295,t=3,p=4$c2FsdHNhbHQ$" + strings.Repeat("A", 43), "out of range"},
		{"user:$argon2id$v=19$m=1024,t=0,p=4$c2FsdHNhbHQ$" + strings.Repeat("A", 43), "broken"},
		{"user:$argon2i$v=19$m=1024,t=1,p=4$c2FsdHNhbHQ$" + strings.Repeat("A", 43), "not supported"},
		{"us\x01er:" + good, "control characters"},
		{"us\xffer:" + good, "not UTF-8"},
		{" user:" + good, "begins or ends with a blank"},
		{"joe:" + good + "\n# c\njoe:" + good, `3: user "joe" is in line 1 already`},
		{"", "has no users"},
		{"# only this", "has no users"},
	} {
		_, err := auth.NewUsers(auth.UsersConfig{File: file(t, c.line+"\n")})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, not %q", c.line, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "plain") {
			t.Errorf("%q: the password is shown: %v", c.line, err)
		}
	}
}

func TestAllMistakesAreToldAtOnce(t *testing.T) {
	_, err := auth.NewUsers(auth.UsersConfig{File: file(t, "a\nb:x\nc:\n"), Groups: map[string][]string{"a,b": {"x"}}})
	if n := strings.Count(fmt.Sprint(err), "\n") + 1; n != 4 {
		t.Errorf("%d mistakes: %v", n, err)
	}
	var option interface{ OptionPath() string }
	if !errors.As(err, &option) || option.OptionPath() != "users" {
		t.Errorf("%v is at no option", err)
	}
}

func TestMistakesInInlineUsers(t *testing.T) {
	good := quick(t, "pw")
	for _, c := range []struct {
		cfg  auth.UsersConfig
		want string
	}{
		{auth.UsersConfig{}, "users: there are no users"},
		{auth.UsersConfig{Inline: map[string]string{}}, "users: there are no users"},
		{auth.UsersConfig{Inline: map[string]string{"joe": "secret"}}, `users.joe: user "joe": this is no hash`},
		{auth.UsersConfig{Inline: map[string]string{"joe": good}, File: "x"}, "at once"},
		{auth.UsersConfig{Inline: map[string]string{"a:b": good}}, "a colon"},
		{auth.UsersConfig{Inline: map[string]string{"joe": good}, Groups: map[string][]string{"g": {"joe", "ann"}}}, `groups.g[1]: there is no user "ann"`},
		{auth.UsersConfig{File: "/nonexistent/htpasswd"}, "no such file"},
		{auth.UsersConfig{File: os.TempDir()}, "is not a file"},
	} {
		if _, err := auth.NewUsers(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, not %q", err, c.want)
		}
	}
}

func TestGroups(t *testing.T) {
	u := newUsers(t, auth.UsersConfig{
		Inline: map[string]string{"joe": quick(t, "pw")}, Method: "form",
		Groups: map[string][]string{"staff": {"joe", "joe"}, "admins": {"joe"}, "none": {}},
	})
	user, err := u.Verify(t.Context(), "joe", "pw")
	if err != nil || strings.Join(user.Groups, " ") != "admins staff" || user.Method != "form" {
		t.Errorf("%+v %v", user, err)
	}
}

// eventually waits for what must come.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: ", what)
		}
	}
}

func TestAFileThatChangesIsReadAgain(t *testing.T) {
	joe, ann := quick(t, "pw"), quick(t, "pw2")
	path := file(t, "joe:"+joe+"\nann:"+ann+"\n")
	var log lines
	u := newUsers(t, auth.UsersConfig{File: path, Logger: log.logger()})
	if !knows(t, u, "joe", "pw") || !knows(t, u, "ann", "pw2") {
		t.Fatal("not known")
	}
	replace := func(text string) {
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	replace("ann:" + ann + "\n")
	eventually(t, "joe is gone", func() bool { return !knows(t, u, "joe", "pw") })
	if !knows(t, u, "ann", "pw2") {
		t.Error("ann is gone too")
	}
	replace("ann:nonsense\n")
	eventually(t, "the mistake is told", func() bool { return log.has("not replaced") })
	time.Sleep(700 * time.Millisecond)
	if n := log.count("not replaced"); n != 1 {
		t.Errorf("told %d times", n)
	}
	if !knows(t, u, "ann", "pw2") {
		t.Error("a broken file made ann unknown")
	}
	replace("joe:" + joe + "\n")
	eventually(t, "joe is back", func() bool { return knows(t, u, "joe", "pw") })
	if knows(t, u, "ann", "pw2") {
		t.Error("ann is still known")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the loss is told", func() bool { return log.count("not replaced") == 2 })
	if !knows(t, u, "joe", "pw") {
		t.Error("a lost file made joe unknown")
	}
}

func TestAChangedPasswordEndsTheOldOne(t *testing.T) {
	path := file(t, "joe:"+quick(t, "old")+"\n")
	u := newUsers(t, auth.UsersConfig{File: path})
	if !knows(t, u, "joe", "old") {
		t.Fatal("not known")
	}
	if err := os.WriteFile(path, []byte("joe:"+quick(t, "new")+"\n# longer\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the old password is refused", func() bool { return !knows(t, u, "joe", "old") })
	if !knows(t, u, "joe", "new") {
		t.Error("the new password is refused")
	}
}

func TestARightPasswordIsRememberedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := auth.NewWorkers(1)
		u := newUsers(t, auth.UsersConfig{Inline: map[string]string{"joe": quick(t, "pw")}, Remember: time.Minute, Workers: busy})
		if !knows(t, u, "joe", "pw") {
			t.Fatal("not known")
		}
		release := occupy(busy)
		for _, c := range []struct {
			after time.Duration
			want  bool
		}{{0, true}, {59 * time.Second, true}, {2 * time.Second, false}} {
			time.Sleep(c.after)
			user, err := u.Verify(t.Context(), "joe", "pw")
			if got := user != nil && err == nil; got != c.want {
				t.Errorf("after %v: %v %v", c.after, user, err)
			}
		}
		release()
	})
}

// occupy takes the only worker.
func occupy(w *auth.Workers) (release func()) {
	began, end, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		_ = w.Do(context.Background(), func() { close(began); <-end })
	}()
	<-began
	return func() { close(end); <-done }
}

func TestPasswordsThatWaitTooLongAreAnsweredBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := auth.NewWorkers(1)
		u := newUsers(t, auth.UsersConfig{Inline: map[string]string{"joe": quick(t, "pw")}, Workers: busy})
		release := occupy(busy)
		var wg sync.WaitGroup
		statuses := make(chan int, 100)
		for i := range 100 {
			wg.Go(func() {
				_, err := u.Verify(t.Context(), "joe", fmt.Sprint("wrong", i))
				status, _, header := request.Describe(err)
				if err == nil || header.Get("Retry-After") == "" {
					t.Errorf("%v", err)
				}
				statuses <- status
			})
		}
		synctest.Wait()
		if n := len(statuses); n != 68 {
			t.Errorf("%d were refused at once, not 68", n)
		}
		wg.Wait()
		for range 100 {
			if status := <-statuses; status != http.StatusServiceUnavailable {
				t.Errorf("status %d", status)
			}
		}
		release()
	})
}

// A flood from one network leaves the places of others alone.
func TestOneNetworkCannotTakeAllPlaces(t *testing.T) {
	from := func(addr string, record bool) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = addr
		if !record {
			return r
		}
		rec := request.New(httptest.NewRecorder(), r)
		if ap, err := netip.ParseAddrPort(addr); err == nil {
			rec.Client = ap.Addr()
		}
		return &rec.Request
	}
	for _, c := range []struct {
		fact         string
		flood        func(i int) string
		other, alike string
	}{
		{"IPv4", func(i int) string { return fmt.Sprint("127.0.0.1:", 1000+i) }, "127.0.0.2:1", "127.0.0.1:1"},
		{"mapped into IPv6", func(i int) string { return fmt.Sprint("[::ffff:127.0.0.1]:", 1000+i) }, "127.0.0.2:1", "127.0.0.1:1"},
		{"IPv6", func(i int) string { return fmt.Sprintf("[2001:db8:1:2::%x]:80", i+1) }, "[2001:db8:1:3::1]:1", "[2001:db8:1:2:ffff::]:1"},
		{"unix sockets", func(int) string { return "@" }, "127.0.0.1:1", ""},
	} {
		for _, record := range []bool{false, true} {
			t.Run(fmt.Sprint(c.fact, " record ", record), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					busy := auth.NewWorkers(1)
					u := newUsers(t, auth.UsersConfig{Inline: map[string]string{"joe": quick(t, "pw")}, Workers: busy})
					basic, err := auth.NewBasic(auth.BasicConfig{Users: u})
					if err != nil {
						t.Fatal(err)
					}
					try := func(addr, password string) (*auth.User, error) {
						r := from(addr, record)
						r.SetBasicAuth("joe", password)
						return basic.Authenticate(httptest.NewRecorder(), r)
					}
					release := occupy(busy)
					var wg sync.WaitGroup
					var refused atomic.Int32
					for i := range 100 {
						wg.Go(func() {
							_, err := try(c.flood(i), fmt.Sprint("wrong", i))
							if status, _, header := request.Describe(err); status == http.StatusServiceUnavailable && header.Get("Retry-After") != "" {
								refused.Add(1)
							}
						})
					}
					synctest.Wait()
					if n := refused.Load(); n != 96 {
						t.Errorf("%d were refused at once, not 96", n)
					}
					if _, err := try(c.alike, "pw"); err == nil {
						t.Error("another client of that network has a place")
					}
					wg.Go(func() {
						if user, err := try(c.other, "pw"); err != nil || user == nil {
							t.Errorf("the correct password from another network: %v %v", user, err)
						}
					})
					synctest.Wait()
					release()
					wg.Wait()
					if user, err := try(c.alike, "pw"); err != nil || user == nil {
						t.Errorf("after the flood: %v %v", user, err)
					}
				})
			})
		}
	}
}

// Whose network has no place does not take along others with the same password.
func TestARefusedNetworkTakesNobodyAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := auth.NewWorkers(1)
		u := newUsers(t, auth.UsersConfig{Inline: map[string]string{"joe": quick(t, "pw")}, Workers: busy})
		verify := func(client, password string) (*auth.User, error) {
			rec := request.New(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
			rec.Client = netip.MustParseAddr(client)
			return u.Verify(rec, "joe", password)
		}
		release := occupy(busy)
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() { _, _ = verify("127.0.0.1", fmt.Sprint("wrong", i)) })
		}
		synctest.Wait()
		for range 50 {
			wg.Go(func() { _, _ = verify("127.0.0.1", "pw") })
			wg.Go(func() {
				if user, err := verify("127.0.0.2", "pw"); err != nil || user == nil {
					t.Errorf("%v %v", user, err)
				}
			})
		}
		synctest.Wait()
		release()
		wg.Wait()
	})
}

func TestAClientThatLeavesTheQueueTakesNobodyAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := auth.NewWorkers(1)
		u := newUsers(t, auth.UsersConfig{Inline: map[string]string{"joe": quick(t, "pw")}, Workers: busy})
		release := occupy(busy)
		ctx, leave := context.WithCancel(t.Context())
		first, second := make(chan error, 1), make(chan *auth.User, 1)
		go func() {
			_, err := u.Verify(ctx, "joe", "pw")
			first <- err
		}()
		synctest.Wait()
		go func() {
			user, _ := u.Verify(t.Context(), "joe", "pw")
			second <- user
		}()
		synctest.Wait()
		leave()
		if err := <-first; err == nil {
			t.Error("no error")
		}
		release()
		if user := <-second; user == nil {
			t.Error("the second was refused")
		}
	})
}

// Whatever name is refused, known or not, it costs the same checks.
func TestRefusalsCostTheSame(t *testing.T) {
	users := map[string]string{"joe": "bcrypt 12", "ann": "bcrypt 12", "old": "apr1", "new": "argon2id"}
	want := map[string]int{"bcrypt 12": 1, "apr1": 1, "argon2id": 1}
	for _, name := range []string{"joe", "ann", "old", "new", "unknown", ""} {
		if got := auth.RefusalCost(users, name); !maps.Equal(got, want) {
			t.Errorf("%q costs %v", name, got)
		}
	}
}
