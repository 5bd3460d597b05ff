package auth

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// UsersConfig says who the users are: File or Inline must be set, not both.
type UsersConfig struct {
	// File is a password file as Apache's htpasswd writes it: lines of
	// user:hash. Hashes are bcrypt, argon2id, SHA-crypt ($5$ and $6$), $apr1$
	// or {SHA}; anything else is a mistake, and so are empty hashes and a user
	// in two lines. The file is read again when it changes. A change with
	// mistakes, or to no users, is logged once, and the users stay as they were.
	File string

	// Inline maps names to hashes.
	Inline map[string]string

	// Groups maps groups to the names of their members.
	Groups map[string][]string

	// Remember is how long a password that was right is remembered, as a keyed
	// hash, so that further requests cost no password hash. Zero: 5 minutes.
	// Negative: not at all.
	Remember time.Duration

	// Workers check the passwords. Nil: workers of its own.
	Workers *Workers

	// Method is the [User.Method] of the users. Empty: "basic".
	Method string

	// Logger tells of changes of the file. Nil: nobody is told.
	Logger *slog.Logger
}

// DefaultRemember is how long passwords are remembered unless [UsersConfig]
// says otherwise.
const DefaultRemember = 5 * time.Minute

// Users are known by name and password. They are safe for concurrent use.
//
// An unknown name takes as long to refuse as a wrong password. Where hashes
// differ in their cost, every refusal costs as much as one of each together.
type Users struct {
	cfg     UsersConfig
	workers *Workers
	book    atomic.Pointer[book]
	watch   *watch // nil: no file
}

// NewUsers reads the users. Its error joins all mistakes.
func NewUsers(cfg UsersConfig) (*Users, error) {
	cfg.Method = cmp.Or(cfg.Method, "basic")
	cfg.Remember = cmp.Or(cfg.Remember, DefaultRemember)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	u := &Users{cfg: cfg, workers: cfg.Workers}
	if u.workers == nil {
		u.workers = NewWorkers(0)
	}
	var accounts []account
	var err error
	switch {
	case cfg.File != "" && cfg.Inline != nil:
		err = &optionError{"users", errors.New("a file and a mapping at once (write one of them)")}
	case cfg.File != "":
		before := stateOf(cfg.File)
		if accounts, err = readHtpasswd(cfg.File); err != nil {
			err = onOption("users", err)
		}
		u.watch = &watch{file: cfg.File, loaded: before, reload: u.reload, logger: cfg.Logger}
	case len(cfg.Inline) == 0:
		err = &optionError{"users", errors.New("there are no users (write users: ./htpasswd, or {joe: \"$2y$…\"})")}
	default:
		accounts, err = inlineAccounts(cfg.Inline)
	}
	if err := errors.Join(err, u.checkGroups(accounts)); err != nil {
		return nil, err
	}
	b, err := newBook(accounts, cfg)
	if err != nil {
		return nil, err
	}
	u.book.Store(b)
	if u.watch != nil {
		u.watch.start()
	}
	return u, nil
}

// onOption puts each mistake at the option.
func onOption(option string, err error) error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range many.Unwrap() {
			all = append(all, &optionError{option, e})
		}
		return errors.Join(all...)
	}
	return &optionError{option, err}
}

// checkGroups refuses groups that no field can hold, and members that are no
// users where the users stand beside them.
func (u *Users) checkGroups(accounts []account) error {
	var errs []error
	names := make([]string, 0, len(u.cfg.Groups))
	for g := range u.cfg.Groups {
		names = append(names, g)
	}
	slices.Sort(names)
	for _, g := range names {
		if !plainGroup(g) {
			errs = append(errs, &optionError{"groups", fmt.Errorf("%q can't be a group's name (leave out commas, blanks at its ends and control characters)", g)})
		}
		for i, member := range u.cfg.Groups[g] {
			known := slices.ContainsFunc(accounts, func(a account) bool { return a.name == member })
			if !known && u.cfg.Inline[member] == "" && u.cfg.File == "" {
				errs = append(errs, &optionError{fmt.Sprintf("groups.%s[%d]", g, i), fmt.Errorf("there is no user %q", member)})
			}
		}
	}
	return errors.Join(errs...)
}

// Close stops looking at the file.
func (u *Users) Close() error {
	if u.watch != nil {
		u.watch.stop()
	}
	return nil
}

// reload takes over the users that the file has now.
func (u *Users) reload() error {
	accounts, err := readHtpasswd(u.cfg.File)
	if err != nil {
		return err
	}
	b, err := newBook(accounts, u.cfg)
	if err != nil {
		return err
	}
	b.inherit(u.book.Load())
	u.book.Store(b)
	return nil
}

// Verify gives the user of that name if the password is right, nil if it is
// not. It blocks while passwords are being checked. An error says that the
// password could not be checked: it is a 503 with Retry-After when too many
// wait, and whatever ctx says when it ends. How many may wait of one network
// ([NewWorkers]) is bounded where ctx is that of a request inside mountd.
func (u *Users) Verify(ctx context.Context, name, password string) (*User, error) {
	if strings.Contains(name, ":") {
		return nil, nil
	}
	return u.verify(ctx, nil, []byte(name+":"+password))
}

// maxCredentials bounds name and password together, in bytes.
const maxCredentials = 1024

// verify checks credentials of the form "name:password" that r has; nil: those of
// no request but what ctx tells of one.
func (u *Users) verify(ctx context.Context, r *http.Request, credentials []byte) (*User, error) {
	if len(credentials) > maxCredentials || hasControls(credentials) {
		return nil, nil
	}
	b := u.book.Load()
	key := b.digest(credentials)
	if user := b.remembered(key); user != nil {
		return user, nil
	}
	if r != nil {
		ctx = withNetwork(ctx, r)
	}
	return b.check(ctx, u.workers, key, bytes.Clone(credentials)) // theirs may be on the stack
}

func hasControls(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c == 0x7f {
			return true
		}
	}
	return false
}
